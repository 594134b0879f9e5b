"""Predicts the maps or tracks of regions of a genome, with the coordinates of every value.

A region as wide as the model's window is predicted directly. A narrower region is put into the
middle of a window; a wider region is covered by several windows. Writes predict.h5, and with --cool
a cooler for each target. Given a data directory instead of a BED file, as in Basenji, it predicts a
split and writes preds.h5 in float16.
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
    from akita_bayes.models.protocol import Model


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__, "akita_predict.py models/json/akita_v1.json run regions.bed -f hg38.fa -o out"
    )
    model_options.add(parser, "params", "model")
    model_options.add(
        parser, "regions", type=_regions, help="BED file, plain or gzipped, or a data directory"
    )
    model_options.add(
        parser, "--fasta", required=False, help="genome, FASTA or .2bit; needed with a BED file"
    )
    parser.add_argument("-o", "--out_dir", default="predict_out", help="directory to write")
    model_options.add(parser, "--rc", "--shifts")
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
    model_options.add(parser, "--batch_size")
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
    parser.add_argument("--split", help="split of a data directory (default: test)")
    parser.add_argument("--tfr", help="pattern of record files, instead of --split")
    basenji_options.add(parser, "akita_predict")
    return parser


def _regions(text: str) -> str:
    """Returns the path when it is an existing BED file or data directory."""
    return text if os.path.isdir(text) else console.readable(text)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    if os.path.isdir(options.regions):
        if options.cool or options.stride or options.draws:
            parser.error("--cool, --stride and --draws need a BED file of regions")
        if options.split and options.tfr:
            parser.error("--tfr and --split both choose the records to predict; give only one")
        return console.run(lambda: _predict_split(options), out=options.out_dir, apart=True)
    if options.split or options.tfr:
        parser.error("--split and --tfr need a data directory, not a BED file")
    if options.fasta is None:
        parser.error("a BED file needs a genome; give -f genome.fa")
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
        raise errors.SpecError(f"model: has several heads; choose one of {names} with --head.")
    size = options.batch_size or predict.batch_size(model.spec.model.seq_length)
    records = options.tfr or options.split or "test"
    split = dataset.open_split(options.regions, records, batch_size=size)
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
    console.stdout.print(f"The windows of {records} are in {path}.", highlight=False)


def _predict(options: argparse.Namespace) -> None:
    from akita_bayes import files, regions
    from akita_bayes.data import genome, predictions
    from akita_bayes.models import predict

    if options.draws and (options.rc or options.shifts != (0,)):
        raise errors.SpecError("--draws: cannot be combined with --rc or --shifts; leave them out.")
    model = model_options.load(options)
    name = predict.head_name(model, options.head)
    geometries = {
        head: model.spec.geometry(head) for head in ([name] if name else model.spec.head_names)
    }
    with genome.Genome(options.fasta) as opened:
        names = {
            head: _names(options, head, geometry.units or 1)
            for head, geometry in geometries.items()
        }
        bed = regions.read_bed(options.regions, names=opened.sizes)
        jobs = _jobs(bed, opened, geometries, options.stride)
        if not jobs:
            raise errors.DataError(f"{options.regions}: has no regions; give at least one line.")
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
            predictions.Writer(path, geometries, attributes) as writer,
            console.progress("Predicting", len(jobs)) as advance,
        ):
            for start in range(0, len(jobs), size):
                batch = jobs[start : start + size]
                windows = [window for _, window in batch]
                outputs = _outputs(model, _one_hot(opened, windows), name, options)
                writer.write(windows, [number for number, _ in batch], outputs)
                advance(len(batch))
        console.stdout.print(f"{len(jobs)} windows are in {path}.", highlight=False)
        for head in geometries:
            if options.cool:
                written = predictions.write_coolers(
                    path,
                    options.out_dir,
                    chrom_sizes=opened.sizes,
                    names=names[head],
                    head=predictions.group_name(head, geometries),
                    zoom=options.cool == "mcool",
                )
                console.stdout.print(
                    f"{len(written)} coolers are in the same directory.", highlight=False
                )


def _jobs(
    bed: Any, opened: "genome.Genome", geometries: dict[str, Any], stride: int | None
) -> list[tuple[int, "regions.Region"]]:
    """Returns (number of the region, window) for every window to predict."""
    from akita_bayes.data import predictions

    # All heads read the same windows; the head with the largest crop covers the fewest bases.
    geometry = max(geometries.values(), key=lambda geometry: geometry.crop_bp)
    jobs = []
    for number, (region, _) in enumerate(bed):
        if region.chrom not in opened.sizes:
            opened.fetch(region)  # raises an error that names similar chromosomes
        size = opened.sizes[region.chrom]
        if region.end > size:
            raise errors.DataError(
                f"{region}: ends beyond {region.chrom}, which has {size:,} bases."
            )
        windows = predictions.windows(region, geometry, chrom_size=size, stride=stride)
        jobs += [(number, window) for window in windows]
    return jobs


def _one_hot(opened: "genome.Genome", windows: list["regions.Region"]) -> "NDArray[np.uint8]":
    import numpy as np

    from akita_bayes import dna

    return np.stack([dna.to_one_hot(opened.padded(*window)) for window in windows])


def _outputs(
    model: "Model", x: "NDArray[np.uint8]", name: str | None, options: argparse.Namespace
) -> dict[str, dict[str, Any]]:
    """Returns the values of one batch: head -> dataset -> array."""
    from akita_bayes.models import posterior, predict

    if not options.draws:
        (batch,) = predict.stream(
            model, x, rc=options.rc, shifts=options.shifts, head=name, batch_size=len(x)
        )
        return {head: {"preds": y} for head, y in batch.items()}
    samples = posterior.sample_posterior(
        model, x, draws=options.draws, seed=options.seed, head=name, batch_size=len(x)
    )
    values = {
        "preds": samples.mean,
        "epistemic_sd": samples.epistemic_sd,
        "aleatoric_sd": samples.aleatoric_sd,
    }
    return {name or model.spec.head_names[0]: values}


def _names(options: argparse.Namespace, head: str, count: int) -> list[str]:
    """Returns the names of a head's coolers from the table, the model's run, or the numbers.

    Raises:
        DataError: The table has another number of targets.
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
    # A name may contain a slash, which would otherwise create a folder: "K562/rep1".
    return [urllib.parse.quote(label.identifier, safe=" +,=@()") for label in labels]
