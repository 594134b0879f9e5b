"""Variant files as rows: one row for every ALT allele, scored or skipped with a reason.

Every row says which reference bases [start, end) the ALT replaces and by what.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from akita_bayes import dna, regions
from akita_bayes.variants.alleles import breakend_events, reasons, symbolic_alleles, vcf
from akita_bayes.variants.alleles.variant_row import SWAPPED, Breakend, Variant

AMBIGUOUS = "ambiguous_reference"  # flag of a row on whose REF the genome has an ambiguity code
STRUCTURAL_LENGTH = 50  # bases; a resolved tandem repeat or inversion this long is named DUP or INV

_BREAKEND = re.compile(
    r"(?P<before>[A-Za-z.]*)(?P<bracket>[\[\]])(?P<chrom>[^\[\]]+):(?P<position>[0-9]+)(?P=bracket)"
    r"(?P<after>[A-Za-z.]*)"
)
_CODES = {  # bases that an ambiguity code of IUPAC stands for; N, any base, is not among them
    **{"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC"},
    **{"B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG"},
}
_NO_ALLELE = {
    **dict.fromkeys(["", "."], reasons.NO_ALT),
    "*": reasons.OVERLAPPING,
    **dict.fromkeys(["<*>", "<NON_REF>"], reasons.NO_PARTICULAR_ALLELE),
}
_LETTERS_DISAGREE = "svlen_disagrees_with_letters"


def read(
    path: str | Path, genome: Any, *, region: regions.Region | None = None
) -> Iterator[Variant]:
    """Yields one row per ALT of a VCF, plain or compressed, or of a BCF.

    Records keep their order and number in the file, also when `region` selects among them.
    Breakends that describe a deletion, a tandem duplication or an inversion are rows of that type,
    recognised in the whole file (`events`).

    Args:
        path: The variant file.
        genome: A `data.genome.Genome`; checks REF and names chromosomes.
        region: Only records whose POS lies here.

    Raises:
        VariantError: The file is missing, is not a VCF or BCF, or has a malformed line.
    """
    if region is not None:
        own = regions.own_name(region.chrom, genome.sizes)
        region = region._replace(chrom=own or region.chrom)
    renamed = {}
    described = breakend_events.recognised(_breakends(path, genome), genome)
    with vcf.opened(path) as lines:
        for number, line in enumerate(lines):
            for row in from_line(number, line, genome):
                variant = described.get((row.record, row.allele), row)
                if region is None or variant.lies_in(region):
                    if variant.chrom != line.chrom:
                        renamed[line.chrom] = variant.chrom
                    yield variant
    if renamed:
        regions.tell_renamed(renamed, str(path))


def _breakends(path: str | Path, genome: Any) -> Iterator[breakend_events.Breakend]:
    """Yields the rows of all breakends of a file."""
    with vcf.opened(path) as lines:
        for number, line in enumerate(lines):
            if any("[" in alt or "]" in alt for alt in line.alts):
                for row in from_line(number, line, genome):
                    yield breakend_events.Breakend(row, line.info, len(line.alts))


def from_line(number: int, line: vcf.Line, genome: Any) -> Iterator[Variant]:
    """Yields the rows of one record, REF checked against the genome.

    Where the genome has an ALT, as long as REF, in its place, that row has its alleles swapped: it
    is flagged, and the engine makes REF out of the genome. N in REF is any base where ALT says by
    coordinates what it does, as callers of structural variants write it; beside an ALT of letters
    it would leave open what ALT replaces, and is refused unless the genome has it or the whole REF
    is the N of Sniffles (`_spell_out`).
    """
    chrom = regions.own_name(line.chrom, genome.sizes)
    name, ref, alt = (vcf.text(column) for column in line.columns[2:5])
    base = Variant(number, 0, chrom or line.chrom, line.pos - 1, name, ref, alt)
    alts, info = line.alts, line.info
    if not alts:
        yield base._replace(reason=reasons.NO_ALT)
    for allele, alt in enumerate(alts, 1):
        row = base._replace(allele=allele, alt=alt)
        if alt in _NO_ALLELE:
            yield row._replace(reason=_NO_ALLELE[alt])
            continue
        spelled = _spell_out(row, info, len(alts), chrom, genome)
        checked = _checked(spelled, info, len(alts), chrom, genome)
        # The columns of the row are those of the file, however they were spelled out.
        yield checked._replace(position=row.position, ref=ref, alt=alt)


def _checked(
    row: Variant, info: Mapping[str, str], alleles: int, chrom: str | None, genome: Any
) -> Variant:
    """Returns what a row's ALT does, or the reason why REF does not allow it."""
    match = _match_reference(row, chrom, genome)
    if match.reason and _in_genome(row, chrom, genome):
        swapped = row._replace(ref=row.alt, alt=row.ref)
        match = _match_reference(swapped, chrom, genome)
        row = _resolve(swapped, info, alleles, genome)
        row = row._replace(flags=(*row.flags, SWAPPED))
    else:
        row = _resolve(row, info, alleles, genome)
    if match.reason:
        row = row._replace(reason=match.reason, detail=match.detail)
    return row._replace(flags=(*row.flags, AMBIGUOUS)) if match.ambiguous else row


