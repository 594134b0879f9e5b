"""The upper triangle of a symmetric map as a vector.

Pixel order is row-major over i < j with j - i >= k, k the diagonal offset:
(0, k), (0, k+1), ..., (0, N-1), (1, k+1), ... There are P = (N - k)(N - k + 1) / 2 pixels.
"""

import functools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def length(bins: int, diagonal_offset: int) -> int:
    """Returns the number of pixels P of a map of `bins` x `bins`."""
    side = bins - diagonal_offset
    return side * (side + 1) // 2


def bins(pixels: int, diagonal_offset: int) -> int:
    """Returns the number of bins N of the map whose triangle has `pixels` pixels.

    Raises:
        ValueError: No map has this number of pixels.
    """
    # P = s (s + 1) / 2 solved for s; for example P = 6 gives s = (7 - 1) / 2 = 3.
    side = (math.isqrt(8 * pixels + 1) - 1) // 2
    if side * (side + 1) // 2 != pixels:
        raise ValueError(
            f"{pixels} pixels do not form a triangle; the next smaller one has "
            f"{side * (side + 1) // 2}."
        )
    return side + diagonal_offset


@functools.lru_cache(maxsize=16)
def indices(bins: int, diagonal_offset: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Returns row i and column j of every pixel, in order, as read-only arrays. [P], [P]."""
    rows, columns = np.triu_indices(bins, diagonal_offset)
    rows.flags.writeable = columns.flags.writeable = False
    return rows, columns


def distances(bins: int, diagonal_offset: int) -> NDArray[np.intp]:
    """Returns the distance j - i of every pixel, in bins. [P]."""
    rows, columns = indices(bins, diagonal_offset)
    return columns - rows


def reverse_order(bins: int, diagonal_offset: int) -> NDArray[np.intp]:
    """Returns the order in which the reverse-complemented sequence has the pixels. [P].

    `vector[reverse_order]` holds pixel (N-1-j, N-1-i) in place of (i, j). Applied twice it is the
    identity.
    """
    rows, columns = indices(bins, diagonal_offset)
    order = np.zeros((bins, bins), np.intp)
    order[rows, columns] = np.arange(len(rows))
    # `order` holds each pixel's number; for 3 bins and offset 1, (0,1) (0,2) (1,2) -> 2 1 0.
    return order[bins - 1 - columns, bins - 1 - rows]


def to_matrix(vector: NDArray[Any], *, diagonal_offset: int, fill: float = np.nan) -> NDArray[Any]:
    """Fills a symmetric map with pixels; diagonals below the offset hold `fill`.

    [..., P, T] -> [..., N, N, T].
    """
    size = bins(vector.shape[-2], diagonal_offset)
    rows, columns = indices(size, diagonal_offset)
    matrix = np.full((*vector.shape[:-2], size, size, vector.shape[-1]), fill, vector.dtype)
    matrix[..., rows, columns, :] = vector
    matrix[..., columns, rows, :] = vector
    return matrix


def to_vector(matrix: NDArray[Any], *, diagonal_offset: int) -> NDArray[Any]:
    """Reads the upper triangle of a map as a vector. [..., N, N, T] -> [..., P, T]."""
    rows, columns = indices(matrix.shape[-2], diagonal_offset)
    return matrix[..., rows, columns, :]
