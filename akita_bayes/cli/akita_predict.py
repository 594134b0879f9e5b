"""Predicts the maps or tracks of regions of a genome, with the coordinates of every value.

A region as wide as the model's window is predicted directly. A narrower region is put into the
middle of a window; a wider region is covered by several windows. Writes predict.h5, and with --cool
a cooler for each target. Given a data directory instead of a BED file, as in Basenji, it predicts a
split and writes preds.h5 in float16.
"""

import argparse
import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from akita_bayes import regions
from akita_bayes.cli import basenji_options, console, figure_options, model_options, worker_options

if TYPE_CHECKING:
    from akita_bayes.evaluate import prediction_files
    from akita_bayes.models.protocol import Model


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__, "akita_predict.py run chr2:1,720,000-1,740,000 -f hg38.fa -o out --plot"
    )
    model_options.add(parser, "params", "model")
    model_options.add(
        parser,
        "regions",
        type=_regions,
        help="region such as chr2:1,720,000-1,740,000, BED file, or a data directory",
    )
    model_options.add(
        parser, "--fasta", required=False, help="genome, FASTA or .2bit; needed with a BED file"
    )
    parser.add_argument("-o", "--out_dir", default="predict_out", help="directory to write")
    model_options.add(parser, "--rc", "--shifts", "--trust")
    model_options.add(
        parser,
        "--ensemble",
        help="further run directories, comma-separated; averaged, or members with --draws",
    )
    model_options.add(parser, "--head")
    model_options.add(
        parser, "--draws", help="posterior draws, for a mean and two standard deviations"
    )
    model_options.add(parser, "--seed")
    parser.add_argument(
        "--stride",
        type=console.positive_integer,
        help="bases between the windows of a wide region (default: half the output)",
    )
    model_options.add(parser, "--batch_size", "--precision")
    model_options.add(
        parser,
        "--targets_file",
        help="targets.txt with names for the coolers (default: names of the run, or numbers)",
    )
    parser.add_argument(
        "--cool",
        nargs="?",
        const="cool",
        choices=("cool", "mcool"),
        help="write NAME.cool for each target, or NAME.mcool with coarser resolutions",
    )
    parser.add_argument(
        "--plot", action="store_true", help="draw the maps of the first 10 windows as PNG"
    )
    worker_options.add(parser)
    parser.add_argument("--split", help="split of a data directory (default: test)")
    parser.add_argument("--tfr", help="pattern of record files, instead of --split")
    figure_options.add(parser)
    basenji_options.add(parser, "akita_predict")
    return parser


def _regions(text: str) -> str:
    """Returns a region, or the path of an existing BED file or data directory."""
    if os.path.isdir(text) or (not os.path.exists(text) and regions.is_region(text)):
        return text
    return console.readable(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    if os.path.isdir(options.regions):
        if options.cool or options.stride or options.draws or options.plot:
            parser.error("--cool, --stride, --draws and --plot need regions, not a data directory")
        if options.workers > 1 or options.scheduler:
            parser.error("--workers and --scheduler need regions, not a data directory")
        if options.split and options.tfr:
            parser.error("--tfr and --split both choose the records to predict; give only one")
        return console.run(
            lambda: _predict_split(options), options=options, out=options.out_dir, kind="report"
        )
    if options.split or options.tfr:
        parser.error("--split and --tfr need a data directory, not a BED file")
    if options.fasta is None:
        parser.error("regions need a genome; give -f genome.fa")
    if options.targets_file and not (options.cool or options.plot):
        parser.error("--targets_file names the files of --cool and --plot; give one of them too")
    return console.run(
        lambda: _predict(options), options=options, out=options.out_dir, kind="report"
    )


def _settings(options: argparse.Namespace) -> "prediction_files.PredictionSettings":
    from akita_bayes.evaluate import prediction_files

    fields = dataclasses.fields(prediction_files.PredictionSettings)
    values = {
        field.name: getattr(options, field.name) for field in fields if hasattr(options, field.name)
    }
    return prediction_files.PredictionSettings(
        **values,
        cluster=worker_options.cluster(options),
        load_model=model_options.files_of(options).load,
    )


def _predict_split(options: argparse.Namespace) -> None:
    from akita_bayes.evaluate import prediction_files

    records = options.tfr or options.split or "test"
    written = prediction_files.predict_split(
        model_options.load(options),
        options.regions,
        out_dir=options.out_dir,
        split=records,
        settings=_settings(options),
        open_bar=console.progress,
    )
    console.say(f"The windows of {records} are in {written.path}.")


def _predict(options: argparse.Namespace) -> None:
    from akita_bayes import files
    from akita_bayes.evaluate import prediction_files
    from akita_bayes.plots import figure_files, prediction_plots

    settings = _settings(options)
    requested: str | list[regions.Region] = options.regions
    if not os.path.exists(options.regions):
        requested = [model_options.region(options.regions, options.fasta)]
    coolers = None
    if options.cool:
        coolers = prediction_files.Coolers(options.cool, options.model, options.targets_file)
    model = model_options.load(options)
    written = prediction_files.predict_regions(
        model,
        requested,
        fasta=options.fasta,
        out_dir=options.out_dir,
        settings=settings,
        coolers=coolers,
        attributes={
            "model": ",".join([options.model, *options.ensemble]),
            "params_sha256": files.digest(options.params),
        },
        open_bar=console.progress,
    )
    console.say(f"Predicted {console.count(written.windows, 'window')}: {written.path}")
    if options.plot:
        figures = prediction_plots.figures(written.path, _target_names(options, model))
        figure_files.write(figures, options.out_dir)
        console.say(f"Drawn: {console.count(len(figures), 'figure')} in the same directory.")
    for paths in written.coolers.values():
        console.say(f"{len(paths)} coolers are in the same directory.")


def _target_names(options: argparse.Namespace, model: "Model") -> dict[str, list[str]]:
    """Returns the names of the targets of each predicted head."""
    from akita_bayes.evaluate import prediction_files
    from akita_bayes.models import predict

    head = predict.head_name(model, options.head)
    names = prediction_files.Coolers("cool", options.model, options.targets_file)
    return {
        name: names.names(name, model.spec.geometry(name).units or 1)
        for name in ([head] if head else model.spec.head_names)
    }
