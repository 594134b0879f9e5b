r"""Factors on both parts of a standard deviation that make stated intervals true on unseen data.

A posterior that is narrower than what the model does not know (a variational one is, by its
objective; so is SWAG's at a small step size) and a noise that was learned together with it can err
in opposite ways, so each has its own factor. In every target and distance stratum, the variance of
a residual r = y - m is a^2 e^2 + b^2 n^2, e the epistemic sd and n the noise, and

    a, b = argmin M mean_i (log v_i + r_i^2 / v_i) / 2 + ((log a - log a_t)^2 + ...) / (2 0.5^2)

The pixels of a stratum tell a from b because e differs among them: where the model is unsure the
residuals are larger, or else a is small. Neighbouring pixels err together, so W windows of N bins
count as M = W N / 8 measurements; what these do not decide is left near a_t and b_t, the most
probable factors of the target as a whole (near 1 where no draw differs). Both are then multiplied
by one more factor, so that intervals hold what they say: with q_c the observed quantiles of |r| / s
and z_c = Phi^-1((1 + c) / 2) those of a calibrated Gaussian prediction,

    s <- s sum_c z_c q_c / sum_c z_c^2

regresses the observed on the normal quantiles through the origin, over the levels that are reported
(`calibration.LEVELS`), and a few outliers do not move it. Rescaling on held-out data: Kuleshov,
Fenner & Ermon 2018; scaling of variances: Levi et al. 2022.

A model that has not learned its observation noise is first given one by moments: in each stratum
the mean of r^2 less the epistemic variance.
"""

from typing import NamedTuple

import numpy as np
import scipy.optimize
import scipy.stats
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.evaluate import calibration
from akita_bayes.evaluate import strata as strata_
from akita_bayes.models.recalibration import Recalibration, Table

# |r| is binned finely instead of kept: quantiles to 0.4 %, memory independent of the pixels.
_GRID = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 4606), [np.inf]])

_CELL = 0.02
"""Width of a cell of standard deviations, as a logarithm: factors move by less than 0.05 %."""

_RANKS = 4096
"""Cells from the smallest to the largest sd, a factor of 10^35 apart."""

_LEAST_SHARE = 0.01

_CORRELATED = 8
"""Bins of a window that err together, and count as one measurement of a stratum."""

_BETWEEN = 0.5
"""Standard deviation of the logarithm of a factor between strata of one target."""

_FARTHEST = 5.0
"""Largest logarithm of a factor that a search begins at."""


class Prediction(NamedTuple):
    """One window as measured and as predicted. Every array is [P, T].

    Attributes:
        target: Measured values.
        mask: True where measured.
        mean: Predictive mean.
        epistemic_sd: Spread of the mean over the posterior.
        aleatoric_sd: Observation noise; zero where the model has learned none.
    """

    target: NDArray
    mask: NDArray
    mean: NDArray
    epistemic_sd: NDArray
    aleatoric_sd: NDArray

    @property
    def sd(self) -> NDArray:
        """Standard deviation of a measurement."""
        return np.hypot(self.epistemic_sd, self.aleatoric_sd)


def fit(
    predictions: list[Prediction], strata: strata_.Strata, diagonal_offset: int
) -> Recalibration:
    """Fits the factors, and the observation noise where the model has none.

    Reads every window a few times and keeps none: memory does not grow with their number.

    A stratum without a measured pixel takes the value of its target as a whole, and a target
    without one that of all.

    Raises:
        DataError: No pixel was measured.
    """
    if not any(prediction.mask.any() for prediction in predictions):
        raise errors.DataError(
            "no measured pixel to recalibrate on; give a split that has measured targets."
        )
    noise = None
    if not any(prediction.aleatoric_sd.any() for prediction in predictions):
        noise = _noise(predictions, strata)
        spread = noise[:, strata.index].T
        predictions = [each._replace(aleatoric_sd=spread) for each in predictions]
    factors = _parts(_cells(predictions, strata), len(predictions) * strata.edges[-1])
    factors *= _scales(predictions, strata, factors)
    return Recalibration(
        tuple(int(edge) for edge in strata.edges),
        _table(factors[0]),
        _table(factors[1]),
        None if noise is None else _table(noise),
        diagonal_offset,
    )


def _table(values: NDArray[np.float64]) -> Table:
    return tuple(tuple(float(value) for value in row) for row in values)


def _noise(predictions: list[Prediction], strata: strata_.Strata) -> NDArray[np.float64]:
    """Residual less epistemic variance, by moments, never below 1 % of the former. [T, D]."""
    sums = np.zeros((3, predictions[0].mask.shape[-1], strata.count))
    for each in predictions:
        squared = np.where(each.mask, each.target - each.mean, 0.0) ** 2
        epistemic = np.where(each.mask, each.epistemic_sd, 0.0) ** 2
        sums += [strata.sums(values) for values in (squared, epistemic, each.mask)]
    squared, epistemic, pixels = _filled(sums)
    return np.sqrt(np.maximum(squared - epistemic, _LEAST_SHARE * squared) / pixels)


