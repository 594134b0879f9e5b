"""Scores the effect of variants on predicted contact maps.

Every ALT of the file gets a row, with scores or with the reason why it has none. SNVs, indels,
multi-allelic records, deletions, duplications, inversions, insertions and breakends are scored.
Writes scd.h5, scores.tsv, the variant file with scores in INFO and, with -m, figures of the
strongest variants. Start an interrupted run again to continue it; other inputs need another
directory.
"""

import argparse
import contextlib
import logging
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from akita_bayes.cli import (
    basenji_options,
    console,
    figure_options,
    haplotype_options,
    model_options,
    worker_options,
)
from akita_bayes.origins import training_regions

if TYPE_CHECKING:
    from akita_bayes.variants.scored_files import score_directory


_MISSING = 3
"""Exit status of --status and --join while parts are missing."""
_SWAPPED_LEAST, _SWAPPED_SHARE = 10, 0.05
"""Number and share of swapped alleles above which another genome build is likely."""

_log = logging.getLogger(__name__)


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__,
        "akita_scd.py models/json/akita_v1.json model_best.h5 variants.vcf -f hg38.fa -o scd "
        "--rc --shifts 1,0,-1 --stats SCD,SSD,INS8",
    )
    model_options.add(parser, "params", "model")
    parser.add_argument(
        "variants",
        nargs="+",
        type=_variants,
        help="VCF or BCF, or variants such as chr2:1727912:C:A and chr2:1,000-2,000:DEL",
    )
    model_options.add(parser, "--fasta")
    parser.add_argument("-o", "--out_dir", default="scd", help="directory to write")
    model_options.add(
        parser,
        "--targets_file",
        help="targets.txt with names for the columns (default: names of the run, or numbers)",
    )
    parser.add_argument(
        "-m",
        "--maps",
        nargs="?",
        type=console.whole_number,
        const=10,
        default=0,
        metavar="N",
        help="draw figures of the N strongest variants; -m alone draws 10, as in Basenji",
    )
    parser.add_argument(
        "-l",
        "--plot_limit",
        type=console.positive_number,
        default=0.1,
        help="with -m: smallest limit of the colour scale of maps",
    )
    parser.add_argument(
        "--genes", type=console.readable, help="with -m: GTF or BED file of genes to draw"
    )
    parser.add_argument(
        "--save_maps",
        nargs="?",
        type=_maps,
        const=10,
        default=0,
        metavar="N",
        help="save the maps of the N strongest variants, or of all, in maps.h5; --save_maps alone "
        "saves 10",
    )
    parser.add_argument(
        "--cool",
        action="store_true",
        help="with --save_maps: write each saved map as .mcool too, into maps_mcool",
    )
    model_options.add(parser, "--rc", "--shifts", "--trust")
    model_options.add(
        parser,
        "--stats",
        default=("SCD", "SSD"),
        help="scores, comma-separated: SCD SSD MSE PEARSON SPEARMAN INS<bins> DI SSIM SCC EIG "
        "IMPACT DECAY ROI",
    )
    model_options.add(parser, "--ensemble", "--members", "--head", "--targets")
    model_options.add(
        parser,
        "--draws",
        help="posterior draws, for the spread of scores; --rc is not allowed for latent models",
    )
    model_options.add(parser, "--seed", help="seed of the draws and the background")
    parser.add_argument(
        "--null",
        metavar="N",
        type=console.whole_number,
        default=0,
        help="random variants per type, size and GC content; p-values are at least 1 / (N + 1)",
    )
    parser.add_argument(
        "--window",
        choices=("anchored", "basenji"),
        default="anchored",
        help="align the flanks of both alleles, or use Basenji's centred window",
    )
    parser.add_argument(
        "--share_windows",
        "--share-windows",
        type=console.whole_number,
        default=0,
        help="grid of windows in bases, so that neighbouring variants share a window",
    )
    parser.add_argument(
        "--roi",
        type=console.existing_file,
        help="BED of regions for the ROI score; column 5 is the weight",
    )
    parser.add_argument(
        "--intervals",
        help="variant_intervals.json of akita_calibrate.py --variants; use the same --draws",
    )
    parser.add_argument(
        "--region",
        help="score only these records; chr1:1,000-2,000 is POS 1,001 to 2,000, as in cooler",
    )
    parser.add_argument(
        "--shard",
        help="i/n, for example 1/4: score only share i of n; auto: the task of a SLURM array",
    )
    haplotype_options.add(parser, default_vcf="default: the file of variants")
    worker_options.add(parser, "-p", "--processes")
    parser.add_argument(
        "--status",
        action=_OfDirectory,
        run=_print_status,
        help="say which parts of a directory are missing, and exit (status 3 while some are)",
    )
    parser.add_argument(
        "--join",
        action=_OfDirectory,
        run=_join,
        help="write the outputs of a directory whose parts are all finished, and exit",
    )
    parser.add_argument("--bgzip", action="store_true", help="compress and index the VCF")
    model_options.add(parser, "--batch_size", "--precision")
    figure_options.add(parser)
    basenji_options.add(parser, "akita_scd")
    return parser


