"""Scores what variants do to predicted contact maps.

Every ALT of the file gets a row, with scores or with the reason why there are none: SNVs, indels,
multi-allelic records, deletions, duplications, inversions, insertions and breakends. Writes
scd.h5, scores.tsv, the variant file with scores in INFO and, with -m, figures of the strongest.
An interrupted run goes on where it stopped; other inputs need another directory.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from akita_bayes.cli import console, model_options

if TYPE_CHECKING:
    from akita_bayes.variants import genes, scoring, writers
    from akita_bayes.variants.options import Options


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__,
        "akita_scd.py models/json/akita_v1.json model_best.h5 variants.vcf -f hg38.fa -o scd "
        "--rc --shifts 1,0,-1 --stats SCD,SSD,INS8",
    )
    model_options.add(parser, "params", "model")
    parser.add_argument("variants", type=console.existing_file, help="VCF or BCF")
    model_options.add(parser, "--fasta")
    parser.add_argument("-o", "--out_dir", default="scd", help="directory to write")
    model_options.add(parser, "--targets_file", help="targets.txt, whose identifiers name columns")
    parser.add_argument(
        "-m",
        "--maps",
        nargs="?",
        type=console.whole_number,
        const=10,
        default=0,
        metavar="N",
        help="draw the N strongest; 10 when N is left out, as in Basenji's -m",
    )
    parser.add_argument(
        "--genes", type=console.readable, help="GTF or BED of genes to draw with -m"
    )
    model_options.add(parser, "--rc", "--shifts")
    model_options.add(
        parser,
        "--stats",
        default=("SCD", "SSD"),
        help="scores, comma-separated: SCD SSD MSE PEARSON SPEARMAN INS<bins> DI SSIM SCC EIG "
        "IMPACT DECAY ROI",
    )
    model_options.add(parser, "--ensemble", "--head", "--targets")
    model_options.add(
        parser, "--draws", help="posterior draws, for intervals; of a latent not with --rc"
    )
    model_options.add(parser, "--seed", help="of draws and background")
    parser.add_argument(
        "--null",
        type=console.whole_number,
        default=0,
        help="random variants per type, size and GC for quantiles",
    )
    parser.add_argument(
        "--window",
        choices=("anchored", "basenji"),
        default="anchored",
        help="flanks of both alleles aligned, or Basenji's centred window",
    )
    parser.add_argument(
        "--share_windows",
        "--share-windows",
        type=console.whole_number,
        default=0,
        help="bases off centre that let neighbours share a window",
    )
    parser.add_argument(
        "--roi",
        type=console.existing_file,
        help="BED of regions for the ROI score; column 5 is the weight",
    )
    parser.add_argument(
        "--intervals", help="JSON of intervals fitted to variants of known effect; with --draws"
    )
    parser.add_argument(
        "--region",
        help="only records here; chr1:1,000-2,000 is POS 1,001 to 2,000, as for cooler, not tabix",
    )
    parser.add_argument("--shard", help="i/n: this process computes the i-th of n shares")
    parser.add_argument("--bgzip", action="store_true", help="compress and index the VCF")
    model_options.add(parser, "--batch_size")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.genes and not options.maps:
        parser.error("--genes are drawn into the figures of -m; give -m too")
    if options.roi and "ROI" not in map(str.upper, options.scores):
        parser.error("--roi is for the score ROI; name it in --stats")
    return console.run(lambda: _score(options), out=options.out_dir, apart=True)


def _score(options: argparse.Namespace) -> None:
    from akita_bayes import regions
    from akita_bayes.variants import genes, scoring

    region = None if options.region is None else regions.parse(options.region)
    shard = scoring.WHOLE if options.shard is None else scoring.parse_shard(options.shard)
    chosen = model_options.scoring(options)
    targets = _targets(options.targets_file)
    annotation = [] if options.genes is None else genes.read(options.genes)
    model = model_options.load(options)
    with console.progress("Scoring") as advance:
        summary = scoring.score_file(
            model,
            options.variants,
            fasta=options.fasta,
            out_dir=options.out_dir,
            options=chosen,
            targets=targets,
            region=region,
            shard=shard,
            null=options.null,
            null_path=_beside(options.model),
            compress=options.bgzip,
            batch_size=options.batch_size,
            advance=advance,
        )
    _tell(options, summary)
    if options.maps and summary.results is not None:
        _draw(model, options, chosen, summary.results, annotation)


def _tell(options: argparse.Namespace, summary: "scoring.Summary") -> None:
    text = f"{summary.scored} of {summary.rows} alleles have scores"
    where = f"in {options.out_dir}" if summary.complete else "so far; other shards are missing"
    console.stdout.print(f"{text} {where}.", highlight=False)
    for reason, count in sorted(summary.reasons.items(), key=lambda item: -item[1]):
        console.stdout.print(f"  {count} without: {reason}", highlight=False, markup=False)
    swapped = 0 if summary.results is None else sum(v.swapped for v in summary.results.variants)
    if swapped:
        console.stdout.print(
            f"  {swapped} scored from REF to ALT though the genome has ALT, flagged "
            "alleles_swapped; were many not meant so, the file is of another genome build.",
            highlight=False,
        )


def _targets(path: str | None) -> "writers.Targets | None":
    if path is None:
        return None
    from akita_bayes.data import targets
    from akita_bayes.variants import writers

    rows = targets.read(path)
    return writers.Targets([row.identifier for row in rows], [row.description for row in rows])


def _beside(model: str) -> Path | None:
    """Where the background is kept: in a run directory, beside a file of weights.

    None, which means the output directory, where that place cannot be written.
    """
    path = Path(model)
    kept = path / "null.h5" if path.is_dir() else path.with_name(f"{path.name}.null.h5")
    return kept if os.access(kept.parent, os.W_OK) else None


def _draw(
    model: Any,
    options: argparse.Namespace,
    chosen: "Options",
    scored: Any,
    annotation: "list[genes.Gene]",
) -> None:
    import numpy as np

    from akita_bayes import files
    from akita_bayes.data.genome import Genome
    from akita_bayes.plots import variants as plots
    from akita_bayes.variants import engine, shown

    first = next(iter(scored.values))
    strength = np.abs(scored.values[first]).max(axis=1)
    order = np.argsort(-np.where(np.isfinite(strength), strength, -1), kind="stable")
    strongest = [row for row in order[: options.maps] if np.isfinite(strength[row])]
    folder = Path(options.out_dir) / "maps"
    for former in folder.glob("*_row*_target*.png"):
        files.remove(former)
    with Genome(options.fasta) as genome, console.progress("Drawing", len(strongest)) as advance:
        scorer = engine.Engine(model, genome, chosen, batch_size=options.batch_size)
        for rank, row in enumerate(strongest, 1):
            target = int(np.abs(scored.values[first][row]).argmax())
            what = shown.collect(scorer, scored.variants[row], target=target, annotation=annotation)
            label = scorer.target_names[target]
            what = what._replace(title=f"{what.title}, target {label}")
            name = f"{rank:03d}_row{row}_target{label}.png"
            with files.atomic(folder / name) as temporary:
                plots.figure(what).savefig(temporary, dpi=150)
            advance(1)
