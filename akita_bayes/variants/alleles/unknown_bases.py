"""Counts the unknown bases of windows."""

import functools

import numpy as np

from akita_bayes import dna
from akita_bayes.data.genome import Genome
from akita_bayes.variants.alleles import derivative, window_pairs

SHARE = 0.05  # of the bases of a window; windows with a larger share are flagged
FLAG = "unknown_bases"
_BLOCK = 4_096  # bases whose count is cached, so that overlapping windows share it
_STRETCHES = 256  # stretches whose count is cached, such as the reference of neighbours


class UnknownBases:
    """Counts unknown bases of windows, each block of the genome once.

    Args:
        genome: Reference.
    """

    def __init__(self, genome: Genome) -> None:
        self._genome = genome
        self._blocks: dict[tuple[str, int], int] = {}
        self._cached_count = functools.lru_cache(_STRETCHES)(self._count_stretch)

    def holds_many(self, pair: window_pairs.Pair) -> bool:
        """Returns True when more than SHARE of a window's bases are not A, C, G or T."""
        return any(
            self.count(window) > SHARE * window.length
            for window in (*pair.reference, *pair.alternative)
        )

    def count(self, window: window_pairs.Window) -> int:
        """Counts the unknown bases of a window, without padding."""
        end = min(window.start + window.length, derivative.length(window.allele))
        segments = derivative.cut(window.allele, max(window.start, 0), end)
        return sum(map(self._in_segment, segments))

    def _in_segment(self, segment: derivative.Segment) -> int:
        if segment.letters:
            return _unknown(segment.letters)
        return self._cached_count(segment.chrom, segment.start, segment.start + segment.length)

    def _count_stretch(self, chrom: str, start: int, end: int) -> int:
        first, last = -(-start // _BLOCK), end // _BLOCK  # whole blocks
        if first >= last:
            return self._between(chrom, start, end)
        in_blocks = sum(self._in_block(chrom, block) for block in range(first, last))
        # Bases 100 to 9,000 are 100..4,096, the block 4,096..8,192 and 8,192..9,000.
        before = self._between(chrom, start, first * _BLOCK)
        return before + in_blocks + self._between(chrom, last * _BLOCK, end)

    def _in_block(self, chrom: str, block: int) -> int:
        key = chrom, block
        if key not in self._blocks:
            self._blocks[key] = self._between(chrom, block * _BLOCK, (block + 1) * _BLOCK)
        return self._blocks[key]

    def _between(self, chrom: str, start: int, end: int) -> int:
        return _unknown(self._genome.padded(chrom, start, end)) if end > start else 0


def _unknown(letters: str) -> int:
    return int(np.count_nonzero(dna.to_index(letters) == dna.UNKNOWN))
