"""Scores a whole variant file into a directory, in parts that survive an interruption.

Rows are scored in parts, and each part is stored as a file. A part that exists is not scored again.
Shard i of n computes every n-th part, and the process that finishes the last part joins all of
them. So the result does not depend on the number of shards. A directory belongs to one set of
inputs: its `inputs.json` records them and the number of rows in a part, for all shards that use it.
"""

import dataclasses
import hashlib
import json
import logging
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import akita_bayes
from akita_bayes import errors, files, progress, regions
from akita_bayes.data.genome import Genome
from akita_bayes.models.protocol import Model
from akita_bayes.specs import spec as specs
from akita_bayes.variants import engine, writers
from akita_bayes.variants.alleles import records, vcf
from akita_bayes.variants.options import Options
from akita_bayes.variants.scores import background, draw_summary, score_table

_log = logging.getLogger(__name__)

PART = 64  # most rows in a part; an interruption loses one part, small parts share few references
PARTS = "parts"
INPUTS = "inputs.json"
_RESULTS = (PARTS, "scd.h5", "scores.tsv", "sat.h5")


class Shard(NamedTuple):
    """Identifies shard `number` of `shards`, counted from 0."""

    number: int = 0
    shards: int = 1


WHOLE = Shard()


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
    options: Options | None = None,
    targets: writers.Targets | None = None,
    region: regions.Region | None = None,
    shard: Shard = WHOLE,
    null: int = 0,
    null_path: str | Path | None = None,
    compress: bool = False,
    batch_size: int | None = None,
    advance: progress.Advance = progress.ignore,
) -> Summary:
    """Scores a variant file and writes `scd.h5`, `scores.tsv` and the annotated VCF.

    Args:
        model: What `build` or `load_model` returns.
        variants: VCF or BCF.
        fasta: The genome.
        out_dir: Folder of the outputs, new or with parts of the same inputs, which are reused.
        options: Settings of the scores; None for defaults.
        targets: Names of the head's targets; None for their numbers.
        region: Region of the POS of records to score; None for all records.
        shard: Parts to compute.
        null: Random variants per stratum of the background; 0 for no background.
        null_path: File that stores the background; None for `null.h5` in `out_dir`.
        compress: True to bgzip the annotated VCF, and to index it when it is sorted.
        batch_size: Windows computed at a time.
        advance: Called as `advance(rows, total=...)` after every part.

    Raises:
        VariantError: No allele can be scored; the targets are not those of the head; the annotated
            file would overwrite the variants; or `out_dir` holds other results.
    """
    out_dir = Path(out_dir)
    options = options or Options()
    annotated = out_dir.resolve() / _annotated_name(variants, compress)
    if annotated == Path(variants).resolve():
        raise errors.VariantError(f"{variants}: would be overwritten; choose another output.")
    with Genome(fasta) as genome:
        scorer = engine.Engine(model, genome, options, batch_size=batch_size)
        draw_summary.warn_of_draws(scorer.without_intervals)
        names = _scored_targets(targets, scorer)
        rows = list(records.read(variants, genome, region=region))
        if not rows:
            _log.warning("%s: holds no record to score; the outputs have no rows.", variants)
        origin = provenance(model, fasta, options)
        identity = _identity(origin, variants, region, null)
        if options.draws or null or options.intervals:
            identity["statistics"] = list(score_table.STATISTICS)
        size = _open_directory(out_dir, identity, part_size(len(rows), shard.shards))
        key = _digest(identity)
        advance(0, total=len(rows))
        if null:
            path = null_path or out_dir / "null.h5"
            scorer.background = background.build(
                map(scorer.as_scored, rows),
                genome,
                scorer.score,
                count=null,
                path=path,
                identity=_digest(origin),
                seed=options.seed,
            )
        starts = range(0, len(rows), size)
        for part, start in enumerate(starts):
            if part % shard.shards != shard.number:
                continue
            path = _part_path(out_dir, part)
            if score_table.load(path, key) is None:
                score_table.save(path, scorer.score(rows[start : start + size]), key)
            advance(len(rows[start : start + size]))
    loaded = [score_table.load(_part_path(out_dir, part), key) for part in range(len(starts))]
    parts = [part for part in loaded if part is not None]
    results = score_table.joined(parts) if parts else scorer.score([])
    complete = len(parts) == len(loaded)
    if complete:
        levels = {name: widening.level for name, widening in scorer.widened.items()}
        attributes = origin | ({"interval_levels": levels} if levels else {})
        writers.write_h5(out_dir / "scd.h5", results, names, attributes)
        writers.write_table(out_dir / "scores.tsv", results, names)
        writers.write_vcf(annotated, variants, results, attributes)
    return _summary(rows, results, complete)


