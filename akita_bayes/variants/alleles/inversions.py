"""Finds inversions as pairs of junctions: which ends of inversions belong together.

    ... a | c ... b | d ...    LEFT joins a to b, RIGHT joins c to d; exact: c = a + 1, d = b + 1
    ... a | b ... c | d ...    the inversion

An allele follows its junctions. If c lies right of a + 1, or d right of b + 1, the allele lacks the
bases between; if it lies left, the allele has the bases between twice.
"""

import bisect
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from akita_bayes.variants.alleles import junctions
from akita_bayes.variants.alleles.junctions import Junction

TOLERANCE = 1_000  # bases; Manta groups junctions into one EVENT up to this distance
SHARE = 1 / 4  # largest share of the turned bases that are lost or doubled at either end


class Inversion(NamedTuple):
    """Holds the bases that an inversion turns, where they differ from those that it replaces.

    Attributes:
        start: First turned reference base, from 0.
        end: One past the last turned base.
        before: New letters left of the turned bases.
        after: New letters right of the turned bases.
    """

    start: int
    end: int
    before: str = ""
    after: str = ""

    @property
    def length(self) -> int:
        """Returns the number of bases that take the place of the replaced bases."""
        return len(self.before) + self.end - self.start + len(self.after)


class Fitted(NamedTuple):
    """Describes an inversion that two junctions make.

    Attributes:
        start: First replaced reference base, from 0.
        end: One past the last replaced base.
        inversion: Bases in their place; None when these are the replaced bases, turned.
    """

    start: int
    end: int
    inversion: Inversion | None = None


Room = Callable[[Junction], tuple[int, int]]


def fitted(left: Junction, right: Junction, room: Room) -> Fitted | None:
    """Returns the inversion of two ends; None when no inversion has both.

    Args:
        left: Joins the base left of the inversion to its last base.
        right: Joins its first base to the base right of the inversion.
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
    """Returns how far the left end must move right so that both ends fit exactly, or None.

    The left end may move by k and the right end by j, each within its homology. They fit exactly
    when a + k + 1 = c + j and b - k + 1 = d - j, hence k - j = c - a - 1 = b + 1 - d.
    """
    gap = right.low - left.low - 1
    if left.chrom != right.chrom or gap != left.high + 1 - right.high or abs(gap) > TOLERANCE:
        return None
    shift = 0
    if gap:
        (back, ahead), (back_right, ahead_right) = room(left), room(right)
        # j = k - gap must lie between -back_right and ahead_right.
        least, most = max(-back, gap - back_right), min(ahead, gap + ahead_right)
        if least > most:
            return None
        shift = min(max(least, 0), most)
    return shift if left.low + shift < left.high - shift else None


def paired(ends: Sequence[Junction], room: Room) -> tuple[list[tuple[int, int]], set[int]]:
    """Finds the pairs of ends that are an inversion each, by their bases.

    Pairs that fit exactly come first, then those that fit within TOLERANCE and SHARE. Two ends are
    a pair when each of them fits no third end.

    Args:
        ends: Junctions; those that are not ends of inversions are ignored.
        room: Returns by how many bases a junction can move left and right.

    Returns:
        Pairs (left, right) of positions in `ends`, and positions of ends that fit several ends.
    """
    pairs: list[tuple[int, int]] = []
    fits: dict[int, list[int]] = {}
    used: set[int] = set()
    for find_partners in (functools.partial(_exact_partners, room=room), _near_partners):
        left, right = (
            [i for i, end in enumerate(ends) if end.form == form and i not in used]
            for form in (junctions.LEFT, junctions.RIGHT)
        )
        # Two partners are enough to know that an end is ambiguous.
        fits = {
            number: list(itertools.islice(partners, 2))
            for numbers, candidates in ((left, right), (right, left))
            for number, partners in find_partners(ends, numbers, candidates)
        }
        for first in left:
            partners_of_first = fits[first]
            if len(partners_of_first) == 1 and fits[partners_of_first[0]] == [first]:
                pairs.append((first, partners_of_first[0]))
                used |= {first, partners_of_first[0]}
    return pairs, {number for number, partners in fits.items() if partners} - used


Partners = Iterator[tuple[int, Iterator[int]]]


def _exact_partners(
    ends: Sequence[Junction], numbers: Sequence[int], candidates: Sequence[int], *, room: Room
) -> Partners:
    """Yields ends with the candidates that fit them exactly.

    Homology moves both bases of an end but not their sum, which is the key of the look-up.
    """
    by_sum: dict[tuple[str, int], list[tuple[int, int]]] = {}
    for number in candidates:
        end = ends[number]
        by_sum.setdefault((end.chrom, end.low + end.high), []).append((end.low, number))
    for sorted_bases in by_sum.values():
        sorted_bases.sort()

    def fitting(number: int) -> Iterator[int]:
        end = ends[number]
        leftmost = end.form == junctions.LEFT
        step = 1 if leftmost else -1
        # An exact partner has both bases one further in: c + d = (a + 1) + (b + 1).
        sorted_bases = by_sum.get((end.chrom, end.low + end.high + 2 * step), [])
        for partner in _within(sorted_bases, end.low + step, TOLERANCE):
            left, right = (number, partner) if leftmost else (partner, number)
            if _exact_shift(ends[left], ends[right], room) is not None:
                yield partner

    for number in numbers:
        yield number, fitting(number)


def _near_partners(
    ends: Sequence[Junction], numbers: Sequence[int], candidates: Sequence[int]
) -> Partners:
    """Yields ends with the candidates that lose or double few enough bases with them.

    Candidates are looked up by their base in the inverted piece, c of a right and b of a left end.
    Together with a base of the end it gives the length of the piece, hence the largest number of
    lost or doubled bases.
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
        # The two bases of a partner without lost or doubled bases.
        exact_base, exact_far = (low + 1, high + 1) if left else (high - 1, low - 1)
        inner_bases = bases.get(chrom, [])
        first = bisect.bisect_left(inner_bases, exact_base - TOLERANCE)
        for base in inner_bases[first : bisect.bisect_right(inner_bases, exact_base + TOLERANCE)]:
            piece = high + 1 - base if left else base + 1 - low  # inverted bases
            limit = min(TOLERANCE, int(piece * SHARE))
            if abs(base - exact_base) <= limit:
                yield from _within(inner[chrom][base], exact_far, limit)

    for number in numbers:
        yield number, fitting(number)


def _within(sorted_bases: Sequence[tuple[int, int]], base: int, limit: int) -> Iterator[int]:
    """Yields the numbers whose base is at most `limit` away from `base`; the bases are sorted."""
    first = bisect.bisect_left(sorted_bases, (base - limit, -1))
    for candidate, number in itertools.islice(sorted_bases, first, None):
        if candidate > base + limit:
            return
        yield number
