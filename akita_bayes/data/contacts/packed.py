"""Symmetric maps as packed upper triangles, diagonal included, in compiled loops.

Pixel (i, j), i <= j, of a map of N bins lies at i N - i (i - 1) / 2 + j - i: rows one after
another, each from its diagonal on. One pass over half of the pixels replaces several over all of
them. `tests/data/contacts/test_packed.py` holds every function to cooltools or to NumPy.
"""

import functools

import numpy as np
from cooltools.lib import numutils
from numpy.typing import NDArray

from akita_bayes.data import compiled

_TILE = 32  # mirrored at once, so that both halves stay in cache


@compiled.njit(inline="always")
def _row(i: int, bins: int) -> int:  # pragma: no cover - compiled
    """Place of pixel (i, i)."""
    return i * bins - i * (i - 1) // 2


@compiled.njit()
def pack(upper: NDArray, bins: int) -> NDArray:  # pragma: no cover - compiled
    """Packs the first `bins` rows and columns. [S, S] -> [N (N + 1) / 2]."""
    packed = np.empty(bins * (bins + 1) // 2)
    for i in range(bins):
        first = _row(i, bins)
        packed[first : first + bins - i] = upper[i, i:bins]
    return packed


@compiled.njit()
def unpack(packed: NDArray, bins: int) -> NDArray:  # pragma: no cover - compiled
    """The whole symmetric map. [N (N + 1) / 2] -> [N, N]."""
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
    packed: NDArray, bins: int, crop: int, offset: int
) -> NDArray:  # pragma: no cover - compiled
    """The triangle of the map cropped on each side, from a diagonal on. -> [P]."""
    last = bins - crop
    side = last - crop - offset
    pixels = np.empty(side * (side + 1) // 2, packed.dtype)
    place = 0
    for i in range(crop, last - offset):
        first = _row(i, bins) - i
        count = last - offset - i
        pixels[place : place + count] = packed[first + i + offset : first + last]
        place += count
    return pixels


@compiled.njit()
def pairs(valid: NDArray, crop: int, offset: int) -> NDArray:  # pragma: no cover - compiled
    """Whether both bins of a pixel are valid, in the order of `cut`. [N] -> [P]."""
    last = len(valid) - crop
    side = last - crop - offset
    both = np.empty(side * (side + 1) // 2, np.bool_)
    place = 0
    for i in range(crop, last - offset):
        for j in range(i + offset, last):
            both[place] = valid[i] and valid[j]
            place += 1
    return both


@compiled.njit()
def near_diagonal(
    packed: NDArray, bins: int, value: float, offset: int
) -> None:  # pragma: no cover - compiled
    """Sets the diagonals below the offset; in place."""
    for i in range(bins):
        first = _row(i, bins)
        packed[first : first + min(offset, bins - i)] = value


@compiled.njit()
def diagonal(packed: NDArray, bins: int, offset: int) -> NDArray:  # pragma: no cover - compiled
    """One diagonal. [N - offset]."""
    values = np.empty(bins - offset)
    for i in range(bins - offset):
        values[i] = packed[_row(i, bins) + offset]
    return values


@compiled.njit()
def balance(
    counts: NDArray,
    weights: NDArray,
    cap: float,
    offset: int,
    balanced: NDArray,
    kept: NDArray,
) -> None:  # pragma: no cover - compiled
    """Balanced contacts, at most `cap`, and `cap` on the diagonals below the offset.

    Args:
        counts: Raw counts; only the upper triangle is read. [N, N].
        weights: Of bins, 0 for filtered ones. [N].
        cap: Largest balanced value.
        offset: First diagonal that is not set to the cap.
        balanced: Takes balanced values, 0 in filtered rows and columns; upper triangle. [S, S].
        kept: Takes the counts, likewise. [S, S].
    """
    bins = len(weights)
    for i in range(len(balanced)):
        balanced[i, i:] = 0.0
        kept[i, i:] = 0.0
        if i >= bins or weights[i] == 0:
            continue
        weight = weights[i]
        for j in range(i, bins):
            value = (counts[i, j] * weight) * weights[j]
            balanced[i, j] = value if value < cap else cap
            kept[i, j] = counts[i, j] if weights[j] != 0 else 0
        for j in range(i, min(i + offset, bins)):
            balanced[i, j] = cap if weights[j] != 0 else 0.0


@functools.lru_cache(maxsize=8)
def distance_groups(bins: int) -> NDArray[np.int64]:
    """Edges of cooltools' groups of distances, of which each has one expected value."""
    return _groups(np.ones((bins, bins)))


@compiled.njit()
def _groups(matrix: NDArray) -> NDArray:  # pragma: no cover - compiled
    """Compiled once for all processes; called bare, cooltools' function is compiled in each."""
    return numutils.observed_over_expected(matrix)[1]


@compiled.njit()
def expected(packed: NDArray, valid: NDArray, edges: NDArray) -> NDArray:  # pragma: no cover
    """Mean over valid pixels of each group of distances; 1 where that is 0 or there are none.

    In the order of sums, and so to the last bit, `cooltools.lib.numutils.observed_over_expected`.

    Args:
        packed: 0 in rows and columns that are not valid. [N (N + 1) / 2].
        valid: [N].
        edges: First distance of every group, and the end of the last one.

    Returns:
        By distance. [N].
    """
    bins = len(valid)
    means = np.ones(bins)
    for group in range(len(edges) - 1):
        total, count = 0.0, 0
        for offset in range(edges[group], edges[group + 1]):
            place = offset
            for j in range(bins - offset):
                total += packed[place]
                count += valid[j] and valid[j + offset]
                place += bins - j
        if count > 0 and total != 0:
            means[edges[group] : edges[group + 1]] = total / count
    return means


@compiled.njit()
def divide(packed: NDArray, by_distance: NDArray) -> None:  # pragma: no cover - compiled
    """Divides every pixel by the value of its distance; in place. [N (N + 1) / 2], [N]."""
    bins = len(by_distance)
    place = 0
    for i in range(bins):
        for distance in range(bins - i):
            packed[place] /= by_distance[distance]
            place += 1


@compiled.njit()
def interpolate(packed: NDArray, valid: NDArray) -> None:  # pragma: no cover - compiled
    """Fills rows and columns of filtered bins linearly, with zeros beyond the edges; in place.

    Bilinear interpolation on a grid with missing rows and columns is linear interpolation of the
    rows and then of the columns, so this equals `cooltools.lib.numutils.interp_nan`.

    Args:
        packed: What it holds in missing rows and columns does not matter. [N (N + 1) / 2].
        valid: [N].
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
def _at(packed: NDArray, bins: int, i: int, j: int) -> float:  # pragma: no cover - compiled
    """Pixel (i, j) in any order; 0 beyond the edges."""
    if i < 0 or i >= bins:
        return 0.0
    return packed[_row(min(i, j), bins) + abs(i - j)]
