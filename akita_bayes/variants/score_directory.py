"""A whole variant file into a directory: in parts that survive an interruption, or by shards.

Rows are scored in parts, each kept as a file; what is there is not scored again. A shard i of n
takes every n-th part; whoever finishes the last part joins them all. So the result does not depend
on the number of shards. A directory is of one set of inputs: its `inputs.json` says which, and how
many rows its parts have, whichever shards go on with it.
"""

import dataclasses
import hashlib
import json
import logging
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import akita_bayes
from akita_bayes import errors, files, regions
from akita_bayes.data.genome import Genome
from akita_bayes.specs import spec as specs
from akita_bayes.variants import engine, writers
from akita_bayes.variants.alleles import records, vcf
from akita_bayes.variants.options import Options
from akita_bayes.variants.scores import background, draw_summary, score_table

log = logging.getLogger(__name__)

PART = 64  # rows, at most; more would be lost by an interruption, fewer share fewer references
PARTS = "parts"
INPUTS = "inputs.json"
_RESULTS = (PARTS, "scd.h5", "scores.tsv", "sat.h5")


class Shard(NamedTuple):
    """Shard `number` of `shards`, counted from 0."""

    number: int = 0
    shards: int = 1


WHOLE = Shard()


class Summary(NamedTuple):
    """What became of the rows.

    Attributes:
        rows: Alleles read.
        scored: Alleles with scores in the parts that are there, whichever shard made them.
        reasons: Reason -> number of alleles without scores, in the same parts.
        complete: True when every part is there and the outputs are written.
        results: All rows when complete.
    """

    rows: int
    scored: int
    reasons: dict[str, int]
    complete: bool
    results: score_table.Scored | None


def parse_shard(text: str) -> Shard:
    """Reads `i/n`, i from 1 to n.

    Raises:
        VariantError: Another form.
    """
    number, shards = map(vcf.whole_number, text.partition("/")[::2])
    if number is None or shards is None or not 1 <= number <= shards:
        raise errors.VariantError(f'"{text}" is not a valid shard; write i/n, as 1/4 to 4/4.')
    return Shard(number - 1, shards)


def score_file(
    model: Any,
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
    advance: Callable[..., None] = lambda *_, **__: None,
) -> Summary:
    """Scores a variant file and writes `scd.h5`, `scores.tsv` and the annotated VCF.

    Args:
        model: What `build` or `load_model` returns.
        variants: VCF or BCF.
        fasta: The genome.
        out_dir: Folder of the outputs, new or of the same inputs, whose parts are used.
        options: What to score and how.
        targets: Names of the head's targets; numbers without.
        region: Only records whose POS lies here.
        shard: Which parts to compute.
        null: Random variants per stratum of the background; 0 for none.
        null_path: File that keeps them; in `out_dir` without.
        compress: Bgzip the annotated VCF, and index it when it is sorted.
        batch_size: Windows computed at a time.
        advance: Called as `advance(rows, total=...)` after every part.

    Raises:
        VariantError: No allele can be scored, and why not; the targets are not the head's; the
            annotated file would take the place of the variants; or `out_dir` holds other results.
    """
    out_dir = Path(out_dir)
    options = options or Options()
    annotated = out_dir.resolve() / _annotated_name(variants, compress)
    if annotated == Path(variants).resolve():
        raise errors.VariantError(f"{variants}: would be overwritten; choose another output.")
    with Genome(fasta) as genome:
        scorer = engine.Engine(model, genome, options, batch_size=batch_size)
        draw_summary.warn_of_draws(scorer.plain)
        names = _chosen(targets, scorer)
        rows = list(records.read(variants, genome, region=region))
        if not rows:
            log.warning("%s: holds no record to score; the outputs have no rows.", variants)
        about = provenance(model, fasta, options)
        identity = _identity(about, variants, region, null)
        if options.draws or null or options.intervals:
            identity["statistics"] = list(score_table.STATISTICS)
        size = _begin(out_dir, identity, part_size(len(rows), shard.shards))
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
                identity=_digest(about),
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
    found = [score_table.load(_part_path(out_dir, part), key) for part in range(len(starts))]
    parts = [part for part in found if part is not None]
    whole = score_table.joined(parts) if parts else scorer.score([])
    complete = len(parts) == len(found)
    if complete:
        levels = {name: widening.level for name, widening in scorer.widened.items()}
        attributes = about | ({"interval_levels": levels} if levels else {})
        writers.write_h5(out_dir / "scd.h5", whole, names, attributes)
        writers.write_table(out_dir / "scores.tsv", whole, names)
        writers.write_vcf(annotated, variants, whole, attributes)
    return _summary(rows, whole, complete)


