"""Sites to scan: regions of a BED, or what surrounds each variant of a VCF, on every allele.

Basenji's `akita_sat_vcf.py` mutates the bases around a variant in REF and in each ALT. An ALT is
read from an `Altered` genome, the chromosome that carries it, and its region has the coordinates
of that chromosome: those of the genome left of the variant, and moved right of an indel.
"""

import gzip
import logging
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from akita_bayes import errors, files, regions
from akita_bayes.data.genome import Genome
from akita_bayes.variants import alleles, records

log = logging.getLogger(__name__)

TABLE = "sites.tsv"
_SHOWN = 10  # letters of an allele in a name; longer ones are shortened
_COLUMNS = ("record", "snp", "chr", "pos", "ref", "alt", "sequence", "group", "reason")


class Site(NamedTuple):
    """Bases to scan.

    Attributes:
        region: Where they lie on the allele's chromosome.
        allele: Name of the change, as `501A>T`; "" for the genome as it is.
        segments: The changed chromosome; empty for the genome as it is.
    """

    region: regions.Region
    allele: str = ""
    segments: alleles.Segments = ()

    def genome(self, reference: Genome) -> Genome:
        """Returns the genome that the site is scanned in."""
        return Altered(reference, self.region.chrom, self.segments) if self.allele else reference


class Row(NamedTuple):
    """An allele of a variant file.

    Attributes:
        variant: The ALT, or one of the ALTs of the record.
        sequence: "REF" or "ALT": which side of the variant the site has.
        site: What to scan; None with a reason.
        reason: Why there is no site.
    """

    variant: records.Variant
    sequence: str
    site: Site | None
    reason: str = ""


class Altered(Genome):
    """A genome of which one chromosome is another sequence.

    Args:
        reference: The genome.
        chrom: The chromosome.
        segments: What it is made of.
    """

    def __init__(self, reference: Genome, chrom: str, segments: alleles.Segments) -> None:
        self.path = reference.path
        self._reference, self._chrom, self._segments = reference, chrom, segments
        self.sizes = {**reference.sizes, chrom: alleles.length(segments)}

    def fetch(self, region: regions.Region) -> str:
        """Letters of a region, upper case on the changed chromosome.

        Raises:
            DataError: The chromosome is unknown or the region leaves it.
        """
        if region.chrom != self._chrom:
            return self._reference.fetch(region)
        size = self.sizes[region.chrom]
        if not 0 <= region.start <= region.end <= size:
            raise errors.DataError(
                f"{self.path}: {region} leaves the changed {region.chrom}, which has {size:,} "
                "bases."
            )
        part = alleles.cut(self._segments, region.start, region.end)
        return alleles.letters(part, self._reference.padded)

    def close(self) -> None:
        """Leaves the reference open, which is another's to close."""


def is_variants(path: str | Path) -> bool:
    """Tells a VCF or BCF, plain or packed, from a BED by its first bytes; a pipe by its name."""
    if not os.path.isfile(path):
        return str(path).endswith((".vcf", ".vcf.gz", ".bcf"))
    with open(path, "rb") as file:
        head = file.read(2)
        file.seek(0)
        try:
            start = gzip.GzipFile(fileobj=file).read(64) if head == b"\x1f\x8b" else file.read(64)
        except (OSError, EOFError, zlib.error):
            return False  # The reader of BED says what is wrong with it.
    return start.startswith((b"##fileformat=VCF", b"#CHROM\tPOS", b"BCF"))


def around_variants(path: str | Path, genome: Genome, bases: int) -> list[Row]:
    """Returns a row for REF and each ALT of a variant file, in its order.

    The base at POS is the last of the first half of `bases`, as in Basenji; a site that would leave
    the chromosome ends with it.

    Args:
        path: VCF or BCF.
        genome: The reference.
        bases: Length of a site.

    Raises:
        VariantError: The file cannot be read.
    """
    rows: list[Row] = []
    seen = set()
    for variant in records.read(path, genome):
        own, changed = ("ALT", "REF") if variant.swapped else ("REF", "ALT")
        if variant.reason or variant.chrom not in genome.sizes:
            rows.append(Row(variant, changed, None, variant.reason))
            continue
        if variant.record not in seen:
            site = Site(_around(variant, genome.sizes[variant.chrom], bases))
            rows.append(Row(variant, own, site))
            seen.add(variant.record)
        if variant.kind == "BND":
            rows.append(Row(variant, changed, None, "a breakend has no place on one chromosome"))
            continue
        segments = alleles.edited(variant, genome.sizes)
        region = _around(variant, alleles.length(segments), bases)
        rows.append(Row(variant, changed, Site(region, name(variant), segments)))
    return rows


def _around(variant: records.Variant, size: int, bases: int) -> regions.Region:
    # Of 200 bases, 99 lie left of the base at POS and 100 right of it.
    start = variant.position + 1 - (bases + 1) // 2
    return regions.Region(variant.chrom, max(start, 0), min(start + bases, size))


def name(variant: records.Variant) -> str:
    """Returns what the change of a variant is called in names of groups and files."""
    if variant.alt.startswith("<"):
        letters = f"*{zlib.crc32(variant.inserted.encode()):08x}" if variant.inserted else ""
        return f"{variant.position + 1}{variant.kind}{variant.size}{letters}"
    pair = (variant.alt, variant.ref) if variant.swapped else (variant.ref, variant.alt)
    return f"{variant.position + 1}{'>'.join(map(_short, pair))}"


def _short(letters: str) -> str:
    letters = letters.upper()
    if len(letters) <= _SHOWN:
        return letters
    return f"{letters[:5]}*{len(letters)}*{zlib.crc32(letters.encode()):08x}"


def write_table(path: str | Path, rows: Sequence[Row], groups: Sequence[str]) -> None:
    """Writes `sites.tsv`: which allele of the variant file is in which group of `sat.h5`.

    Args:
        path: File name.
        rows: As `around_variants` gives them.
        groups: For each row its group; "" without a site.
    """
    lines = ["\t".join(_COLUMNS)]
    for (variant, sequence, _, reason), group in zip(rows, groups, strict=True):
        cells = (variant.record, variant.name, variant.chrom, variant.position + 1, variant.ref)
        lines.append("\t".join(map(str, (*cells, variant.alt, sequence, group, reason))))
    with files.atomic(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
