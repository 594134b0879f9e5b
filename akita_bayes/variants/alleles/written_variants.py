"""Reads variants that are written as text, such as chr2:1727912:C:A, as records of a VCF.

chr2:1727912:C:A        CHROM:POS:REF:ALT, POS from 1 as in VCF; letters as in VCF
chr2-1727912-C-A        the same, as gnomAD writes it
chr2:1727912C>A         the same, as HGVS writes a substitution; also chr2:1727912:C>A
chr2:1,000-2,000:DEL    a deletion, DUP or INV of bases 1000 to 1999, counted from 0 as in BED
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from akita_bayes import errors, files, regions
from akita_bayes.variants.alleles import records, vcf
from akita_bayes.variants.alleles.variant_row import Variant

FORMS = "CHROM:POS:REF:ALT, as chr2:1727912:C:A, or a region and DEL, DUP or INV, as chr2:5-90:DEL"

_LETTERS = (
    re.compile(r"(?P<chrom>\S+):(?P<pos>\d[\d,]*):(?P<ref>[A-Za-z]+):(?P<alt>[A-Za-z]+)"),
    re.compile(r"(?P<chrom>\S+):(?P<pos>\d[\d,]*):?(?P<ref>[A-Za-z]+)>(?P<alt>[A-Za-z]+)"),
    re.compile(r"(?P<chrom>[^\s:]+)-(?P<pos>\d+)-(?P<ref>[A-Za-z]+)-(?P<alt>[A-Za-z]+)"),
)
_EVENT = re.compile(r"(?P<region>\S+:\d[\d,]*-\d[\d,]*):<?(?P<kind>DEL|DUP|INV)>?")
_HEADER = (
    "##fileformat=VCFv4.3\n"
    '##INFO=<ID=END,Number=1,Type=Integer,Description="Last base of the event">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
)


def is_variant(text: str) -> bool:
    """Returns True for a text of one of the forms above."""
    return _columns(text) is not None


def read(texts: Iterable[str], genome: Any) -> Iterator[Variant]:
    """Yields the row of each variant, as `records.read` does for a file.

    Args:
        texts: Variants; the n-th has the record number n.
        genome: A `data.genome.Genome`; checks REF and names chromosomes.

    Raises:
        VariantError: A text has another form.
    """
    for number, text in enumerate(texts):
        columns = [column.encode() for column in _record(text)]
        yield from records.from_line(number, vcf.Line(number + 1, columns), genome)


def write_vcf(texts: Iterable[str], path: str | Path) -> None:
    """Writes variants as a VCF with one record each; the text is the ID.

    Raises:
        VariantError: A text has another form.
    """
    lines = ["\t".join(_record(text)) + "\n" for text in texts]
    with files.atomic(path) as temporary:
        temporary.write_text(_HEADER + "".join(lines), encoding="utf-8")


def _record(text: str) -> list[str]:
    columns = _columns(text)
    if columns is None:
        raise errors.VariantError(f'"{text}" is not a variant; expected {FORMS}.')
    return columns


def _columns(text: str) -> list[str] | None:
    """Returns the eight columns of a record; None for another text."""
    text = text.strip()
    name = text.replace(",", "")
    for form in _LETTERS:
        if match := form.fullmatch(text):
            pos = match["pos"].replace(",", "")
            return [match["chrom"], pos, name, match["ref"], match["alt"], ".", ".", "."]
    if match := _EVENT.fullmatch(text):
        region = regions.parse(match["region"])
        # POS names the base before the event, counted from 1: the start of the region from 0.
        event = [f"<{match['kind']}>", ".", ".", f"END={region.end}"]
        return [region.chrom, str(region.start), name, "N", *event]
    return None
