"""Reads and writes files of fitted intervals, and refuses those that were fitted to other scores.

Intervals are valid for the scores that they were fitted to: those of one model, scored in one way,
on one genome. The file records all three.
"""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from akita_bayes import errors, files
from akita_bayes.models import fingerprint
from akita_bayes.models.protocol import Model
from akita_bayes.variants.options import Options
from akita_bayes.variants.scores.conformal import LEVEL, Widening

SCORING = ("draws", "rc", "shifts", "window", "members")
"""Options that change how far scores are from the truth, beside the head."""

_log = logging.getLogger(__name__)


class FittedTo(NamedTuple):
    """Describes the scores that intervals were fitted to.

    Attributes:
        model_digest: SHA-256 of the model (`fingerprint.model_digest`).
        scoring: Name of the head, and values of the options in SCORING.
        genome: Name of the file of the genome; None when a simulation stands for the genome.
        genome_digest: SHA-256 of that file.
    """

    model_digest: str
    scoring: dict[str, Any]
    genome: str | None = None
    genome_digest: str | None = None


class IntervalFile(NamedTuple):
    """Holds the content of a file of intervals.

    Attributes:
        widenings: Intervals by the name of the score.
        fitted_to: Scores that the intervals were fitted to; None in files of version 0.1 and 0.2.
    """

    widenings: dict[str, Widening]
    fitted_to: FittedTo | None


def fitted_to(model: Model, options: Options, genome: str | Path | None = None) -> FittedTo:
    """Describes the scores of a model.

    Args:
        model: What `load_model` returns.
        options: Settings of the scores.
        genome: FASTA of the scored variants; None when a simulation stands for the genome.
    """
    name, digest = (None, None) if genome is None else (Path(genome).name, files.digest(genome))
    return FittedTo(fingerprint.model_digest(model), _scoring(model, options), name, digest)


def _scoring(model: Model, options: Options) -> dict[str, Any]:
    """Returns the head and the options in SCORING as JSON values."""
    values = {name: getattr(options, name) for name in SCORING}
    head = model.spec.head(options.head).name
    return {"head": head, **values, "shifts": list(options.shifts)}


def save(path: str | Path, widenings: Mapping[str, Widening], of: FittedTo | None = None) -> None:
    """Writes intervals as JSON, and the scores that they were fitted to.

    Args:
        path: File name.
        widenings: Intervals by the name of the score.
        of: The scores; None for intervals that are used without a check.
    """
    scores = {name: _stored(widening) for name, widening in widenings.items()}
    origin = {} if of is None else {"fitted_to": of._asdict()}
    files.write_json(path, {**origin, "scores": scores})


def _stored(widening: Widening) -> dict[str, Any]:
    """Returns the fields of a widening under their names in files."""
    fields = widening._asdict()
    fields["drawn"] = fields.pop("of_draws")
    return fields


def load(path: str | Path) -> IntervalFile:
    """Reads what `save` wrote; a score without a level has level 0.9.

    Raises:
        DataError: The file is missing or has another form.
    """
    try:
        content = files.read_json(path)
        origin, scores = content.get("fitted_to"), content.get("scores", content)
        widenings = {str(name): _parsed(row) for name, row in scores.items()}
        return IntervalFile(widenings, None if origin is None else _origin(origin))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, errors.AkitaBayesError):
            raise
        raise errors.DataError(
            f"{path}: is not a file of intervals of variant scores; fit them again."
        ) from None


def _parsed(row: Mapping[str, Any]) -> Widening:
    starts, low, high = (tuple(map(float, row[key])) for key in ("starts", "low", "high"))
    level = float(row.get("level", LEVEL))
    if not len(starts) + 1 == len(low) == len(high) or not 0 < level < 1:
        raise ValueError
    of_draws = bool(row.get("drawn", True))
    return Widening(float(row["floor"]), float(row["spread"]), starts, low, high, level, of_draws)


def _origin(row: Mapping[str, Any]) -> FittedTo:
    names = (row["genome"], row["genome_digest"])
    return FittedTo(
        str(row["model_digest"]),
        dict(row["scoring"]),
        *(None if name is None else str(name) for name in names),
    )


def intervals_of(
    model: Model, options: Options, scores: Sequence[str], *, of_draws: bool
) -> dict[str, Widening]:
    """Reads the intervals that options name; a score without intervals is left out.

    Args:
        model: The model of the scores.
        options: Settings of the scores; `intervals` is the file, None for no intervals.
        scores: Names of the scores.
        of_draws: True when the scores have draws.

    Raises:
        VariantError: The file has none of the scores, or its intervals were fitted to scores of
            another model or to scores that were made in another way.
        DataError: The file is missing or has another form.
    """
    path = options.intervals
    if path is None:
        return {}
    content = load(path)
    widenings = {name: row for name, row in content.widenings.items() if name in scores}
    if not widenings:
        raise errors.VariantError(f"{path}: has no intervals for {', '.join(scores)}.")
    fitted_to_draws = {row.of_draws for row in widenings.values()}
    if not of_draws and True in fitted_to_draws:
        raise errors.VariantError(
            f"{path}: these intervals were fitted to the mean and sd of draws; give draws of 2 or "
            "more, and a model that has a posterior."
        )
    if of_draws and False in fitted_to_draws:
        raise errors.VariantError(
            f"{path}: these intervals were fitted to scores without draws; score without draws, or "
            "fit intervals with draws."
        )
    if content.fitted_to is None:
        _log.warning(
            "%s: does not say which model and options its intervals were fitted to, so this is not "
            "checked; `akita_calibrate.py` writes files that do.",
            path,
        )
    else:
        _check(path, content.fitted_to, model, options, of_draws=of_draws)
    return widenings


def _check(path: str, of: FittedTo, model: Model, options: Options, *, of_draws: bool) -> None:
    """Refuses intervals of another model, or of scores that were made in another way."""
    if of.model_digest != fingerprint.model_digest(model):
        raise errors.VariantError(
            f"{path}: these intervals were fitted to another model, or to other weights of it; fit "
            "intervals to this model by akita_calibrate.py."
        )
    for name, value in _scoring(model, options).items():
        if name == "draws" and not of_draws:  # of a model without a posterior they mean nothing
            continue
        if of.scoring.get(name) != value:
            raise errors.VariantError(
                f"{path}: these intervals were fitted to scores with {name} = "
                f"{of.scoring.get(name)}, not {value}; score with the same {name}, or fit "
                "intervals again."
            )


def check_genome(path: str | None, name: str, digest: str) -> None:
    """Refuses intervals that were fitted to variants of another genome.

    Args:
        path: File of the intervals; None for no intervals.
        name: Name of the file of the genome whose variants are scored.
        digest: SHA-256 of that file.

    Raises:
        VariantError: The intervals belong to another genome.
        DataError: The file of the intervals is missing or has another form.
    """
    of = None if path is None else load(path).fitted_to
    if of is not None and of.genome_digest not in (None, digest):
        raise errors.VariantError(
            f"{path}: these intervals were fitted to variants of {of.genome} (SHA-256 "
            f"{str(of.genome_digest)[:12]}), not of {name} ({digest[:12]}); give the same file of "
            "the genome, or fit intervals to variants of this genome."
        )
