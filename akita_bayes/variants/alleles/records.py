"""Reads variant files as rows: one row for every ALT allele, with a reason if it cannot be scored.

Every row gives the reference bases [start, end) that the ALT replaces, and the letters in their
place.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from akita_bayes import dna, regions
from akita_bayes.data import personal_genome
from akita_bayes.variants.alleles import breakend_events, reasons, symbolic_alleles, vcf
from akita_bayes.variants.alleles.variant_row import SWAPPED, Breakend, Variant

__all__ = [
    "AMBIGUOUS",
    "CARRIED",
    "STRUCTURAL_LENGTH",
    "SWAPPED",
    "Breakend",
    "Variant",
    "from_line",
    "read",
]

CARRIED = "on_haplotype"  # flag of a row whose ALT the haplotype has
AMBIGUOUS = "ambiguous_reference"  # flag of a row where the genome has an ambiguity code in REF
STRUCTURAL_LENGTH = 50  # bases from which letters of a tandem repeat or inversion are a DUP or INV

_BREAKEND = re.compile(
    r"(?P<before>[A-Za-z.]*)(?P<bracket>[\[\]])(?P<chrom>[^\[\]]+):(?P<position>[0-9]+)(?P=bracket)"
    r"(?P<after>[A-Za-z.]*)"
)
_CODES = {  # bases of the ambiguity codes of IUPAC; N, which is any base, is not among them
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

    Records keep their order and number in the file, also when `region` selects some of them.
    Breakends that describe a deletion, a tandem duplication or an inversion become rows of that
    type; this takes all breakends of the file (`breakend_events`).

    Args:
        path: The variant file.
        genome: A `data.genome.Genome`; checks REF and names chromosomes.
        region: Region of the POS of records to read; None for all records.

    Raises:
        VariantError: The file is missing, is not a VCF or BCF, or has a malformed line.
    """
    region = of_genome(region, genome)
    renamed = {}
    of_events = breakend_events.recognised(_breakends(path, genome), genome)
    with vcf.opened(path) as lines:
        for number, line in enumerate(lines):
            for row in from_line(number, line, genome):
                variant = of_events.get((row.record, row.allele), row)
                if region is None or variant.lies_in(region):
                    if variant.chrom != line.chrom:
                        renamed[line.chrom] = variant.chrom
                    yield variant
    if renamed:
        regions.tell_renamed(renamed, str(path))


def of_genome(region: regions.Region | None, genome: Any) -> regions.Region | None:
    """Returns a region with the name that the genome has for its chromosome."""
    if region is None:
        return None
    return region._replace(chrom=regions.own_name(region.chrom, genome.sizes) or region.chrom)


def breakends_of(number: int, line: vcf.Line, genome: Any) -> list[breakend_events.Breakend]:
    """Returns the rows of a record, if one of its ALTs is a breakend; else none."""
    if not any("[" in alt or "]" in alt for alt in line.alts):
        return []
    alleles, info = len(line.alts), line.info
    return [breakend_events.Breakend(row, info, alleles) for row in from_line(number, line, genome)]


def _breakends(path: str | Path, genome: Any) -> Iterator[breakend_events.Breakend]:
    """Yields the rows of all breakends of a file."""
    with vcf.opened(path) as lines:
        for number, line in enumerate(lines):
            yield from breakends_of(number, line, genome)


def without_edit(number: int, line: vcf.Line, genome: Any) -> Variant:
    """Returns a row with the columns of a record, before its ALTs are read."""
    chrom = regions.own_name(line.chrom, genome.sizes) or line.chrom
    name, ref, alt = (vcf.text(column) for column in line.columns[2:5])
    return Variant(number, 0, chrom, line.pos - 1, name, ref, alt)


def from_line(number: int, line: vcf.Line, genome: Any) -> Iterator[Variant]:
    """Yields the rows of one record, after a check of REF against the genome.

    When the genome has the letters of an ALT that is as long as REF, the alleles of the row are
    swapped: the row is flagged, and the engine makes REF by an edit of the genome. N in REF is any
    base beside a symbol or a breakend, as callers of structural variants write it. Beside an ALT of
    letters, N does not say what ALT replaces, so it is refused, unless the genome has N there or
    the whole REF is the N of Sniffles (`_spell_out`).
    """
    chrom = regions.own_name(line.chrom, genome.sizes)
    base = without_edit(number, line, genome)
    ref, alts, info = base.ref, line.alts, line.info
    if not alts:
        yield base._replace(reason=reasons.NO_ALT)
    for allele, alt in enumerate(alts, 1):
        row = base._replace(allele=allele, alt=alt)
        if alt in _NO_ALLELE:
            yield row._replace(reason=_NO_ALLELE[alt])
            continue
        lifted = _on_haplotype(row, chrom, genome)
        if lifted.reason:
            yield lifted
            continue
        spelled = _spell_out(lifted, info, len(alts), chrom, genome)
        checked = _checked(spelled, info, len(alts), chrom, genome)
        # The row keeps the columns of the file, also where their letters were spelled out.
        yield checked._replace(position=row.position, ref=ref, alt=alt)


