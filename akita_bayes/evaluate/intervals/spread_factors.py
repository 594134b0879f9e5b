r"""Fits factors on epistemic and aleatoric sd, so that predicted intervals are right on new data.

A posterior can be too narrow while the noise that was learned with it is too wide, or the reverse.
(The objective makes a variational posterior too narrow, and a small step size that of SWAG.)
Therefore each has its own factor. In every target and distance stratum, the variance of a residual
r = y - m is a^2 e^2 + b^2 n^2, with e the epistemic sd and n the noise, and

    a, b = argmin M mean_i (log v_i + r_i^2 / v_i) / 2 + ((log a - log a_t)^2 + ...) / (2 0.5^2)

The pixels of a stratum separate a from b because e differs among them: residuals grow with e if a
is large. Neighbouring pixels err together, so W windows of N bins count as M = W N / 8
measurements. Where the data do not determine a and b, the prior keeps them near a_t and b_t, the
most probable factors of the whole target (near 1 where all draws agree). Both are then multiplied
by one more factor, so that intervals have their nominal coverage: with q_c the observed quantiles
of |r| / s and z_c = Phi^-1((1 + c) / 2) those of a calibrated Gaussian prediction,

    s <- s sum_c z_c q_c / sum_c z_c^2

regresses the observed on the normal quantiles through the origin, over the reported levels
(`LEVELS`); a few outliers do not change it. Rescaling on held-out data: Kuleshov,
Fenner & Ermon 2018; scaling of variances: Levi et al. 2022.

For a model without observation noise, the noise is first estimated by moments: in each stratum, the
mean of r^2 minus the epistemic variance.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize
import scipy.stats
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.evaluate import strata as strata_
from akita_bayes.models.intervals.map_error import Table
from akita_bayes.models.recalibration import Recalibration

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Levels of the intervals whose coverage is fitted and reported."""

# |r| is binned instead of stored: quantiles are exact to 0.4 %, and memory stays constant.
_GRID = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 4606), [np.inf]])

_CELL = 0.02
"""Width of a cell of standard deviations, as a logarithm: factors move by less than 0.05 %."""

_RANKS = 4096
"""Cells from the smallest to the largest sd, a factor of 10^35 apart."""

_LEAST_SHARE = 0.01

CORRELATED_BINS = 8
"""Bins of a window that err together and count as one measurement of a stratum."""

_PRIOR_SD = 0.5
"""Standard deviation of the logarithm of a factor between strata of one target."""

_LARGEST_START = 5.0
"""Largest absolute logarithm of a factor at the start of an optimisation."""


class Prediction(NamedTuple):
    """Holds one window as measured and as predicted. Every array is [P, T].

    Attributes:
        target: Measured values.
        mask: True where measured.
        mean: Predictive mean.
        epistemic_sd: Spread of the mean over the posterior.
        aleatoric_sd: Observation noise; zero for a model without noise.
    """

    target: NDArray[Any]
    mask: NDArray[Any]
    mean: NDArray[Any]
    epistemic_sd: NDArray[Any]
    aleatoric_sd: NDArray[Any]

    @property
    def sd(self) -> NDArray[Any]:
        """Returns the standard deviation of a measurement."""
        return np.asarray(np.hypot(self.epistemic_sd, self.aleatoric_sd))


def fit(
    predictions: list[Prediction], strata: strata_.Strata, diagonal_offset: int
) -> Recalibration:
    """Fits the factors, and the observation noise of a model without one.

    Every window is read a few times and none is kept, so memory does not grow with their number.

    A stratum without a measured pixel takes the value of its whole target. A target without a
    measured pixel takes the value of all targets together.

    Raises:
        DataError: No pixel was measured.
    """
    check_measured(predictions)
    noise = None
    if not any(prediction.aleatoric_sd.any() for prediction in predictions):
        noise = _noise(predictions, strata)
        spread = noise[:, strata.index].T
        predictions = [prediction._replace(aleatoric_sd=spread) for prediction in predictions]
    factors = _parts(_cells(predictions, strata), len(predictions) * strata.edges[-1])
    factors *= scales(predictions, strata, factors)
    return Recalibration(
        tuple(int(edge) for edge in strata.edges),
        as_table(factors[0]),
        as_table(factors[1]),
        None if noise is None else as_table(noise),
        diagonal_offset,
    )


def check_measured(predictions: list[Prediction]) -> None:
    """Checks that a pixel was measured.

    Raises:
        DataError: No pixel was measured.
    """
    if not any(prediction.mask.any() for prediction in predictions):
        raise errors.DataError(
            "no measured pixel to recalibrate on; give a split that has measured targets."
        )