def _variants(text: str) -> str:
    """Returns a variant, or the path of an existing file; an argparse type."""
    from akita_bayes.variants.alleles import written_variants

    if not os.path.exists(text):
        if written_variants.is_variant(text):
            return text
        raise argparse.ArgumentTypeError(
            f"{text}: no such file, and not a variant; write a variant as {written_variants.FORMS}"
        )
    return console.existing_file(text)


class _OfDirectory(argparse.Action):
    """Calls a function with the directory that the option names, and exits, as --version does."""

    def __init__(
        self,
        option_strings: Sequence[str],
        dest: str,
        run: Callable[[str], list[int]],
        help: str | None = None,
    ) -> None:
        super().__init__(option_strings, dest=argparse.SUPPRESS, metavar="DIR", help=help)
        self._run = run

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: Any, directory: Any, *_: Any
    ) -> NoReturn:
        missing: list[int] = []
        status = console.run(lambda: missing.extend(self._run(directory)))
        parser.exit(status or (_MISSING if missing else 0))


def _print_status(directory: str) -> list[int]:
    """Prints how many parts of a directory of scores are missing; returns their numbers."""
    from akita_bayes.variants.scored_files import score_outputs

    status = score_outputs.status(directory)
    finished = status.parts - len(status.missing)
    text = f"{directory}: {finished} of {status.parts} parts are finished"
    if status.missing:
        text += f"; missing: {_spans(status.missing)}"
    else:
        text += "; the outputs are written" if status.joined else "; --join writes the outputs"
    console.say(f"{text}.")
    return status.missing


def _join(directory: str) -> list[int]:
    """Writes the outputs of a directory of scores, unless parts are missing; returns these."""
    from akita_bayes.variants.scored_files import score_outputs

    missing = score_outputs.status(directory).missing
    if missing:
        text = f"{directory}: not joined, since parts are missing: {_spans(missing)}."
    else:
        text = f"{score_outputs.join(directory)} alleles are in {directory}."
    console.say(text)
    return missing


