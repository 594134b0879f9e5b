r"""Scales the error of a map so that intervals have their coverage, although it is not normal.

Errors can have heavier tails than a normal distribution of their variance, and intervals are then
too wide. Let s be the factor on the sd of a residual that gives its intervals their coverage, as in
`spread_factors`. The noise may have such tails as well, so that only a part of s belongs to the
error: v is multiplied by 1 + (s^2 - 1) v / (v + n^2), with means. This is done in ten groups of
pixels with similar m, over all strata together, with factors of few windows shrunk to 1; and then
in every stratum. Both are repeated, because each changes the coverage of the other.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes.evaluate import strata as strata_
from akita_bayes.evaluate.intervals import spread_factors
from akita_bayes.evaluate.intervals.spread_factors import (
    CORRELATED_BINS,
    Prediction,
    as_table,
)
from akita_bayes.models.intervals.map_error import Shape
from akita_bayes.models.recalibration import Recalibration

VALUE_GROUPS = 10
ROUNDS = 6
"""Number of times that groups of values and strata are scaled in turn."""
_LEAST_FACTOR = 0.01
"""Least factor on a variance."""

_PRIOR_COUNT = 8.0
"""Independent measurements of a group of values at which its factor is shrunk by half."""

_BORDERS_SAMPLE = 200_000
"""Pixels from which the borders of groups of values are computed."""


def correct(
    fitted: Recalibration,
    predictions: list[Prediction],
    strata: strata_.Strata,
    error: NDArray[np.float64],
    *,
    by_value: bool,
) -> Recalibration:
    """Returns a fit of the error whose variances and intervals are those of the predictions.

    Args:
        fitted: Fit with `map_error`.
        predictions: Uncalibrated windows.
        strata: Strata of distance.
        error: Mean squared error of the map in every stratum. [T, D].
        by_value: True to scale groups of predicted values, and not only strata.
    """
    fitted = _normalised(fitted, predictions, strata, error)
    if not by_value:
        return _scaled(fitted, predictions, strata, error)
    assert fitted.map_error is not None
    borders, shapes = value_borders(predictions, strata), fitted.map_error.shapes
    for _ in range(ROUNDS):
        fitted = _scaled_by_value(fitted, predictions, strata, borders, shapes)
        fitted = _scaled(fitted, predictions, strata, error)
    return fitted


def measurements(predictions: list[Prediction], strata: strata_.Strata) -> float:
    """Returns the number of independent measurements in the windows."""
    return len(predictions) * int(strata.edges[-1]) * strata.count / CORRELATED_BINS


def value_borders(predictions: list[Prediction], strata: strata_.Strata) -> NDArray[np.float64]:
    """Returns the inner borders of the groups of predicted values of each target. [T, K - 1]."""
    targets = predictions[0].mask.shape[-1]
    levels = np.linspace(0, 1, VALUE_GROUPS + 1)[1:-1]
    step = max(1, len(predictions) * len(strata.index) // _BORDERS_SAMPLE)
    borders = np.zeros((targets, VALUE_GROUPS - 1))
    for target in range(targets):
        sample = np.concatenate(
            [
                prediction.mean[np.flatnonzero(prediction.mask[:, target])[::step], target]
                for prediction in predictions
            ]
        )
        if sample.size:
            borders[target] = np.quantile(sample, levels)
    return borders


def _normalised(
    fitted: Recalibration,
    predictions: list[Prediction],
    strata: strata_.Strata,
    error: NDArray[np.float64],
) -> Recalibration:
    """Returns the fit with variances that add up to the error of every stratum. [T, D]."""
    sums: Any = np.zeros((2, *error.shape))
    for prediction in applied(fitted, predictions):
        variance = np.where(prediction.mask, prediction.epistemic_sd.astype(np.float64) ** 2, 0.0)
        sums += [strata.sums(variance), strata.sums(prediction.mask)]
    variance, pixels = sums
    ratio = np.divide(error * pixels, variance, out=np.ones_like(error), where=variance > 0)
    return _multiplied(fitted, np.sqrt(ratio))


def _scaled_by_value(
    fitted: Recalibration,
    predictions: list[Prediction],
    strata: strata_.Strata,
    borders: NDArray[np.float64],
    shapes: tuple[Shape, ...],
) -> Recalibration:
    """Returns the fit with the coverage of every group of predicted values.

    Args:
        fitted: Fit with `map_error`.
        predictions: Uncalibrated windows.
        strata: Strata of distance.
        borders: Inner borders of the groups (`value_borders`).
        shapes: Shapes of the fit without factors of these groups. A further one is replaced.
    """
    targets, groups = len(borders), VALUE_GROUPS

    def group(prediction: Prediction) -> NDArray[np.intp]:
        columns = [
            np.searchsorted(border, prediction.mean[:, target], side="right")
            for target, border in enumerate(borders)
        ]
        return np.stack(columns, axis=1)

    sums = np.zeros((4, targets, groups))

    def summed() -> Iterator[Prediction]:
        for prediction in applied(fitted, predictions):
            rows = (
                np.ones_like(prediction.mean),
                prediction.mean,
                prediction.epistemic_sd,
                prediction.aleatoric_sd,
            )
            index = group(prediction)
            for target, measured in enumerate(prediction.mask.T):
                for row, values in enumerate(rows):
                    part = values[measured, target].astype(np.float64) ** (1 if row < 2 else 2)
                    sums[row, target] += np.bincount(index[measured, target], part, groups)
            yield prediction

    scale = spread_factors.group_scales(summed(), group, (targets, groups))
    count, value, error, noise = sums
    whole = error + noise
    share = np.divide(error, whole, out=np.zeros_like(error), where=whole > 0)
    factor = np.sqrt(np.maximum(1 + share * (scale**2 - 1), _LEAST_FACTOR))
    assert fitted.map_error is not None
    for replaced in fitted.map_error.shapes[len(shapes) :]:
        factor *= np.array(replaced.factors)
    weight = measurements(predictions, strata) / strata.count * count
    weight /= np.maximum(count.sum(1, keepdims=True), 1)
    factor **= weight / (weight + _PRIOR_COUNT)
    # An empty group takes the border below it, and never breaks the order of the values.
    lower = np.concatenate([borders[:, :1], borders], axis=1)
    values = np.where(count > 0, value / np.maximum(count, 1), lower)
    shape = Shape("value", as_table(np.maximum.accumulate(values, axis=1)), as_table(factor))
    error_by_value = dataclasses.replace(fitted.map_error, shapes=(*shapes, shape))
    return dataclasses.replace(fitted, map_error=error_by_value)


def _scaled(
    fitted: Recalibration,
    predictions: list[Prediction],
    strata: strata_.Strata,
    error: NDArray[np.float64],
) -> Recalibration:
    """Returns the fit with the coverage of every stratum."""
    scale = spread_factors.scales(applied(fitted, predictions), strata, np.ones((2, *error.shape)))
    # Predictions without any error leave neither error nor noise.
    whole = error + np.square(np.array(fitted.noise))
    share = np.divide(error, whole, out=np.zeros_like(error), where=whole > 0)
    return _multiplied(fitted, np.sqrt(1 + share * (scale**2 - 1)))


def applied(fitted: Recalibration, predictions: list[Prediction]) -> Iterator[Prediction]:
    """Yields the predictions with the error of the map and the noise of a fit."""
    assert fitted.map_error is not None
    for prediction in predictions:
        spread = fitted.apply(
            prediction.epistemic_sd, None, mean=prediction.mean, draws=fitted.map_error.draws
        )
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
