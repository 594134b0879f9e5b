r"""Fits the error of predicted maps, apart from the noise of measuring, to data of known noise.

With r = y - m the residual of a pixel and n^2 the variance of its noise, which `noise.tsv` states
for its distance and value, the squared error of the map is

    E (m - truth)^2 = E r^2 - E n^2

in any group of pixels. In every target and stratum of distance, the variance of the error is

    v = h(m)^2 (a^2 (1 + 1/S) e^2 + c^2)        e the spread of S draws, h a function of the map

with a, c and h such that its sum over the pixels is that of r^2 - n^2. The share of the first term
is the one for which a normal distribution of variance v + n^2 gives the residuals the largest
likelihood. Without a spread of draws the share is 0. The function h, one for each target, equals
the ratio of both sides in ten groups of pixels with similar m, over all strata together. Ratios of
few windows are shrunk to 1. h stays 1 for a target where it does not raise the likelihood of
windows that it was not fitted to.

Errors can have heavier tails than a normal distribution of their variance, and intervals are then
too wide. Last, s is the factor on the sd of a residual that gives its intervals their coverage, as
in `spread_factors`. The noise may have such tails as well, so that only a part of s belongs to the
error: v is multiplied by 1 + (s^2 - 1) v / (v + n^2), with the means of the stratum.

Pixels are summed by stratum, predicted value, spread of draws, and fold of windows, so memory does
not depend on their number.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes.data.noise_table import NoiseTable
from akita_bayes.evaluate import strata as strata_
from akita_bayes.evaluate.intervals import spread_factors
from akita_bayes.evaluate.intervals.spread_factors import (
    CORRELATED_BINS,
    Prediction,
    as_table,
    check_measured,
)
from akita_bayes.models.recalibration import MapError, Recalibration, noise_shape

VALUE_GROUPS = 10
_SPREAD_GROUPS = 5
_FOLDS = 2
_SHARES = np.linspace(0, 1, 41)
_ITERATIONS = 6
_LEAST_SHARE = 0.01
"""Least variance of the model error, as a share of that of the residuals."""

_PRIOR_COUNT = 8.0
"""Independent measurements of a group of values at which its ratio is shrunk by half."""

_SAMPLE = 200_000
"""Pixels from which the borders of groups are computed."""

_LIMIT = 4.0
"""Largest ratio of the variance in a group of values to that of its stratum, and its inverse."""


def fit(
    predictions: list[Prediction],
    strata: strata_.Strata,
    diagonal_offset: int,
    noise: NoiseTable,
    *,
    draws: int,
    constant: bool = False,
) -> Recalibration:
    """Fits the error of the map to held-out predictions of data with known noise.

    Args:
        predictions: Uncalibrated windows.
        strata: Strata of distance; each has its own parameters.
        diagonal_offset: First diagonal of the triangle.
        noise: Noise of the targets.
        draws: Number of draws S behind the epistemic sd.
        constant: True for the same error and noise in all pixels of a stratum, the baseline that
            every other fit must improve on.

    Returns:
        A recalibration with `map_error`. Its factors and its `noise` have the same mean variances,
        for programs that know only of factors.

    Raises:
        DataError: No pixel was measured.
    """
    check_measured(predictions)
    if constant:
        predictions = [
            prediction._replace(epistemic_sd=np.zeros_like(prediction.mean))
            for prediction in predictions
        ]
        noise = dataclasses.replace(noise, slope=np.zeros_like(noise.slope))
    slopes, variances = _by_stratum(noise, strata)
    sums, values = _sums(predictions, strata, slopes)
    sums = _filled(sums)
    # Groups of pixels with noise: the sums hold exp(slope y), so that its mean scales the variance.
    scale = variances / np.maximum(_mean(sums, 3), 1e-300)
    residual = _mean(sums, 1)
    # More noise than residuals have is not possible; the rest is the least error of the map.
    scale *= np.minimum(1, (1 - _LEAST_SHARE) * residual / np.maximum(variances, 1e-300))
    sums[:, 3] *= scale[..., None, None]
    bins = len(predictions) * strata.edges[-1]
    rows = [
        _fitted(part.sum(0), bins, by_value=False) if constant else _target(part, bins)
        for part in np.moveaxis(sums, 2, 0)
    ]
    epistemic, unseen, shape = (np.stack(parts) for parts in zip(*rows, strict=True))
    error = MapError(
        as_table(np.sqrt(epistemic / (1 + 1 / draws))),
        as_table(np.sqrt(unseen)),
        as_table(np.sqrt(scale)),
        as_table(slopes),
        as_table(values),
        as_table(np.sqrt(shape)),
        draws,
    )
    map_variance, spread = residual - _mean(sums, 3), _mean(sums, 2)
    factors = np.sqrt(np.divide(map_variance, spread, out=np.ones_like(spread), where=spread > 0))
    fitted = Recalibration(
        tuple(int(edge) for edge in strata.edges),
        as_table(factors),
        as_table(np.ones(scale.shape)),
        as_table(np.sqrt(_mean(sums, 3))),
        diagonal_offset,
        error,
    )
    return _scaled(fitted, predictions, strata, map_variance, draws)


def _by_stratum(
    noise: NoiseTable, strata: strata_.Strata
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns slope and mean variance of the noise of every stratum. [T, D] each."""
    distances = np.arange(noise.variance.shape[1]) + noise.diagonal_offset
    stratum = np.searchsorted(strata.edges, distances, side="right") - 1
    # Distances without pixels count as little as possible, but count when nothing else does.
    weights = np.maximum(noise.pixels, 1e-9)
    averages = []
    for values in (noise.slope * noise.variance, noise.variance, np.ones_like(noise.variance)):
        columns = [np.bincount(stratum, row, strata.count) for row in values * weights]
        averages.append(np.stack(columns))
    weighted, variance, total = averages
    slope = np.divide(weighted, variance, out=np.zeros_like(weighted), where=variance > 0)
    return slope, variance / total