def _is_symbolic(alt: str) -> bool:
    """Returns True for an ALT that says by coordinates, not by letters, what it does."""
    return alt.startswith("<") or "[" in alt or "]" in alt


def _spell_out(
    row: Variant, info: Mapping[str, str], alleles: int, chrom: str | None, genome: Any
) -> Variant:
    """Returns a row whose N in REF or ALT are the letters that they stand for.

    Beside a symbol or a breakend N is the genome's base. Beside SVTYPE=INS a REF of one N, and
    beside SVTYPE=DEL an ALT of one N, is the empty allele of Sniffles: the letters of ALT are put
    in behind POS, and those of REF, from POS on, are taken out. Letters that begin with the base
    before the event, as SVLEN tells, have it left out. Some of its versions write the first taken
    base at POS + 1, where the genome then has REF.
    """
    if chrom is None or not 0 <= row.position < genome.sizes[chrom]:
        return row
    ref, alt, kind = _upper(row.ref), _upper(row.alt), info.get("SVTYPE", "")
    if _is_symbolic(row.alt):
        bases = genome.padded(chrom, row.position, row.position + len(row.ref))
        pairs = zip(row.ref, bases, strict=True)
        return row._replace(ref="".join(b if letter in "Nn." else letter for letter, b in pairs))
    size = symbolic_alleles.size_of(
        symbolic_alleles.own(info.get("SVLEN", ""), row.allele, alleles)
    )
    if kind == "INS" and ref == "N" and symbolic_alleles.LETTERS.fullmatch(alt):
        letters = row.alt[1:] if alt[0] == "N" and size != len(alt) else row.alt
        before = genome.padded(chrom, row.position, row.position + 1)
        row = row._replace(ref=before, alt=before + letters)
    elif kind == "DEL" and alt == "N" and symbolic_alleles.LETTERS.fullmatch(ref):
        letters = row.ref[1:] if 0 < size == len(ref) - 1 else row.ref
        following = row._replace(position=row.position + 1)
        if _match_reference(row, chrom, genome).reason == reasons.REF_DIFFERS:
            row = row if _match_reference(following, chrom, genome).reason else following
        row = row._replace(alt=row.ref[: len(ref) - len(letters)])
    else:
        return row
    disagrees = size and abs(size - len(letters)) > 1
    return row._replace(flags=(_LETTERS_DISAGREE,)) if disagrees else row


class _Match(NamedTuple):
    """How REF compares with the genome: why it does not match, and whether by ambiguity codes."""

    reason: str = ""
    detail: str = ""
    ambiguous: bool = False


def _match_reference(row: Variant, chrom: str | None, genome: Any) -> _Match:
    """Compares REF with the genome's bases.

    Where the genome has an ambiguity code, VCF 4.3 has REF reduced to the first base that it
    stands for; any of these bases, or a code of some of them, matches.
    """
    if chrom is None:
        return _Match(reasons.CHROMOSOME_UNKNOWN, row.chrom)
    end, size = row.position + len(row.ref), genome.sizes[chrom]
    if row.position < 0 or end > size:
        return _match_beyond(row, size)
    bases, ref = genome.padded(chrom, row.position, end).upper(), _upper(row.ref)
    if not symbolic_alleles.LETTERS.fullmatch(ref):
        return _Match(reasons.REF_UNREADABLE, _shortened(row.ref))
    if bases == ref or all(map(_allows, bases, ref)):
        return _Match(ambiguous=not _CODES.keys().isdisjoint(bases))
    detail = f"REF {_shortened(row.ref)}, genome {_shortened(bases)}"
    return _Match(reasons.REF_DIFFERS, detail)


def _match_beyond(row: Variant, size: int) -> _Match:
    """Judges a REF beyond an end of the chromosome, where VCF puts telomeres: 0 and N + 1."""
    if row.position < 0 and row.alt.startswith("<") and row.ref.upper() in ("N", "."):
        return _Match()
    if row.position in (-1, size) and ("[" in row.alt or "]" in row.alt):
        return _Match(reasons.TELOMERE)
    reason = reasons.BEFORE_FIRST_BASE if row.position < 0 else reasons.OUTSIDE
    return _Match(reason, f"POS {row.position + 1:,}, {size:,} bases")


