"""Estimates how far true scores are from predicted ones, when measured scores have noise.

`conformal` makes intervals from the errors of true scores t. Measurements give noisy squares
q = t^2 + n instead, where n has mean 0 and the variance a + b t^2. With the mean m and the sd s of
a predicted score, and c and d as in `conformal`, an error e and the true score belong together by

    log (t + c) = log (m + c) + e (d + s / (m + c))

In every class of predicted scores, the distribution of e that explains the squares q best is found
on a grid by expectation and maximisation. A step of smoothing after each iteration (EMS: Silverman,
Jones, Wilson and Nychka 1990) keeps it from becoming a few peaks. Its quantiles are the ends of the
interval. So these intervals are an estimate: unlike those of `conformal`, they have no guarantee at
a finite number of scores. Measured squares have intervals too, which contain the noise. How many
squares lie in them is a test, but a weak one where the noise is larger than the errors.

The mean of the noise must be known. If it is stated too large by one standard deviation of the
noise of a square, intervals of a level of 0.9 contain 0.7 of the true scores; if too small, they
are too wide. So squares of which clearly more than 60 % are below 0 are refused. The variance of
the noise may be wrong by a factor of two. b is that of pixels that err independently: if neighbours
err together, strong effects have more noise than stated, and the intervals are too wide.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from akita_bayes import errors
from akita_bayes.variants.scores import conformal

_REACH, _POINTS = 6.0, 161  # largest error on the grid, as a logarithm; number of its errors
_ITERATIONS = 300
_SMOOTHING = 0.2  # sd of the smoothing after an iteration, in units of asinh(error)
_FEWEST_NEGATIVE = 10  # squares below 0 from which the noise is estimated
_MOST_NEGATIVE = 0.6  # share of squares below 0 if all true scores are 0: noise is skewed
_MOST_ZERO = 0.1  # largest share of predicted scores that are 0
_BISECTIONS = 100

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
        grid: Errors. [G].
        weights: Probability of every error on the grid, in every class. [K, G].
    """

    widening: conformal.Widening
    grid: Values
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
        square = _true(self.grid, mean, sd, widening.floor, widening.spread) ** 2
        scale = np.sqrt(measured.variance[:, None] + measured.slope[:, None] * square)
        weights = self.weights[np.searchsorted(widening.starts, mean, side="right")]
        tail = (1 - widening.level) / 2

        def quantile(share: float) -> Values:
            likely = weights > 1e-9
            low = np.where(likely, square - 10 * scale, np.inf).min(axis=1)
            high = np.where(likely, square + 10 * scale, -np.inf).max(axis=1)
            for _ in range(_BISECTIONS):
                middle = (low + high) / 2
                below = np.sum(weights * special.ndtr((middle[:, None] - square) / scale), axis=1)
                low, high = (
                    np.where(below < share, middle, low),
                    np.where(below < share, high, middle),
                )
            return np.asarray((low + high) / 2)

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
        VariantError: Too few variants for the level; predicted scores that are below 0 or not
            finite, or of which more than a tenth are 0; or measured squares without a noise.
    """
    conformal.check(len(np.unique(variants)), level)
    _check(measured, mean, sd)
    floor = conformal.floor_of(mean)
    size = np.sqrt(np.maximum(measured.square, 0))
    spread = conformal.spread_of(np.log((size + floor) / (mean + floor)))
    starts = conformal.class_starts(mean, variants, level)
    classes = np.searchsorted(starts, mean, side="right")
    grid = _grid(spread)
    square = _true(grid, mean, sd, floor, spread) ** 2
    variance = measured.variance[:, None] + measured.slope[:, None] * square
    log_likelihood = -((measured.square[:, None] - square) ** 2) / (2 * variance)
    log_likelihood -= np.log(variance) / 2
    weights = np.stack(
        [_weights(log_likelihood[classes == k], grid) for k in range(len(starts) + 1)]
    )
    low, high = zip(*(_ends(row, grid, level) for row in weights), strict=True)
    widening = conformal.Widening(floor, spread, starts, low, high, level, bool(np.any(sd > 0)))
    return ErrorModel(widening, grid, weights)


def _check(measured: Measured, mean: Values, sd: Values) -> None:
    """Refuses scores to which no distribution of errors can be fitted."""
    if not (np.isfinite(mean).all() and np.isfinite(sd).all() and mean.min() >= 0):
        raise errors.VariantError(
            "predicted scores must be finite numbers of 0 or more; leave out windows without a "
            "score."
        )
    if np.mean(mean == 0) > _MOST_ZERO:
        raise errors.VariantError(
            f"{np.mean(mean == 0):.0%} of the predicted scores are 0, so their errors have no "
            "scale; use a model that predicts a change, or windows with more variants."
        )
    if not all(np.isfinite(values).all() for values in measured) or measured.variance.min() <= 0:
        raise errors.VariantError(
            "measured squares must be finite numbers, and their noise must be above 0; see the "
            "noise.tsv of both directories."
        )


def check_noise(square: Values, target: str) -> None:
    """Refuses squares whose noise is stated too large.

    True squares are at least 0. So about half of the measured ones are below 0 at most, unless more
    noise was subtracted than they have. A sum of squares is skewed to large values: if it has the
    noise of 20 independent pixels, 54 % are below their mean.

    Args:
        square: Measured squares of one target. [n].
        target: Its name.

    Raises:
        VariantError: Clearly more than 60 % of the squares are below 0.
    """
    share = float(np.mean(square < 0))
    if share > _MOST_NEGATIVE + 2 * np.sqrt(0.25 / len(square)):
        raise errors.VariantError(
            f"{target}: the maps of {share:.0%} of the windows differ by less than their noise; "
            "about half of them should at most. noise.tsv states too much noise for one of the "
            "directories, or both share a part of their reads."
        )


def _grid(spread: float) -> Values:
    """Returns errors that are close together near 0, and reach far at both ends. [G]."""
    reach = np.arcsinh(_REACH / spread)
    return np.sinh(np.linspace(-reach, reach, _POINTS))


def _true(grid: Values, mean: Values, sd: Values, floor: float, spread: float) -> Values:
    """Returns the true scores that belong to the errors of the grid. [n, G]."""
    unit = spread + sd / (mean + floor)
    return np.maximum((mean + floor)[:, None] * np.exp(grid * unit[:, None]) - floor, 0)


def _weights(log_likelihood: Values, grid: Values) -> Values:
    """Returns the smoothed maximum-likelihood probabilities of the errors of a class. [G]."""
    likelihood = np.exp(log_likelihood - log_likelihood.max(axis=1, keepdims=True))
    half, step = _POINTS // 4, np.arcsinh(grid[1]) - np.arcsinh(grid[0])
    kernel = np.exp(-((np.arange(-half, half + 1) * step / _SMOOTHING) ** 2) / 2)
    weights = np.full(_POINTS, 1 / _POINTS)
    for _ in range(_ITERATIONS):
        posterior = likelihood * weights
        weights = np.mean(posterior / posterior.sum(axis=1, keepdims=True), axis=0)
        weights = np.convolve(weights, kernel / kernel.sum(), mode="same")
        weights /= weights.sum()
    return weights


def _ends(weights: Values, grid: Values, level: float) -> tuple[float, float]:
    """Returns the quantiles between which an error lies at this level; l <= 0 <= h."""
    cumulative = np.cumsum(weights) - weights / 2
    tail = (1 - level) / 2
    low, high = np.interp((tail, 1 - tail), cumulative, grid)
    return min(float(low), 0.0), max(float(high), 0.0)
