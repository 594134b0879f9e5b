"""Computes intervals of accuracies from blocks of windows that are drawn with replacement.

Overlapping windows share measured contacts, so they are one block; windows of different blocks are
taken as independent. An interval holds the middle of the scores of `RESAMPLES` drawn splits.
"""

import contextlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, regions

LEVEL = 0.9
RESAMPLES = 1000
LEAST = 2
"""Fewest blocks for an interval."""

_AT_ONCE = 50  # resamples whose sums are in memory together


class Interval(NamedTuple):
    """Holds the ends of intervals. [T] each, or [D, T]."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


def blocks(locations: Sequence[str]) -> NDArray[np.intp]:
    """Returns the number of the block of each window, from 0. [W].

    Windows of a chromosome that overlap, directly or through others, are one block. A location
    that is not a region, such as `file#record`, is a block of its own.
    """
    numbers = np.full(len(locations), -1)
    windows = []
    for window, location in enumerate(locations):
        with contextlib.suppress(errors.DataError):
            windows.append((regions.parse(location), window))
    count, last = 0, regions.Region("", 0, 0)
    for region, window in sorted(windows):
        if region.overlaps(last):
            last = last._replace(end=max(last.end, region.end))
        else:
            last, count = region, count + 1
        numbers[window] = count - 1
    alone = numbers < 0
    numbers[alone] = count + np.arange(alone.sum())
    return numbers


class Resamples:
    """Draws blocks with replacement, the same draws for every score.

    Args:
        numbers: Number of the block of each window. [W].
        seed: Seed of the draws.

    Attributes:
        blocks: Number of blocks.
    """

    def __init__(self, numbers: NDArray[np.intp], seed: int) -> None:
        self._numbers = numbers
        self.blocks = int(numbers.max()) + 1 if len(numbers) else 0
        random = np.random.default_rng(seed)
        self._counts = (
            random.multinomial(self.blocks, np.full(self.blocks, 1 / self.blocks), RESAMPLES)
            if self.blocks >= LEAST
            else np.zeros((0, self.blocks))
        ).astype(np.float64)

    def interval(
        self,
        sums: Sequence[NDArray[np.float64]],
        score: Callable[..., NDArray[np.float64]],
    ) -> Interval | None:
        """Returns the interval of a score; None for fewer than two blocks.

        Args:
            sums: Arrays of sums over pixels of each window, [W, ...] each.
            score: Computes the score from one array of each, [R, ...] -> [R, ..., T].
        """
        if not len(self._counts):
            return None
        of_blocks = []
        for array in sums:
            total = np.zeros((self.blocks, *array.shape[1:]))
            np.add.at(total, self._numbers, array)
            of_blocks.append(total)
        scores = np.concatenate(
            [
                score(*(np.tensordot(counts, total, axes=1) for total in of_blocks))
                for counts in np.array_split(self._counts, -(-RESAMPLES // _AT_ONCE))
            ]
        )
        tail = (1 - LEVEL) / 2
        low, high = np.quantile(scores, (tail, 1 - tail), axis=0)
        return Interval(low, high)