def _sums(
    predictions: list[Prediction], strata: strata_.Strata, slopes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sums pixels of the same stratum, group of values, group of spread and fold.

    Returns:
        Sums of 1, r^2, e^2 and exp(slope m), [F, 4, T, D, K, J]; and mean values of groups, [T, K].
    """
    targets = predictions[0].mask.shape[-1]
    borders = value_borders(predictions, strata)
    spreads = _borders(predictions, _SPREAD_GROUPS, "epistemic_sd", strata)
    shape = (_FOLDS, 4, targets, strata.count, VALUE_GROUPS, _SPREAD_GROUPS)
    sums = np.zeros(shape)
    totals = np.zeros((2, targets, VALUE_GROUPS))
    size = int(np.prod(shape[3:]))
    for number, prediction in enumerate(predictions):
        for target, measured in enumerate(prediction.mask.T):
            stratum = strata.index[measured]
            mean, spread, y = (
                array[measured, target].astype(np.float64)
                for array in (prediction.mean, prediction.epistemic_sd, prediction.target)
            )
            group = np.searchsorted(borders[target], mean, side="right")
            spread_group = (spread[:, None] >= spreads[target, stratum]).sum(1)
            cell = (stratum * VALUE_GROUPS + group) * _SPREAD_GROUPS + spread_group
            parts = (None, (y - mean) ** 2, spread**2, noise_shape(slopes[target, stratum], mean))
            for row, part in enumerate(parts):
                sums[number % _FOLDS, row, target] += np.bincount(cell, part, size).reshape(
                    shape[3:]
                )
            totals[:, target] += [np.bincount(group, part, VALUE_GROUPS) for part in (None, mean)]
    # An empty group takes the border below it, and never breaks the order of the values.
    lower = np.concatenate([borders[:, :1], borders], axis=1)
    values = np.where(totals[0] > 0, totals[1] / np.maximum(totals[0], 1), lower)
    return sums, np.maximum.accumulate(values, axis=1)


def value_borders(predictions: list[Prediction], strata: strata_.Strata) -> NDArray[np.float64]:
    """Returns the inner borders of the groups of predicted values of each target. [T, K - 1]."""
    return _borders(predictions, VALUE_GROUPS, "mean", strata)[:, 0]


def _borders(
    predictions: list[Prediction], groups: int, field: str, strata: strata_.Strata
) -> NDArray[np.float64]:
    """Returns the inner borders of groups of equal size in each target and stratum.

    [T, D, groups - 1]; borders of values are those of all strata together.
    """
    targets = predictions[0].mask.shape[-1]
    levels = np.linspace(0, 1, groups + 1)[1:-1]
    step = max(1, len(predictions) * len(strata.index) // _SAMPLE)
    borders = np.zeros((targets, strata.count, groups - 1))
    pooled = field == "mean"
    for target in range(targets):
        values, index = [], []
        for prediction in predictions:
            measured = np.flatnonzero(prediction.mask[:, target])[::step]
            values.append(getattr(prediction, field)[measured, target])
            index.append(strata.index[measured])
        sample, stratum = np.concatenate(values), np.concatenate(index)
        for d in range(strata.count):
            part = sample if pooled else sample[stratum == d]
            if part.size:
                borders[target, d] = np.quantile(part, levels)
    return borders


def _filled(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fills strata without pixels, as `spread_factors.filled`. [F, 4, T, D, K, J]."""
    by_stratum = np.moveaxis(sums, (2, 3), (-2, -1))
    pixels = by_stratum[:, 0].sum((0, 1, 2))
    return np.moveaxis(spread_factors.filled(by_stratum, pixels), (-2, -1), (2, 3))


def _mean(sums: NDArray[np.float64], row: int) -> NDArray[np.float64]:
    """Returns the mean of a row of sums over the pixels of a stratum. [T, D]."""
    return np.asarray(sums[:, row].sum((0, 3, 4)) / np.maximum(sums[:, 0].sum((0, 3, 4)), 1e-300))


def _target(
    sums: NDArray[np.float64], bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Fits one target.

    Args:
        sums: Sums of 1, r^2, e^2 and n^2 by fold. [F, 4, D, K, J].
        bins: Number of bins of all windows together.

    Returns:
        Factors on the variance of draws [D], constant variances [D], and factors of the groups of
        values [K].
    """
    gain = 0.0
    for fold in range(_FOLDS):
        training, test = np.delete(sums, fold, 0).sum(0), sums[fold]
        share = (_FOLDS - 1) / _FOLDS
        for sign, parameters in (
            (1, _fitted(training, bins * share, by_value=True)),
            (-1, _fitted(training, bins * share, by_value=False)),
        ):
            gain += sign * _likelihood(test, _variance(test, *parameters))
    return _fitted(sums.sum(0), bins, by_value=gain > 0)


def _fitted(
    sums: NDArray[np.float64], bins: float, *, by_value: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    count, squared, _, noise = sums
    total = squared.sum((1, 2))
    error = np.maximum(total - noise.sum((1, 2)), _LEAST_SHARE * total)
    shape = np.ones(count.shape[1])
    measurements = bins / CORRELATED_BINS * count.sum((0, 2)) / max(count.sum(), 1)
    for _ in range(_ITERATIONS if by_value else 0):
        base = _variance(sums, *_parts(sums, error, shape)) / shape[:, None]
        # Regression of r^2 - n^2 on the variance, each pixel by its expected scatter.
        weight = count / np.maximum(base + noise, 1e-150) ** 2
        numerator = (weight * base * (squared - noise)).sum((0, 2))
        denominator = (weight * base**2).sum((0, 2))
        ratio = np.divide(numerator, denominator, out=np.ones_like(shape), where=denominator > 0)
        ratio = np.clip(ratio, 1 / _LIMIT, _LIMIT)
        shape = ratio ** (measurements / (measurements + _PRIOR_COUNT))
    return _parts(sums, error, shape)


def _parts(
    sums: NDArray[np.float64], error: NDArray[np.float64], shape: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Returns both parts of the variance, which add up to `error` in every stratum."""
    count, _, spread, _ = sums
    shown = (shape[:, None] * spread).sum((1, 2))
    unseen = np.maximum((shape[:, None] * count).sum((1, 2)), 1e-300)
    largest = np.where(shown > 1e-9 * error, 1.0, 0.0)
    epistemic, constant = np.zeros((2, len(error)))
    best = np.full(len(error), -np.inf)
    for share in _SHARES:
        a = share * largest * error / np.maximum(shown, 1e-300)
        c = (1 - share * largest) * error / unseen
        score = _likelihood_by_stratum(sums, _variance(sums, a, c, shape))
        better = score > best
        best = np.where(better, score, best)
        epistemic, constant = np.where(better, a, epistemic), np.where(better, c, constant)
    return epistemic, constant, shape


def _variance(
    sums: NDArray[np.float64],
    epistemic: NDArray[np.float64],
    constant: NDArray[np.float64],
    shape: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Returns the summed variance of the error in every cell. [4, D, K, J] -> [D, K, J]."""
    whole = epistemic[:, None, None] * sums[2] + constant[:, None, None] * sums[0]
    return np.asarray(shape[:, None] * whole)


def _likelihood_by_stratum(
    sums: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    count = np.maximum(sums[0], 1e-300)
    whole = np.maximum((variance + sums[3]) / count, 1e-300)
    values = sums[0] * np.log(whole) + sums[1] / whole
    return np.asarray(-np.where(sums[0] > 0, values, 0.0).sum((1, 2)) / 2)


def _likelihood(sums: NDArray[np.float64], variance: NDArray[np.float64]) -> float:
    return float(_likelihood_by_stratum(sums, variance).sum())


def _scaled(
    fitted: Recalibration,
    predictions: list[Prediction],
    strata: strata_.Strata,
    error: NDArray[np.float64],
    draws: int,
) -> Recalibration:
    """Returns the fit with variances that add up to the error, pixel by pixel, and with its tails.

    The fit itself has one factor for a group of values; `apply` interpolates between groups.
    """
    sums: Any = np.zeros((2, *error.shape))
    for prediction in _applied(fitted, predictions, draws):
        variance = np.where(prediction.mask, prediction.epistemic_sd.astype(np.float64) ** 2, 0.0)
        sums += [strata.sums(variance), strata.sums(prediction.mask)]
    variance, pixels = sums
    ratio = np.sqrt(
        np.divide(error * pixels, variance, out=np.ones_like(error), where=variance > 0)
    )
    fitted = _multiplied(fitted, ratio)
    scale = spread_factors.scales(
        _applied(fitted, predictions, draws), strata, np.ones((2, *error.shape))
    )
    # Predictions without any error leave neither error nor noise.
    whole = error + np.square(np.array(fitted.noise))
    share = np.divide(error, whole, out=np.zeros_like(error), where=whole > 0)
    return _multiplied(fitted, np.sqrt(1 + share * (scale**2 - 1)))


def _applied(
    fitted: Recalibration, predictions: list[Prediction], draws: int
) -> Iterator[Prediction]:
    """Yields the predictions with the error of the map and the noise of a fit."""
    for prediction in predictions:
        spread = fitted.apply(prediction.epistemic_sd, None, mean=prediction.mean, draws=draws)
        yield prediction._replace(epistemic_sd=spread.epistemic, aleatoric_sd=spread.aleatoric)


def _multiplied(fitted: Recalibration, factor: NDArray[np.float64]) -> Recalibration:
    """Returns a fit whose error of the map has another standard deviation. [T, D]."""
    assert fitted.map_error is not None
    error = dataclasses.replace(
        fitted.map_error,
        epistemic=as_table(np.array(fitted.map_error.epistemic) * factor),
        constant=as_table(np.array(fitted.map_error.constant) * factor),
    )
    return dataclasses.replace(fitted, map_error=error)
