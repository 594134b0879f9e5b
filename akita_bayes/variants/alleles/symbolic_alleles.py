"""Reads symbolic alleles such as `<DEL>` as edits: which bases they replace, and by what.

They follow VCF 4.2 to 4.4: POS is the base before the event, 0 before the first base, and END (or
POS + |SVLEN|) is its last base. Inserted letters are read as Manta and DRAGEN write them: SVINSSEQ
takes the place of the bases of a deletion, and lies between the two copies of a tandem duplication.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from akita_bayes.variants.alleles import reasons, vcf

LETTERS = re.compile(r"[ACGTNRYSWKMBDHV]+")

_SYMBOL = re.compile(r"<([^<>]+)>")
_COPIES = re.compile(r"(?:CNV:)?CN[:=]?([0-9]+)")
_SIGNED = re.compile(r"-?([0-9]{1,18})")
_PARTLY_KNOWN = ("LEFT_SVINSSEQ", "RIGHT_SVINSSEQ")
_SVLEN_DISAGREES = "svlen_disagrees_with_end"
_INSERTED_UNKNOWN = "inserted_bases_unknown"


class Event(NamedTuple):
    """Holds what an allele does, in fields of `records.Variant`."""

    kind: str = ""
    start: int = 0
    end: int = 0
    inserted: str = ""
    flags: tuple[str, ...] = ()
    reason: str = ""
    detail: str = ""


def read(
    alt: str, pos: int, info: Mapping[str, str], *, allele: int, alleles: int, size: int | None
) -> Event:
    """Reads a symbolic ALT.

    Args:
        alt: The symbol, in angle brackets.
        pos: POS, counted from 1, or 0; it is also the first base of the event, counted from 0.
        info: INFO as text by key.
        allele: Number of the ALT within the record, from 1.
        alleles: Number of ALTs of the record, by which SVLEN and SVINSSEQ are split.
        size: Bases of the chromosome; None when the genome lacks it.
    """
    match = _SYMBOL.fullmatch(alt)
    if match is None:
        return Event(reason=reasons.ALT_UNREADABLE)
    name = match[1].upper()
    copies = _COPIES.fullmatch(name)
    kind = _by_copies(copies[1], info) if copies else name.split(":")[0]
    if kind == "INS":
        letters = own(info.get("SVINSSEQ", info.get("SEQ", "")), allele, alleles).upper()
        if not LETTERS.fullmatch(letters):
            return Event(kind, pos, pos, reason=reasons.INSERTION_UNKNOWN)
        return Event(kind, pos, pos, letters)
    if kind not in ("DEL", "DUP", "INV"):
        return Event(reason=reasons.COPIES_UNDEFINED if copies else reasons.SYMBOL_UNDEFINED)
    end, flags, reason = _end(pos, info, allele, alleles)
    if not reason and end > (vcf.LARGEST if size is None else size):
        reason = reasons.END_OUTSIDE
    if reason:
        detail = "" if reason == reasons.END_MISSING else f"POS {pos:,}, END {end:,}"
        return Event(kind, reason=reason, detail=detail)
    letters, unknown = _beside(kind, info, allele, alleles)
    return Event(kind, pos, end, letters, (*flags, *([_INSERTED_UNKNOWN] if unknown else [])))


def _by_copies(copies: str, info: Mapping[str, str]) -> str:
    """Returns the event of `<CNn>`, n the copies on one haplotype, as in 1000 Genomes, phase 3.

    0 copies are a deletion, 2 copies a tandem duplication. Callers that count both haplotypes write
    2 for no event, so SVTYPE has to agree. The positions of more copies are unknown.
    """
    if not copies.strip("0"):
        return "DEL"
    doubled = copies.lstrip("0") == "2" and info.get("SVTYPE") in ("DUP", "CNV")
    return "DUP" if doubled else ""


def _end(
    pos: int, info: Mapping[str, str], allele: int, alleles: int
) -> tuple[int, tuple[str, ...], str]:
    """Returns one past the last base of an event, its flags, and a reason if it has no end.

    END is the last base counted from 1, so it is also one past the last base counted from 0. With
    several ALTs it belongs to the longest (VCF 4.4), and each ALT uses its own SVLEN. SVLEN is
    signed before VCF 4.4 and positive since; only its size counts here.
    """
    sizes: Sequence[str] = info.get("SVLEN", "").split(",")
    has_own = len(sizes) == alleles
    length = size_of(sizes[allele - 1 if has_own else 0])
    last = vcf.whole_number(info.get("END", ""))
    if length and (last is None or (has_own and alleles > 1)):
        end = pos + length
        # The END of the record belongs to its longest ALT, so only a longer event disagrees.
        beyond = last is not None and end > last + 1
        return end, (_SVLEN_DISAGREES,) if beyond else (), ""
    if last is None:
        return 0, (), reasons.END_MISSING
    if last < pos:
        return last, (), reasons.END_BEFORE_POS
    if last == pos:
        return last, (), reasons.END_AT_POS
    # Callers count SVLEN with or without the base at POS.
    disagrees = length and abs(last - pos - length) > 1
    return last, (_SVLEN_DISAGREES,) if disagrees else (), ""


def size_of(length: str) -> int:
    """Returns the size of a value of SVLEN; 0 when it is missing or is not a whole number."""
    match = _SIGNED.fullmatch(length)
    return int(match[1]) if match else 0


def own(value: str, allele: int, alleles: int) -> str:
    """Returns the value of one ALT when there is one per ALT; else the whole value."""
    values = value.split(",")
    return values[allele - 1] if len(values) == alleles else value


def _beside(kind: str, info: Mapping[str, str], allele: int, alleles: int) -> tuple[str, bool]:
    """Returns the letters that the event also inserts, and True when some letters are left out.

    Letters of an inversion are left out, since the record does not say at which end they lie.
    """
    letters = own(info.get("SVINSSEQ", ""), allele, alleles).upper()
    if LETTERS.fullmatch(letters) and kind != "INV":
        return letters, False
    values = [letters, *(info.get(key, "") for key in _PARTLY_KNOWN)]
    number = size_of(own(info.get("SVINSLEN", ""), allele, alleles))
    return "", number > 0 or any(value not in ("", ".") for value in values)
