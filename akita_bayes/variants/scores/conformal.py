"""Intervals that hold: made from the errors of variants whose effect was known.

Draws tell how much a posterior disagrees with itself, not how wrong it is. Where true effects are
known, as in a simulation, split conformal prediction (Lei et al. 2018) makes intervals that hold
the truth as often as they say, whatever the model: with truth t, mean m and sd s of a score,

    e = (log (t + c) - log (m + c)) / (d + s / (m + c))

is how far off a prediction was, in units of its own spread. Strong effects are predicted to within
a small factor and weak ones are not, so known variants are put into classes of equal number by
their predicted score, and those of a class serve new ones that are predicted alike (Mondrian
conformal prediction: Vovk et al. 2003). Of the n errors of a class, the
floor ((n + 1) (1 - level) / 2)-th smallest, l, and the one as far from the largest, h, give

    log (m + c) + l (d + s / (m + c))   to   log (m + c) + h (d + s / (m + c)),

which holds the truth at this level in every class; for that n is at least 2 / (1 - level) - 1. l is
at most and h at least 0, so that it holds the prediction too. c keeps scores near 0 from counting
as infinitely wrong, d those without spread. For scores of 0 or more.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files

LEVEL = 0.9
FEWEST = 20  # known scores
CLASS = 100  # known scores of a class, at least, when there is more than one
MOST = 8  # classes


class Widening(NamedTuple):
    """How one score's intervals are made.

    Attributes:
        floor: c, in units of the score.
        spread: d.
        starts: Predicted scores at which classes begin, but for the first. [K - 1].
        low: l of every class. [K].
        high: h of every class. [K].
        level: Share of true scores that the intervals hold.
        drawn: True when fitted to means and spreads over posterior draws.
    """

    floor: float
    spread: float
    starts: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    level: float = LEVEL
    drawn: bool = True

    def interval(self, mean: NDArray, sd: NDArray) -> tuple[NDArray, NDArray]:
        """Lower and upper end. Shapes as given; a missing sd counts as 0."""
        centre = np.maximum(mean, 0) + self.floor
        unit = self.spread + np.nan_to_num(sd) / centre
        kind = np.searchsorted(self.starts, mean, side="right")
        low, high = (
            centre * np.exp(np.asarray(error)[kind] * unit) - self.floor
            for error in (self.low, self.high)
        )
        return np.maximum(low, 0), np.maximum(high, 0)


def fit(truth: NDArray, mean: NDArray, sd: NDArray, *, level: float = LEVEL) -> Widening:
    """Learns from variants of known effect; all arguments are alike in shape.

    Args:
        truth: True scores.
        mean: Predicted scores.
        sd: Their standard deviations over draws; 0 without draws.
        level: Share of true scores that intervals hold.

    Raises:
        VariantError: Too few variants for the level, or scores below 0 or that are no number.
    """
    truth, mean, sd = (np.ravel(np.asarray(each, np.float64)) for each in (truth, mean, sd))
    check(len(truth), level)
    outermost = _outermost(level)
    if not all(np.isfinite(each).all() for each in (truth, mean, sd)):
        raise errors.VariantError("known scores must be numbers; leave out variants without one.")
    if truth.min() < 0 or mean.min() < 0:
        raise errors.VariantError("only scores of 0 or more have intervals of this kind.")
    floor = max(float(np.quantile(mean, 0.1)), 1e-6)
    wrong = np.log((truth + floor) / (mean + floor))
    spread = max(float(np.median(np.abs(wrong))), 1e-6)
    wrong /= spread + sd / (mean + floor)
    starts = _starts(mean, max(CLASS, outermost), outermost)
    kind = np.searchsorted(starts, mean, side="right")
    ends = [_ends(wrong[kind == k], level) for k in range(len(starts) + 1)]
    low, high = zip(*ends, strict=True)
    return Widening(floor, spread, starts, low, high, level, bool(np.any(sd > 0)))


def check(count: int, level: float) -> None:
    """Refuses a level for which there are too few known scores.

    Raises:
        VariantError: More are needed, or the level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise errors.VariantError(f"the level of intervals is between 0 and 1; got {level}.")
    fewest = max(FEWEST, _outermost(level))
    if count < fewest:
        raise errors.VariantError(
            f"{fewest} known scores, one of each variant and target, are needed for intervals of "
            f"level {level:g}; got {count}."
        )


