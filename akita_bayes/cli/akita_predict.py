"""Predicts the maps or tracks of regions of a genome, with the coordinates of every value.

A region as wide as the model's window is predicted as it is; a narrower one is put into the middle
of a window, a wider one is tiled. Writes predict.h5, and with --cool a cooler for each target. Of a
data directory instead of regions, as in Basenji, it predicts a split and writes preds.h5, float16.
"""

import argparse
import os
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akita_bayes import errors
from akita_bayes.cli import basenji_options, console, model_options

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from akita_bayes import regions
    from akita_bayes.data import genome


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__, "akita_predict.py models/json/akita_v1.json run regions.bed -f hg38.fa -o out"
    )
    model_options.add(parser, "params", "model")
    model_options.add(
        parser, "regions", type=_regions, help="BED file, plain or gzipped, or a data directory"
    )
    model_options.add(parser, "--fasta", required=False, help="genome of a BED, plain or bgzipped")
    parser.add_argument("-o", "--out_dir", default="predict_out", help="directory to write")
    model_options.add(parser, "--rc", "--shifts")
    model_options.add(
        parser,
        "--ensemble",
        help="further run directories, comma-separated: their mean, or with --draws members",
    )
    model_options.add(parser, "--head")
    model_options.add(parser, "--draws", help="posterior draws, for a mean and two sd")
    model_options.add(parser, "--seed")
    parser.add_argument(
        "--stride", type=console.positive_integer, help="bases between tiles; else half the output"
    )
    model_options.add(parser, "--batch_size")
    model_options.add(
        parser,
        "--targets_file",
        help="targets.txt, whose identifiers name coolers; else those of the run, else numbers",
    )
    parser.add_argument(
        "--cool",
        nargs="?",
        const="cool",
        choices=("cool", "mcool"),
        help="write NAME.cool for each target, or NAME.mcool with coarser resolutions",
    )
    parser.add_argument("--split", help="split of a data directory, else test")
    parser.add_argument("--tfr", help="pattern of its record files, instead of a split")
    basenji_options.add(parser, "akita_predict")
    return parser


