"""Finds the bases of regions, or around variants, that a predicted contact map depends on.

Changes every base to every other (ism), deletes or shuffles a sliding window (deletion, shuffle),
or computes gradients (gradient, integrated). Writes sat.h5, bedGraph and bigWig tracks, and a
figure of every region with a logo. Given a VCF, it scans the 200 bases around each variant with REF
and with each ALT, as Basenji's akita_sat_vcf.py does, and sites.tsv lists the group of each allele.
Start an interrupted run again to continue it; sat.h5 contains all finished scans. Other inputs or
options need another directory.
"""

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from akita_bayes import errors, regions
from akita_bayes.cli import basenji_options, console, figure_options, model_options, worker_options

if TYPE_CHECKING:
    from akita_bayes.variants.saturation import scan_sites

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
    model_options.add(
        parser,
        "regions",
        type=_regions,
        help="region such as chr2:1,720,000-1,720,200, or BED file, VCF or BCF, plain or gzipped",
    )
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
    model_options.add(parser, "--rc", "--shifts", "--ensemble", "--members")
    model_options.add(parser, "--head", "--targets")
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
    model_options.add(parser, "--batch_size", "--precision", "--trust")
    worker_options.add(parser)
    figure_options.add(parser)
    basenji_options.add(parser, "akita_sat")
    return parser


def _regions(text: str) -> str:
    """Returns a region, or the path of an existing file; an argparse type."""
    if not os.path.exists(text) and regions.is_region(text):
        return text
    return console.readable(text)


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
    return console.run(lambda: _scan(options), options=options, out=options.out_dir, kind="scan")


def _scan(options: argparse.Namespace) -> None:
    from akita_bayes.variants.scores import named_scores

    named_scores.resolve(options.scores)  # before TensorFlow is imported, which takes long
    from akita_bayes.data import genome as genomes
    from akita_bayes.plots.reports import saturation_report
    from akita_bayes.variants.saturation import region_scan, scan_sites

    methods = list(dict.fromkeys(options.method))
    if not methods:
        raise errors.VariantError(
            f"--method: is empty; give at least one of {', '.join(region_scan.METHODS)}."
        )
    numbers = {name: getattr(options, name) for name in _METHODS_OF}
    sweep = region_scan.Sweep(**{name: n for name, n in numbers.items() if n is not None})
    settings = region_scan.ScanSettings(
        sweep,
        model_options.scoring(options),
        batch_size=options.batch_size,
        cluster=worker_options.cluster(options),
        load_model=model_options.files_of(options).load,
    )
    span = scan_sites.Span(options.mut_len, options.mut_up, options.mut_down)
    with genomes.Genome(options.fasta) as genome:
        selection = scan_sites.select(options.regions, genome, span)
        _print_left_out(selection)
        for site in selection.sites:
            for method in methods:
                region_scan.check(site.region, method, sweep, site.genome(genome))
    model = model_options.load(options)
    labels = model_options.files_of(options).labels(model)
    scans = saturation_report.scan_regions(
        model,
        selection,
        methods,
        fasta=options.fasta,
        out_dir=options.out_dir,
        settings=settings,
        style=saturation_report.Style(
            names=None if labels is None else [label.identifier for label in labels],
            inches=options.figure_width,
            least=options.min_limit or (_LIMIT if selection.rows else 0.0),
        ),
        open_bar=console.progress,
    )
    console.say(f"Written: {console.count(len(scans), 'scan')} in {options.out_dir}.")


def _print_left_out(selection: "scan_sites.Selection") -> None:
    from akita_bayes.variants.saturation import scan_sites

    left_out = [row for row in selection.rows if row.site is None]
    if left_out:
        console.say(
            f"{len(left_out)} alleles are not scanned; reason for the first: {left_out[0].reason}. "
            f"{scan_sites.TABLE} gives the reason for each."
        )
    if not selection.rows and len(selection.sites) < selection.lines:
        count = f"{selection.lines} lines name {len(selection.sites)} regions"
        console.say(f"{count}; each is scanned once.")


if __name__ == "__main__":
    raise SystemExit(main())
