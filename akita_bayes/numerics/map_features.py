"""Computes local statistics of predicted maps, which tell where their error is large.

A local mean L_s is that of a Gaussian of s bins on the symmetric map, over the pixels that the
triangle holds. With y the prediction and e the standard deviation over draws:

    value           y
    surroundings    L_3 y
    activity        log of the root of L_4 y^2
    contrast        log of the root of L_2 y^2 - (L_2 y)^2
    spread          log of the root of L_2 e^2
"""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from akita_bayes import triangle

NAMES = ("value", "surroundings", "activity", "contrast", "spread")
_TRUNCATE = 3.0
_LEAST = 1e-6
"""Least root mean square, so that its logarithm is finite."""


def compute(
    name: str, mean: NDArray[Any], spread: NDArray[Any], diagonal_offset: int
) -> NDArray[np.float32]:
    """Returns a feature of every pixel. [..., P, T] -> [..., P, T].

    Args:
        name: One of `NAMES`.
        mean: Predicted maps. [..., P, T].
        spread: Standard deviation over draws. [..., P, T].
        diagonal_offset: First diagonal of the triangle.

    Raises:
        ValueError: No feature has this name.
    """
    local = functools.partial(_local_mean, diagonal_offset=diagonal_offset)
    if name == "value":
        return np.asarray(mean, np.float32)
    if name == "surroundings":
        return local(mean, 3.0)
    if name == "activity":
        return _log_root(local(mean**2, 4.0))
    if name == "contrast":
        return _log_root(local(mean**2, 2.0) - local(mean, 2.0) ** 2)
    if name == "spread":
        return _log_root(local(spread**2, 2.0))
    raise ValueError(f'"{name}" is not a feature of maps; expected one of {", ".join(NAMES)}.')


def _log_root(squares: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.log(np.maximum(squares, _LEAST**2)) / 2, np.float32)


def _local_mean(values: NDArray[Any], sigma: float, *, diagonal_offset: int) -> NDArray[np.float32]:
    """Returns means around every pixel. [..., P, T] -> [..., P, T]."""
    matrix = triangle.to_matrix(
        np.asarray(values, np.float32), diagonal_offset=diagonal_offset, fill=0
    )
    sums = _smoothed(matrix, sigma, axes=(-3, -2))
    weights = _weights(matrix.shape[-2], diagonal_offset, sigma)
    means = triangle.to_vector(sums, diagonal_offset=diagonal_offset) / weights[:, None]
    return np.asarray(means, np.float32)


@functools.lru_cache(maxsize=16)
def _weights(bins: int, diagonal_offset: int, sigma: float) -> NDArray[np.float32]:
    """Returns the weight of the pixels of the triangle around every pixel. [P]."""
    ones = np.ones((triangle.length(bins, diagonal_offset), 1), np.float32)
    matrix = triangle.to_matrix(ones, diagonal_offset=diagonal_offset, fill=0)
    smoothed = _smoothed(matrix, sigma, axes=(-3, -2))
    weights = triangle.to_vector(smoothed, diagonal_offset=diagonal_offset)[:, 0]
    weights.flags.writeable = False
    return np.asarray(weights, np.float32)


def _smoothed(
    matrix: NDArray[np.float32], sigma: float, *, axes: tuple[int, int]
) -> NDArray[np.float32]:
    for axis in axes:
        matrix = ndimage.gaussian_filter1d(
            matrix, sigma, axis=axis, mode="constant", truncate=_TRUNCATE
        )
    return matrix
