"""Finds the bases of regions, or around variants, that a predicted contact map depends on.

Changes every base to every other (ism), deletes or shuffles a sliding window (deletion, shuffle),
or computes gradients (gradient, integrated). Writes sat.h5, bedGraph and bigWig tracks, and a
figure of every region with a logo. Given a VCF, it scans the 200 bases around each variant with REF
and with each ALT, as Basenji's akita_sat_vcf.py does, and sites.tsv lists the group of each allele.
Start an interrupted run again to continue it; sat.h5 contains all finished scans. Other inputs or
options need another directory.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from akita_bayes import errors
from akita_bayes.cli import basenji_options, console, model_options

if TYPE_CHECKING:
    from akita_bayes import regions
    from akita_bayes.data.genome import Genome
    from akita_bayes.variants.saturation import region_scan, scan_sites

_AROUND = 200
"""Number of bases scanned around a variant, as in Basenji."""
_LIMIT = 0.1
"""Smallest limit of the colour scale for a VCF, as in Basenji."""
_EDITS = ("ism", "deletion", "shuffle")
_METHODS_OF = {
    "width": ("deletion", "shuffle"),
    "step": ("deletion", "shuffle"),
    "repeats": ("shuffle",),
    "steps": ("integrated",),
}
"""Options of a sweep, and the methods that use them."""


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__,
        "akita_sat.py models/json/akita_v1.json model_best.h5 sites.bed -f hg38.fa -o sat "
        "--method ism,gradient -l 200",
    )
    model_options.add(parser, "params", "model")
    model_options.add(parser, "regions", help="BED file or VCF, plain or gzipped, or BCF")
    model_options.add(parser, "--fasta")
    parser.add_argument("-o", "--out_dir", default="sat", help="directory to write")
    parser.add_argument(
        "-l",
        "--mut_len",
        type=console.positive_integer,
        help="bases to scan: the middle of each region (default: all) or around each variant (200)",
    )
    parser.add_argument(
        "-u",
        "--mut_up",
        type=console.whole_number,
        help="bases to scan left of the middle of each region",
    )
    parser.add_argument(
        "-d",
        "--mut_down",
        type=console.whole_number,
        help="bases to scan from the middle of each region to the right",
    )
    parser.add_argument(
        "--method",
        type=console.words,
        default=("ism",),
        help="ism, deletion, shuffle, gradient or integrated; several separated by commas",
    )
    add = parser.add_argument
    add("--width", type=console.positive_integer, help="bases of a deletion or shuffle (20)")
    add("--step", type=console.positive_integer, help="bases between them (half the width)")
    add("--repeats", type=console.positive_integer, help="shuffles of each window (3)")
    add("--steps", type=console.positive_integer, help="points of integrated gradients (16)")
    model_options.add(
        parser,
        "--stats",
        help="scores of edits, comma-separated (default: SCD); gradients always use SSD",
    )
    model_options.add(parser, "--rc", "--shifts", "--ensemble", "--head", "--targets")
    model_options.add(
        parser,
        "--draws",
        help="posterior draws, for a standard deviation; --rc is not allowed for latent models",
    )
    model_options.add(parser, "--seed", help="seed of the draws and shuffles")
    model_options.add(
        parser,
        "--targets_file",
        help="targets.txt with names for the figures (default: names of the run, or numbers)",
    )
    add("-w", "--figure_width", type=console.positive_number, help="width of figures, in inches")
    add(
        "-m",
        "--min_limit",
        type=console.positive_number,
        help="smallest limit of the colour scale of heat maps; 0.1 for a VCF",
    )
    model_options.add(parser, "--batch_size")
    basenji_options.add(parser, "akita_sat")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    for name, methods in _METHODS_OF.items():
        if getattr(options, name) is not None and not set(methods) & set(options.method):
            parser.error(
                f"--{name} is only for the method {' or '.join(methods)}; add it to --method"
            )
    if options.scores is None:
        options.scores = ("SCD",)
    elif not set(_EDITS) & set(options.method) and {*map(str.upper, options.scores)} != {"SSD"}:
        parser.error(f"gradients always use SSD; --stats is only for {', '.join(_EDITS)}")
    if options.mut_len and (options.mut_up or options.mut_down):
        parser.error("-l cannot be combined with -u or -d; give either -l, or -u and -d")
    return console.run(lambda: _scan(options), out=options.out_dir, apart=True)


def _scan(options: argparse.Namespace) -> None:
    from akita_bayes.data import genome as genomes
    from akita_bayes.variants.saturation import region_scan, scan_directory, scan_sites
    from akita_bayes.variants.saturation import scan_files as naming

    methods = list(dict.fromkeys(options.method))
    if not methods:
        raise errors.VariantError(
            f"--method: is empty; give at least one of {', '.join(region_scan.METHODS)}."
        )
    settings = {name: getattr(options, name) for name in _METHODS_OF}
    sweep = region_scan.Sweep(**{name: n for name, n in settings.items() if n is not None})
    with genomes.Genome(options.fasta) as genome:
        rows, sites = _sites(options, genome)
        for site in sites:
            for method in methods:
                region_scan.check(site.region, method, sweep, site.genome(genome))
    scoring = model_options.scoring(options)
    model = model_options.load(options)
    labels = model_options.target_labels(options, model)
    with console.progress("Scanning", len(sites) * len(methods)) as advance:
        scans = scan_directory.scan_regions(
            model,
            sites,
            methods,
            fasta=options.fasta,
            out_dir=options.out_dir,
            sweep=sweep,
            options=scoring,
            batch_size=options.batch_size,
            advance=advance,
        )
    if rows:
        groups = [
            naming.group_name(row.site.region, row.site.allele) if row.site else "" for row in rows
        ]
        scan_sites.write_table(Path(options.out_dir) / scan_sites.TABLE, rows, groups)
    names = None if labels is None else [label.identifier for label in labels]
    least = options.min_limit or (_LIMIT if rows else 0.0)
    _draw(scans, Path(options.out_dir) / "logos", names, least, options.figure_width)
    console.stdout.print(f"{len(scans)} scans are in {options.out_dir}.", highlight=False)


def _sites(
    options: argparse.Namespace, genome: "Genome"
) -> "tuple[list[scan_sites.Row], list[scan_sites.Site]]":
    """Returns the rows of a VCF (none for a BED) and the distinct sites to scan."""
    from akita_bayes.variants.saturation import scan_sites

    if not scan_sites.is_variants(options.regions):
        return [], [scan_sites.Site(region) for region in _regions(options, genome)]
    if options.mut_up is not None or options.mut_down is not None:
        raise errors.VariantError("-u, -d: need a BED file of regions; with a VCF, give -l.")
    rows = scan_sites.around_variants(options.regions, genome, options.mut_len or _AROUND)
    sites = list(dict.fromkeys(row.site for row in rows if row.site))
    if not sites:
        reason = f"; reason for the first: {rows[0].reason}" if rows else ""
        raise errors.VariantError(f"{options.regions}: has no variant to scan{reason}.")
    left_out = [row for row in rows if row.site is None]
    if left_out:
        console.stdout.print(
            f"{len(left_out)} alleles are not scanned; reason for the first: {left_out[0].reason}. "
            f"{scan_sites.TABLE} gives the reason for each.",
            highlight=False,
            markup=False,
        )
    return rows, sites


def _regions(options: argparse.Namespace, genome: "Genome") -> "list[regions.Region]":
    """Returns the distinct parts of the regions of a BED that are scanned."""
    from akita_bayes import regions

    path = options.regions
    lines = regions.read_bed(path, names=genome.sizes)
    parts = [_scanned_part(region, options) for region, _ in lines]
    if not parts:
        raise errors.DataError(f"{path}: has no regions; give at least one line.")
    distinct = list(dict.fromkeys(parts))
    if len(distinct) < len(parts):
        count = f"{len(parts)} lines name {len(distinct)} regions"
        console.stdout.print(f"{count}; each is scanned once.", highlight=False)
    return distinct


def _scanned_part(region: "regions.Region", options: argparse.Namespace) -> "regions.Region":
    """Returns the bases of a region that -l, or -u and -d, choose."""
    up, down = options.mut_up or 0, options.mut_down or 0
    if up or down:
        middle = (region.start + region.end) // 2
        return region._replace(start=middle - up, end=middle + down)
    bases = options.mut_len
    if bases is None or bases >= region.width:
        return region
    start = (region.start + region.end - bases) // 2
    return region._replace(start=start, end=start + bases)


def _draw(
    scans: "list[region_scan.Scan]",
    folder: Path,
    names: list[str] | None,
    least: float,
    inches: float | None,
) -> None:
    from akita_bayes import files
    from akita_bayes.plots import saturation_plots as plots
    from akita_bayes.variants.saturation import scan_files as naming

    for scan in scans:
        stem = naming.file_name(scan.region, scan.allele)
        for name in scan.values:
            for column, target in enumerate(scan.targets):
                figure = plots.figure(
                    scan,
                    name,
                    column=column,
                    label=None if names is None else names[target],
                    inches=inches,
                    least=least,
                )
                with files.atomic(
                    folder / f"{stem}_{scan.method}_{name}_t{target}.png"
                ) as temporary:
                    figure.savefig(temporary, dpi=150)