def part_size(rows: int, shards: int) -> int:
    """Rows of a part, so that shards have equally many parts of at most PART rows."""
    turns = max(1, math.ceil(rows / (shards * PART)))
    return max(1, math.ceil(rows / (shards * turns)))


def _begin(out_dir: Path, identity: dict[str, Any], size: int) -> int:
    """Marks a directory as of these inputs, or goes on with it; returns the rows of its parts.

    Raises:
        VariantError: It holds results of other inputs.
    """
    told = out_dir / INPUTS
    holds_results = any((out_dir / name).exists() for name in _RESULTS)
    begun = files.read_json(told) if told.exists() else None
    if begun and (holds_results or not _changed(identity, begun["of"])):
        refuse_others(out_dir, identity, begun["of"])
        return int(begun["rows_per_part"])
    if holds_results:
        raise errors.VariantError(
            f"{out_dir}: holds results of an unknown run; choose another directory."
        )
    files.write_json(told, {"of": identity, "rows_per_part": size})
    return size


def refuse_others(out_dir: Path, wanted: dict[str, Any], begun: dict[str, Any]) -> None:
    """Refuses a directory whose results are of other inputs, and says of which.

    Args:
        out_dir: The directory.
        wanted: What `provenance` gives, and more.
        begun: The same of the results that are there.

    Raises:
        VariantError: They differ.
    """
    if changed := _changed(wanted, begun):
        raise errors.VariantError(
            f"{out_dir}: holds results of other {', '.join(changed)}; choose another directory, or "
            "remove it."
        )


def _changed(wanted: dict[str, Any], begun: dict[str, Any]) -> list[str]:
    wanted, begun = ({**about, **json.loads(about["options"])} for about in (wanted, begun))
    wanted = json.loads(json.dumps(wanted))
    changed = [
        name.removesuffix("_digest")
        for name in wanted | begun
        if name not in ("options", "genome") and wanted.get(name) != begun.get(name)
    ]
    return list(dict.fromkeys(changed))


def _summary(rows: list[records.Variant], found: score_table.Scored, complete: bool) -> Summary:
    reasons: dict[str, int] = {}
    for reason in filter(None, found.reasons):
        reasons[reason] = reasons.get(reason, 0) + 1
    scored = len(found.variants) - sum(reasons.values())
    if rows and complete and not scored:
        first = max(reasons, key=lambda reason: reasons[reason])
        raise errors.VariantError(
            f"none of {len(rows)} alleles could be scored; most often: {first}. "
            "The outputs say why for each."
        )
    return Summary(len(rows), scored, reasons, complete, found if complete else None)


def _part_path(out_dir: Path, part: int) -> Path:
    return out_dir / PARTS / f"{part:06d}.h5"


def _chosen(targets: writers.Targets | None, scorer: engine.Engine) -> writers.Targets:
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


def provenance(model: Any, fasta: str | Path, options: Options) -> dict[str, Any]:
    """What scores depend on, for the attributes of outputs."""
    about = {
        "version": akita_bayes.__version__,
        "model_digest": model_digest(model),
        "genome": os.path.basename(fasta),
        "genome_digest": files.digest(fasta),
    }
    settings = dataclasses.asdict(options)
    for name in ("roi", "intervals"):
        if settings[name] is not None:
            settings[f"{name}_digest"] = files.digest(settings[name])
    return {**about, "options": json.dumps(settings, sort_keys=True)}


def model_digest(model: Any) -> str:
    """SHA-256 of a model's spec, weights and SWAG draws; of an exported one's graph and variables.

    Other files in an exported one's directory, as a background or figures, do not count.
    """
    digest = hashlib.sha256()
    for member in getattr(model, "members", (model,)):
        digest.update(specs.dumps(member.spec).encode())
        if hasattr(member, "weights"):
            for weight in member.weights:
                digest.update(weight.numpy().tobytes())
            if member.swag_draws is not None:
                digest.update(member.swag_draws.tobytes())
        else:
            kept = Path(member.path)
            for path in (kept / "saved_model.pb", *sorted(kept.glob("variables/*"))):
                digest.update(files.digest(path).encode())
    return digest.hexdigest()


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _identity(
    about: dict[str, Any], variants: str | Path, region: regions.Region | None, null: int
) -> dict[str, Any]:
    place = None if region is None else str(region)
    return {**about, "variants_digest": files.digest(variants), "region": place, "null": null}
