"""Scores a whole variant file into a directory, in parts that survive an interruption.

Rows are scored in parts, and each part is stored as a file. A part that exists is not scored again.
Shard i of n computes every n-th part, and the process that finishes the last part joins all of
them. So the result does not depend on the number of shards. A directory belongs to one set of
inputs: its `inputs.json` records them and the number of rows in a part, for all shards that use it.
"""

import dataclasses
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from akita_bayes import errors, keywords, progress, regions
from akita_bayes.data.genome import Genome
from akita_bayes.files import output_directory
from akita_bayes.models.protocol import Model
from akita_bayes.variants import engine, figure_data, genes, score_inputs, variant_maps, writers
from akita_bayes.variants.alleles import records, vcf
from akita_bayes.variants.maps import saved_maps
from akita_bayes.variants.options import Options
from akita_bayes.variants.scores import background, draw_summary, score_table

_log = logging.getLogger(__name__)

PART = 64  # most rows in a part; an interruption loses one part, small parts share few references
Draw = Callable[[Iterator[figure_data.RankedFigure]], None]


class Shard(NamedTuple):
    """Identifies shard `number` of `shards`, counted from 0."""

    number: int = 0
    shards: int = 1


WHOLE = Shard()


@dataclasses.dataclass(frozen=True)
class FileSettings:
    """Holds what the scoring of a file depends on, beside the model, the file and the genome.

    Attributes:
        options: Settings of the scores.
        targets: Names of the head's targets; None for their numbers.
        region: Region of the POS of records to score; None for all records.
        shard: Parts to compute.
        null: Random variants per stratum of the background; 0 for no background.
        null_path: File that stores the background; None for `null.h5` in the output directory.
        compress: True to bgzip the annotated VCF, and to index it when it is sorted.
        batch_size: Windows computed at a time.
        figures: Number of the strongest variants of which figures are drawn.
        annotation: Genes in the figures.
        maps: Number of the strongest variants whose maps are saved in `maps.h5`, or
            `saved_maps.EVERY`.
    """

    options: Options = dataclasses.field(default_factory=Options)
    targets: writers.Targets | None = None
    region: regions.Region | None = None
    shard: Shard = WHOLE
    null: int = 0
    null_path: str | Path | None = None
    compress: bool = False
    batch_size: int | None = None
    figures: int = 0
    annotation: Sequence[genes.Gene] = ()
    maps: int = 0


class Summary(NamedTuple):
    """Counts the rows that were scored and those that were not.

    Attributes:
        rows: Number of alleles in the file.
        scored: Number of alleles with scores in the parts that exist, from all shards.
        reasons: Reason -> number of alleles without scores, in the same parts.
        complete: True when every part exists and the outputs are written.
        results: All rows when complete; else None.
    """

    rows: int
    scored: int
    reasons: dict[str, int]
    complete: bool
    results: score_table.Scored | None


def parse_shard(text: str) -> Shard:
    """Reads `i/n`, i from 1 to n.

    Raises:
        VariantError: The text has another form.
    """
    number, shards = map(vcf.whole_number, text.partition("/")[::2])
    if number is None or shards is None or not 1 <= number <= shards:
        raise errors.VariantError(f'"{text}" is not a valid shard; expected i/n, for example 1/4.')
    return Shard(number - 1, shards)


