"""Recognises the events that breakends describe: deletions, tandem duplications and inversions.

A deletion or a tandem duplication is one junction, in one or two records. An inversion is two
junctions, in two to four records (section 5.4 of the VCF specification calls them W, V, U and X).
Records of one junction are recognised by MATEID or PARID, or by their bases. The two junctions of
an inversion are recognised by an EVENT that names only these two, or by their bases (`inversions`).
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from akita_bayes.variants.alleles import inversions, junctions
from akita_bayes.variants.alleles.junctions import Junction

if TYPE_CHECKING:
    from akita_bayes.variants.alleles import records

EVENT = "breakend_event"  # flag of a row that is scored as a whole event
INEXACT = "inexact_inversion"  # flag of an inversion that loses or doubles bases at its ends
UNPAIRED = "unpaired_inversion_junction"  # flag of an inversion's end whose other end is absent
AMBIGUOUS = "ambiguous_breakend_event"  # flag of an inversion's end that fits several others
COMPLEX = "complex_breakend_event"  # flag of a junction of an EVENT that is more than one event
BEYOND = "event_beyond_window"  # flag of a junction whose whole event no window can show

NAMESAKES = 100  # most rows with one ID to which MATEID can refer; with more it is ignored

Key = tuple[int, int]


class Breakend(NamedTuple):
    """Holds a row of a breakend with the INFO of its record.

    Attributes:
        row: Row of the breakend.
        info: INFO as text by key.
        alleles: Number of ALTs of the record.
    """

    row: "records.Variant"
    info: Mapping[str, str]
    alleles: int

    @property
    def mates(self) -> list[str]:
        """Returns the IDs of the records that describe the same junction."""
        text = self.info.get("MATEID") or self.info.get("PARID") or ""
        names = [name for name in text.split(",") if name not in ("", ".")]
        # One ID per ALT names the mate of each; another number of IDs names mates of all.
        return [names[self.row.allele - 1]] if len(names) == self.alleles else names

    @property
    def joins_chromosomes(self) -> bool:
        """Returns True when the far side lies on another chromosome."""
        return self.row.mate is not None and self.row.mate.chrom != self.row.chrom


class _Distinct(NamedTuple):
    """Holds a junction, the numbers of its breakends among all breakends, and its EVENTs."""

    junction: Junction
    breakends: list[int]
    events: set[str]


class _Event(NamedTuple):
    """Holds the fields of a row that its event determines."""

    kind: str
    start: int
    end: int
    inserted: str = ""
    inversion: inversions.Inversion | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """Returns remarks on the event."""
        inversion = self.inversion
        exact = inversion is None or (inversion.start, inversion.end) == (self.start, self.end)
        return (EVENT,) if exact else (EVENT, INEXACT)


def recognised(breakends: Iterable[Breakend], genome: Any) -> dict[Key, "records.Variant"]:
    """Returns the rows that belong to events, by record and allele.

    Rows of one event get its type, start and end, and a flag. Rows that cannot be scored are
    ignored. Pass all breakends of a file, so that events do not depend on a selection of rows.

    Args:
        breakends: Rows of breakends in the order of the file.
        genome: Reads letters, from which the homology of junctions follows.
    """
    listed = [breakend for breakend in breakends if not breakend.row.reason]
    canonical = functools.cache(functools.partial(junctions.canonical, genome=genome))
    room = functools.cache(functools.partial(junctions.room, genome=genome))
    distinct = _distinct_junctions(listed, canonical)
    events, remarks = _of_event_names(listed, distinct, room)
    by_junction: dict[Junction, list[int]] = {}
    for number, (junction, _, _) in enumerate(distinct):
        if number not in events and number not in remarks:
            by_junction.setdefault(canonical(junction), []).append(number)
    firsts = [numbers[0] for numbers in by_junction.values()]
    pairs, ambiguous = _inversions(firsts, distinct, room)
    for first, numbers in zip(firsts, by_junction.values(), strict=True):
        junction = distinct[first].junction
        event = pairs.get(first) or _single(junction)
        if event is not None:
            events |= dict.fromkeys(numbers, event)
        elif junction.form in (junctions.LEFT, junctions.RIGHT):
            remarks |= dict.fromkeys(numbers, AMBIGUOUS if first in ambiguous else UNPAIRED)
    rows = {}
    for number, (_, members, _) in enumerate(distinct):
        for row in (listed[member].row for member in members):
            if number in events:
                rows[row.record, row.allele] = _as_event(row, events[number])
            elif number in remarks:
                flags = (*row.flags, remarks[number])
                rows[row.record, row.allele] = row._replace(flags=flags)
    return rows


def _as_event(row: "records.Variant", event: _Event) -> "records.Variant":
    return row._replace(**event._asdict(), flags=(*row.flags, *event.flags))


def as_junction(row: "records.Variant") -> "records.Variant":
    """Returns the row of an event as the junction of its record, flagged BEYOND."""
    assert row.mate is not None
    inserted = row.inserted
    if row.inversion is not None:
        inserted = row.inversion.before if row.mate.joined_after else row.inversion.after
    row = row._replace(kind="BND", start=row.position, end=row.position + len(row.ref))
    flags = tuple(flag for flag in row.flags if flag not in (EVENT, INEXACT))
    return row._replace(
        inserted=junctions.letters(row, inserted), inversion=None, flags=(*flags, BEYOND)
    )


def _distinct_junctions(
    listed: Sequence[Breakend], canonical: Callable[[Junction], Junction]
) -> list[_Distinct]:
    """Returns every junction within a chromosome once, in the order of the file.

    Files of several samples may name one junction in several EVENTs; it then counts in each.
    """
    by_number = {
        number: junction
        for number, breakend in enumerate(listed)
        if (junction := junctions.of_row(breakend.row)) is not None
    }
    # Groups of breakends as trees: each number points to a lower one of its group, and the lowest
    # points to itself (union-find). `first_of` halves the path to it on every walk.
    parent = {number: number for number in by_number}

    def first_of(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def join(number: int, mate: int) -> None:
        lower, higher = sorted((first_of(number), first_of(mate)))
        parent[higher] = lower

    firsts: dict[tuple[Junction, str], int] = {}
    names: dict[str, list[int]] = {}
    for number, junction in by_number.items():
        key = canonical(junction), listed[number].info.get("EVENT", "")
        join(number, firsts.setdefault(key, number))
        names.setdefault(listed[number].row.name, []).append(number)
    for number, junction in by_number.items():
        for name in listed[number].mates:
            mates = names.get(name, [])
            for mate in mates if len(mates) <= NAMESAKES else ():
                if _may_be_mates(junction, by_number[mate]):
                    join(number, mate)
    groups: dict[int, list[int]] = {}
    for number in by_number:
        groups.setdefault(first_of(number), []).append(number)
    return [_merged(numbers, listed, by_number) for numbers in groups.values()]


def _merged(
    numbers: list[int], listed: Sequence[Breakend], by_number: Mapping[int, Junction]
) -> _Distinct:
    """Merges breakends of one junction, which lies where the first of them puts it.

    If mates have different new letters, the first mate with letters counts.
    """
    lettered = (by_number[number] for number in numbers if by_number[number].letters)
    events = {listed[number].info.get("EVENT", "") for number in numbers}
    return _Distinct(next(lettered, by_number[numbers[0]]), numbers, events - {"", "."})


def _may_be_mates(first: Junction, second: Junction) -> bool:
    """Returns True when two mates lie close enough to be one junction, exact or imprecise."""
    near = max(abs(first.low - second.low), abs(first.high - second.high)) <= inversions.TOLERANCE
    return near and (first.chrom, first.form) == (second.chrom, second.form)


def _single(junction: Junction) -> _Event | None:
    """Returns the event of one junction; None for an end of an inversion or for no change."""
    low, high, letters = junction.low, junction.high, junction.letters
    if junction.form == junctions.DUP:
        return _Event("DUP", low, high + 1, letters)
    if junction.form != junctions.DEL or (high == low + 1 and not letters):
        return None
    return _Event("DEL" if high > low + 1 else "INS", low + 1, high, letters)


def _of_event_names(
    listed: Sequence[Breakend], distinct: Sequence[_Distinct], room: inversions.Room
) -> tuple[dict[int, _Event], dict[int, str]]:
    """Returns events and remarks of the junctions that share an EVENT with others.

    An EVENT with one junction, as GRIDSS and LUMPY write it, joins no junctions.
    """
    members: dict[str, list[int]] = {}
    for number, (_, _, names) in enumerate(distinct):
        for name in names:
            members.setdefault(name, []).append(number)
    # Events that also join chromosomes are more than an inversion.
    across = {end.info.get("EVENT", "") for end in listed if end.joins_chromosomes}
    events: dict[int, _Event] = {}
    remarks: dict[int, str] = {}
    for name, numbers in members.items():
        if len(numbers) == 1 and name not in across:
            continue
        pairs: dict[int, _Event] = {}
        if name not in across and len(numbers) == 2:
            pairs = _inversion(numbers, distinct, room)
        pairs = pairs or _inversions(numbers, distinct, room)[0]
        events |= pairs
        remarks |= {number: COMPLEX for number in numbers if number not in events}
    return events, {number: remark for number, remark in remarks.items() if number not in events}


def _inversion(
    numbers: Sequence[int], distinct: Sequence[_Distinct], room: inversions.Room
) -> dict[int, _Event]:
    """Returns the inversion of two junctions by number, however far they lie apart; or {}."""
    left, right = sorted(
        (distinct[number].junction for number in numbers), key=lambda end: end.form
    )
    if (left.form, right.form) != (junctions.LEFT, junctions.RIGHT):
        return {}
    fitted = inversions.fitted(left, right, room)
    if fitted is None:
        return {}
    return dict.fromkeys(numbers, _Event("INV", fitted.start, fitted.end, "", fitted.inversion))


def _inversions(
    numbers: Sequence[int], distinct: Sequence[_Distinct], room: inversions.Room
) -> tuple[dict[int, _Event], set[int]]:
    """Returns inversions among junctions by their bases, and the ends that fit several ends."""
    pairs, ambiguous = inversions.paired([distinct[number].junction for number in numbers], room)
    events: dict[int, _Event] = {}
    for pair in pairs:
        events |= _inversion([numbers[position] for position in pair], distinct, room)
    return events, {numbers[position] for position in ambiguous}
