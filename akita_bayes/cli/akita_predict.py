"""Predicts the maps or tracks of regions of a genome, with the coordinates of every value.

A region as wide as the model's window is predicted directly. A narrower region is put into the
middle of a window; a wider region is covered by several windows. Writes predict.h5, and with --cool
a cooler for each target, in which overlapping windows are blended. Given a data directory instead
of a BED file, as in Basenji, it predicts a split and writes preds.h5 in float16.
"""

import argparse
import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from akita_bayes import regions
from akita_bayes.cli import (
    basenji_options,
    console,
    figure_options,
    haplotype_options,
    model_options,
    worker_options,
)

if TYPE_CHECKING:
    from akita_bayes.evaluate import map_outputs, prediction_files
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
        help="region such as chr2:1,720,000-1,740,000, chromosome, BED file, or a data directory",
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
        help="write NAME.cool for each target, or NAME.mcool with coarser resolutions and a view "
        "for HiGlass; with --draws also NAME.sd.cool",
    )
    parser.add_argument(
        "--unit",
        choices=("log_oe", "oe", "observed"),
        default="log_oe",
        help="with --cool: ln(observed / expected), observed / expected, or contacts, which need "
        "--expected",
    )
    parser.add_argument(
        "--expected",
        type=console.existing_file,
        help="table of cooltools expected-cis, for --unit observed",
    )
    parser.add_argument(
        "--assembly", help="with --cool: name of the genome (default: that of its file)"
    )
    parser.add_argument(
        "--features",
        action="store_true",
        help="with --cool: insulation as bigWig, boundaries as BED and dots as BEDPE, by cooltools",
    )
    parser.add_argument(
        "--plot", action="store_true", help="draw the maps of the first 10 windows as PNG"
    )
    haplotype_options.add(parser, default_vcf="needed")
    worker_options.add(parser)
    parser.add_argument("--split", help="split of a data directory (default: test)")
    parser.add_argument("--tfr", help="pattern of record files, instead of --split")
    figure_options.add(parser)
    basenji_options.add(parser, "akita_predict")
    return parser


def _regions(text: str) -> str:
    """Returns a region or chromosome, or the path of an existing BED file or data directory."""
    if os.path.isdir(text):
        return text
    # A name without a dot or a slash is that of a chromosome, which the genome checks later.
    if not os.path.exists(text) and (regions.is_region(text) or not set("./") & set(text)):
        return text
    return console.readable(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    if (options.haplotype is None) != (options.vcf is None):
        parser.error("--haplotype SAMPLE and --vcf FILE belong together; give both or neither")
    if os.path.isdir(options.regions):
        if options.haplotype:
            parser.error("--haplotype needs regions, not a data directory")
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
    if not options.cool and (
        options.unit != "log_oe" or options.expected or options.assembly or options.features
    ):
        parser.error("--unit, --expected, --assembly and --features describe coolers; give --cool")
    if (options.unit == "observed") != (options.expected is not None):
        parser.error("--unit observed and --expected TABLE belong together; give both or neither")
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
    from akita_bayes.data.map_files import map_units
    from akita_bayes.evaluate import map_outputs
    from akita_bayes.origins import optional

    _settings(options)  # refuses options that do not fit before the model is loaded
    if options.features:
        optional.check("cooltools", "--features")
    requested: str | list[regions.Region] = options.regions
    if not os.path.exists(options.regions):
        requested = [model_options.region(options.regions, options.fasta)]
    coolers = None
    if options.cool:
        coolers = map_outputs.Coolers(
            options.cool,
            options.model,
            options.targets_file,
            scale=map_units.Scale(options.unit, options.expected),
            assembly=options.assembly,
            features=options.features,
        )
    model = model_options.load(options)
    for source in haplotype_options.sources(options, options.vcf):
        _predict_source(options, model, requested, source, coolers)


def _predict_source(
    options: argparse.Namespace,
    model: "Model",
    requested: str | list[regions.Region],
    source: haplotype_options.Source,
    coolers: "map_outputs.Coolers | None",
) -> None:
    """Predicts the regions of the genome, or of a haplotype, into the folder of the source."""
    from akita_bayes import files
    from akita_bayes.evaluate import prediction_files
    from akita_bayes.plots import figure_files, prediction_plots

    names = _target_names(options, model)
    written = prediction_files.predict_regions(
        model,
        requested,
        fasta=source.genome,
        out_dir=source.out_dir,
        settings=_settings(options),
        targets=names,
        coolers=coolers,
        attributes={
            "model": ",".join([options.model, *options.ensemble]),
            "params_sha256": files.digest(options.params),
        },
        open_bar=console.progress,
    )
    console.say(f"Predicted {console.count(written.windows, 'window')}: {written.path}")
    if options.plot:
        figures = prediction_plots.figures(written.path, names)
        figure_files.write(figures, source.out_dir)
        first = Path(source.out_dir) / figure_files.file_name(next(iter(figures)))
        more = f", and {len(figures) - 1} more in the same directory" if len(figures) > 1 else ""
        console.say(f"Drawn: {first}{more}")
    for paths in written.coolers.values():
        console.say(f"{len(paths)} coolers are in the same directory.")
    if options.cool == "mcool":
        console.say("higlass.json there shows them in HiGlass.")


def _target_names(options: argparse.Namespace, model: "Model") -> dict[str, list[str]]:
    """Returns the names of the targets of each predicted head; numbers where none are recorded."""
    from akita_bayes.data.preparation import targets
    from akita_bayes.models import predict

    head = predict.head_name(model, options.head)
    names = {}
    for name in [head] if head else model.spec.head_names:
        count = model.spec.geometry(name).units or 1
        labels = targets.of_head(options.model, name, count, table=options.targets_file)
        names[name] = (
            [f"{name}_{target}" for target in range(count)]
            if labels is None
            else [label.identifier for label in labels]
        )
    return names


if __name__ == "__main__":
    raise SystemExit(main())