def _regions(text: str) -> str:
    """An argparse type: a BED that is there, or a data directory."""
    return text if os.path.isdir(text) else console.readable(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    if os.path.isdir(options.regions):
        if options.cool or options.stride or options.draws:
            parser.error("--cool, --stride and --draws are for regions of a BED")
        if options.split and options.tfr:
            parser.error("--tfr and --split both say which records to predict; give one")
        return console.run(lambda: _predict_split(options), out=options.out_dir, apart=True)
    if options.split or options.tfr:
        parser.error("--split and --tfr choose records of a data directory; a BED has none")
    if options.fasta is None:
        parser.error("a BED needs its genome; give -f genome.fa")
    if options.targets_file and not options.cool:
        parser.error("--targets_file names the files of --cool; give --cool too")
    return console.run(lambda: _predict(options), out=options.out_dir, apart=True)


def _predict_split(options: argparse.Namespace) -> None:
    from akita_bayes.data.records import dataset, split_arrays
    from akita_bayes.models import predict

    model = model_options.load(options)
    name = predict.head_name(model, options.head)
    if name is None:
        names = ", ".join(model.spec.head_names)
        raise errors.SpecError(f"model: choose a head out of {names}; give --head.")
    size = options.batch_size or predict.batch_size(model.spec.model.seq_length)
    which = options.tfr or options.split or "test"
    split = dataset.open_split(options.regions, which, batch_size=size)
    path = Path(options.out_dir) / "preds.h5"
    with (
        split_arrays.appended(path, split_arrays.PREDICTIONS) as append,
        console.progress("Predicting", split.records) as advance,
    ):
        for batch in split.batches():
            x = batch["sequence"].numpy()
            views = {"rc": options.rc, "shifts": options.shifts}
            for window in predict.predict(model, x, head=name, batch_size=size, **views):
                append(window)
                advance(1)
    console.stdout.print(f"The windows of {which} are in {path}.", highlight=False)


def _predict(options: argparse.Namespace) -> None:
    from akita_bayes import files, regions
    from akita_bayes.data import genome, predictions
    from akita_bayes.models import predict

    if options.draws and (options.rc or options.shifts != (0,)):
        raise errors.SpecError("--draws: draws are of the window as it is; leave --rc, --shifts.")
    model = model_options.load(options)
    name = predict.head_name(model, options.head)
    places = {
        head: model.spec.geometry(head) for head in ([name] if name else model.spec.head_names)
    }
    with genome.Genome(options.fasta) as opened:
        names = {head: _names(options, head, place.units or 1) for head, place in places.items()}
        bed = regions.read_bed(options.regions, names=opened.sizes)
        jobs = _jobs(bed, opened, places, options.stride)
        if not jobs:
            raise errors.DataError(f"{options.regions}: holds no region.")
        attributes = {
            "model": ",".join([options.model, *options.ensemble]),
            "params_sha256": files.digest(options.params),
            "fasta": str(options.fasta),
            "rc": options.rc,
            "shifts": list(options.shifts),
            "draws": options.draws,
        }
        path = Path(options.out_dir) / predictions.NAME
        size = options.batch_size or predict.batch_size(model.spec.model.seq_length)
        with (
            predictions.Writer(path, places, attributes) as writer,
            console.progress("Predicting", len(jobs)) as advance,
        ):
            for at in range(0, len(jobs), size):
                batch = jobs[at : at + size]
                windows = [window for _, window in batch]
                outputs = _outputs(model, _one_hot(opened, windows), name, options)
                writer.write(windows, [number for number, _ in batch], outputs)
                advance(len(batch))
        console.stdout.print(f"{len(jobs)} windows are in {path}.", highlight=False)
        for head in places:
            if options.cool:
                written = predictions.write_coolers(
                    path,
                    options.out_dir,
                    chrom_sizes=opened.sizes,
                    names=names[head],
                    head=predictions.group_name(head, places),
                    zoom=options.cool == "mcool",
                )
                console.stdout.print(f"{len(written)} coolers are beside it.", highlight=False)


def _jobs(
    bed: Any, opened: "genome.Genome", places: dict[str, Any], stride: int | None
) -> list[tuple[int, "regions.Region"]]:
    """(number of the region, window) for every window to predict."""
    from akita_bayes.data import predictions

    place = max(places.values(), key=lambda each: each.crop_bp)
    jobs = []
    for number, (region, _) in enumerate(bed):
        if region.chrom not in opened.sizes:
            opened.fetch(region)
        size = opened.sizes[region.chrom]
        if region.end > size:
            raise errors.DataError(f"{region}: leaves {region.chrom}, which has {size:,} bases.")
        windows = predictions.windows(region, place, chrom_size=size, stride=stride)
        jobs += [(number, window) for window in windows]
    return jobs


def _one_hot(opened: "genome.Genome", windows: list["regions.Region"]) -> "NDArray[np.uint8]":
    import numpy as np

    from akita_bayes import dna

    return np.stack([dna.to_one_hot(opened.padded(*window)) for window in windows])


def _outputs(
    model: Any, x: "NDArray[np.uint8]", name: str | None, options: argparse.Namespace
) -> dict[str, dict[str, Any]]:
    """Head -> dataset -> values of one batch."""
    from akita_bayes.models import posterior, predict

    if not options.draws:
        (batch,) = predict.stream(
            model, x, rc=options.rc, shifts=options.shifts, head=name, batch_size=len(x)
        )
        return {head: {"preds": y} for head, y in batch.items()}
    drawn = posterior.sample_posterior(
        model, x, draws=options.draws, seed=options.seed, head=name, batch_size=len(x)
    )
    values = {
        "preds": drawn.mean,
        "epistemic_sd": drawn.epistemic_sd,
        "aleatoric_sd": drawn.aleatoric_sd,
    }
    return {name or model.spec.head_names[0]: values}


def _names(options: argparse.Namespace, head: str, count: int) -> list[str]:
    """Names of a head's coolers: by the table, else by the model's run, else by number.

    Raises:
        DataError: The table is of another number of targets.
    """
    from akita_bayes.data.preparation import targets

    if options.targets_file is None:
        labels = targets.of_run(options.model, head, count)
    else:
        labels = targets.labels(options.targets_file)
        if len(labels) != count:
            raise errors.DataError(
                f"{options.targets_file}: {len(labels)} targets, but head {head} has {count}."
            )
    if labels is None:
        return [f"{head}_{target}" for target in range(count)]
    # A slash of a name is no folder.
    return [urllib.parse.quote(label.identifier, safe=" +,=@()") for label in labels]