def as_table(values: NDArray[np.float64]) -> Table:
    """Returns rows of numbers as `Recalibration` stores them."""
    return tuple(tuple(float(value) for value in row) for row in values)


def _noise(predictions: list[Prediction], strata: strata_.Strata) -> NDArray[np.float64]:
    """Estimates the noise by moments, at least 10 % of the residual sd. [T, D].

    The variance of the noise is that of the residuals minus the epistemic one.
    """
    sums = np.zeros((3, predictions[0].mask.shape[-1], strata.count))
    for prediction in predictions:
        squared = np.where(prediction.mask, prediction.target - prediction.mean, 0.0) ** 2
        epistemic = np.where(prediction.mask, prediction.epistemic_sd, 0.0) ** 2
        sums += [strata.sums(values) for values in (squared, epistemic, prediction.mask)]
    squared, epistemic, pixels = filled(sums, sums[2])
    return np.asarray(np.sqrt(np.maximum(squared - epistemic, _LEAST_SHARE * squared) / pixels))


def _cells(predictions: list[Prediction], strata: strata_.Strata) -> list[list[NDArray[Any]]]:
    """Returns the statistics that determine the factors, in memory independent of the windows.

    Pixels whose epistemic sd and noise agree to `_CELL` share one cell, which sums their squared
    residuals and variances. For equal (e, n), the likelihood depends on the sum of r^2 only.

    Returns:
        [T][D] of [4, n]: measured pixels, and sums of r^2, e^2 and n^2.
    """
    targets = predictions[0].mask.shape[-1]
    group = strata.index[:, None] + strata.count * np.arange(targets)
    keys, sums = np.empty(0, np.int64), np.empty((4, 0))
    for prediction in predictions:
        measured = prediction.mask
        sd = [
            part[measured].astype(np.float64)
            for part in (prediction.epistemic_sd, prediction.aleatoric_sd)
        ]
        key = group[measured]
        # One number packs group, rank of e and rank of n, as digits of base 4096: group 2 with
        # ranks 5 and 7 is (2 * 4096 + 5) * 4096 + 7.
        for part in sd:
            rank = np.floor(np.log(np.maximum(part, 1e-300)) / _CELL).astype(np.int64)
            key = key * _RANKS + np.clip(rank + _RANKS // 2, 0, _RANKS - 1)
        residual = prediction.target[measured].astype(np.float64) - prediction.mean[measured]
        squares = np.stack([np.ones_like(residual), residual, *sd]) ** 2
        window = _summed(key, squares)
        keys, sums = _summed(np.append(keys, window[0]), np.append(sums, window[1], axis=1))
    group_of_key = keys // _RANKS**2
    return [
        [sums[:, group_of_key == t * strata.count + d] for d in range(strata.count)]
        for t in range(targets)
    ]


def _summed(
    keys: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns unique keys, and the sums of the columns of each key. [n], [4, n]."""
    keys, index = np.unique(keys, return_inverse=True)
    return keys, np.stack([np.bincount(index, row, len(keys)) for row in values])


def _parts(cells: list[list[NDArray[Any]]], bins: int) -> NDArray[np.float64]:
    """Returns the most probable factors on the epistemic sd and on the noise. [2, T, D].

    Args:
        cells: Cells of every target and stratum. A stratum without cells takes those of its target;
            a target without cells takes those of all targets.
        bins: Number of bins of all windows together.
    """
    factors = np.empty((2, len(cells), len(cells[0])))
    everything = np.concatenate([stratum for target in cells for stratum in target], axis=1)
    for t, strata in enumerate(cells):
        joined = np.concatenate(strata, axis=1)
        target_cells = joined if joined.size else everything
        whole = _factors(target_cells, target_cells[0].sum(), np.zeros(2), 1.0)
        for d, stratum in enumerate(strata):
            own = stratum if stratum.size else target_cells
            factors[:, t, d] = _factors(own, bins / CORRELATED_BINS, whole, _PRIOR_SD)
    return np.exp(factors)


def _factors(
    cells: NDArray[np.float64], count: float, centre: NDArray[np.float64], spread: float
) -> NDArray[np.float64]:
    """Returns the most probable log a and log b. [4, n] -> [2].

    Args:
        cells: Measured pixels, and sums of r^2, e^2 and n^2, of every cell. [4, n].
        count: Number of independent measurements that the cells count as.
        centre: Mean of the prior of log a and log b. [2].
        spread: Standard deviation of that prior.
    """
    share = cells[0] / cells[0].sum()
    squared, variances = cells[1] / cells[0], cells[2:] / cells[0]
    if not squared.any():  # without any error the best factor is 0; take the smallest
        return np.full(2, -_LARGEST_START)
    error = share @ squared
    smallest = 1e-12 * error + np.finfo(float).tiny

    def loss(logarithms: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parts = np.exp(2 * logarithms)[:, None] * variances
        variance = parts.sum(0) + smallest
        deviation = (logarithms - centre) / spread
        value = count * (share @ (np.log(variance) + squared / variance)) / 2
        slope = count * (parts @ (share * (1 / variance - squared / variance**2)))
        return value + (deviation**2).sum() / 2, slope + deviation / spread

    # Two starts, since the loss can have two minima: all residuals are noise, or all are epistemic.
    ratios = error / np.maximum(variances @ share, smallest)
    epistemic, noise = np.clip(np.log(ratios) / 2, -_LARGEST_START, _LARGEST_START)
    optima = [
        scipy.optimize.minimize(loss, initial, jac=True, method="L-BFGS-B")
        for initial in (
            np.array([min(centre[0], epistemic), noise]),
            np.array([epistemic, noise - 1]),
        )
    ]
    return np.asarray(min(optima, key=lambda optimum: float(optimum.fun)).x)


def scales(
    predictions: Iterable[Prediction], strata: strata_.Strata, factors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns the common factor on both parts that gives intervals their coverage. [T, D].

    Args:
        predictions: Windows, which are read once.
        strata: Strata of distance.
        factors: Factors on both parts, which are applied before. [2, T, D].
    """
    epistemic, aleatoric = factors[..., strata.index].swapaxes(1, 2)
    scaled = (
        prediction._replace(
            epistemic_sd=prediction.epistemic_sd * epistemic,
            aleatoric_sd=prediction.aleatoric_sd * aleatoric,
        )
        for prediction in predictions
    )

    def stratum(prediction: Prediction) -> NDArray[np.intp]:
        return np.broadcast_to(strata.index[:, None], prediction.mask.shape)

    return group_scales(scaled, stratum, factors.shape[1:])


def group_scales(
    predictions: Iterable[Prediction],
    group: Callable[[Prediction], NDArray[np.intp]],
    shape: tuple[int, ...],
) -> NDArray[np.float64]:
    """Returns the factor on the sd of groups of pixels that gives intervals their coverage. [T, K].

    Args:
        predictions: Windows, which are read once.
        group: Returns the group of every pixel of a window. [P, T].
        shape: Number of targets T and of groups K.
    """
    histogram = np.zeros((len(_GRID) - 1, *shape))
    for prediction in predictions:
        residual = np.abs(prediction.target - prediction.mean) / np.maximum(prediction.sd, 1e-12)
        cell = np.minimum(np.searchsorted(_GRID, residual, side="right") - 1, len(_GRID) - 2)
        groups = group(prediction)
        for t, measured in enumerate(prediction.mask.T):
            index = cell[measured, t] * shape[1] + groups[measured, t]
            counts = np.bincount(index, minlength=histogram[:, t].size)
            histogram[:, t] += counts.reshape(-1, shape[1])
    histogram = filled(histogram, histogram.sum(0))
    return np.apply_along_axis(_scale, 0, histogram)


def filled(sums: NDArray[Any], pixels: NDArray[Any]) -> NDArray[Any]:
    """Replaces sums of strata without pixels by those of their target, or else of all targets.

    Args:
        sums: Sums over the pixels of every target and stratum. [..., T, D].
        pixels: Measured pixels of every target and stratum. [T, D].
    """
    by_target = np.broadcast_to(sums.sum(-1, keepdims=True), sums.shape)
    whole = np.broadcast_to(sums.sum((-1, -2), keepdims=True), sums.shape)
    measured = pixels.sum(-1, keepdims=True) > 0
    return np.where(pixels > 0, sums, np.where(measured, by_target, whole))


def _scale(histogram: NDArray[Any]) -> float:
    """Returns the slope of the observed on the normal quantiles of |r|, through the origin."""
    cumulative = np.concatenate([[0.0], np.cumsum(histogram)]) / histogram.sum()
    level = np.asarray(LEVELS)
    upper = np.clip(np.searchsorted(cumulative, level), 1, len(_GRID) - 2)
    low, high = cumulative[upper - 1], cumulative[upper]
    share = np.where(high > low, (level - low) / np.maximum(high - low, 1e-300), 0.0)
    observed = _GRID[upper - 1] + np.minimum(share, 1) * (_GRID[upper] - _GRID[upper - 1])
    expected = scipy.stats.norm.ppf((1 + level) / 2)
    return float(expected @ observed / (expected @ expected))
