"""Scores a whole variant file into a directory, in parts that survive an interruption.

Rows are scored in parts, and each part is stored as a file. A part that exists is not scored again.
Shard i of n computes every n-th part, and the process that finishes the last part joins all of
them; workers share the parts of one command. The parts are the same for any number of shards and
workers, and so is the result. A directory belongs to one set of inputs: its `inputs.json` records
them and the number of rows in a part, and its plan the records, for all shards that use it.
"""

import contextlib
import dataclasses
import functools
import itertools
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from akita_bayes import errors, keywords, progress, regions, workers
from akita_bayes.data import assembly, personal_genome
from akita_bayes.data.genome import Genome
from akita_bayes.files import output_directory
from akita_bayes.models import fingerprint
from akita_bayes.models.protocol import Model
from akita_bayes.origins import provenance, training_regions
from akita_bayes.variants import engine, figure_data, genes, interval_files, score_inputs, writers
from akita_bayes.variants.maps import saved_coolers
from akita_bayes.variants.options import Options
from akita_bayes.variants.scored_files import part_scores, record_plan, score_maps, score_outputs
from akita_bayes.variants.scored_files.scoring_shard import WHOLE, Shard
from akita_bayes.variants.scores import background, draw_summary, score_table

_log = logging.getLogger(__name__)

Draw = Callable[[Iterator[figure_data.RankedFigure]], None]


@dataclasses.dataclass(frozen=True)
class FileSettings:
    """Holds what the scoring of a file depends on, beside the model, the file and the genome.

    Attributes:
        options: Settings of the scores.
        targets: Names of the head's targets; None for their numbers.
        region: Region of the POS of records to score; None for all records.
        shard: Parts to compute.
        cluster: Workers that compute them.
        load_model: Loads the model in a worker; None without workers.
        null: Random variants per stratum of the background; 0 for no background.
        null_path: File that stores the background; None for `null.h5` in the output directory.
        compress: True to bgzip the annotated VCF, and to index it when it is sorted.
        batch_size: Windows computed at a time.
        figures: Number of the strongest variants of which figures are drawn.
        annotation: Genes in the figures.
        maps: Number of the strongest variants whose maps are saved in `maps.h5`, or
            `saved_maps.EVERY`.
        coolers: True to write the saved maps as .mcool too (`maps.saved_coolers`).
    """

    options: Options = dataclasses.field(default_factory=Options)
    targets: writers.Targets | None = None
    region: regions.Region | None = None
    shard: Shard = WHOLE
    cluster: workers.Cluster = workers.HERE
    load_model: Callable[[], Model] | None = None
    null: int = 0
    null_path: str | Path | None = None
    compress: bool = False
    batch_size: int | None = None
    figures: int = 0
    annotation: Sequence[genes.Gene] = ()
    maps: int = 0
    coolers: bool = False


class Summary(NamedTuple):
    """Counts the rows that were scored and those that were not.

    Attributes:
        rows: Number of alleles in the file.
        scored: Number of alleles with scores, of all parts when complete, else of this shard.
        reasons: Reason -> number of alleles without scores, of the same parts.
        complete: True when every part exists and the outputs are written.
        results: All rows when complete; else None.
        missing: Number of parts, of other shards, that do not exist.
    """

    rows: int
    scored: int
    reasons: dict[str, int]
    complete: bool
    results: score_table.Scored | None
    missing: int = 0


