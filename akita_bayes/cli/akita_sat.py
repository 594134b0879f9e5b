"""Finds the bases of regions that a predicted contact map depends on.

Changes every base to every other (ism), deletes or shuffles a sliding window (deletion, shuffle),
or reads gradients (gradient, integrated). Writes sat.h5, bedGraph and bigWig tracks, and a figure
of every region with a logo. An interrupted run goes on behind the scans that it finished, and
sat.h5 holds all that are finished; other inputs or options need another directory.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from akita_bayes import errors
from akita_bayes.cli import console, model_options

if TYPE_CHECKING:
    from akita_bayes import regions
    from akita_bayes.data.genome import Genome
    from akita_bayes.variants import saturation

_EDITS = ("ism", "deletion", "shuffle")
_METHODS_OF = {
    "width": ("deletion", "shuffle"),
    "step": ("deletion", "shuffle"),
    "repeats": ("shuffle",),
    "steps": ("integrated",),
}
"""Which methods an option of a sweep is for."""


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__,
        "akita_sat.py models/json/akita_v1.json model_best.h5 sites.bed -f hg38.fa -o sat "
        "--method ism,gradient -l 200",
    )
    model_options.add(parser, "params", "model", "regions", "--fasta")
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
    add = parser.add_argument
    add("--width", type=console.positive_integer, help="bases of a deletion or shuffle, else 20")
    add("--step", type=console.positive_integer, help="bases between them; else half the width")
    add("--repeats", type=console.positive_integer, help="shuffles of every window, else 3")
    add("--steps", type=console.positive_integer, help="points of integrated gradients, else 16")
    model_options.add(
        parser, "--stats", help="scores of edits, comma-separated, else SCD; a gradient's is SSD"
    )
    model_options.add(parser, "--rc", "--shifts", "--ensemble", "--head", "--targets")
    model_options.add(
        parser, "--draws", help="posterior draws, for an sd; of a latent not with --rc"
    )
    model_options.add(parser, "--seed", help="of draws and shuffles")
    model_options.add(parser, "--batch_size")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    for name, methods in _METHODS_OF.items():
        if getattr(options, name) is not None and not set(methods) & set(options.method):
            parser.error(f"--{name} is for the method {' or '.join(methods)}; name it in --method")
    if options.scores is None:
        options.scores = ("SCD",)
    elif not set(_EDITS) & set(options.method) and {*map(str.upper, options.scores)} != {"SSD"}:
        parser.error(f"gradients are those of SSD; --stats is for {', '.join(_EDITS)}")
    return console.run(lambda: _scan(options), out=options.out_dir, apart=True)


def _scan(options: argparse.Namespace) -> None:
    from akita_bayes.data import genome as genomes
    from akita_bayes.variants import saturation, scanning

    methods = list(dict.fromkeys(options.method))
    if not methods:
        raise errors.VariantError(f"name at least one method of {', '.join(saturation.METHODS)}.")
    given = {name: getattr(options, name) for name in _METHODS_OF}
    sweep = saturation.Sweep(**{name: n for name, n in given.items() if n is not None})
    with genomes.Genome(options.fasta) as genome:
        places = _places(options.regions, options.mut_len, genome)
        for region in places:
            for method in methods:
                saturation.check(region, method, sweep, genome)
    chosen = model_options.scoring(options)
    model = model_options.load(options)
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
