"""Inversions as pairs of junctions, and which ends of inversions belong together.

    ... a | c ... b | d ...    LEFT joins a to b, RIGHT joins c to d; exact: c = a + 1, d = b + 1
    ... a | b ... c | d ...    the inversion

An allele is made as its junctions say: where c lies behind a + 1, or d behind b + 1, the bases
between are lost; where it lies before, they are there twice.
"""

import bisect
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from akita_bayes.variants import junctions
from akita_bayes.variants.junctions import Junction

TOLERANCE = 1_000  # bases; Manta groups junctions into one EVENT up to this distance
SHARE = 1 / 4  # of the turned bases, at most, that are lost or doubled at either end


class Inversion(NamedTuple):
    """The bases that an inversion turns, where they are not just those that it replaces.

    Attributes:
        start: First turned reference base, from 0.
        end: One past the last.
        before: New letters between what lies left of the event and the turned bases.
        after: New letters between the turned bases and what lies right of the event.
    """

    start: int
    end: int
    before: str = ""
    after: str = ""

    @property
    def length(self) -> int:
        """Bases that stand in the place of the replaced ones."""
        return len(self.before) + self.end - self.start + len(self.after)


class Fitted(NamedTuple):
    """An inversion made of two junctions.

    Attributes:
        start: First replaced reference base, from 0.
        end: One past the last.
        inversion: What stands in their place; None for just these bases turned.
    """

    start: int
    end: int
    inversion: Inversion | None = None


def fitted(left: Junction, right: Junction, genome: Any) -> Fitted | None:
    """Returns the inversion of two ends; None where they cannot lie on one chromosome."""
    before, after = left.letters, right.letters
    shift = _exact_shift(left, right, genome)
    if shift is not None:
        start, end = left.low + shift + 1, left.high - shift + 1
        return Fitted(start, end, Inversion(start, end, before, after) if before or after else None)
    start, end = left.low + 1, right.high
    if left.chrom != right.chrom or start > end or right.low > left.high:
        return None
    return Fitted(start, end, Inversion(right.low, left.high + 1, before, after))


def _exact_shift(left: Junction, right: Junction, genome: Any) -> int | None:
    """Returns by how far the left end moves right so that both ends fit exactly; None if never.

    The left end may move by k, the right end by j, each within its homology; they fit exactly when
    a + k + 1 = c + j and b - k + 1 = d - j, hence k - j = c - a - 1 = b + 1 - d.
    """
    gap = right.low - left.low - 1
    if left.chrom != right.chrom or gap != left.high + 1 - right.high or abs(gap) > TOLERANCE:
        return None
    shift = 0
    if gap:
        back, ahead = junctions.room(left, genome)
        back_right, ahead_right = junctions.room(right, genome)
        least, most = max(-back, gap - back_right), min(ahead, gap + ahead_right)
        if least > most:
            return None
        shift = min(max(least, 0), most)
    return shift if left.low + shift < left.high - shift else None


def paired(ends: Sequence[Junction], genome: Any) -> tuple[list[tuple[int, int]], set[int]]:
    """Finds the pairs of ends that are an inversion each, by their bases.

    Ends that fit exactly come first, then those that fit within TOLERANCE and SHARE. Two ends are
    a pair when neither fits another.

    Args:
        ends: Junctions; those that are not the end of an inversion are left out.
        genome: Reads letters.

    Returns:
        Pairs (left, right) of positions in `ends`, and the positions of ends that fit several.
    """
    pairs: list[tuple[int, int]] = []
    fits: dict[int, list[int]] = {}
    taken: set[int] = set()

    def exact(left: Junction, right: Junction) -> bool:
        return _exact_shift(left, right, genome) is not None

    for look, fit in ((_Index.same_middle, exact), (_Index.nearby, _close)):
        left, right = (
            [i for i, end in enumerate(ends) if end.form == form and i not in taken]
            for form in (junctions.LEFT, junctions.RIGHT)
        )
        fits = _fits(ends, left, right, look, fit)
        for first in left:
            others = fits.get(first, [])
            if len(others) == 1 and fits.get(others[0]) == [first]:
                pairs.append((first, others[0]))
                taken |= {first, others[0]}
    return pairs, set(fits) - taken


def _close(left: Junction, right: Junction) -> bool:
    """Tells whether an inversion may lose or double as many bases at its ends."""
    limit = min(TOLERANCE, int((left.high + 1 - right.low) * SHARE))
    return max(abs(right.low - left.low - 1), abs(right.high - left.high - 1)) <= limit


class _Index:
    """Ends of one form by where they lie, so that no end is compared with all others."""

    def __init__(self, ends: Sequence[Junction], numbers: Sequence[int]) -> None:
        self._middles: dict[tuple[str, int], list[int]] = {}
        self._lows: dict[str, dict[int, list[tuple[int, int]]]] = {}
        for number in numbers:
            end = ends[number]
            self._middles.setdefault((end.chrom, end.low + end.high), []).append(number)
            places = self._lows.setdefault(end.chrom, {})
            places.setdefault(end.low, []).append((end.high, number))
        for places in self._lows.values():
            for highs in places.values():
                highs.sort()
        self._sorted = {chrom: sorted(places) for chrom, places in self._lows.items()}

    def same_middle(self, end: Junction, step: int) -> Iterator[int]:
        """Yields the ends that may fit exactly: homology moves both bases, but not their middle."""
        yield from self._middles.get((end.chrom, end.low + end.high + 2 * step), ())

    def nearby(self, end: Junction, step: int) -> Iterator[int]:
        """Yields the ends whose bases both lie within the tolerance of their places."""
        lows, low, high = self._sorted.get(end.chrom, []), end.low + step, end.high + step
        begin = bisect.bisect_left(lows, low - TOLERANCE)
        for other in lows[begin : bisect.bisect_right(lows, low + TOLERANCE)]:
            highs = self._lows[end.chrom][other]
            for other_high, number in highs[bisect.bisect_left(highs, (high - TOLERANCE, -1)) :]:
                if other_high > high + TOLERANCE:
                    break
                yield number


def _fits(
    ends: Sequence[Junction],
    left: Sequence[int],
    right: Sequence[int],
    look: Callable[[_Index, Junction, int], Iterator[int]],
    fit: Callable[[Junction, Junction], bool],
) -> dict[int, list[int]]:
    """Returns the partners of ends; two are enough to know that an end is ambiguous."""
    fits: dict[int, list[int]] = {}
    for numbers, others, step in ((left, right, 1), (right, left, -1)):
        index = _Index(ends, others)
        for number in numbers:
            for other in look(index, ends[number], step):
                first, second = (number, other) if step > 0 else (other, number)
                if fit(ends[first], ends[second]):
                    fits.setdefault(number, []).append(other)
                    if len(fits[number]) == 2:
                        break
    return fits