def _allows(base: str, letter: str) -> bool:
    """Returns True where a base of the genome is, or its code allows, a letter of REF."""
    return base == letter or set(_CODES.get(letter, letter)) <= set(_CODES.get(base, base))


def _in_genome(row: Variant, chrom: str | None, genome: Any) -> bool:
    """Returns True where the genome has an ALT of letters instead of REF.

    Only where both are of one length: else the base that indels share would match by itself.
    """
    known = set(_upper(row.ref + row.alt)) <= set("ACGT")
    if chrom is None or len(row.alt) != len(row.ref) or not known:
        return False
    return not _match_reference(row._replace(ref=row.alt), chrom, genome).reason


def _upper(letters: str) -> str:
    """Returns letters in upper case; others than ASCII as they are, which are not bases."""
    return letters.upper() if letters.isascii() else letters


def _shortened(letters: str) -> str:
    return letters if len(letters) <= 12 else f"{letters[:9]}... ({len(letters):,} bases)"


def _resolve(row: Variant, info: Mapping[str, str], alleles: int, genome: Any) -> Variant:
    """Says what an ALT replaces, from its letters or its symbol.

    Args:
        row: The record's columns with one ALT.
        info: INFO as text by key.
        alleles: Number of ALTs of the record, by which SVLEN is split.
        genome: Names chromosomes of breakends; tells a repeat of the neighbourhood from new DNA.
    """
    if row.alt.startswith("<"):
        size = genome.sizes.get(row.chrom)
        event = symbolic_alleles.read(
            row.alt, row.position + 1, info, allele=row.allele, alleles=alleles, size=size
        )
        return row._replace(**event._asdict())
    if "[" in row.alt or "]" in row.alt:
        return _breakend(row, genome)
    if row.alt.startswith(".") or row.alt.endswith("."):
        return row._replace(kind="BND", reason=reasons.SINGLE_BREAKEND)
    return _letters(row, info, genome)


def _letters(row: Variant, info: Mapping[str, str], genome: Any) -> Variant:
    ref, alt = _upper(row.ref), _upper(row.alt)
    # Only `_spell_out` leaves an ALT empty.
    if not symbolic_alleles.LETTERS.fullmatch(ref) or (
        alt and not symbolic_alleles.LETTERS.fullmatch(alt)
    ):
        return row._replace(reason=reasons.ALT_UNREADABLE, detail=_shortened(row.alt))
    if ref == alt:
        return row._replace(reason=reasons.ALT_EQUALS_REF)
    flags = row.flags if set(alt) <= set("ACGT") else (*row.flags, "ambiguous_bases")
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


def _breakend(row: Variant, genome: Any) -> Variant:
    row = row._replace(kind="BND", start=max(row.position, 0), end=row.position + len(row.ref))
    match = _BREAKEND.fullmatch(row.alt)
    if match is None or bool(match["before"]) == bool(match["after"]):
        return row._replace(reason=reasons.BREAKEND_UNREADABLE, detail=_shortened(row.alt))
    chrom = regions.own_name(match["chrom"], genome.sizes)
    if chrom is None:
        return row._replace(reason=reasons.MATE_CHROMOSOME_UNKNOWN, detail=match["chrom"])
    pos, size = vcf.whole_number(match["position"]), genome.sizes[chrom]
    if pos in (0, size + 1):
        return row._replace(reason=reasons.TELOMERE)
    if pos is None or pos > size:
        detail = f"{_shortened(row.alt)}, {size:,} bases"
        return row._replace(reason=reasons.MATE_OUTSIDE, detail=detail)
    after = bool(match["before"])
    mate = Breakend(chrom, pos - 1, match["bracket"] == "[", after)
    letters = (match["before"] or match["after"]).upper()
    near = len(row.ref)
    inserted = letters[near:] if after else letters[: len(letters) - near]
    kept = letters[:near] if after else letters[len(letters) - near :]
    if inserted and not symbolic_alleles.LETTERS.fullmatch(inserted):
        return row._replace(reason=reasons.BREAKEND_UNREADABLE, detail=_shortened(row.alt))
    if len(kept) < near or not all(map(_keeps, kept, _upper(row.ref), _bases(row, genome))):
        return row._replace(mate=mate, reason=reasons.BREAKEND_CHANGES_REF)
    return row._replace(mate=mate, inserted=inserted)


def _bases(row: Variant, genome: Any) -> str:
    """Returns the genome's bases on which REF lies; N where they are unknown."""
    if row.chrom not in genome.sizes:
        return "N" * len(row.ref)
    bases: str = genome.padded(row.chrom, row.position, row.position + len(row.ref))
    return bases.upper()


def _keeps(letter: str, ref: str, base: str) -> bool:
    """Returns True where a letter of a breakend is REF's base, or the genome's, or is not told."""
    return letter in ("N", ref, base)