def _cells(predictions: list[Prediction], strata: strata_.Strata) -> list[list[NDArray]]:
    """What the factors depend on, by target and stratum, whatever the number of windows.

    Pixels whose epistemic sd and noise are alike to `_CELL` count as one, with the means of their
    squared residuals and variances: which r goes with which of two equal (e, n) does not matter.

    Returns:
        [T][D] of [4, n]: measured pixels, and sums of r^2, e^2 and n^2.
    """
    targets = predictions[0].mask.shape[-1]
    group = strata.index[:, None] + strata.count * np.arange(targets)
    keys, sums = np.empty(0, np.int64), np.empty((4, 0))
    for each in predictions:
        seen = each.mask
        sd = [part[seen].astype(np.float64) for part in (each.epistemic_sd, each.aleatoric_sd)]
        key = group[seen]
        for part in sd:
            rank = np.floor(np.log(np.maximum(part, 1e-300)) / _CELL).astype(np.int64)
            key = key * _RANKS + np.clip(rank + _RANKS // 2, 0, _RANKS - 1)
        residual = each.target[seen].astype(np.float64) - each.mean[seen]
        squares = np.stack([np.ones_like(residual), residual, *sd]) ** 2
        window = _summed(key, squares)
        keys, sums = _summed(np.append(keys, window[0]), np.append(sums, window[1], axis=1))
    owner = keys // _RANKS**2
    return [
        [sums[:, owner == t * strata.count + d] for d in range(strata.count)]
        for t in range(targets)
    ]


def _summed(
    keys: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Keys without repetition, and the sums of their columns. [n], [4, n]."""
    keys, place = np.unique(keys, return_inverse=True)
    return keys, np.stack([np.bincount(place, row, len(keys)) for row in values])


def _parts(cells: list[list[NDArray]], bins: int) -> NDArray[np.float64]:
    """Most probable factors on the epistemic sd and on the noise. [2, T, D].

    Args:
        cells: Of every target and stratum; one without any takes those of its target, and a target
            without any those of all.
        bins: Bins of all windows together.
    """
    found = np.empty((2, len(cells), len(cells[0])))
    everything = np.concatenate([each for target in cells for each in target], axis=1)
    for t, strata in enumerate(cells):
        joined = np.concatenate(strata, axis=1)
        own = joined if joined.size else everything
        whole = _factors(own, own[0].sum(), np.zeros(2), 1.0)
        for d, stratum in enumerate(strata):
            chosen = stratum if stratum.size else own
            found[:, t, d] = _factors(chosen, bins / _CORRELATED, whole, _BETWEEN)
    return np.exp(found)


def _factors(
    cells: NDArray[np.float64], count: float, centre: NDArray[np.float64], spread: float
) -> NDArray[np.float64]:
    """The most probable log a and log b of cells that count as so many pixels. [4, n] -> [2].

    The prior of both has this centre and standard deviation.
    """
    share = cells[0] / cells[0].sum()
    squared, variances = cells[1] / cells[0], cells[2:] / cells[0]
    if not squared.any():  # No factor is small enough for predictions without any error.
        return np.full(2, -_FARTHEST)
    error = share @ squared
    least = 1e-12 * error + np.finfo(float).tiny

    def loss(logarithms: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        parts = np.exp(2 * logarithms)[:, None] * variances
        variance = parts.sum(0) + least
        away = (logarithms - centre) / spread
        value = count * (share @ (np.log(variance) + squared / variance)) / 2
        slope = count * (parts @ (share * (1 / variance - squared / variance**2)))
        return value + (away**2).sum() / 2, slope + away / spread

    # all residuals are noise, or all are epistemic: the better of two valleys
    ratios = error / np.maximum(variances @ share, least)
    epistemic, noise = np.clip(np.log(ratios) / 2, -_FARTHEST, _FARTHEST)
    found = [
        scipy.optimize.minimize(loss, begin, jac=True, method="L-BFGS-B")
        for begin in (
            np.array([min(centre[0], epistemic), noise]),
            np.array([epistemic, noise - 1]),
        )
    ]
    return min(found, key=lambda each: float(each.fun)).x


def _scales(
    predictions: list[Prediction], strata: strata_.Strata, factors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """What both parts are still to be multiplied by. [T, D]."""
    targets = predictions[0].mask.shape[-1]
    epistemic, aleatoric = factors[..., strata.index].swapaxes(1, 2)
    histogram = np.zeros((len(_GRID) - 1, targets, strata.count))
    for each in predictions:
        sd = np.hypot(each.epistemic_sd * epistemic, each.aleatoric_sd * aleatoric)
        residual = np.abs(each.target - each.mean) / np.maximum(sd, 1e-12)
        cell = np.minimum(np.searchsorted(_GRID, residual, side="right") - 1, len(_GRID) - 2)
        for t, seen in enumerate(each.mask.T):
            np.add.at(histogram[:, t], (cell[seen, t], strata.index[seen]), 1)
    histogram = _filled(histogram)
    return np.apply_along_axis(_scale, 0, histogram)


def _filled(sums: NDArray) -> NDArray:
    """Sums whose last row is zero everywhere take the target's, or the whole, in its place."""
    seen = sums.sum(0) > 0
    by_target = np.broadcast_to(sums.sum(-1, keepdims=True), sums.shape)
    whole = np.broadcast_to(sums.sum((-1, -2), keepdims=True), sums.shape)
    return np.where(seen, sums, np.where(by_target.sum(0) > 0, by_target, whole))


def _scale(histogram: NDArray) -> float:
    """Regression of the observed on the normal quantiles of |r|, through the origin."""
    cumulative = np.concatenate([[0.0], np.cumsum(histogram)]) / histogram.sum()
    level = np.asarray(calibration.LEVELS)
    upper = np.clip(np.searchsorted(cumulative, level), 1, len(_GRID) - 2)
    low, high = cumulative[upper - 1], cumulative[upper]
    share = np.where(high > low, (level - low) / np.maximum(high - low, 1e-300), 0.0)
    observed = _GRID[upper - 1] + np.minimum(share, 1) * (_GRID[upper] - _GRID[upper - 1])
    expected = scipy.stats.norm.ppf((1 + level) / 2)
    return float(expected @ observed / (expected @ expected))