def _outermost(level: float) -> int:
    """As many errors as make the rank of `_ends` 1."""
    return math.ceil(2 / (1 - level) - 1 - 1e-9)


def _starts(mean: NDArray, usual: int, fewest: int) -> tuple[float, ...]:
    """Where classes of equal number begin, but for the first.

    Equal predictions are of one class, so ties leave fewer classes, and unequal ones.

    Args:
        mean: Predicted scores.
        usual: Scores of a class, at least, when none are equal.
        fewest: Scores of any class.
    """
    classes = min(max(len(mean) // usual, 1), MOST)
    starts: list[float] = []
    taken = 0
    for start in np.quantile(mean, np.arange(1, classes) / classes):
        below = int((mean < start).sum())
        if min(below - taken, len(mean) - below) >= fewest:
            starts.append(float(start))
            taken = below
    return tuple(starts)


def _ends(wrong: NDArray, level: float) -> tuple[float, float]:
    """The errors between which another one lies at this level, 0 among them."""
    count = len(wrong)
    rank = int(np.floor((count + 1) * (1 - level) / 2 + 1e-9))
    ordered = np.sort(wrong)
    return min(float(ordered[rank - 1]), 0.0), max(float(ordered[-rank]), 0.0)


def save(path: str | Path, widenings: Mapping[str, Widening]) -> None:
    """Writes widenings by score name as JSON, each with its level."""
    files.write_json(path, {name: widening._asdict() for name, widening in widenings.items()})


def load(path: str | Path) -> dict[str, Widening]:
    """Reads what `save` wrote; a file that records no level is of level 0.9.

    Raises:
        DataError: The file is missing or has another form.
    """
    try:
        return {str(name): _parsed(row) for name, row in files.read_json(path).items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, errors.AkitaBayesError):
            raise
        raise errors.DataError(
            f"{path}: holds no intervals of variant scores; fit them again."
        ) from None


def chosen(path: str | None, scores: Sequence[str], *, drawn: bool) -> dict[str, Widening]:
    """Reads the intervals of some scores; a score without intervals is left out.

    Args:
        path: What `save` wrote; None for no intervals.
        scores: Names of the scores.
        drawn: Scores have draws.

    Raises:
        VariantError: The file has none of the scores, or has them for scores with draws while these
            have none, or the other way round.
        DataError: The file is missing or has another form.
    """
    if path is None:
        return {}
    widenings = {name: row for name, row in load(path).items() if name in scores}
    if not widenings:
        raise errors.VariantError(f"{path}: has no intervals for {', '.join(scores)}.")
    fitted_to_draws = {row.drawn for row in widenings.values()}
    if not drawn and True in fitted_to_draws:
        raise errors.VariantError(
            f"{path}: these intervals are made of the mean and sd of draws; give draws of 2 or "
            "more, and a model that has them."
        )
    if drawn and False in fitted_to_draws:
        raise errors.VariantError(
            f"{path}: these intervals were fitted to scores without draws; score without draws, or "
            "fit intervals with draws."
        )
    return widenings


def _parsed(row: Mapping[str, Any]) -> Widening:
    starts, low, high = (tuple(map(float, row[key])) for key in ("starts", "low", "high"))
    level = float(row.get("level", LEVEL))
    if not len(starts) + 1 == len(low) == len(high) or not 0 < level < 1:
        raise ValueError
    drawn = bool(row.get("drawn", True))
    return Widening(float(row["floor"]), float(row["spread"]), starts, low, high, level, drawn)