def _checked(
    row: Variant, info: Mapping[str, str], alleles: int, chrom: str | None, genome: Any
) -> Variant:
    """Returns the row with the edit of its ALT, or with the reason why REF does not allow it."""
    match = _match_reference(row, chrom, genome)
    if CARRIED in row.flags or (match.reason and _in_genome(row, chrom, genome)):
        swapped = row._replace(ref=row.alt, alt=row.ref)
        match = _match_reference(swapped, chrom, genome)
        row = _resolve(swapped, info, alleles, genome)
        row = row._replace(flags=(*row.flags, SWAPPED))
    else:
        row = _resolve(row, info, alleles, genome)
    if match.reason:
        start, end = max(row.start, 0), max(row.end, 0)  # a REF before the first base has no bases
        row = row._replace(start=start, end=end, reason=match.reason, detail=match.detail)
    return row._replace(flags=(*row.flags, AMBIGUOUS)) if match.ambiguous else row


def _on_haplotype(row: Variant, chrom: str | None, genome: Any) -> Variant:
    """Returns the row at its place on a haplotype, flagged when the haplotype has its ALT.

    Rows of a reference genome stay as they are.
    """
    if chrom is None or not isinstance(genome, personal_genome.Haplotype):
        return row
    if _is_symbolic(row.alt) or not symbolic_alleles.LETTERS.fullmatch(_upper(row.alt)):
        return row._replace(reason=reasons.LETTERS_ON_HAPLOTYPE)
    site = genome.site(chrom, row.position, row.ref, row.alt)
    if site.position is None:
        edit = site.edit
        detail = "" if edit is None else f"{chrom}:{edit.start + 1:,} to {edit.letters or '-'}"
        return row._replace(reason=reasons.ON_CHANGED_BASES, detail=detail)
    flags = (*row.flags, CARRIED) if site.carried else row.flags
    return row._replace(position=site.position, flags=flags)


def _is_symbolic(alt: str) -> bool:
    """Returns True for an ALT that describes its edit by coordinates instead of letters."""
    return alt.startswith("<") or "[" in alt or "]" in alt


def _spell_out(
    row: Variant, info: Mapping[str, str], alleles: int, chrom: str | None, genome: Any
) -> Variant:
    """Returns the row with the letters for which N in REF or ALT stands.

    Beside a symbol or a breakend, N is the base of the genome. With SVTYPE=INS a REF of one N, and
    with SVTYPE=DEL an ALT of one N, is the empty allele of Sniffles: the letters of ALT are
    inserted after POS, and the letters of REF are deleted from POS on. If SVLEN shows that the
    letters start with the base before the event, this base is left out. Some versions of Sniffles
    write the first deleted base at POS + 1; the genome then has REF there.
    """
    if chrom is None or not 0 <= row.position < genome.sizes[chrom]:
        return row
    ref, alt, kind = _upper(row.ref), _upper(row.alt), info.get("SVTYPE", "")
    if _is_symbolic(row.alt):
        bases = genome.padded(chrom, row.position, row.position + len(row.ref))
        pairs = zip(row.ref, bases, strict=True)
        spelled = "".join(base if letter in "Nn." else letter for letter, base in pairs)
        return row._replace(ref=spelled)
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
    return row._replace(flags=(*row.flags, _LETTERS_DISAGREE)) if disagrees else row


class _Match(NamedTuple):
    """Holds why REF does not match the genome, and True where it matches by ambiguity codes."""

    reason: str = ""
    detail: str = ""
    ambiguous: bool = False


def _match_reference(row: Variant, chrom: str | None, genome: Any) -> _Match:
    """Compares REF with the genome's bases.

    VCF 4.3 replaces an ambiguity code in REF by the first base for which it stands. Here any of
    these bases matches, and any code of some of them.
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
    """Judges a REF beyond an end of the chromosome; VCF puts telomeres at 0 and N + 1."""
    if row.position < 0 and row.alt.startswith("<") and row.ref.upper() in ("N", "."):
        return _Match()
    if row.position in (-1, size) and ("[" in row.alt or "]" in row.alt):
        return _Match(reasons.TELOMERE)
    reason = reasons.BEFORE_FIRST_BASE if row.position < 0 else reasons.OUTSIDE
    return _Match(reason, f"POS {row.position + 1:,}, {size:,} bases")


def _allows(base: str, letter: str) -> bool:
    """Returns True when the genome's base or ambiguity code allows a letter of REF."""
    return base == letter or set(_CODES.get(letter, letter)) <= set(_CODES.get(base, base))


def _in_genome(row: Variant, chrom: str | None, genome: Any) -> bool:
    """Returns True when the genome has an ALT of letters instead of REF.

    Both must have one length: otherwise the base that indels share would match by itself.
    """
    all_bases = set(_upper(row.ref + row.alt)) <= set("ACGT")
    if chrom is None or len(row.alt) != len(row.ref) or not all_bases:
        return False
    return not _match_reference(row._replace(ref=row.alt), chrom, genome).reason