def part_size(rows: int, shards: int) -> int:
    """Returns the rows of a part, so that shards have equally many parts of at most PART rows.

    For 300 rows and 2 shards each shard has 3 parts of 50 rows.
    """
    turns = max(1, math.ceil(rows / (shards * PART)))
    return max(1, math.ceil(rows / (shards * turns)))


def _open_directory(out_dir: Path, identity: dict[str, Any], size: int) -> int:
    """Records the inputs in a directory, or continues it; returns the rows of its parts.

    Raises:
        VariantError: The directory holds results of other inputs.
    """
    path = out_dir / INPUTS
    holds_results = any((out_dir / name).exists() for name in _RESULTS)
    recorded = files.read_json(path) if path.exists() else None
    if recorded and (holds_results or not _changed(identity, recorded["of"])):
        refuse_others(out_dir, identity, recorded["of"])
        return int(recorded["rows_per_part"])
    if holds_results:
        raise errors.VariantError(
            f"{out_dir}: holds results of an unknown run; choose another directory."
        )
    files.write_json(path, {"of": identity, "rows_per_part": size})
    return size


def refuse_others(out_dir: Path, identity: dict[str, Any], recorded: dict[str, Any]) -> None:
    """Refuses a directory whose results have other inputs, and names the inputs that differ.

    Args:
        out_dir: The directory.
        identity: Inputs of this run: those of `provenance`, and more.
        recorded: Inputs of the results in the directory.

    Raises:
        VariantError: The inputs differ.
    """
    if changed := _changed(identity, recorded):
        raise errors.VariantError(
            f"{out_dir}: holds results of other {', '.join(changed)}; choose another directory, or "
            "remove it."
        )


def _changed(identity: dict[str, Any], recorded: dict[str, Any]) -> list[str]:
    """Returns the names of inputs and options that differ; the genome counts by its digest."""
    identity, recorded = (
        {**inputs, **json.loads(inputs["options"])} for inputs in (identity, recorded)
    )
    identity = json.loads(json.dumps(identity))  # tuples become lists, as in the file
    changed = [
        name.removesuffix("_digest")
        for name in identity | recorded
        if name not in ("options", "genome") and identity.get(name) != recorded.get(name)
    ]
    return list(dict.fromkeys(changed))


def _summary(rows: list[records.Variant], results: score_table.Scored, complete: bool) -> Summary:
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


def _part_path(out_dir: Path, part: int) -> Path:
    return out_dir / PARTS / f"{part:06d}.h5"


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


def provenance(model: Model, fasta: str | Path, options: Options) -> dict[str, Any]:
    """Returns what scores depend on, for the attributes of outputs."""
    origin = {
        "version": akita_bayes.__version__,
        "model_digest": model_digest(model),
        "genome": os.path.basename(fasta),
        "genome_digest": files.digest(fasta),
    }
    settings = dataclasses.asdict(options)
    for name in ("roi", "intervals"):
        if settings[name] is not None:
            settings[f"{name}_digest"] = files.digest(settings[name])
    return {**origin, "options": json.dumps(settings, sort_keys=True)}


def model_digest(model: Model) -> str:
    """Computes the SHA-256 of a model's spec, weights and SWAG draws.

    For an exported model, its graph and variables take the place of the weights; other files in its
    directory, such as a background or figures, do not count.
    """
    digest = hashlib.sha256()
    for member in model.members:
        digest.update(specs.dumps(member.spec).encode())
        for part in member.digest_parts():
            digest.update(part)
    return digest.hexdigest()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _identity(
    origin: dict[str, Any], variants: str | Path, region: regions.Region | None, null: int
) -> dict[str, Any]:
    region_text = None if region is None else str(region)
    return {
        **origin,
        "variants_digest": files.digest(variants),
        "region": region_text,
        "null": null,
    }