def score_file(
    model: Model,
    variants: str | Path,
    *,
    fasta: str | Path,
    out_dir: str | Path,
    settings: FileSettings | None = None,
    draw: Draw | None = None,
    open_bar: progress.OpenBar = progress.no_bar,
    **changes: Any,
) -> Summary:
    """Scores a variant file and writes `scd.h5`, `scores.tsv` and the annotated VCF.

    `plots.reports.variant_report.score_file` writes the figures too.

    Args:
        model: What `build` or `load_model` returns.
        variants: VCF or BCF.
        fasta: The genome.
        out_dir: Folder of the outputs, new or with parts of the same inputs, which are reused.
        settings: What the scoring depends on; None for defaults.
        draw: Receives the figures of the strongest variants one after another, when all rows have
            been scored.
        open_bar: Opens a progress bar; called with a description and the number of steps.
        **changes: Fields of `settings` to replace.

    Raises:
        VariantError: No allele can be scored; the targets are not those of the head; or the
            annotated file would overwrite the variants.
        RunError: `out_dir` holds other results, or another process writes to it.
    """
    settings = keywords.replaced(settings or FileSettings(), changes)
    out_dir, options, shard = Path(out_dir), settings.options, settings.shard
    annotated = out_dir.resolve() / _annotated_name(variants, settings.compress)
    if annotated == Path(variants).resolve():
        raise errors.VariantError(f"{variants}: would be overwritten; choose another output.")
    with Genome(fasta) as genome:
        scorer = engine.Engine(model, genome, options, batch_size=settings.batch_size)
        draw_summary.warn_of_draws(scorer.without_intervals)
        targets = _scored_targets(settings.targets, scorer)
        rows = list(records.read(variants, genome, region=settings.region))
        if not rows:
            _log.warning("%s: holds no record to score; the outputs have no rows.", variants)
        origin = score_inputs.provenance(model, fasta, options)
        identity = score_inputs.of_variants(origin, variants, settings.region, settings.null)
        if options.draws or settings.null or options.intervals:
            identity["statistics"] = list(score_table.STATISTICS)
        with output_directory.claim(
            out_dir,
            kind="scores",
            identity=identity,
            notes={"rows_per_part": part_size(len(rows), shard.shards)},
            share="" if shard.shards == 1 else f"{shard.number + 1}-of-{shard.shards}",
        ) as claim:
            size = int(claim.notes["rows_per_part"])
            pieces = [rows[start : start + size] for start in range(0, len(rows), size)]
            key = score_inputs.digest_of(identity)
            with open_bar("Scoring") as advance:
                advance(0, total=len(rows))
                if settings.null:
                    scorer.background = _background(
                        scorer, rows, genome, settings, claim.path, origin
                    )
                folder = claim.path / output_directory.PARTS
                parts = _parts(scorer, pieces, shard, folder, key, advance)
            present = [part for part in parts if part is not None]
            results = score_table.joined(present) if present else scorer.score([])
            complete = len(present) == len(parts)
            if complete:
                levels = {name: widening.level for name, widening in scorer.widened.items()}
                attributes = origin | ({"interval_levels": levels} if levels else {})
                writers.write_h5(out_dir / "scd.h5", results, targets, attributes)
                writers.write_table(out_dir / "scores.tsv", results, targets)
                writers.write_vcf(annotated, variants, results, attributes)
            summary = _summary(rows, results, complete=complete)
            if complete and settings.maps:
                with_names = dataclasses.replace(settings, targets=targets)
                about = attributes | {"inputs_digest": key}
                _save_maps(scorer, results, out_dir, with_names, about, open_bar)
            if complete and draw is not None and settings.figures:
                draw(_figures(scorer, results, settings, open_bar))
    return summary


def _background(
    scorer: engine.Engine,
    rows: Sequence[records.Variant],
    genome: Genome,
    settings: FileSettings,
    out_dir: Path,
    origin: dict[str, Any],
) -> background.Background:
    """Builds or reads the background of the strata of all rows."""
    return background.build(
        (scorer.windows.framed(row).variant for row in rows),
        genome,
        scorer.score,
        count=settings.null,
        path=settings.null_path or out_dir / "null.h5",
        identity=score_inputs.digest_of(origin),
        seed=settings.options.seed,
    )


def _parts(
    scorer: engine.Engine,
    pieces: Sequence[Sequence[records.Variant]],
    shard: Shard,
    folder: Path,
    key: str,
    advance: progress.Advance,
) -> list[score_table.Scored | None]:
    """Scores the parts of a shard that do not exist; returns all parts, None for missing ones.

    Every file of a part is read once at most, and parts of other shards at the end.
    """
    own_parts: dict[int, score_table.Scored] = {}
    for number in range(shard.number, len(pieces), shard.shards):
        path = _part_path(folder, number)
        part = score_table.load(path, key)
        if part is None:
            part = scorer.score(pieces[number])
            score_table.save(path, part, key)
        own_parts[number] = part
        advance(len(pieces[number]))
    return [
        own_parts[number]
        if number in own_parts
        else score_table.load(_part_path(folder, number), key)
        for number in range(len(pieces))
    ]


