r"""Computes intervals of means over pixels of a map, whose errors are correlated.

With x_i the half-width of the interval of pixel i and R the correlation of errors, the half-width
of a mean over n pixels is

    sqrt(x^T R x) / n

A mean over a hundred pixels that err together is hardly more certain than one of them; with
independent errors it would be ten times so.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes import triangle
from akita_bayes.models.intervals.map_error import Correlation

LARGEST = 2000
"""Largest number of pixels whose correlations are computed; the matrix has 32 MB."""


def insulation(bins: int, diagonal_offset: int, at: int, width: int) -> NDArray[np.intp]:
    """Returns the pixels between the `width` bins left and right of a bin. [n].

    Raises:
        ValueError: The map has none of these pixels.
    """
    rows, columns = triangle.indices(bins, diagonal_offset)
    left = (rows >= at - width) & (rows < at)
    return _pixels(left & (columns >= at) & (columns < at + width), f"insulation at bin {at}")


def domain(bins: int, diagonal_offset: int, first: int, last: int) -> NDArray[np.intp]:
    """Returns the pixels between all bins of a domain, from `first` up to and without `last`. [n].

    Raises:
        ValueError: The map has none of these pixels.
    """
    rows, columns = triangle.indices(bins, diagonal_offset)
    return _pixels((rows >= first) & (columns < last), f"domain {first} to {last}")


def dot(
    bins: int, diagonal_offset: int, row: int, column: int, *, radius: int = 1
) -> NDArray[np.intp]:
    """Returns the pixels around a pixel: a square of 2 `radius` + 1 bins. [n].

    Raises:
        ValueError: The map has none of these pixels.
    """
    rows, columns = triangle.indices(bins, diagonal_offset)
    near = (np.abs(rows - row) <= radius) & (np.abs(columns - column) <= radius)
    return _pixels(near, f"dot at {row}, {column}")


def correlations(
    pixels: NDArray[np.intp], correlation: Correlation, bins: int, diagonal_offset: int
) -> NDArray[np.float64]:
    """Returns the correlation of the errors of all pairs of some pixels. [n] -> [T, n, n].

    Args:
        pixels: Numbers of the pixels, such as `insulation` returns. [n].
        correlation: Correlation of errors, `model.recalibrations[head].map_error.correlation`.
        bins: Side N of the map.
        diagonal_offset: First diagonal of the triangle.

    Raises:
        ValueError: There are more than `LARGEST` pixels.
    """
    if len(pixels) > LARGEST:
        raise ValueError(
            f"{len(pixels):,} pixels: expected at most {LARGEST:,}; take some of them, such as "
            f"pixels[::{-(-len(pixels) // LARGEST)}], whose mean has almost the same interval."
        )
    rows, columns = (axis[pixels] for axis in triangle.indices(bins, diagonal_offset))
    targets = range(len(correlation.values))
    return np.stack([correlation.matrix(rows, columns, target) for target in targets])


def half_width(
    pixel_half_width: NDArray[Any],
    pixels: NDArray[np.intp],
    matrices: NDArray[np.float64] | None,
    mask: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """Returns half of the interval of the mean over some pixels of a map. [..., P, T] -> [..., T].

    Args:
        pixel_half_width: Half of the interval of every pixel; for a posterior,
            `post.map_quantiles[0.95] - post.mean` is that of 90 %. [..., P, T].
        pixels: Numbers of the pixels. [n].
        matrices: Correlation of their errors; None for independent errors. [T, n, n].
        mask: True for pixels that enter the mean; None for all. [..., P, T].
    """
    width = np.asarray(pixel_half_width, np.float64)[..., pixels, :]
    count: Any = len(pixels)
    if mask is not None:
        width = np.where(mask[..., pixels, :], width, 0.0)
        count = np.maximum(mask[..., pixels, :].sum(-2), 1)
    independent = (width**2).sum(-2)
    if matrices is None:
        return np.asarray(np.sqrt(independent) / count)
    x = np.moveaxis(width, -1, 0)
    squares = np.stack(
        [((part @ matrix) * part).sum(-1) for part, matrix in zip(x, matrices, strict=True)], -1
    )
    # Correlations between classes of distance are estimates: their sum can be negative.
    return np.asarray(np.sqrt(np.maximum(squares, independent / len(pixels))) / count)


def _pixels(selected: NDArray[np.bool_], name: str) -> NDArray[np.intp]:
    if not selected.any():
        raise ValueError(f"{name}: the map has no such pixel; choose bins of the map.")
    return np.flatnonzero(selected)
