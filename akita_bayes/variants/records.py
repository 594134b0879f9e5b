"""Variant files as rows: one row for every ALT allele, scored or skipped with a reason.

Every row says which reference bases [start, end) the ALT replaces and by what. Symbolic alleles
follow VCF 4.2 to 4.4: POS is the base before the event, END (or POS + |SVLEN|) its last base.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from akita_bayes import dna, regions
from akita_bayes.variants import events, inversions, vcf

SWAPPED = "alleles_swapped"  # flag of a row whose ALT, not whose REF, is the genome's
STRUCTURAL_LENGTH = 50  # bases; a resolved tandem repeat or inversion this long is named DUP or INV

_BREAKEND = re.compile(
    r"^(?P<before>[A-Za-z.]*)(?P<bracket>[\[\]])(?P<chrom>[^\[\]]+):(?P<position>\d+)[\[\]]"
    r"(?P<after>[A-Za-z.]*)$"
)
_LETTERS = re.compile(r"^[ACGTNRYSWKMBDHV]+$")


class Breakend(NamedTuple):
    """The far side of a junction.

    Attributes:
        chrom: Chromosome of the far side, as the genome names it.
        position: The far base next to the junction, counted from 0.
        extends_right: True when the far piece reaches right of `position` (brackets `[`).
        joined_after: True when the far piece follows the near base (`t[p[` and `t]p]`).
    """

    chrom: str
    position: int
    extends_right: bool
    joined_after: bool


class Variant(NamedTuple):
    """One ALT allele of one record.

    Attributes:
        record: Number of the record in its file, from 0.
        allele: Number of the ALT within the record, from 1; 0 when the record has none.
        chrom: Chromosome as the genome names it.
        position: First base of REF, from 0 (the file's POS - 1).
        name: ID column, or "." as in the file.
        ref: REF as in the file.
        alt: ALT as in the file.
        kind: SNV, MNV, INS, DEL, COMPLEX, DUP, INV or BND, or "" when the allele cannot be
            understood.
        start: First replaced reference base, from 0.
        end: One past the last replaced reference base.
        inserted: Letters that stand in their place, upper case; for BND, letters in the junction;
            for DUP, letters between the two copies.
        mate: The far side of a junction, for BND and for events that breakends describe.
        flags: Remarks that do not hinder scoring.
        reason: Why the allele is not scored; "" when it can be.
        inversion: The turned bases of an INV, where they are not just those that it replaces.
    """

    record: int
    allele: int
    chrom: str
    position: int
    name: str
    ref: str
    alt: str
    kind: str = ""
    start: int = 0
    end: int = 0
    inserted: str = ""
    mate: Breakend | None = None
    flags: tuple[str, ...] = ()
    reason: str = ""
    inversion: inversions.Inversion | None = None

    @property
    def put(self) -> int:
        """Returns how many bases replace the reference bases; of a DUP, how many follow them."""
        if self.inversion is not None:
            return self.inversion.length
        turned_or_copied = self.end - self.start if self.kind in ("DUP", "INV") else 0
        return turned_or_copied + len(self.inserted)

    @property
    def size(self) -> int:
        """Bases that the event touches: the longer of what it takes and what it puts."""
        return max(self.end - self.start, self.put)

    @property
    def swapped(self) -> bool:
        """True when the genome has the ALT: `start` to `inserted` then say how REF is made."""
        return SWAPPED in self.flags

    def lies_in(self, region: regions.Region) -> bool:
        """Whether POS is one of the region's bases."""
        return self.chrom == region.chrom and region.start <= self.position < region.end


def read(
    path: str | Path, genome: Any, *, region: regions.Region | None = None
) -> Iterator[Variant]:
    """Yields one row per ALT of a VCF or BCF, plain or bgzipped, with or without an index.

    Records keep their order and number in the file, also when `region` selects among them.
    Breakends that describe a deletion, a tandem duplication or an inversion are rows of that type,
    recognised in the whole file (`events`).

    Args:
        path: The variant file.
        genome: A `data.genome.Genome`; checks REF and names chromosomes.
        region: Only records whose POS lies here.

    Raises:
        VariantError: The file is missing, is no VCF, or has a malformed line.
    """
    if region is not None:
        own = regions.own_name(region.chrom, genome.sizes)
        region = region._replace(chrom=own or region.chrom)
    renamed = {}
    described = events.recognised(_breakends(path, genome), genome)
    with vcf.opened(path) as file:
        for number, record in vcf.numbered(path, file):
            for row in from_record(number, record, genome):
                variant = described.get((row.record, row.allele), row)
                if region is None or variant.lies_in(region):
                    if variant.chrom != record.chrom:
                        renamed[record.chrom] = variant.chrom
                    yield variant
    if renamed:
        regions.tell_renamed(renamed, str(path))


def _breakends(path: str | Path, genome: Any) -> Iterator[events.Breakend]:
    """Yields the rows of all breakends of a file."""
    with vcf.opened(path) as file:
        for number, record in vcf.numbered(path, file):
            alts = record.alts or ()
            if any("[" in alt or "]" in alt for alt in alts):
                columns = str(record).rstrip("\n").split("\t")
                info = dict(part.partition("=")[::2] for part in columns[7].split(";"))
                for row in from_record(number, record, genome):
                    yield events.Breakend(row, info, len(alts))


def from_record(number: int, record: Any, genome: Any) -> Iterator[Variant]:
    """Rows of one pysam record, REF checked against the genome.

    Where the genome has an ALT, as long as REF, in its place, that row has its alleles swapped: it
    is flagged, and the engine makes REF out of the genome. N in REF is any base where ALT says by
    coordinates what it does, as callers of structural variants write it; beside an ALT of letters
    it would leave open what ALT replaces, and is refused unless the genome has it.
    """
    chrom = regions.own_name(record.chrom, genome.sizes)
    columns = str(record).rstrip("\n").split("\t")
    info = dict(part.partition("=")[::2] for part in columns[7].split(";"))
    alts = [] if columns[4] in ("", ".") else columns[4].split(",")
    base = Variant(
        number, 0, chrom or record.chrom, record.start, columns[2], columns[3], columns[4]
    )
    if not alts:
        yield base._replace(reason="no ALT allele")
        return
    for allele, alt in enumerate(alts):
        row = base._replace(allele=allele + 1, alt=alt)
        row = row._replace(ref=_spelled(row, chrom, genome))
        problem = _check_reference(row, chrom, genome)
        if problem and _in_genome(row, chrom, genome):
            turned = row._replace(ref=row.alt, alt=row.ref)
            turned = resolve(turned, info, alleles=len(alts), genome=genome)
            yield turned._replace(ref=row.ref, alt=alt, flags=(*turned.flags, SWAPPED))
            continue
        row = resolve(row, info, alleles=len(alts), genome=genome)
        if problem and not _skipped(alt):
            row = row._replace(reason=problem)
        yield row._replace(ref=base.ref)


def _spelled(row: Variant, chrom: str | None, genome: Any) -> str:
    """REF, with the genome's bases for its N where ALT is a symbol or a breakend."""
    symbolic = row.alt.startswith("<") or "[" in row.alt or "]" in row.alt
    if chrom is None or not symbolic or "N" not in row.ref.upper():
        return row.ref
    found = genome.padded(chrom, row.position, row.position + len(row.ref))
    pairs = zip(row.ref, found, strict=True)
    return "".join(base if letter in "Nn" else letter for letter, base in pairs)


def _check_reference(row: Variant, chrom: str | None, genome: Any) -> str:
    if chrom is None:
        return f"chromosome {row.chrom} is not in the genome"
    end = row.position + len(row.ref)
    if row.position < 0 or end > genome.sizes[chrom]:
        return f"position {row.position + 1:,} leaves {chrom}"
    found = genome.padded(chrom, row.position, end).upper()
    if found == row.ref.upper():
        return ""
    return f"REF is {_short(row.ref)} but the genome has {_short(found)}"


def _in_genome(row: Variant, chrom: str | None, genome: Any) -> bool:
    """Whether the genome has an ALT of letters instead of REF.

    Only where both are of one length: else the base that indels share would match by itself.
    """
    known = set((row.ref + row.alt).upper()) <= set("ACGT")
    if chrom is None or len(row.alt) != len(row.ref) or not known:
        return False
    return not _check_reference(row._replace(ref=row.alt), chrom, genome)


def _short(letters: str) -> str:
    return letters if len(letters) <= 12 else f"{letters[:9]}... ({len(letters)} bases)"


def _skipped(alt: str) -> bool:
    return alt in ("*", "<*>", "<NON_REF>")


def resolve(row: Variant, info: Mapping[str, str], *, alleles: int, genome: Any) -> Variant:
    """Says what an ALT replaces, from its letters or its symbol.

    Args:
        row: The record's columns with one ALT.
        info: INFO as text by key.
        alleles: Number of ALTs of the record, by which SVLEN is split.
        genome: Names chromosomes of breakends; tells a repeat of the neighbourhood from new DNA.
    """
    if _skipped(row.alt):
        meaning = "overlapping deletion" if row.alt == "*" else "no specific allele"
        return row._replace(reason=f"ALT {row.alt} stands for {meaning}")
    if row.alt.startswith("<"):
        return _symbolic(row, info, alleles, genome)
    if "[" in row.alt or "]" in row.alt:
        return _breakend(row, genome)
    if row.alt.startswith(".") or row.alt.endswith("."):
        return row._replace(kind="BND", reason="single breakend: its other side is unknown")
    return _letters(row, info, genome)


def _letters(row: Variant, info: Mapping[str, str], genome: Any) -> Variant:
    ref, alt = row.ref.upper(), row.alt.upper()
    if not _LETTERS.match(alt) or not _LETTERS.match(ref):
        return row._replace(reason=f"ALT {_short(row.alt)} is neither letters nor a known symbol")
    if ref == alt:
        return row._replace(reason="ALT equals REF")
    flags = () if set(alt) <= set("ACGT") else ("ambiguous_bases",)
    prefix = _common(ref, alt, min(len(ref), len(alt)))
    ref, alt = ref[prefix:], alt[prefix:]
    suffix = _common(ref[::-1], alt[::-1], min(len(ref), len(alt)))
    ref, alt = ref[: len(ref) - suffix], alt[: len(alt) - suffix]
    start = row.position + prefix
    row = row._replace(start=start, end=start + len(ref), inserted=alt, flags=flags)
    named = info.get("SVTYPE", "")
    if not alt:
        return row._replace(kind="DEL")
    if not ref:
        return _insertion(row, named, genome)
    if len(ref) != len(alt):
        return row._replace(kind="COMPLEX")
    if (named == "INV" or len(ref) >= STRUCTURAL_LENGTH) and dna.reverse_complement(ref) == alt:
        return row._replace(kind="INV", inserted="")
    return row._replace(kind="SNV" if len(ref) == 1 else "MNV")


def _insertion(row: Variant, named: str, genome: Any) -> Variant:
    """Names an insertion DUP when, moved as far left as it goes, it repeats the bases after it."""
    size = len(row.inserted)
    chrom = regions.own_name(row.chrom, genome.sizes)
    if chrom is None or (named != "DUP" and size < STRUCTURAL_LENGTH):
        return row._replace(kind="INS")
    before = genome.padded(chrom, row.start - size, row.start).upper()
    moved = _common(before[::-1], row.inserted[::-1], size)
    start = row.start - moved
    unit = row.inserted[size - moved :] + row.inserted[: size - moved]
    if genome.padded(chrom, start, start + size).upper() != unit:
        return row._replace(kind="INS")
    return row._replace(kind="DUP", start=start, end=start + size, inserted="")


def _common(first: str, second: str, limit: int) -> int:
    return next((i for i in range(limit) if first[i] != second[i]), limit)


def _symbolic(row: Variant, info: Mapping[str, str], alleles: int, genome: Any) -> Variant:
    symbol = row.alt.strip("<>").split(":")[0]
    if symbol == "INS":
        letters = info.get("SVINSSEQ", info.get("SEQ", "")).upper()
        place = row.position + 1
        row = row._replace(kind="INS", start=place, end=place, inserted=letters)
        if not _LETTERS.match(letters):
            return row._replace(inserted="", reason="insertion without its sequence")
        return row
    if symbol not in ("DEL", "DUP", "INV"):
        return row._replace(reason=f"symbolic allele {row.alt} has no defined sequence")
    start = row.position + 1
    end, problem, flags = _symbolic_end(row, info, alleles)
    row = row._replace(kind=symbol, start=start, end=max(end, start), flags=flags, reason=problem)
    size = genome.sizes.get(row.chrom)
    if not problem and size is not None and end > size:
        return row._replace(reason=f"END {end:,} leaves {row.chrom}, which has {size:,} bases")
    return row


def _symbolic_end(
    row: Variant, info: Mapping[str, str], alleles: int
) -> tuple[int, str, tuple[str, ...]]:
    """One past the last base of a symbolic event; why there is none; and remarks.

    END is the last base counted from 1, hence also one past it counted from 0; of several ALTs it
    is the longest's (VCF 4.4), so that each goes by its own SVLEN. SVLEN is signed before VCF 4.4
    and positive since; only its size matters here.
    """
    sizes: Sequence[str] = info.get("SVLEN", "").split(",")
    own = len(sizes) == alleles
    length = _size(sizes[row.allele - 1 if own else 0])
    last = info.get("END", "")
    if length and (not last.isdigit() or (own and alleles > 1)):
        end = row.position + 1 + length
        beyond = last.isdigit() and end > int(last) + 1
        return end, "", ("svlen_disagrees_with_end",) if beyond else ()
    if not last.isdigit():
        return 0, "neither END nor SVLEN says where it ends", ()
    end = int(last)
    if end < row.position + 1:
        return 0, f"END {end:,} is left of POS {row.position + 1:,}", ()
    if end == row.position + 1:
        return 0, "END equals POS: the event has no bases", ()
    if length and abs(end - (row.position + 1) - length) > 1:
        return end, "", ("svlen_disagrees_with_end",)
    return end, "", ()


def _size(text: str) -> int:
    return abs(int(text)) if text.lstrip("-").isdigit() else 0


def _breakend(row: Variant, genome: Any) -> Variant:
    row = row._replace(kind="BND", start=row.position, end=row.position + len(row.ref))
    match = _BREAKEND.match(row.alt)
    if match is None or bool(match["before"]) == bool(match["after"]):
        return row._replace(reason=f"breakend {_short(row.alt)} has none of the four forms")
    chrom = regions.own_name(match["chrom"], genome.sizes)
    if chrom is None:
        return row._replace(reason=f"mate chromosome {match['chrom']} is not in the genome")
    position = int(match["position"]) - 1
    if not 0 <= position < genome.sizes[chrom]:
        return row._replace(reason=f"mate position {position + 1:,} leaves {chrom}")
    after = bool(match["before"])
    mate = Breakend(chrom, position, match["bracket"] == "[", after)
    letters = (match["before"] or match["after"]).upper()
    near = len(row.ref)
    inserted = letters[near:] if after else letters[: len(letters) - near]
    kept = letters[:near] if after else letters[len(letters) - near :]
    same = (letter in ("N", base) for letter, base in zip(kept, row.ref.upper(), strict=False))
    if len(kept) < near or not all(same):
        return row._replace(mate=mate, reason="breakend changes the REF base; write it as two rows")
    return row._replace(mate=mate, inserted=inserted)