def _figures(
    scorer: engine.Engine,
    results: score_table.Scored,
    settings: FileSettings,
    open_bar: progress.OpenBar,
) -> Iterator[figure_data.RankedFigure]:
    """Yields the figures of the strongest variants, strongest first."""
    rows = figure_data.strongest(results, settings.figures)
    identifiers = None if settings.targets is None else settings.targets.identifiers
    with open_bar("Drawing", len(rows)) as advance:
        for rank, row in enumerate(rows, 1):
            yield figure_data.ranked(
                scorer, results, row, rank=rank, names=identifiers, annotation=settings.annotation
            )
            advance(1)


def _save_maps(
    scorer: engine.Engine,
    results: score_table.Scored,
    out_dir: Path,
    settings: FileSettings,
    about: dict[str, Any],
    open_bar: progress.OpenBar,
) -> None:
    """Writes `maps.h5` for the strongest variants, unless it holds the same already.

    Args:
        scorer: Engine that scored the rows.
        results: All rows.
        out_dir: Folder of the outputs.
        settings: What the scoring depends on, with the number of maps and names of targets.
        about: Attributes of the file, with the digest of the inputs of the scores.
        open_bar: Opens a progress bar.
    """
    rows = figure_data.strongest(results, settings.maps)
    path = out_dir / saved_maps.FILE
    if _holds(path, rows, about["inputs_digest"]):
        _log.info("%s: holds the maps of these variants already.", path)
        return
    assert scorer.geometry.diagonal_offset is not None
    assert settings.targets is not None
    frame = saved_maps.Frame(
        scorer.geometry.bins,
        scorer.geometry.bin_width,
        scorer.geometry.diagonal_offset,
        settings.targets.identifiers,
        scorer.draws > 1,
    )
    with open_bar("Saving maps", len(rows)) as advance:

        def maps() -> Iterator[saved_maps.SavedMap]:
            for row in rows:
                variant = results.variants[row]
                yield variant_maps.saved(scorer, variant, row, figure_data.title(variant))
                advance(1)

        saved_maps.write(path, maps(), frame, count=len(rows), attributes=about)


def _holds(path: Path, rows: Sequence[int], digest: str) -> bool:
    """Returns True for a file with the maps of these rows, from the same inputs."""
    try:
        with saved_maps.opened(path) as maps:
            return maps.rows == list(rows) and maps.attributes.get("inputs_digest") == digest
    except errors.DataError:
        return False


def part_size(rows: int, shards: int) -> int:
    """Returns the rows of a part, so that shards have equally many parts of at most PART rows.

    For 300 rows and 2 shards each shard has 3 parts of 50 rows.
    """
    turns = max(1, math.ceil(rows / (shards * PART)))
    return max(1, math.ceil(rows / (shards * turns)))


def _summary(
    rows: list[records.Variant], results: score_table.Scored, *, complete: bool
) -> Summary:
    reasons: dict[str, int] = {}
    for reason in filter(None, results.reasons):
        reasons[reason] = reasons.get(reason, 0) + 1
    scored = len(results.variants) - sum(reasons.values())
    if rows and complete and not scored:
        commonest = max(reasons, key=lambda reason: reasons[reason])
        raise errors.VariantError(
            f"none of {len(rows)} alleles could be scored; most often: {commonest}. "
            "The outputs give the reason for each."
        )
    return Summary(len(rows), scored, reasons, complete, results if complete else None)


def _part_path(folder: Path, part: int) -> Path:
    return folder / f"{part:06d}.h5"


def _scored_targets(targets: writers.Targets | None, scorer: engine.Engine) -> writers.Targets:
    """Returns the names of the scored targets, or their numbers."""
    numbers = [int(name) for name in scorer.target_names]
    if targets is None:
        return writers.Targets(scorer.target_names, [""] * len(numbers))
    if len(targets.identifiers) != scorer.geometry.units:
        raise errors.VariantError(
            f"{len(targets.identifiers)} targets are named, but the head has "
            f"{scorer.geometry.units}; give the table of the targets that it was trained on."
        )
    return writers.Targets(*([column[number] for number in numbers] for column in targets))


def _annotated_name(variants: str | Path, compress: bool) -> str:
    stem = Path(variants).name
    for suffix in (".gz", ".vcf", ".bcf"):
        stem = stem.removesuffix(suffix)
    return f"{stem}.scored.vcf" + (".gz" if compress else "")
