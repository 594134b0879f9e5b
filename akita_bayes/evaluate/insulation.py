"""Computes insulation profiles: contacts that cross each bin; dips are borders of domains."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes import triangle


def default_width(bins: int) -> int:
    """Returns the side of the diamond for a map of `bins` bins: 10, or less for a small map."""
    return max(2, min(10, bins // 8))


def profile(
    vector: NDArray[Any], mask: NDArray[Any], *, diagonal_offset: int, width: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Returns the mean contact between the `width` bins left and right of every bin.

    Bin b averages the measured pixels (i, j) with b - width <= i < b <= j < b + width (Crane
    et al. 2015, "Condensin-driven remodelling of X chromosome topology").

    Args:
        vector: A map as a triangle. [P, T].
        mask: True where measured. [P, T].
        diagonal_offset: First diagonal of the triangle.
        width: Side of the diamond in bins.

    Returns:
        Means [N - 2 width + 1, T], and True where a diamond has a measured pixel.
    """
    values, counts = (
        _diamonds(
            triangle.to_matrix(triangle_values, diagonal_offset=diagonal_offset, fill=0), width
        )
        for triangle_values in (
            np.where(mask, vector, 0).astype(np.float64),
            mask.astype(np.float64),
        )
    )
    return values / np.maximum(counts, 1), counts > 0


def _diamonds(matrix: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Returns sums over rows b - width..b - 1 and columns b..b + width - 1, for every valid b."""
    # table[r, c] sums the pixels above row r and left of column c, so four entries give the sum of
    # any rectangle.
    table = np.pad(matrix.cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    b = np.arange(width, len(matrix) - width + 1)
    return table[b, b + width] - table[b - width, b + width] - table[b, b] + table[b - width, b]
