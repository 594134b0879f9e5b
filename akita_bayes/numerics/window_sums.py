"""Sums over the pixels of windows, which add up, and the accuracies computed from them.

With n pixels, targets y and predictions p, the sums of 1, y, p, y^2, p^2 and y p give

    S_yy = sum y^2 - (sum y)^2 / n      and S_pp, S_yp alike
    Pearson r = S_yp / sqrt(S_yy S_pp)
    MSE       = (sum y^2 - 2 sum y p + sum p^2) / n
    R2        = 1 - n MSE / S_yy

The stratum-adjusted correlation is sum_d n_d r_d / sum_d n_d over distances d (HiCRep, Yang et al.
2017, whose weights by the variance of ranks are proportional to n_d without ties). In contrast to
`numerics.moments`, sums of windows may be weighted, as a bootstrap does.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS = ("count", "target", "prediction", "target_square", "prediction_square", "product")

LEAST = 3
"""Fewest pixels of a distance that count in the stratum-adjusted correlation."""

Score = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def by_distance(
    reference: NDArray[Any],
    prediction: NDArray[Any],
    mask: NDArray[Any],
    index: NDArray[np.intp],
    count: int,
) -> NDArray[np.float64]:
    """Returns the sums of one window at each distance. [6, D, T].

    Args:
        reference: Measured values. [P, T].
        prediction: Predicted values. [P, T].
        mask: True where measured. [P, T].
        index: Number of the distance of each pixel. [P].
        count: Number of distances D.
    """
    weight = np.asarray(mask, np.float64)
    y, p = (np.where(weight > 0, v, 0).astype(np.float64) for v in (reference, prediction))
    terms = (weight, y, p, y * y, p * p, y * p)
    sums = np.empty((len(ROWS), count, weight.shape[1]))
    for row, term in enumerate(terms):
        for target in range(weight.shape[1]):
            sums[row, :, target] = np.bincount(index, term[:, target], count)
    return sums


def pearson(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Computes Pearson's r; 0 where target or prediction is constant. [..., 6, T] -> [..., T]."""
    count, y, p, yy, pp, yp = _rows(sums)
    pixels = np.maximum(count, 1)
    square_y, square_p = yy - y * y / pixels, pp - p * p / pixels
    # Squares below rounding are those of a constant.
    varies = (square_y > 1e-12 * yy) & (square_p > 1e-12 * pp)
    scale = np.sqrt(np.where(varies, square_y, 1)) * np.sqrt(np.where(varies, square_p, 1))
    return np.asarray(np.clip(np.where(varies, (yp - y * p / pixels) / scale, 0), -1, 1))


def mse(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Computes the mean squared error; 0 without a pixel. [..., 6, T] -> [..., T]."""
    count, _, _, yy, pp, yp = _rows(sums)
    return np.asarray(np.maximum(yy - 2 * yp + pp, 0) / np.maximum(count, 1))


def r2(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Computes the coefficient of determination; 0 if constant. [..., 6, T] -> [..., T]."""
    count, y, _, yy, _, _ = _rows(sums)
    square = yy - y * y / np.maximum(count, 1)
    varies = square > 1e-12 * yy
    ratio = count * mse(sums) / np.where(varies, square, 1)
    return np.asarray(np.where(varies, 1 - ratio, 0))


def stratum_adjusted(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Computes the stratum-adjusted correlation; 0 without pixels. [..., 6, D, T] -> [..., T]."""
    of_distances = np.moveaxis(sums, -2, 0)
    count = of_distances[..., 0, :]
    weight = np.where(count >= LEAST, count, 0)
    total = weight.sum(axis=0)
    return np.asarray((weight * pearson(of_distances)).sum(axis=0) / np.maximum(total, 1))


def variance(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Computes the variance of the targets. [..., 6, T] -> [..., T]."""
    count, y, _, yy, _, _ = _rows(sums)
    pixels = np.maximum(count, 1)
    return np.asarray(np.maximum(yy / pixels - (y / pixels) ** 2, 0))


def _rows(sums: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return list(np.moveaxis(sums, -2, 0))
