"""Inversions as pairs of junctions, and which ends of inversions belong together.

    ... a | c ... b | d ...    LEFT joins a to b, RIGHT joins c to d; exact: c = a + 1, d = b + 1
    ... a | b ... c | d ...    the inversion

An allele is made as its junctions say: where c lies behind a + 1, or d behind b + 1, the bases
between are lost; where it lies before, they are there twice.
"""

import bisect
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from akita_bayes.variants.alleles import junctions
from akita_bayes.variants.alleles.junctions import Junction

TOLERANCE = 1_000  # bases; Manta groups junctions into one EVENT up to this distance
SHARE = 1 / 4  # of the turned bases, at most, that are lost or doubled at either end


class Inversion(NamedTuple):
    """The bases that an inversion turns, where they are not just those that it resorted_bases.

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
        """Returns the number of bases that stand in the place of the replaced ones."""
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


Room = Callable[[Junction], tuple[int, int]]


def fitted(left: Junction, right: Junction, room: Room) -> Fitted | None:
    """Returns the inversion of two ends; None where they cannot lie on one chromosome.

    Args:
        left: Joins what lies left of the inversion to its last base.
        right: Joins its first base to what lies right of it.
        room: Returns by how many bases a junction can move left and right.
    """
    before, after = left.letters, right.letters
    shift = _exact_shift(left, right, room)
    if shift is not None:
        start, end = left.low + shift + 1, left.high - shift + 1
        return Fitted(start, end, Inversion(start, end, before, after) if before or after else None)
    start, end = left.low + 1, right.high
    if left.chrom != right.chrom or start > end or right.low > left.high:
        return None
    return Fitted(start, end, Inversion(right.low, left.high + 1, before, after))


def _exact_shift(left: Junction, right: Junction, room: Room) -> int | None:
    """Returns by how far the left end moves right so that both ends fit exactly; None if never.

    The left end may move by k, the right end by j, each within its homology; they fit exactly when
    a + k + 1 = c + j and b - k + 1 = d - j, hence k - j = c - a - 1 = b + 1 - d.
    """
    gap = right.low - left.low - 1
    if left.chrom != right.chrom or gap != left.high + 1 - right.high or abs(gap) > TOLERANCE:
        return None
    shift = 0
    if gap:
        (back, ahead), (back_right, ahead_right) = room(left), room(right)
        least, most = max(-back, gap - back_right), min(ahead, gap + ahead_right)
        if least > most:
            return None
        shift = min(max(least, 0), most)
    return shift if left.low + shift < left.high - shift else None


def paired(ends: Sequence[Junction], room: Room) -> tuple[list[tuple[int, int]], set[int]]:
    """Finds the pairs of ends that are an inversion each, by their bases.

    Ends that fit exactly come first, then those that fit within TOLERANCE and SHARE. Two ends are
    a pair when neither fits another.

    Args:
        ends: Junctions; those that are not the end of an inversion are left out.
        room: Returns by how many bases a junction can move left and right.

    Returns:
        Pairs (left, right) of positions in `ends`, and the positions of ends that fit several.
    """
    pairs: list[tuple[int, int]] = []
    fits: dict[int, list[int]] = {}
    taken: set[int] = set()
    for partners in (functools.partial(_exact_partners, room=room), _near_partners):
        left, right = (
            [i for i, end in enumerate(ends) if end.form == form and i not in taken]
            for form in (junctions.LEFT, junctions.RIGHT)
        )
        # Two partners are enough to know that an end is ambiguous.
        fits = {
            number: list(itertools.islice(others, 2))
            for numbers, candidates in ((left, right), (right, left))
            for number, others in partners(ends, numbers, candidates)
        }
        for first in left:
            others = fits[first]
            if len(others) == 1 and fits[others[0]] == [first]:
                pairs.append((first, others[0]))
                taken |= {first, others[0]}
    return pairs, {number for number, others in fits.items() if others} - taken


Partners = Iterator[tuple[int, Iterator[int]]]


def _exact_partners(
    ends: Sequence[Junction], numbers: Sequence[int], candidates: Sequence[int], *, room: Room
) -> Partners:
    """Yields ends with those that fit them exactly.

    Homology moves both bases of an end, but not their middle, by which candidates are looked up.
    """
    middles: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for number in candidates:
        end = ends[number]
        middles.setdefault((end.chrom, end.low + end.high), []).append((end.low, number))
    for sorted_bases in middles.values():
        sorted_bases.sort()

    def fitting(number: int) -> Iterator[int]:
        end = ends[number]
        leftmost = end.form == junctions.LEFT
        step = 1 if leftmost else -1
        sorted_bases = middles.get((end.chrom, end.low + end.high + 2 * step), [])
        for other in _within(sorted_bases, end.low + step, TOLERANCE):
            left, right = (number, other) if leftmost else (other, number)
            if _exact_shift(ends[left], ends[right], room) is not None:
                yield other

    for number in numbers:
        yield number, fitting(number)


def _near_partners(
    ends: Sequence[Junction], numbers: Sequence[int], candidates: Sequence[int]
) -> Partners:
    """Yields ends with those that lose or double few enough bases beside them.

    Candidates are looked up by their base at the inverted piece, c of a right and b of a left end:
    with a base of the end itself it says how long the piece is, hence how few are enough.
    """
    inner: dict[str, dict[int, list[tuple[int, int]]]] = {}
    for number in candidates:
        end = ends[number]
        base, far = (end.high, end.low) if end.form == junctions.LEFT else (end.low, end.high)
        inner.setdefault(end.chrom, {}).setdefault(base, []).append((far, number))
    for sorted_bases in inner.values():
        for fars in sorted_bases.values():
            fars.sort()
    bases = {chrom: sorted(sorted_bases) for chrom, sorted_bases in inner.items()}

    def fitting(number: int) -> Iterator[int]:
        chrom, form, low, high, _ = ends[number]
        left = form == junctions.LEFT
        beside, far = (low + 1, high + 1) if left else (high - 1, low - 1)
        every = bases.get(chrom, [])
        first = bisect.bisect_left(every, beside - TOLERANCE)
        for base in every[first : bisect.bisect_right(every, beside + TOLERANCE)]:
            turned = high + 1 - base if left else base + 1 - low
            limit = min(TOLERANCE, int(turned * SHARE))
            if abs(base - beside) <= limit:
                yield from _within(inner[chrom][base], far, limit)

    for number in numbers:
        yield number, fitting(number)


def _within(sorted_bases: Sequence[tuple[int, int]], base: int, limit: int) -> Iterator[int]:
    """Yields the numbers whose base, by which they are sorted, is at most `limit` away."""
    first = bisect.bisect_left(sorted_bases, (base - limit, -1))
    for other, number in itertools.islice(sorted_bases, first, None):
        if other > base + limit:
            return
        yield number
