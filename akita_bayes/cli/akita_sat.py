"""Finds the bases of regions, or around variants, that a predicted contact map depends on.

Changes every base to every other (ism), deletes or shuffles a sliding window (deletion, shuffle),
or reads gradients (gradient, integrated). Writes sat.h5, bedGraph and bigWig tracks, and a figure
of every region with a logo. Of a VCF, as Basenji's akita_sat_vcf.py, it scans the 200 bases around
each variant with REF and with each ALT, and sites.tsv says which group is whose. An interrupted
run goes on behind the scans that it finished, and sat.h5 holds all that are finished; other
inputs or options need another directory.
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
"""Bases around a variant, as in Basenji."""
_LIMIT = 0.1
"""End of the colour scale around variants, at least, as in Basenji."""
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
    model_options.add(parser, "params", "model")
    model_options.add(parser, "regions", help="BED file or VCF, plain or gzipped, or BCF")
    model_options.add(parser, "--fasta")
    parser.add_argument("-o", "--out_dir", default="sat", help="directory to write")
    parser.add_argument(
        "-l",
        "--mut_len",
        type=console.positive_integer,
        help="bases in the middle of each region, else all; around each variant, else 200",
    )
    parser.add_argument(
        "-u", "--mut_up", type=console.whole_number, help="bases left of each region's middle"
    )
    parser.add_argument(
        "-d", "--mut_down", type=console.whole_number, help="bases from each region's middle on"
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
    model_options.add(
        parser,
        "--targets_file",
        help="targets.txt, whose identifiers name figures; else those of the run, else numbers",
    )
    add("-w", "--figure_width", type=console.positive_number, help="of figures, in inches")
    add(
        "-m",
        "--min_limit",
        type=console.positive_number,
        help="end of the heat maps' colour scale, at least; of a VCF 0.1",
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
            parser.error(f"--{name} is for the method {' or '.join(methods)}; name it in --method")
    if options.scores is None:
        options.scores = ("SCD",)
    elif not set(_EDITS) & set(options.method) and {*map(str.upper, options.scores)} != {"SSD"}:
        parser.error(f"gradients are those of SSD; --stats is for {', '.join(_EDITS)}")
    if options.mut_len and (options.mut_up or options.mut_down):
        parser.error("-l and -u, -d both say which bases to change; give one")
    return console.run(lambda: _scan(options), out=options.out_dir, apart=True)


def _scan(options: argparse.Namespace) -> None:
    from akita_bayes.data import genome as genomes
    from akita_bayes.variants.saturation import region_scan, scan_directory, scan_sites
    from akita_bayes.variants.saturation import scan_files as naming

    methods = list(dict.fromkeys(options.method))
    if not methods:
        raise errors.VariantError(f"name at least one method of {', '.join(region_scan.METHODS)}.")
    given = {name: getattr(options, name) for name in _METHODS_OF}
    sweep = region_scan.Sweep(**{name: n for name, n in given.items() if n is not None})
    with genomes.Genome(options.fasta) as genome:
        rows, places = _sites(options, genome)
        for site in places:
            for method in methods:
                region_scan.check(site.region, method, sweep, site.genome(genome))
    chosen = model_options.scoring(options)
    model = model_options.load(options)
    labels = model_options.target_labels(options, model)
    with console.progress("Scanning", len(places) * len(methods)) as advance:
        scans = scan_directory.scan_regions(
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
    """Returns the rows of a VCF, none of a BED, and the sites to scan, each once."""
    from akita_bayes.variants.saturation import scan_sites

    if not scan_sites.is_variants(options.regions):
        return [], [scan_sites.Site(region) for region in _places(options, genome)]
    if options.mut_up is not None or options.mut_down is not None:
        raise errors.VariantError("-u, -d: are for regions of a BED; around variants, give -l.")
    rows = scan_sites.around_variants(options.regions, genome, options.mut_len or _AROUND)
    places = list(dict.fromkeys(row.site for row in rows if row.site))
    if not places:
        reason = f"; of the first: {rows[0].reason}" if rows else ""
        raise errors.VariantError(f"{options.regions}: holds no variant to scan{reason}.")
    left_out = [row for row in rows if row.site is None]
    if left_out:
        console.stdout.print(
            f"{len(left_out)} alleles are not scanned; the first: {left_out[0].reason}. "
            f"{scan_sites.TABLE} says why for each.",
            highlight=False,
            markup=False,
        )
    return rows, places


def _places(options: argparse.Namespace, genome: "Genome") -> "list[regions.Region]":
    """The middles of all regions of a BED, each once."""
    from akita_bayes import regions

    path = options.regions
    read = regions.read_bed(path, names=genome.sizes)
    lines = [_middle(region, options) for region, _ in read]
    if not lines:
        raise errors.DataError(f"{path}: holds no region.")
    places = list(dict.fromkeys(lines))
    if len(places) < len(lines):
        count = f"{len(lines)} lines name {len(places)} regions"
        console.stdout.print(f"{count}; each is scanned once.", highlight=False)
    return places


def _middle(region: "regions.Region", options: argparse.Namespace) -> "regions.Region":
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
                drawn = plots.figure(
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
                    drawn.savefig(temporary, dpi=150)
