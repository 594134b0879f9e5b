"""Estimates how far true scores are from predicted ones, when measured scores have noise.

`conformal` makes intervals from the errors of true scores t. Measurements give noisy squares
q = t^2 + n instead, where n has mean 0 and the variance a + b t^2. With the mean m and the sd s of
a predicted score, and c and d as in `conformal`, an error e and the true score belong together by

    log (t + c) = log (m + c) + e (d + s / (m + c))

In every class of predicted scores, the distribution of e that explains the squares q best is found
on a grid by expectation and maximisation. A step of smoothing after each iteration (EMS: Silverman,
Jones, Wilson and Nychka 1990) keeps it from becoming a few peaks. Its quantiles are the ends of the
interval. So these intervals are an estimate: unlike those of `conformal`, they have no guarantee at
a finite number of scores. Their test is whether measured squares lie within their own intervals,
which contain the noise too.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from akita_bayes import errors
from akita_bayes.variants.scores import conformal

_REACH, _POINTS = 4.0, 81  # largest error on the grid, and number of its errors
_ITERATIONS = 300
_SMOOTHING = 0.25  # sd of the smoothing after an iteration, in units of the error
_FEWEST_NEGATIVE = 10  # squares below 0 from which the noise is estimated
_BISECTIONS = 60

_GRID = np.linspace(-_REACH, _REACH, _POINTS)

Values = NDArray[np.float64]


class Measured(NamedTuple):
    """Holds measured scores. [n] each.

    Attributes:
        square: Squares q; below 0 where the noise is larger than expected.
        variance: Variance a of the noise of a square whose score is 0.
        slope: Increase b of this variance for each unit of t^2.
    """

    square: Values
    variance: Values
    slope: Values


@dataclasses.dataclass(frozen=True)
class ErrorModel:
    """Holds the distribution of the errors of predicted scores.

    Attributes:
        widening: The intervals of true scores.
        weights: Probability of every error on the grid, in every class. [K, G].
    """

    widening: conformal.Widening
    weights: Values

    def measured_interval(
        self, mean: Values, sd: Values, measured: Measured
    ) -> tuple[Values, Values]:
        """Returns the ends between which measured squares lie at the level of the intervals.

        Args:
            mean: Predicted scores. [n].
            sd: Their standard deviations over draws. [n].
            measured: Measured scores; their squares are not used.
        """
        widening = self.widening
        square = _true(mean, sd, widening.floor, widening.spread) ** 2
        scale = np.sqrt(measured.variance[:, None] + measured.slope[:, None] * square)
        weights = self.weights[np.searchsorted(widening.starts, mean, side="right")]
        tail = (1 - widening.level) / 2

        def quantile(share: float) -> Values:
            low, high = (square - 10 * scale).min(axis=1), (square + 10 * scale).max(axis=1)
            for _ in range(_BISECTIONS):
                middle = (low + high) / 2
                below = np.sum(weights * special.ndtr((middle[:, None] - square) / scale), axis=1)
                low, high = (
                    np.where(below < share, middle, low),
                    np.where(below < share, high, middle),
                )
            return (low + high) / 2

        return quantile(tail), quantile(1 - tail)


def noise_variance(square: Values) -> float:
    """Returns the variance of the noise of squares whose score is 0, or 0 if they do not show it.

    Neighbouring pixels err together, so a square has more noise than the sum of the variances of
    its pixels. True squares are not below 0: measured ones that are show how large the noise is.

    Args:
        square: Measured squares of one target. [n].
    """
    negative = square[square < 0]
    return float(np.mean(negative**2)) if len(negative) >= _FEWEST_NEGATIVE else 0.0


def fit(
    measured: Measured,
    mean: Values,
    sd: Values,
    *,
    variants: NDArray[np.integer],
    level: float = conformal.LEVEL,
) -> ErrorModel:
    """Fits the distribution of errors to measured scores.

    Args:
        measured: Measured scores. [n].
        mean: Predicted scores. [n].
        sd: Their standard deviations over draws; 0 without draws. [n].
        variants: Variant of every score, in any numbers. [n].
        level: Share of true scores that the intervals contain.

    Raises:
        VariantError: Too few variants for the level, or predicted scores that are below 0 or not
            finite.
    """
    conformal.check(len(np.unique(variants)), level)
    if not (np.isfinite(mean).all() and np.isfinite(sd).all() and mean.min() >= 0):
        raise errors.VariantError(
            "predicted scores must be finite numbers of 0 or more; leave out windows without a "
            "score."
        )
    floor = conformal.floor_of(mean)
    size = np.sqrt(np.maximum(measured.square, 0))
    spread = conformal.spread_of(np.log((size + floor) / (mean + floor)))
    starts = conformal.class_starts(mean, variants, level)
    classes = np.searchsorted(starts, mean, side="right")
    square = _true(mean, sd, floor, spread) ** 2
    variance = measured.variance[:, None] + measured.slope[:, None] * square
    log_likelihood = -((measured.square[:, None] - square) ** 2) / (2 * variance)
    log_likelihood -= np.log(variance) / 2
    weights = np.stack([_weights(log_likelihood[classes == k]) for k in range(len(starts) + 1)])
    low, high = zip(*(_ends(row, level) for row in weights), strict=True)
    widening = conformal.Widening(floor, spread, starts, low, high, level, bool(np.any(sd > 0)))
    return ErrorModel(widening, weights)


def _true(mean: Values, sd: Values, floor: float, spread: float) -> Values:
    """Returns the true scores that belong to the errors of the grid. [n, G]."""
    unit = spread + sd / (mean + floor)
    return np.maximum((mean + floor)[:, None] * np.exp(_GRID * unit[:, None]) - floor, 0)


def _weights(log_likelihood: Values) -> Values:
    """Returns the smoothed maximum-likelihood probabilities of the errors of a class. [G]."""
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    half = _POINTS // 4
    kernel = np.exp(-((np.arange(-half, half + 1) * (_GRID[1] - _GRID[0]) / _SMOOTHING) ** 2) / 2)
    weights = np.full(_POINTS, 1 / _POINTS)
    for _ in range(_ITERATIONS):
        posterior = likelihood * weights
        weights = np.mean(posterior / posterior.sum(axis=1, keepdims=True), axis=0)
        weights = np.convolve(weights, kernel / kernel.sum(), mode="same")
        weights /= weights.sum()
    return weights


def _ends(weights: Values, level: float) -> tuple[float, float]:
    """Returns the quantiles between which an error lies at this level; l <= 0 <= h."""
    cumulative = np.cumsum(weights)
    tail = (1 - level) / 2
    low, high = np.interp((tail, 1 - tail), cumulative, _GRID)
    return min(float(low), 0.0), max(float(high), 0.0)
