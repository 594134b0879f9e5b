"""Finds the bases of regions that a predicted contact map depends on.

Changes every base to every other (ism), deletes or shuffles a sliding window (deletion, shuffle),
or reads gradients (gradient, integrated). Writes sat.h5, bedGraph and bigWig tracks, and a figure
of every region with a logo. An interrupted run goes on behind the scans that it finished.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akita_bayes import errors
from akita_bayes.cli import console

if TYPE_CHECKING:
    from akita_bayes import regions
    from akita_bayes.data.genome import Genome
    from akita_bayes.variants import saturation


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__,
        "akita_sat.py models/json/akita_v1.json model_best.h5 sites.bed -f hg38.fa -o sat "
        "--method ism,gradient -l 200",
    )
    parser.add_argument("params", type=console.existing_file, help="JSON spec of the model")
    parser.add_argument(
        "model", help="run directory, .keras, SavedModel, or HDF5 weights of Basenji"
    )
    parser.add_argument("regions", type=console.existing_file, help="BED file")
    parser.add_argument(
        "-f", "--fasta", required=True, type=console.existing_file, help="genome, plain or bgzipped"
    )
    parser.add_argument("-o", "--out_dir", default="sat", help="directory to write")
    parser.add_argument(
        "-l", "--mut_len", type=console.positive_integer, help="bases in the middle of each region"
    )
    parser.add_argument(
        "--method",
        type=console.words,
        default=("ism",),
        help="of ism, deletion, shuffle, gradient, integrated; comma-separated",
    )
    parser.add_argument(
        "--width", type=console.positive_integer, default=20, help="bases of a deletion or shuffle"
    )
    parser.add_argument(
        "--step", type=console.positive_integer, help="bases between them; else half the width"
    )
    parser.add_argument(
        "--repeats", type=console.positive_integer, default=3, help="shuffles of every window"
    )
    parser.add_argument(
        "--steps", type=console.positive_integer, default=16, help="points of integrated gradients"
    )
    parser.add_argument(
        "--stats", type=console.words, default=("SCD",), help="scores, comma-separated"
    )
    parser.add_argument("--rc", action="store_true", help="average both strands")
    parser.add_argument(
        "--shifts", type=console.integers, default=(0,), help="average shifts, comma-separated"
    )
    parser.add_argument(
        "--ensemble",
        type=console.words,
        default=(),
        help="further run directories, comma-separated: members are draws",
    )
    parser.add_argument("--head", help="one head of several")
    parser.add_argument("--targets", type=console.integers, help="numbers of targets; else all")
    parser.add_argument("--draws", type=int, default=0, help="posterior draws, for an sd")
    parser.add_argument(
        "--seed", type=console.whole_number, default=0, help="of draws and shuffles"
    )
    parser.add_argument("--batch_size", type=console.positive_integer, help="windows at a time")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)
    return console.run(lambda: _scan(options), out=options.out_dir)


def _scan(options: argparse.Namespace) -> None:
    from akita_bayes.data import genome as genomes
    from akita_bayes.models import load
    from akita_bayes.variants import options as settings
    from akita_bayes.variants import saturation, scanning

    methods = list(dict.fromkeys(options.method))
    if not methods:
        raise errors.VariantError(f"name at least one method of {', '.join(saturation.METHODS)}.")
    sweep = saturation.Sweep(options.width, options.step, options.repeats, options.steps)
    with genomes.Genome(options.fasta) as genome:
        places = _places(options.regions, options.mut_len, genome)
        for region in places:
            for method in methods:
                saturation.check(region, method, sweep, genome)
    chosen = settings.Options(
        scores=options.stats,
        head=options.head,
        targets=options.targets,
        draws=options.draws,
        seed=options.seed,
        rc=options.rc,
        shifts=options.shifts,
    )
    pairs: list[Any] = [(options.params, run) for run in (options.model, *options.ensemble)]
    model = load.load_model(pairs if options.ensemble else pairs[0], head=options.head)
    with console.progress("Scanning", len(places) * len(methods)) as advance:
        scans = scanning.scan_regions(
            model,
            places,
            methods,
            fasta=options.fasta,
            out_dir=options.out_dir,
            sweep=sweep,
            options=chosen,
            batch_size=options.batch_size,
            advance=advance,
        )
    _draw(scans, Path(options.out_dir) / "logos")
    console.stdout.print(f"{len(scans)} scans are in {options.out_dir}.", highlight=False)


def _places(path: str, bases: int | None, genome: "Genome") -> "list[regions.Region]":
    """The middles of all regions of a BED, each once."""
    from akita_bayes import regions

    lines = [_middle(region, bases) for region, _ in regions.read_bed(path, names=genome.sizes)]
    if not lines:
        raise errors.DataError(f"{path}: holds no region.")
    places = list(dict.fromkeys(lines))
    if len(places) < len(lines):
        count = f"{len(lines)} lines name {len(places)} regions"
        console.stdout.print(f"{count}; each is scanned once.", highlight=False)
    return places


def _middle(region: "regions.Region", bases: int | None) -> "regions.Region":
    if bases is None or bases >= region.width:
        return region
    start = (region.start + region.end - bases) // 2
    return region._replace(start=start, end=start + bases)


def _draw(scans: "list[saturation.Scan]", folder: Path) -> None:
    from akita_bayes import files
    from akita_bayes.plots import saturation as plots
    from akita_bayes.variants import scans as naming

    for scan in scans:
        for name in scan.values:
            for column, target in enumerate(scan.targets):
                what = f"{naming.file_name(scan.region)}_{scan.method}_{name}_t{target}"
                with files.atomic(folder / f"{what}.png") as temporary:
                    plots.figure(scan, name, column=column).savefig(temporary, dpi=150)