def _upper(letters: str) -> str:
    """Returns letters in upper case; text other than ASCII, which has no bases, unchanged."""
    return letters.upper() if letters.isascii() else letters


def _shortened(letters: str) -> str:
    return letters if len(letters) <= 12 else f"{letters[:9]}... ({len(letters):,} bases)"


def _resolve(row: Variant, info: Mapping[str, str], alleles: int, genome: Any) -> Variant:
    """Returns the row with the edit of its ALT, from letters, a symbol or a breakend.

    Args:
        row: Columns of the record with one ALT.
        info: INFO as text by key.
        alleles: Number of ALTs of the record, by which SVLEN is split.
        genome: Names chromosomes of breakends, and shows whether an insertion repeats its
            neighbourhood.
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
    """Returns the row with the edit of an ALT of letters, without bases that both alleles share."""
    ref, alt = _upper(row.ref), _upper(row.alt)
    # An ALT is empty only after `_spell_out`.
    if not symbolic_alleles.LETTERS.fullmatch(ref) or (
        alt and not symbolic_alleles.LETTERS.fullmatch(alt)
    ):
        return row._replace(reason=reasons.ALT_UNREADABLE, detail=_shortened(row.alt))
    if ref == alt:
        return row._replace(reason=reasons.ALT_EQUALS_REF)
    flags = row.flags if set(alt) <= set("ACGT") else (*row.flags, "ambiguous_bases")
    # ACGT > AGT has the prefix A and the suffix GT: the row deletes C at POS + 1.
    prefix = _common(ref, alt, min(len(ref), len(alt)))
    ref, alt = ref[prefix:], alt[prefix:]
    suffix = _common(ref[::-1], alt[::-1], min(len(ref), len(alt)))
    ref, alt = ref[: len(ref) - suffix], alt[: len(alt) - suffix]
    start = row.position + prefix
    row = row._replace(start=start, end=start + len(ref), inserted=alt, flags=flags)
    sv_type = info.get("SVTYPE", "")
    if not alt:
        return row._replace(kind="DEL")
    if not ref:
        return _insertion(row, sv_type, genome)
    if len(ref) != len(alt):
        return row._replace(kind="COMPLEX")
    if (sv_type == "INV" or len(ref) >= STRUCTURAL_LENGTH) and dna.reverse_complement(ref) == alt:
        return row._replace(kind="INV", inserted="")
    return row._replace(kind="SNV" if len(ref) == 1 else "MNV")


def _insertion(row: Variant, sv_type: str, genome: Any) -> Variant:
    """Returns an insertion as a DUP if it repeats the bases after its leftmost position.

    In TCG|ACGT the insertion of ACG at | equals that of CGA after T, where CGA follows: a DUP.
    """
    size = len(row.inserted)
    chrom = regions.own_name(row.chrom, genome.sizes)
    if chrom is None or (sv_type != "DUP" and size < STRUCTURAL_LENGTH):
        return row._replace(kind="INS")
    before = genome.padded(chrom, row.start - size, row.start).upper()
    moved = _common(before[::-1], row.inserted[::-1], size)
    start = row.start - moved
    unit = row.inserted[size - moved :] + row.inserted[: size - moved]
    if genome.padded(chrom, start, start + size).upper() != unit:
        return row._replace(kind="INS")
    return row._replace(kind="DUP", start=start, end=start + size, inserted="")


def _common(first: str, second: str, limit: int) -> int:
    """Returns the number of equal letters at the start of two texts, at most `limit`."""
    return next((i for i in range(limit) if first[i] != second[i]), limit)


def _breakend(row: Variant, genome: Any) -> Variant:
    """Returns the row with its mate and the letters in its junction, or with a reason."""
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
    ref_length = len(row.ref)
    # REF C, ALT CAG[chr2:5[ keeps C and puts AG into the junction; ALT ]chr2:5]AGC likewise.
    inserted = letters[ref_length:] if after else letters[: len(letters) - ref_length]
    ref_letters = letters[:ref_length] if after else letters[len(letters) - ref_length :]
    if inserted and not symbolic_alleles.LETTERS.fullmatch(inserted):
        return row._replace(reason=reasons.BREAKEND_UNREADABLE, detail=_shortened(row.alt))
    if len(ref_letters) < ref_length or not all(
        map(_keeps, ref_letters, _upper(row.ref), _bases(row, genome))
    ):
        return row._replace(mate=mate, reason=reasons.BREAKEND_CHANGES_REF)
    return row._replace(mate=mate, inserted=inserted)


def _bases(row: Variant, genome: Any) -> str:
    """Returns the bases of the genome at REF; N for an unknown chromosome."""
    if row.chrom not in genome.sizes:
        return "N" * len(row.ref)
    bases: str = genome.padded(row.chrom, row.position, row.position + len(row.ref))
    return bases.upper()


def _keeps(letter: str, ref: str, base: str) -> bool:
    """Returns True when a letter of a breakend is N, the base of REF or that of the genome."""
    return letter in ("N", ref, base)
