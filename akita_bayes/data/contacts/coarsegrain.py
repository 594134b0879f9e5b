"""Fills sparse parts of a symmetric map as `cooltools.adaptive_coarsegrain`, in compiled loops.

The valid pixels of a 2 x 2 block take the mean of the block when one of its raw counts is below
`cutoff`. The same is done on maps coarsened by 2, 4, 8, ..., from the coarsest to the finest. The
function of cooltools takes a third of the time of a target, so these loops replace it and visit
only the upper triangle. The tests compare every pixel with cooltools, and `akita_data.py --check`
recomputes targets with cooltools itself.
"""

import math
import threading
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes.data import compiled
from akita_bayes.data.contacts import packed

CUTOFF = 2
MAX_LEVELS = 8
MIN_SHAPE = 8
_buffers = threading.local()

_Arrays = tuple[NDArray[Any], ...]


def coarsegrain(
    values: NDArray[np.float64],
    counts: NDArray[Any],
    valid: NDArray[np.bool_],
    *,
    cutoff: float = CUTOFF,
    max_levels: int = MAX_LEVELS,
    min_shape: int = MIN_SHAPE,
) -> NDArray[np.float64]:
    """Fills sparse parts of a map from their surroundings.

    [N, N], [N, N], [N] -> [N, N], symmetric, NaN in rows and columns of bins that are not valid.

    Args:
        values: Balanced contact frequencies; only the upper triangle is read.
        counts: Raw counts of the same pixels.
        valid: False for filtered bins.
        cutoff: A block whose least raw count is below this is averaged.
        max_levels: Most coarsening steps.
        min_shape: Coarsening stops at maps of this size.
    """
    levels = prepare(valid, max_levels=max_levels, min_shape=min_shape)
    _pad(values, counts, levels.members[0], len(valid), levels.values[0], levels.counts[0])
    fill(levels, cutoff=cutoff)
    filled = packed.unpack(packed.pack(levels.values[0], len(valid)), len(valid))
    filled[~valid] = np.nan
    filled[:, ~valid] = np.nan
    return filled


class Levels(NamedTuple):
    """Holds a map and its coarser versions; only upper triangles are used.

    Attributes:
        values: Balanced contacts of every level, 0 in filtered rows and columns. [S, S], ...
        counts: Raw counts of every level. [S, S], ...
        members: Number of valid bins in every bin of every level. [S], ...
    """

    values: tuple[NDArray[Any], ...]
    counts: tuple[NDArray[Any], ...]
    members: tuple[NDArray[Any], ...]


def prepare(
    valid: NDArray[np.bool_], *, max_levels: int = MAX_LEVELS, min_shape: int = MIN_SHAPE
) -> Levels:
    """Returns levels without content: the caller writes the finest values and counts, then `fill`.

    The next call in the same thread reuses the arrays, since new memory costs as much time as the
    sums.

    Args:
        valid: False for filtered bins. [N].
        max_levels: Most coarsening steps.
        min_shape: Coarsening stops at maps of this size.
    """
    size = 1 << math.ceil(math.log2(len(valid)))  # the next power of 2: 448 bins become 512
    levels = 0
    while levels < max_levels and size >> levels > min_shape:
        levels += 1
    members = [np.zeros(size)]
    members[0][: len(valid)] = valid
    for _ in range(levels):
        members.append(members[-1].reshape(-1, 2).sum(1))
    if (size, levels) != _buffers.__dict__.get("shape"):
        sizes = [size >> level for level in range(levels + 1)]
        _buffers.values = tuple(np.zeros((side, side)) for side in sizes)
        _buffers.counts = tuple(np.zeros((side, side), np.float32) for side in sizes)
        _buffers.shape = (size, levels)
    return Levels(_buffers.values, _buffers.counts, tuple(members))


def fill(levels: Levels, *, cutoff: float = CUTOFF) -> None:
    """Fills sparse parts of `levels.values[0]` from their surroundings; in place.

    Args:
        levels: Levels with the finest values and counts written; the others are overwritten.
        cutoff: A block whose least raw count is below this is averaged.
    """
    _smooth(levels.values, levels.counts, levels.members, cutoff)


@compiled.njit()
def _smooth(
    values: _Arrays, counts: _Arrays, members: _Arrays, cutoff: float
) -> None:  # pragma: no cover - compiled
    for level in range(1, len(members)):
        _coarsen(values[level - 1], values[level])
        _coarsen(counts[level - 1], counts[level])
    for level in range(len(members) - 2, -1, -1):
        _replace(
            values[level],
            counts[level],
            members[level],
            values[level + 1],
            members[level + 1],
            cutoff,
        )


@compiled.njit()
def _pad(
    values: NDArray[Any],
    counts: NDArray[Any],
    valid: NDArray[Any],
    bins: int,
    padded_values: NDArray[Any],
    padded_counts: NDArray[Any],
) -> None:  # pragma: no cover - compiled
    size = len(valid)
    for i in range(size):
        for j in range(i, size):
            inside = i < bins and j < bins and valid[i] and valid[j]
            padded_values[i, j] = values[i, j] if inside else 0.0
            padded_counts[i, j] = counts[i, j] if inside else 0.0


@compiled.njit()
def _coarsen(fine: NDArray[Any], coarse: NDArray[Any]) -> None:  # pragma: no cover - compiled
    for i in range(len(coarse)):
        top, bottom = fine[2 * i], fine[2 * i + 1]
        coarse[i, i] = (top[2 * i] + top[2 * i + 1]) + (top[2 * i + 1] + bottom[2 * i + 1])
        for j in range(i + 1, len(coarse)):
            left = top[2 * j] + bottom[2 * j]
            coarse[i, j] = left + (top[2 * j + 1] + bottom[2 * j + 1])


@compiled.njit()
def _replace(
    fine: NDArray[Any],
    counts: NDArray[Any],
    fine_members: NDArray[Any],
    coarse: NDArray[Any],
    coarse_members: NDArray[Any],
    cutoff: float,
) -> None:  # pragma: no cover - compiled
    size = len(coarse)
    for i in range(size):
        for j in range(i, size):
            # Coarse pixel (i, j) covers fine rows 2 i, 2 i + 1 and columns 2 j, 2 j + 1. On the
            # diagonal (i = j), the fine pixel (2 i + 1, 2 i) lies below the triangle: leave it.
            pixels = coarse_members[i] * coarse_members[j]
            if pixels == 0:
                continue
            row, column = 2 * i, 2 * j
            low = counts[row, column] < cutoff or counts[row, column + 1] < cutoff
            low = low or counts[row + 1, column + 1] < cutoff
            low = low or (i != j and counts[row + 1, column] < cutoff)
            if not low:
                continue
            mean = coarse[i, j] / pixels
            fine[row, column] = mean * (fine_members[row] * fine_members[column])
            fine[row, column + 1] = mean * (fine_members[row] * fine_members[column + 1])
            fine[row + 1, column + 1] = mean * (fine_members[row + 1] * fine_members[column + 1])
            if i != j:
                fine[row + 1, column] = mean * (fine_members[row + 1] * fine_members[column])
