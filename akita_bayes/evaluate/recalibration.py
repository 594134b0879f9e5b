r"""A scale a target and distance that makes stated intervals true on data the model never fitted.

The standardised residuals r = (y - m) / s of a calibrated Gaussian prediction have |r| quantiles
z_c = Phi^-1((1 + c) / 2). For each target and distance stratum the scale

    a = sum_c z_c q_c / sum_c z_c^2

regresses the observed quantiles q_c of |r| on z_c through the origin, over the levels that are
reported (`calibration.LEVELS`); s is then multiplied by a. One number a stratum cannot overfit,
and, unlike a maximum-likelihood scale, it is not moved by a few outliers. Rescaling on held-out
data: Kuleshov, Fenner & Ermon 2018; scaling of variances: Levi et al. 2022.

A model that has not learned its observation noise is first given one by moments: in each stratum
the mean of (y - m)^2 less the epistemic variance.
"""

from typing import NamedTuple

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.evaluate import calibration
from akita_bayes.evaluate import strata as strata_
from akita_bayes.models.recalibration import Recalibration

# |r| is binned finely instead of kept: quantiles to 0.4 %, memory independent of the pixels.
_GRID = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 4606), [np.inf]])

_LEAST_SHARE = 0.01


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
    """Fits the scales, and the observation noise where the model has none.

    A stratum without a measured pixel takes the value of its target as a whole.

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
    scale = _scales(predictions, strata)
    return Recalibration(
        tuple(int(edge) for edge in strata.edges),
        tuple(tuple(float(value) for value in row) for row in scale),
        None if noise is None else tuple(tuple(float(v) for v in row) for row in noise),
        diagonal_offset,
    )


def _noise(predictions: list[Prediction], strata: strata_.Strata) -> NDArray[np.float64]:
    """Residual less epistemic variance, by moments, never below 1 % of the former. [T, D]."""
    sums = np.zeros((3, predictions[0].mask.shape[-1], strata.count))
    for each in predictions:
        squared = np.where(each.mask, each.target - each.mean, 0.0) ** 2
        epistemic = np.where(each.mask, each.epistemic_sd, 0.0) ** 2
        sums += [strata.sums(values) for values in (squared, epistemic, each.mask)]
    squared, epistemic, pixels = _filled(sums)
    return np.sqrt(np.maximum(squared - epistemic, _LEAST_SHARE * squared) / pixels)


def _scales(predictions: list[Prediction], strata: strata_.Strata) -> NDArray[np.float64]:
    """[T, D]."""
    targets = predictions[0].mask.shape[-1]
    histogram = np.zeros((len(_GRID) - 1, targets, strata.count))
    for each in predictions:
        residual = np.abs(each.target - each.mean) / np.maximum(each.sd, 1e-12)
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
