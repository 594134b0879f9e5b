"""Mutates windows at random; teachers can label any sequence, so a student may learn from these.

A student that sees the windows of the genome alone learns what its teachers predict there. Edits
change which sites a window has and where they are, as EvoAug does (Lee et al. 2023).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna

_LONGEST = 4
"""Longest moved or inverted stretch, as a divisor of the window."""


def mutate(
    index: NDArray[np.uint8], *, rate: float, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Returns a window with one stretch moved, one inverted, and some bases replaced. [L] -> [L].

    Args:
        index: Bases as 0..3, and 4 for an unknown base, which no base replaces. [L].
        rate: Share of the bases that are replaced by another base, 0 to 1.
        random: Generator of all random choices.
    """
    return _replaced(_inverted(_moved(index, random), random), rate, random)


def _moved(index: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Cuts out a stretch and inserts it somewhere else."""
    start, end = _stretch(len(index), random)
    rest = np.concatenate([index[:start], index[end:]])
    target = int(random.integers(len(rest) + 1))
    return np.concatenate([rest[:target], index[start:end], rest[target:]])


def _inverted(index: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """Replaces a stretch by its reverse complement."""
    start, end = _stretch(len(index), random)
    turned = dna.reverse_complement_index(index[start:end])
    return np.concatenate([index[:start], turned, index[end:]])


def _replaced(
    index: NDArray[np.uint8], rate: float, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Replaces each known base with probability `rate` by one of the three others."""
    replacement: NDArray[Any] = (index + random.integers(1, 4, len(index))) % 4
    hit = (random.random(len(index)) < rate) & (index < dna.UNKNOWN)
    return np.where(hit, replacement, index).astype(np.uint8)


def _stretch(length: int, random: np.random.Generator) -> tuple[int, int]:
    size = int(random.integers(1, max(length // _LONGEST, 1) + 1))
    start = int(random.integers(length - size + 1))
    return start, start + size
