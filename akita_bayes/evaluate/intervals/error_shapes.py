r"""Fits how the error of a map depends on features of the map, by splines with a penalty.

With u the variance of the error without features, n^2 that of the noise and r a residual, the
logarithm of the standard deviation of the error changes by a function of each feature f:

    r ~ N(0, n^2 + u exp(2 (g_d + sum_f g_f(f))))        g_d a constant of stratum d

Each g_f is linear between K quantiles of f. A penalty on its slopes and their changes, times
`weight`, keeps it near 0. Pixels of a map err together, so W windows of N bins count as W N / 8
measurements. The weight is the one that predicts the residuals of windows best that had no part in
the fit. Features are left out altogether unless the gain over constants exceeds its standard error.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

KNOTS = 7
_FOLDS = 3
_WEIGHTS = (1.0, 10.0, 100.0)
_BENT, _STEEP, _SIZE = 3.0, 0.3, 0.01
"""Penalties of changes of a slope, of slopes, and of the size of a function."""

_OUTER = 0.01
"""Share of the pixels beyond the first and beyond the last knot."""

_LARGEST = 20.0
"""Largest absolute logarithm of a variance, so that an optimisation cannot overflow."""

_ITERATIONS, _TOLERANCE, _SMALLEST_STEP = 12, 1e-5, 1e-2
_RIDGE = 1e-9
"""Curvature of parameters that no pixel has, such as those of a stratum."""


class Sample(NamedTuple):
    """Holds pixels of one target. n pixels each.

    Attributes:
        stratum: Stratum of distance.
        fold: Fold of the window, 0 to 1 along the windows.
        squared: Squared residual.
        base: Variance u of the error without features.
        noise: Variance of the noise.
        features: Features of the map. [n, F].
    """

    stratum: NDArray[np.intp]
    fold: NDArray[np.float64]
    squared: NDArray[np.float64]
    base: NDArray[np.float64]
    noise: NDArray[np.float64]
    features: NDArray[np.float64]

    def select(self, pixels: NDArray[np.bool_]) -> "Sample":
        """Returns some of the pixels."""
        return Sample(
            self.stratum[pixels],
            self.fold[pixels],
            self.squared[pixels],
            self.base[pixels],
            self.noise[pixels],
            self.features[pixels],
        )


class Spline(NamedTuple):
    """Holds the logarithm of a factor on a standard deviation at increasing values. [K], [K]."""

    values: NDArray[np.float64]
    logarithms: NDArray[np.float64]


def fit(sample: Sample, measurements: float) -> list[Spline]:
    """Fits the functions of all features to one target. F splines; zero where they do not help.

    Args:
        sample: Pixels of the target.
        measurements: Number of independent measurements that the pixels count as.
    """
    knots = [_knots(values) for values in sample.features.T]
    flat = [Spline(values, np.zeros(len(values))) for values in knots]
    if len(sample.squared) < KNOTS * len(knots):
        return flat
    design, penalty = _design(sample, knots)
    fold = np.minimum((sample.fold * _FOLDS).astype(int), _FOLDS - 1)
    gains = np.zeros((_FOLDS, len(_WEIGHTS)))
    for number in range(_FOLDS):
        test = fold == number
        if test.all() or not test.any():
            continue
        constant = _optimum(sample.select(~test), design[~test], None, measurements)
        before = _loss(constant, sample.select(test), design[test])[0]
        parameters = constant
        for row, weight in reversed(list(enumerate(_WEIGHTS))):
            parameters = _optimum(
                sample.select(~test), design[~test], weight * penalty, measurements, parameters
            )
            gains[number, row] = test.sum() * (
                before - _loss(parameters, sample.select(test), design[test])[0]
            )
    best = int(np.argmax(gains.sum(0)))
    if gains[:, best].mean() <= gains[:, best].std(ddof=1) / np.sqrt(_FOLDS):
        return flat
    parameters = _optimum(sample, design, _WEIGHTS[best] * penalty, measurements)
    sizes = np.cumsum([len(values) for values in knots])
    parts = np.split(parameters, design.shape[1] - sizes[-1] + np.append(0, sizes))[1:-1]
    return [Spline(*spline) for spline in zip(knots, parts, strict=True)]


def _knots(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns quantiles of a feature; one value for a feature without spread. [n] -> [K]."""
    quantiles = np.quantile(values, np.linspace(_OUTER, 1 - _OUTER, KNOTS))
    least = 1e-6 * max(1.0, float(np.abs(quantiles).max()))
    return np.asarray(quantiles[np.append(True, np.diff(quantiles) > least)])


def _design(
    sample: Sample, knots: list[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the weight of every parameter in every pixel, and the penalty. [n, M], [M, M]."""
    strata = int(sample.stratum.max()) + 1
    blocks = [np.eye(strata)[sample.stratum]]
    penalties = [np.zeros((strata, strata))]
    for values, feature in zip(knots, sample.features.T, strict=True):
        identity = np.eye(len(values))
        blocks.append(np.stack([np.interp(feature, values, column) for column in identity], axis=1))
        slopes, bends = (np.diff(identity, order, axis=0) for order in (1, 2))
        penalties.append(_BENT * bends.T @ bends + _STEEP * slopes.T @ slopes + _SIZE * identity)
    return np.concatenate(blocks, axis=1), scipy.linalg.block_diag(*penalties)


def _optimum(
    sample: Sample,
    design: NDArray[np.float64],
    penalty: NDArray[np.float64] | None,
    measurements: float,
    initial: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Returns the most probable parameters; without a penalty, those of the strata alone. [M]."""
    parameters = np.zeros(design.shape[1])
    if penalty is None:
        strata = int(sample.stratum.max()) + 1
        parameters[:strata] = _optimum(
            sample, design[:, :strata], np.zeros((strata, strata)), measurements
        )
        return parameters

    if initial is not None:
        parameters = initial
    shrinkage = penalty / measurements

    def loss(values: NDArray[np.float64]) -> float:
        return _loss(values, sample, design)[0] + float(values @ shrinkage @ values) / 2

    value = loss(parameters)
    for _ in range(_ITERATIONS):
        _, slope, weight = _loss(parameters, sample, design)
        # Fisher scoring: the expected curvature is never negative.
        curvature = (design * weight[:, None]).T @ design + shrinkage
        curvature += _RIDGE * np.eye(len(parameters))
        step = np.linalg.solve(curvature, slope + shrinkage @ parameters)
        size = 1.0
        while (new := loss(parameters - size * step)) > value and size > _SMALLEST_STEP:
            size /= 2
        if new > value - _TOLERANCE:
            break
        parameters, value = parameters - size * step, new
    return parameters


def _loss(
    parameters: NDArray[np.float64], sample: Sample, design: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Returns the mean negative log-likelihood of a pixel, its slope and curvature.

    The curvature is design.T @ diag(weight) @ design. [], [M], [n].
    """
    exponent = np.clip(2 * design @ parameters, -_LARGEST, _LARGEST)
    error = sample.base * np.exp(exponent)
    whole = np.maximum(error + sample.noise, 1e-150)
    value = np.log(whole) + sample.squared / whole
    slope = (1 / whole - sample.squared / whole**2) * error
    weight = 2 * (error / whole) ** 2 / len(value)
    return float(value.mean()) / 2, slope @ design / len(value), weight
