"""Breakends as the events that they describe: deletions, tandem duplications and inversions.

A deletion or a tandem duplication is one junction, in one or two records; an inversion is two
junctions, in two to four (section 5.4 of the VCF specification calls them W, V, U and X).
Records of one junction are recognised by MATEID or PARID, or by their bases; the two junctions of
an inversion by an EVENT that names just these two, or by their bases (`inversions`).
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

NAMESAKES = 100  # rows with one ID, at most, that MATEID can mean; more are not named by it

Key = tuple[int, int]


class Breakend(NamedTuple):
    """A row of a breakend and what its record says about others.

    Attributes:
        row: The row.
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
        return [names[self.row.allele - 1]] if len(names) == self.alleles else names

    @property
    def joins_chromosomes(self) -> bool:
        """Returns True when the far side lies on another chromosome."""
        return self.row.mate is not None and self.row.mate.chrom != self.row.chrom


class _Distinct(NamedTuple):
    """One junction, and the numbers of its breakends in the list of all breakends."""

    junction: Junction
    breakends: list[int]
    events: set[str]


class _Event(NamedTuple):
    """The fields of a row that its event decides."""

    kind: str
    start: int
    end: int
    inserted: str = ""
    inversion: inversions.Inversion | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """Returns remarks on the event."""
        turned = self.inversion
        exact = turned is None or (turned.start, turned.end) == (self.start, self.end)
        return (EVENT,) if exact else (EVENT, INEXACT)


def recognised(breakends: Iterable[Breakend], genome: Any) -> dict[Key, "records.Variant"]:
    """Returns the rows that change, by record and allele.

    Rows of one event have its type, start and end, and a flag. Rows that cannot be scored count as
    absent. All breakends of a file must be given, so that no event depends on a choice of rows.

    Args:
        breakends: Rows of breakends in the order of the file.
        genome: Reads letters, which tell where homology lets a junction lie.
    """
    listed = [breakend for breakend in breakends if not breakend.row.reason]
    place = functools.cache(functools.partial(junctions.canonical, genome=genome))
    room = functools.cache(functools.partial(junctions.room, genome=genome))
    distinct = _distinct_junctions(listed, place)
    events, remarks = _named(listed, distinct, room)
    alike: dict[Junction, list[int]] = {}
    for number, (junction, _, _) in enumerate(distinct):
        if number not in events and number not in remarks:
            alike.setdefault(place(junction), []).append(number)
    firsts = [numbers[0] for numbers in alike.values()]
    pairs, ambiguous = _inversions(firsts, distinct, room)
    for first, numbers in zip(firsts, alike.values(), strict=True):
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
    listed: Sequence[Breakend], place: Callable[[Junction], Junction]
) -> list[_Distinct]:
    """Returns every junction within a chromosome once, in the order of the file.

    A junction that several EVENTs name, as files of several samples may, is one in each of them.
    """
    own = {
        number: junction
        for number, breakend in enumerate(listed)
        if (junction := junctions.of_row(breakend.row)) is not None
    }
    first = {number: number for number in own}

    def first_of(number: int) -> int:
        while first[number] != number:
            first[number] = first[first[number]]
            number = first[number]
        return number

    def join(number: int, other: int) -> None:
        lower, higher = sorted((first_of(number), first_of(other)))
        first[higher] = lower

    seen: dict[tuple[Junction, str], int] = {}
    names: dict[str, list[int]] = {}
    for number, junction in own.items():
        key = place(junction), listed[number].info.get("EVENT", "")
        join(number, seen.setdefault(key, number))
        names.setdefault(listed[number].row.name, []).append(number)
    for number, junction in own.items():
        for name in listed[number].mates:
            mates = names.get(name, [])
            for mate in mates if len(mates) <= NAMESAKES else ():
                if _may_be_mates(junction, own[mate]):
                    join(number, mate)
    groups: dict[int, list[int]] = {}
    for number in own:
        groups.setdefault(first_of(number), []).append(number)
    return [_one_junction(numbers, listed, own) for numbers in groups.values()]


def _one_junction(
    numbers: list[int], listed: Sequence[Breakend], own: Mapping[int, Junction]
) -> _Distinct:
    """Joins breakends of one junction, which is where the first of them says.

    Of mates that differ in their new letters, the first that has any counts.
    """
    lettered = (own[number] for number in numbers if own[number].letters)
    events = {listed[number].info.get("EVENT", "") for number in numbers}
    return _Distinct(next(lettered, own[numbers[0]]), numbers, events - {"", "."})


def _may_be_mates(first: Junction, second: Junction) -> bool:
    """Returns True when records that name each other can be one junction, exact or imprecise."""
    near = max(abs(first.low - second.low), abs(first.high - second.high)) <= inversions.TOLERANCE
    return near and (first.chrom, first.form) == (second.chrom, second.form)


def _single(junction: Junction) -> _Event | None:
    """Returns the event of one junction; None for an end of an inversion, or for no change."""
    low, high, letters = junction.low, junction.high, junction.letters
    if junction.form == junctions.DUP:
        return _Event("DUP", low, high + 1, letters)
    if junction.form != junctions.DEL or (high == low + 1 and not letters):
        return None
    return _Event("DEL" if high > low + 1 else "INS", low + 1, high, letters)


def _named(
    listed: Sequence[Breakend], distinct: Sequence[_Distinct], room: inversions.Room
) -> tuple[dict[int, _Event], dict[int, str]]:
    """Returns events and remarks of the junctions that share an EVENT with others.

    Callers that give each junction an EVENT of its own, as GRIDSS and LUMPY do, join none by it.
    """
    members: dict[str, list[int]] = {}
    for number, (_, _, names) in enumerate(distinct):
        for name in names:
            members.setdefault(name, []).append(number)
    elsewhere = {end.info.get("EVENT", "") for end in listed if end.joins_chromosomes}
    events: dict[int, _Event] = {}
    remarks: dict[int, str] = {}
    for name, numbers in members.items():
        if len(numbers) == 1 and name not in elsewhere:
            continue
        pairs: dict[int, _Event] = {}
        if name not in elsewhere and len(numbers) == 2:
            pairs = _inversion(numbers, distinct, room)
        pairs = pairs or _inversions(numbers, distinct, room)[0]
        events |= pairs
        remarks |= {number: COMPLEX for number in numbers if number not in events}
    return events, {number: remark for number, remark in remarks.items() if number not in events}


def _inversion(
    numbers: Sequence[int], distinct: Sequence[_Distinct], room: inversions.Room
) -> dict[int, _Event]:
    """Returns the inversion of two junctions by number, wherever they lie; nothing if none."""
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
    """Returns inversions among junctions by their bases, and the ends that fit several others."""
    pairs, ambiguous = inversions.paired([distinct[number].junction for number in numbers], room)
    events: dict[int, _Event] = {}
    for pair in pairs:
        events |= _inversion([numbers[position] for position in pair], distinct, room)
    return events, {numbers[position] for position in ambiguous}
