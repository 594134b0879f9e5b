"""Intervals for true scores, made from the errors of variants whose effect is known.

Draws show how much a posterior disagrees with itself, not how wrong it is. Where true effects are
known, as in a simulation, split conformal prediction (Lei et al. 2018) makes intervals that hold
the truth as often as their level says, for any model. With truth t, mean m and sd s of a
score, the error of a prediction in units of its own spread is

    e = (log (t + c) - log (m + c)) / (d + s / (m + c)).

Strong effects are predicted to within a small factor and weak ones are not. So the known variants
are divided into classes of equal number by their predicted score, and each class gives the
intervals of new variants with such a predicted score (Mondrian conformal prediction: Vovk et al.
2003). The targets of one variant err together, so variants are counted, not scores: of the m errors
of the n variants in a class, l is the k-th smallest and h the k-th largest, where
k = floor (floor ((n + 1) (1 - level) / 2) m / n). With one target, m is n. The interval

    log (m + c) + l (d + s / (m + c))   to   log (m + c) + h (d + s / (m + c))

holds the truth at this level in every class; this needs an n of at least 2 / (1 - level) - 1. l is
at most 0 and h at least 0, so that the interval holds the prediction too. c keeps the errors of
scores near 0 finite, d those of scores without spread. All scores must be 0 or more.
"""

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.variants.scores import named_scores

LEVEL = 0.9
FEWEST = 20  # least number of variants
CLASS = 100  # least number of known scores in a class, when there are several classes
MOST = 8  # largest number of classes


