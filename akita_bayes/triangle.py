"""The upper triangle of a symmetric map as a vector.

Pixel order is row-major over i < j with j - i >= k, k the diagonal offset:
(0, k), (0, k+1), ..., (0, N-1), (1, k+1), ... There are P = (N - k)(N - k + 1) / 2 pixels.
"""

import functools
import math

import numpy as np
from numpy.typing import NDArray


def length(bins: int, diagonal_offset: int) -> int:
    """Number of pixels P of a map of `bins` x `bins`."""
    side = bins - diagonal_offset
    return side * (side + 1) // 2


def bins(pixels: int, diagonal_offset: int) -> int:
    """Number of bins N of the map whose triangle has `pixels` pixels.

    Raises:
        ValueError: No map has that many.
    """
    side = (math.isqrt(8 * pixels + 1) - 1) // 2
    if side * (side + 1) // 2 != pixels:
        raise ValueError(
            f"{pixels} pixels are no triangle; the nearest holds {side * (side + 1) // 2}."
        )
    return side + diagonal_offset


@functools.lru_cache(maxsize=16)
def indices(bins: int, diagonal_offset: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows i and columns j of every pixel, in order; read-only. [P], [P]."""
    rows, columns = np.triu_indices(bins, diagonal_offset)
    rows.flags.writeable = columns.flags.writeable = False
    return rows, columns


def distances(bins: int, diagonal_offset: int) -> NDArray[np.intp]:
    """Genomic distance j - i of every pixel, in bins. [P]."""
    rows, columns = indices(bins, diagonal_offset)
    return columns - rows


def reverse_order(bins: int, diagonal_offset: int) -> NDArray[np.intp]:
    """The permutation of pixels that reverse-complementing the sequence causes. [P].

    `vector[reverse_order]` reads pixel (N-1-j, N-1-i) where (i, j) stood; applied twice it is the
    identity.
    """
    rows, columns = indices(bins, diagonal_offset)
    order = np.zeros((bins, bins), np.intp)
    order[rows, columns] = np.arange(len(rows))
    return order[bins - 1 - columns, bins - 1 - rows]


def to_matrix(vector: NDArray, *, diagonal_offset: int, fill: float = np.nan) -> NDArray:
    """[..., P, T] -> [..., N, N, T], symmetric; diagonals below the offset hold `fill`."""
    size = bins(vector.shape[-2], diagonal_offset)
    rows, columns = indices(size, diagonal_offset)
    matrix = np.full((*vector.shape[:-2], size, size, vector.shape[-1]), fill, vector.dtype)
    matrix[..., rows, columns, :] = vector
    matrix[..., columns, rows, :] = vector
    return matrix


def to_vector(matrix: NDArray, *, diagonal_offset: int) -> NDArray:
    """[..., N, N, T] -> [..., P, T], read from the upper triangle."""
    rows, columns = indices(matrix.shape[-2], diagonal_offset)
    return matrix[..., rows, columns, :]
