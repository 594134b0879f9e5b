"""Writes the outputs of a directory of scores, and tells which of its parts are missing."""

from pathlib import Path
from typing import Any, NamedTuple

from akita_bayes import errors
from akita_bayes.files import output_directory
from akita_bayes.variants import score_inputs, writers
from akita_bayes.variants.scored_files import record_plan
from akita_bayes.variants.scores import score_table

TABLE = "scores.tsv"
SCORES = "scd.h5"


class Status(NamedTuple):
    """Describes how far a directory of scores is.

    Attributes:
        parts: Number of parts.
        missing: Numbers of the parts that are not finished, from 0.
        joined: True when the outputs are written.
    """

    parts: int
    missing: list[int]
    joined: bool


def write(
    out_dir: Path,
    annotated: str,
    variants: str | Path,
    results: score_table.Scored,
    targets: writers.Targets,
    attributes: dict[str, Any],
) -> None:
    """Writes `scd.h5`, `scores.tsv` and the annotated variant file.

    Args:
        out_dir: Directory of scores.
        annotated: Name of the annotated file in it.
        variants: The file that was scored.
        results: All rows.
        targets: Names of the scored targets.
        attributes: What the scores depend on.
    """
    writers.write_h5(out_dir / SCORES, results, targets, attributes)
    writers.write_table(out_dir / TABLE, results, targets)
    writers.write_vcf(out_dir / annotated, variants, results, attributes)


def status(out_dir: str | Path) -> Status:
    """Returns how far a directory of scores is; reads no part.

    Raises:
        RunError: It is not a directory of scores.
    """
    out_dir = Path(out_dir)
    notes = output_directory.notes_of(out_dir, "scores")
    _check_notes(out_dir, notes)
    count = record_plan.parts(int(notes["rows"]), int(notes["rows_per_part"]))
    present = {path.name for path in (out_dir / output_directory.PARTS).glob("*.h5")}
    missing = [part for part in range(count) if record_plan.part_name(part) not in present]
    outputs = (SCORES, TABLE, str(notes["annotated"]))
    return Status(count, missing, all((out_dir / name).exists() for name in outputs))


def join(out_dir: str | Path) -> int:
    """Writes the outputs of a directory whose parts are all finished; returns the number of rows.

    Needs neither the model nor the genome.

    Raises:
        RunError: Parts are missing or damaged, the variant file is not the one that was scored, or
            another process writes to the directory.
    """
    out_dir = Path(out_dir)
    state = status(out_dir)
    if state.missing:
        raise errors.RunError(
            f"{out_dir}: {len(state.missing)} of {state.parts} parts are missing; score them first."
        )
    with output_directory.claim(out_dir, kind="scores"):
        document = output_directory.notes_of(out_dir, "scores")
        variants = Path(document["variants"])
        if not variants.is_file() or (
            record_plan.source(variants).digest != document["of"]["variants_digest"]
        ):
            raise errors.RunError(
                f"{variants}: is not the file that was scored into {out_dir}; put it back."
            )
        key = score_inputs.digest_of(document["of"])
        parts = []
        for number in range(state.parts):
            path = out_dir / output_directory.PARTS / record_plan.part_name(number)
            part = score_table.load(path, key)
            if part is None:
                raise errors.RunError(f"{path}: is damaged; remove it and score it again.")
            parts.append(part)
        if not parts:
            if state.joined:
                return 0
            raise errors.RunError(f"{out_dir}: has no rows; run the command without --join.")
        results = score_table.joined(parts)
        write(
            out_dir,
            str(document["annotated"]),
            variants,
            results,
            writers.Targets(*document["targets"]),
            document["attributes"],
        )
    return len(results.variants)


def _check_notes(out_dir: Path, notes: dict[str, Any]) -> None:
    """Refuses the notes of another version.

    Raises:
        RunError: A note is missing.
    """
    names = ("rows", "rows_per_part", "variants", "annotated", "targets", "attributes")
    if lacking := [name for name in names if name not in notes]:
        raise errors.RunError(
            f"{out_dir}: was scored by another version, which recorded no {lacking[0]}; score it "
            "again into another directory."
        )