class Widening(NamedTuple):
    """Describes how the intervals of one score are made.

    Attributes:
        floor: c, in units of the score.
        spread: d.
        starts: Predicted scores at which all classes but the first start. [K - 1].
        low: l of every class. [K].
        high: h of every class. [K].
        level: Share of true scores that the intervals hold.
        of_draws: True when fitted to means and standard deviations over posterior draws.
    """

    floor: float
    spread: float
    starts: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    level: float = LEVEL
    of_draws: bool = True

    def interval(self, mean: NDArray[Any], sd: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Returns the lower and upper ends, shaped as `mean`; an sd of NaN counts as 0."""
        centre = np.maximum(mean, 0) + self.floor
        unit = self.spread + np.nan_to_num(sd) / centre
        classes = np.searchsorted(self.starts, mean, side="right")
        low, high = (
            centre * np.exp(np.asarray(error)[classes] * unit) - self.floor
            for error in (self.low, self.high)
        )
        return np.maximum(low, 0), np.maximum(high, 0)


def fit(
    truth: NDArray[Any],
    mean: NDArray[Any],
    sd: NDArray[Any],
    *,
    level: float = LEVEL,
    variants: NDArray[Any] | None = None,
) -> Widening:
    """Fits intervals to variants of known effect.

    Args:
        truth: True scores. [variants] or [variants, T].
        mean: Predicted scores, shaped as `truth`.
        sd: Their standard deviations over draws; 0 without draws. Shaped as `truth`.
        level: Share of true scores that the intervals hold.
        variants: Variant of every score, in any numbers, if a row of `truth` is one score of a
            variant with several. [scores].

    Raises:
        VariantError: Too few variants for the level, or scores that are below 0 or not finite.
    """
    if variants is None:
        rows = np.arange(len(truth)).reshape(-1, *[1] * (np.ndim(truth) - 1))
        variants = np.broadcast_to(rows, np.shape(truth))
    truth, mean, sd = (np.ravel(np.asarray(values, np.float64)) for values in (truth, mean, sd))
    variants = np.unique(np.ravel(variants), return_inverse=True)[1]
    check(len(np.unique(variants)), level)
    if not all(np.isfinite(values).all() for values in (truth, mean, sd)):
        raise errors.VariantError(
            "known scores must be finite numbers; leave out variants without a score."
        )
    if truth.min() < 0 or mean.min() < 0:
        raise errors.VariantError(
            "known scores must be 0 or more; leave out scores that have values below 0."
        )
    floor = floor_of(mean)
    log_errors = np.log((truth + floor) / (mean + floor))
    spread = spread_of(log_errors)
    scaled_errors = log_errors / (spread + sd / (mean + floor))
    starts = class_starts(mean, variants, level)
    classes = np.searchsorted(starts, mean, side="right")
    ends = [
        _ends(scaled_errors[classes == k], _distinct(variants[classes == k]), level)
        for k in range(len(starts) + 1)
    ]
    low, high = zip(*ends, strict=True)
    return Widening(floor, spread, starts, low, high, level, bool(np.any(sd > 0)))


def floor_of(mean: NDArray[Any]) -> float:
    """Returns c, a tenth of the predicted scores being smaller."""
    return max(float(np.quantile(mean, 0.1)), 1e-6)


def spread_of(log_errors: NDArray[Any]) -> float:
    """Returns d, the median size of the errors."""
    return max(float(np.median(np.abs(log_errors))), 1e-6)


def check_scores(names: Iterable[str]) -> None:
    """Refuses scores that have values below 0.

    Raises:
        VariantError: A score has such values, or no score has the name.
    """
    for score in named_scores.resolve(names):
        if score.signed:
            raise errors.VariantError(
                f"{score.name}: has values below 0, and only scores of 0 or more have intervals; "
                "name other scores."
            )


def check(count: int, level: float) -> None:
    """Refuses a level for which there are too few variants of known effect.

    Raises:
        VariantError: `count` is too small, or the level is not between 0 and 1.
    """
    least = fewest(level)
    if count < least:
        raise errors.VariantError(
            f"{least} variants with known scores are needed for intervals of level {level:g}; got "
            f"{count}; give more variants or a lower level."
        )


def fewest(level: float) -> int:
    """Returns the least number of variants of known effect for intervals of a level.

    Raises:
        VariantError: The level is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise errors.VariantError(f"the level of intervals must be between 0 and 1; got {level}.")
    return max(FEWEST, _outermost(level))


def _outermost(level: float) -> int:
    """Returns the smallest number of variants for which the rank of `_ends` is 1.

    For a level of 0.9 that is 19: (19 + 1) * 0.1 / 2 = 1. The small number outweighs rounding.
    """
    return math.ceil(2 / (1 - level) - 1 - 1e-9)


def _distinct(variants: NDArray[Any]) -> int:
    return len(np.unique(variants))


def class_starts(mean: NDArray[Any], variants: NDArray[Any], level: float) -> tuple[float, ...]:
    """Returns the predicted scores at which all classes but the first start.

    Classes have equal numbers of scores. Equal predictions are in one class, so ties lead to fewer
    classes, and to classes of different numbers.

    Args:
        mean: Predicted scores. [scores].
        variants: Variant of every score. [scores].
        level: Level of the intervals, for which every class needs enough variants.
    """
    fewest_variants = _outermost(level)
    classes = min(max(len(mean) // max(CLASS, fewest_variants), 1), MOST)
    starts: list[float] = []
    for start in np.quantile(mean, np.arange(1, classes) / classes):
        last = starts[-1] if starts else -np.inf
        in_class, above = variants[(last <= mean) & (mean < start)], variants[mean >= start]
        if min(_distinct(in_class), _distinct(above)) >= fewest_variants:
            starts.append(float(start))
    return tuple(starts)


def _ends(scaled_errors: NDArray[Any], variants: int, level: float) -> tuple[float, float]:
    """Returns l and h, between which another error lies at this level; l <= 0 <= h.

    Args:
        scaled_errors: Errors of a class. [scores].
        variants: Number of variants that they belong to.
        level: Share of true scores that the intervals hold.
    """
    # The small number keeps (n + 1) (1 - level) / 2 = 0.9999... at rank 1.
    rank = int(np.floor((variants + 1) * (1 - level) / 2 + 1e-9))
    rank = rank * len(scaled_errors) // variants
    ordered = np.sort(scaled_errors)
    return min(float(ordered[rank - 1]), 0.0), max(float(ordered[-rank]), 0.0)
