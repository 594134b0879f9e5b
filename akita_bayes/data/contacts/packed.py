"""Processes symmetric maps as packed upper triangles with their diagonal, in compiled loops.

Pixel (i, j), i <= j, of a map of N bins lies at i N - i (i - 1) / 2 + j - i: rows one after
another, each from its diagonal on. With N = 4, pixel (1, 3) is entry 4 - 0 + 2 = 6. One pass over
half of the pixels replaces several passes over all pixels. The tests compare every function with
cooltools or NumPy.
"""

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes.data import compiled

_GROUP_RATIO = 1.03  # longest to shortest distance of a group, the default of cooltools
_TILE = 32  # side of a tile that is mirrored at once, so that both halves stay in cache


@compiled.njit(inline="always")
def _row(i: int, bins: int) -> int:  # pragma: no cover - compiled
    """Returns the index of pixel (i, i) in the packed map."""
    return i * bins - i * (i - 1) // 2


@compiled.njit()
def pack(upper: NDArray[Any], bins: int) -> NDArray[Any]:  # pragma: no cover - compiled
    """Packs the first `bins` rows and columns. [S, S] -> [N (N + 1) / 2]."""
    packed = np.empty(bins * (bins + 1) // 2)
    for i in range(bins):
        first = _row(i, bins)
        packed[first : first + bins - i] = upper[i, i:bins]
    return packed


@compiled.njit()
def unpack(packed: NDArray[Any], bins: int) -> NDArray[Any]:  # pragma: no cover - compiled
    """Returns the whole symmetric map. [N (N + 1) / 2] -> [N, N]."""
    matrix = np.empty((bins, bins), packed.dtype)
    for top in range(0, bins, _TILE):
        for left in range(top, bins, _TILE):
            for i in range(top, min(top + _TILE, bins)):
                first = _row(i, bins) - i
                for j in range(max(i, left), min(left + _TILE, bins)):
                    matrix[i, j] = packed[first + j]
                    matrix[j, i] = packed[first + j]
    return matrix


@compiled.njit()
def cut(
    packed: NDArray[Any], bins: int, crop: int, offset: int
) -> NDArray[Any]:  # pragma: no cover - compiled
    """Returns the triangle of the cropped map, from diagonal `offset` on. -> [P]."""
    last = bins - crop
    side = last - crop - offset
    pixels = np.empty(side * (side + 1) // 2, packed.dtype)
    next_pixel = 0
    for i in range(crop, last - offset):
        first = _row(i, bins) - i
        count = last - offset - i
        pixels[next_pixel : next_pixel + count] = packed[first + i + offset : first + last]
        next_pixel += count
    return pixels


@compiled.njit()
def pairs(
    valid: NDArray[Any], crop: int, offset: int
) -> NDArray[Any]:  # pragma: no cover - compiled
    """Returns True for pixels of two valid bins, in the order of `cut`. [N] -> [P]."""
    last = len(valid) - crop
    side = last - crop - offset
    both_valid = np.empty(side * (side + 1) // 2, np.bool_)
    next_pixel = 0
    for i in range(crop, last - offset):
        for j in range(i + offset, last):
            both_valid[next_pixel] = valid[i] and valid[j]
            next_pixel += 1
    return both_valid


@compiled.njit()
def near_diagonal(
    packed: NDArray[Any], bins: int, value: float, offset: int
) -> None:  # pragma: no cover - compiled
    """Sets the diagonals below the offset to a value, in place."""
    for i in range(bins):
        first = _row(i, bins)
        packed[first : first + min(offset, bins - i)] = value


@compiled.njit()
def diagonal(
    packed: NDArray[Any], bins: int, offset: int
) -> NDArray[Any]:  # pragma: no cover - compiled
    """Returns one diagonal. [N - offset]."""
    values = np.empty(bins - offset)
    for i in range(bins - offset):
        values[i] = packed[_row(i, bins) + offset]
    return values


@compiled.njit()
def balance(
    counts: NDArray[Any],
    weights: NDArray[Any],
    cap: float,
    offset: int,
    balanced: NDArray[Any],
    valid_counts: NDArray[Any],
) -> None:  # pragma: no cover - compiled
    """Computes balanced contacts, limited to `cap`; diagonals below the offset become `cap`.

    Args:
        counts: Raw counts; only the upper triangle is read. [N, N].
        weights: Weights of the bins, 0 for filtered ones. [N].
        cap: Largest balanced value.
        offset: First diagonal that is not set to the cap.
        balanced: Output, balanced values; 0 in filtered rows and columns; upper triangle. [S, S].
        valid_counts: Output, counts; 0 in filtered rows and columns; upper triangle. [S, S].
    """
    bins = len(weights)
    for i in range(len(balanced)):
        balanced[i, i:] = 0.0
        valid_counts[i, i:] = 0.0
        if i >= bins or weights[i] == 0:
            continue
        weight = weights[i]
        for j in range(i, bins):
            value = (counts[i, j] * weight) * weights[j]
            balanced[i, j] = value if value < cap else cap
            valid_counts[i, j] = counts[i, j] if weights[j] != 0 else 0
        for j in range(i, min(i + offset, bins)):
            balanced[i, j] = cap if weights[j] != 0 else 0.0


@functools.lru_cache(maxsize=8)
def distance_groups(bins: int) -> NDArray[np.int64]:
    """Returns the edges of cooltools' groups of distances; each group has one expected value.

    Edges are 0 and the rounded, different values of a geometric series from 1 to `bins` whose ratio
    is about 1.03, as in `cooltools.lib.numutils.observed_over_expected`. Its import and its
    compilation take several seconds.
    """
    count = int(np.log(bins) / np.log(_GROUP_RATIO))
    series = 10 ** np.linspace(0.0, np.log10(bins), count)
    return np.concatenate([[0], np.unique(np.rint(series)).astype(np.int64)])


@compiled.njit()
def expected(
    packed: NDArray[Any], valid: NDArray[Any], edges: NDArray[Any]
) -> NDArray[Any]:  # pragma: no cover
    """Returns the mean over valid pixels of each group of distances.

    The mean is 1 where it would be 0 or a group has no valid pixel. Sums have the order of
    `cooltools.lib.numutils.observed_over_expected`, so that results agree to the last bit.

    Args:
        packed: Map with 0 in rows and columns that are not valid. [N (N + 1) / 2].
        valid: False for filtered bins. [N].
        edges: First distance of every group, and the end of the last one.

    Returns:
        The mean of each distance. [N].
    """
    bins = len(valid)
    means = np.ones(bins)
    for group in range(len(edges) - 1):
        total, count = 0.0, 0
        for offset in range(edges[group], edges[group + 1]):
            # Row j is `bins - j` pixels long, so the next pixel of the diagonal lies that far on.
            pixel = offset
            for j in range(bins - offset):
                total += packed[pixel]
                count += valid[j] and valid[j + offset]
                pixel += bins - j
        if count > 0 and total != 0:
            means[edges[group] : edges[group + 1]] = total / count
    return means


@compiled.njit()
def divide(packed: NDArray[Any], by_distance: NDArray[Any]) -> None:  # pragma: no cover - compiled
    """Divides every pixel by the value of its distance, in place. [N (N + 1) / 2], [N]."""
    bins = len(by_distance)
    pixel = 0
    for i in range(bins):
        for distance in range(bins - i):
            packed[pixel] /= by_distance[distance]
            pixel += 1


@compiled.njit()
def interpolate(packed: NDArray[Any], valid: NDArray[Any]) -> None:  # pragma: no cover - compiled
    """Fills rows and columns of filtered bins linearly, with zeros beyond the edges, in place.

    Bilinear interpolation on a grid with missing rows and columns is linear interpolation of the
    rows and then of the columns, so this equals `cooltools.lib.numutils.interp_nan`.

    Args:
        packed: Map; its values in filtered rows and columns are ignored. [N (N + 1) / 2].
        valid: False for filtered bins. [N].
    """
    bins = len(valid)
    missing = np.flatnonzero(~valid)
    left = np.full(len(missing), -1)
    right = np.full(len(missing), bins)
    rows = np.zeros((len(missing), bins))
    for m in range(len(missing)):
        for i in range(missing[m], -1, -1):
            if valid[i]:
                left[m] = i
                break
        for i in range(missing[m], bins):
            if valid[i]:
                right[m] = i
                break
        share = (missing[m] - left[m]) / (right[m] - left[m])
        for j in range(bins):
            if valid[j]:
                rows[m, j] = (1 - share) * _at(packed, bins, left[m], j) + share * _at(
                    packed, bins, right[m], j
                )
    for m in range(len(missing)):
        i = missing[m]
        for j in range(bins):
            if valid[j]:
                packed[_row(min(i, j), bins) + abs(i - j)] = rows[m, j]
        for n in range(m, len(missing)):
            before = rows[m, left[n]] if left[n] >= 0 else 0.0
            after = rows[m, right[n]] if right[n] < bins else 0.0
            share = (missing[n] - left[n]) / (right[n] - left[n])
            packed[_row(i, bins) + missing[n] - i] = (1 - share) * before + share * after


@compiled.njit(inline="always")
def _at(packed: NDArray[Any], bins: int, i: int, j: int) -> float:  # pragma: no cover - compiled
    """Returns pixel (i, j) or (j, i) of the upper triangle; 0 beyond the edges."""
    if i < 0 or i >= bins:
        return 0.0
    value: float = packed[_row(min(i, j), bins) + abs(i - j)]
    return value