def _spans(numbers: Sequence[int]) -> str:
    """Returns whole numbers in rising order as text, such as "3, 5-9"."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    return ", ".join("-".join(map(str, span)) for span in spans)


def _maps(text: str) -> int:
    """Returns the number of variants whose maps are saved; an argparse type."""
    from akita_bayes.variants.maps import saved_maps

    if text == "all":
        return saved_maps.EVERY
    try:
        return console.whole_number(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or all") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.genes and not options.maps:
        parser.error("--genes adds genes to the figures of -m; give -m too")
    if options.roi and "ROI" not in map(str.upper, options.scores):
        parser.error("--roi is only for the score ROI; add ROI to --stats")
    if options.plot_limit != parser.get_default("plot_limit") and not options.maps:
        _log.warning("-l: has no effect without -m; it sets the colour scale of the maps of -m.")
    if (options.workers > 1 or options.scheduler) and options.shard:
        parser.error(
            "--workers and --scheduler already share the variants; give them without --shard"
        )
    if options.cool and not options.save_maps:
        parser.error("--cool writes the maps that --save_maps saves; give --save_maps too")
    if options.vcf and not options.haplotype:
        parser.error("--vcf holds the phased variants of a sample; give --haplotype SAMPLE too")
    if options.haplotype and not options.vcf and not os.path.exists(options.variants[0]):
        parser.error("--haplotype needs the phased variants of the sample; give --vcf FILE")
    if len(options.variants) > 1 and any(map(os.path.exists, options.variants)):
        parser.error("variants: give one file, or variants as text; join files with bcftools")
    return console.run(lambda: _score(options), options=options, out=options.out_dir, kind="scores")


@contextlib.contextmanager
def _variant_file(variants: Sequence[str]) -> Iterator[str]:
    """Yields the path of a variant file; variants that are text are written to a temporary one."""
    from akita_bayes.variants.alleles import written_variants

    if os.path.exists(variants[0]):
        yield variants[0]
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "variants.vcf"
        written_variants.write_vcf(variants, path)
        yield str(path)


def _score(options: argparse.Namespace) -> None:
    with _variant_file(options.variants) as path:
        _score_file(path, options)


def _score_file(path: str, options: argparse.Namespace) -> None:
    from akita_bayes.variants.scored_files import scoring_shard
    from akita_bayes.variants.scores import named_scores

    # Check these options before TensorFlow is imported and the model is loaded, which take long.
    named_scores.resolve(options.scores)
    shard = scoring_shard.WHOLE
    if options.shard is not None:
        shard = scoring_shard.parse_shard(options.shard)
    from akita_bayes.data.preparation import targets as tables
    from akita_bayes.models import shipped
    from akita_bayes.plots.reports import variant_report
    from akita_bayes.variants import genes, writers
    from akita_bayes.variants.scored_files import score_directory

    region = None if options.region is None else model_options.region(options.region, options.fasta)
    if options.targets_file is not None:
        tables.labels(options.targets_file)
    model_files = model_options.files_of(options)
    settings = score_directory.FileSettings(
        options=model_options.scoring(options),
        region=region,
        shard=shard,
        cluster=worker_options.cluster(options),
        load_model=model_files.load,
        null=options.null,
        # The background of a haplotype has its own sequences, and stays with its scores.
        null_path=None if options.haplotype else shipped.background_path(options.model),
        compress=options.bgzip,
        batch_size=options.batch_size,
        figures=options.maps,
        maps=options.save_maps,
        coolers=options.cool,
        annotation=() if options.genes is None else genes.read(options.genes),
    )
    model = model_options.load(options)
    for source in haplotype_options.sources(options, options.vcf or path):
        summary = variant_report.score_file(
            model,
            path,
            fasta=source.genome,
            out_dir=source.out_dir,
            settings=settings,
            least=options.plot_limit,
            open_bar=console.progress,
            targets=writers.targets_of(model_files.labels(model)),
        )
        _print_summary(options, summary, source.out_dir)


def _print_summary(
    options: argparse.Namespace, summary: "score_directory.Summary", out_dir: str
) -> None:
    from akita_bayes.variants.alleles import records

    state = f"in {out_dir}"
    if not summary.complete:
        state += f" from this shard; {summary.missing} parts of other shards are missing"
    text = f"{summary.scored} of {summary.rows} alleles have scores"
    console.say(f"{text} {state}.")
    for reason, count in sorted(summary.reasons.items(), key=lambda item: -item[1]):
        console.say(f"  {count} without a score: {reason}")
    if summary.results is not None:
        learned = sum(training_regions.FLAG in flags for flags in summary.results.flags)
        if learned:
            console.say(
                f"  {learned} lie in windows that the model was trained on, flagged "
                f"{training_regions.FLAG}; their scores may fit better than those of others."
            )
    variants = [] if summary.results is None else summary.results.variants
    carried = sum(records.CARRIED in variant.flags for variant in variants)
    if carried:
        console.say(
            f"  {carried} lie on the haplotype, flagged {records.CARRIED}; they are scored from "
            "REF to ALT among the other variants of the haplotype."
        )
    swapped = sum(v.swapped and records.CARRIED not in v.flags for v in variants)
    if swapped:
        console.say(
            f"  {swapped} scored from REF to ALT though the genome has ALT, flagged "
            "alleles_swapped; if this is unexpected, check the genome build of the file."
        )
        if swapped >= _SWAPPED_LEAST and swapped > _SWAPPED_SHARE * summary.scored:
            _log.warning(
                "%s: the genome has ALT instead of REF in %d of %d alleles; this file was probably "
                "made for another genome build than %s.",
                ", ".join(options.variants),
                swapped,
                summary.scored,
                options.fasta,
            )


if __name__ == "__main__":
    raise SystemExit(main())