def score_file(
    model: Model,
    variants: str | Path,
    *,
    fasta: str | Path | personal_genome.Personal,
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
        fasta: The genome, or a haplotype of a sample; `start` and `end` then count its bases.
        out_dir: Folder of the outputs, new or with parts of the same inputs, which are reused.
        settings: What the scoring depends on; None for defaults.
        draw: Receives the figures of the strongest variants one after another, when all rows have
            been scored.
        open_bar: Opens a progress bar; called with a description and the number of steps.
        **changes: Fields of `settings` to replace.

    Raises:
        VariantError: No allele can be scored; the targets are not those of the head; or the
            annotated file would overwrite the variants.
        RunError: `out_dir` holds other results, another process writes to it, or workers were
            killed.
    """
    settings = keywords.replaced(settings or FileSettings(), changes)
    out_dir, options = Path(out_dir), settings.options
    annotated = _annotated_name(variants, settings.compress)
    if out_dir.resolve() / annotated == Path(variants).resolve():
        raise errors.VariantError(f"{variants}: would be overwritten; choose another output.")
    with personal_genome.opened(fasta) as genome:
        head = model.spec.head(options.head).name
        training_regions.check_genome(model, [head], genome.reference_sizes, genome.path)
        scorer = engine.Engine(model, genome, options, batch_size=settings.batch_size)
        draw_summary.warn_of_draws(scorer.without_intervals)
        targets = _scored_targets(settings.targets, scorer)
        with output_directory.claim(out_dir, kind="scores", share=settings.shard.name):
            plan, origin, identity = _planned(model, variants, genome, settings, out_dir)
            genome_entry = {"name": origin["genome"], "sha256": origin["genome_digest"]}
            entry = {"name": Path(variants).name, "sha256": identity["variants_digest"]}
            text = score_inputs.origin_text(model, genome_entry, options, variants=entry)
            attributes = {**_attributes(origin, scorer), provenance.KEY: text}
            notes = output_directory.record(
                out_dir,
                "scores",
                identity,
                {
                    "rows": plan.rows,
                    "rows_per_part": record_plan.part_size(plan.rows),
                    "variants": str(Path(variants).resolve()),
                    "annotated": annotated,
                    "targets": targets,
                    "attributes": attributes,
                },
            )
            part_settings = part_scores.PartSettings(
                fasta,
                out_dir,
                options,
                settings.batch_size,
                int(notes["rows_per_part"]),
                score_inputs.digest_of(identity),
                settings.null,
                settings.null_path or out_dir / "null.h5",
                score_inputs.digest_of(origin),
            )
            count = record_plan.parts(plan.rows, part_settings.size)
            own_parts = settings.shard.parts(count)
            state = part_scores.PartScorer(scorer, genome, part_settings)
            finished = {
                part: stored
                for part in own_parts
                if (stored := part_settings.stored(part)) is not None
            }
            counted = _score(state, own_parts, finished, settings, open_bar)
            missing = [part for part in range(count) if not part_settings.path(part).exists()]
            results = None if missing else _joined(scorer, part_settings, count, finished)
            if results is None:
                return _summary(plan.rows, counted, None, max(1, len(missing)))
            score_outputs.write(out_dir, annotated, variants, results, targets, attributes)
            summary = _summary(plan.rows, part_scores.counts([results]), results, 0)
            if settings.maps:
                about = attributes | {"inputs_digest": part_settings.key}
                score_maps.save(
                    scorer, results, out_dir, settings.maps, targets, about, open_bar=open_bar
                )
                if settings.coolers:
                    saved_coolers.write(
                        out_dir,
                        chrom_sizes=genome.sizes,
                        assembly=assembly.name_of(genome.path),
                        open_bar=open_bar,
                    )
            if draw is not None and settings.figures:
                draw(_figures(scorer, results, settings, open_bar))
    return summary


def _planned(
    model: Model,
    variants: str | Path,
    genome: Genome,
    settings: FileSettings,
    out_dir: Path,
) -> tuple[record_plan.RecordPlan, dict[str, Any], dict[str, Any]]:
    """Returns the plan, what scores depend on, and the identity of the directory.

    Only the first process of a directory reads the variants and the genome as a whole; other shards
    wait for its plan.
    """
    path, options = out_dir / record_plan.NAME, settings.options
    region = None if settings.region is None else str(settings.region)
    model_digest = fingerprint.model_digest(model)

    def checked(
        plan: record_plan.RecordPlan | None,
    ) -> tuple[record_plan.Content, dict[str, Any], dict[str, Any]]:
        earlier = (None, None) if plan is None else (plan.content.variants, plan.content.genome)
        content = record_plan.Content(
            record_plan.source(variants, earlier[0]),
            record_plan.source(genome.path, earlier[1]),
            region,
        )
        origin = score_inputs.provenance(
            model_digest, genome.path, options, genome_digest=content.genome.digest
        )
        interval_files.check_genome(options.intervals, origin["genome"], origin["genome_digest"])
        if genome.described:
            origin["haplotype"] = json.dumps(genome.described, sort_keys=True)
        identity = score_inputs.of_variants(origin, content.variants.digest, region, settings.null)
        if options.draws or settings.null or options.intervals:
            identity["statistics"] = list(score_table.STATISTICS)
        output_directory.check_identity(out_dir, "scores", identity)
        return content, origin, identity

    plan = record_plan.find(path)
    if plan is not None:
        content, origin, identity = checked(plan)
        if content.key == plan.content.key:
            return plan, origin, identity
    is_shared = bool(settings.shard.name)
    with output_directory.turn(out_dir) if is_shared else contextlib.nullcontext():
        plan = record_plan.find(path)
        content, origin, identity = checked(plan)
        if plan is None or content.key != plan.content.key:
            plan = record_plan.make(path, variants, genome, content, settings.region)
    if not plan.rows:
        _log.warning("%s: holds no record to score; the outputs have no rows.", variants)
    return plan, origin, identity


def _score(
    state: part_scores.PartScorer,
    own_parts: Sequence[int],
    finished: Mapping[int, score_table.Scored],
    settings: FileSettings,
    open_bar: progress.OpenBar,
) -> part_scores.Counts:
    """Scores the parts of a shard that are not finished; returns the counts of all its parts."""
    pending = [part for part in own_parts if part not in finished]
    of_parts = [part_scores.counts(list(finished.values()))]
    with open_bar("Scoring") as advance:
        advance(of_parts[0].rows, total=sum(map(state.rows_of, own_parts)))
        if not pending:
            return part_scores.summed(of_parts)
        with _workers(state, settings) as opened:
            if settings.null and not settings.cluster.is_here:
                _add_backgrounds(opened, state, pending)
            for counted in opened.map(part_scores.score, pending):
                of_parts.append(counted)
                advance(counted.rows)
    return part_scores.summed(of_parts)


def _workers(
    state: part_scores.PartScorer, settings: FileSettings
) -> contextlib.AbstractContextManager[workers.Workers]:
    """Opens the workers; this process uses the model that is loaded."""
    if settings.cluster.is_here:
        return workers.opened(setup=lambda: contextlib.nullcontext(state))
    if settings.load_model is None:
        raise errors.RunError("load_model: workers load the model themselves; give its loader.")
    setup = functools.partial(part_scores.opened, settings.load_model, state.settings)
    return workers.opened(settings.cluster, setup)


def _add_backgrounds(
    opened: workers.Workers, state: part_scores.PartScorer, pending: Sequence[int]
) -> None:
    """Samples the missing strata of all rows, each in one worker, before any row is scored."""
    settings = state.settings
    needed = itertools.chain.from_iterable(opened.map(part_scores.strata, pending))
    identity = settings.null_path, settings.null_key
    missing = background.missing(*identity, settings.null, needed)
    scored = opened.map(part_scores.null_scores, missing)
    for stratum, null in zip(missing, scored, strict=True):
        background.add(*identity, stratum, null)


def _joined(
    scorer: engine.Engine,
    settings: part_scores.PartSettings,
    count: int,
    finished: Mapping[int, score_table.Scored],
) -> score_table.Scored | None:
    """Returns the rows of all parts, each read once; None when a part cannot be read."""
    parts = [finished.get(number) or settings.stored(number) for number in range(count)]
    present = [part for part in parts if part is not None]
    if len(present) < count:
        return None
    return score_table.joined(present) if present else scorer.score([])


def _attributes(origin: dict[str, Any], scorer: engine.Engine) -> dict[str, Any]:
    """Returns the attributes of the outputs."""
    levels = {name: widening.level for name, widening in scorer.widened.items()}
    return origin | ({"interval_levels": levels} if levels else {})


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


def _summary(
    rows: int,
    counted: part_scores.Counts,
    results: score_table.Scored | None,
    missing: int,
) -> Summary:
    reasons = counted.reasons
    scored = counted.rows - sum(reasons.values())
    if rows and results is not None and not scored:
        commonest = max(reasons, key=lambda reason: reasons[reason])
        raise errors.VariantError(
            f"none of {rows} alleles could be scored; most often: {commonest}. "
            "The outputs give the reason for each."
        )
    return Summary(rows, scored, reasons, results is not None, results, missing)


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
