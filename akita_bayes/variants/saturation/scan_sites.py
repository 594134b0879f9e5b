"""Finds sites to scan: regions of a BED, or the bases around each variant on every allele.

Basenji's `akita_sat_vcf.py` mutates the bases around a variant in REF and in each ALT. An ALT is
read from an `Altered` genome, in which one chromosome carries it. The region of the ALT has the
coordinates of that chromosome: those of the genome left of the variant, shifted ones right of an
indel.
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
from akita_bayes.files import damage
from akita_bayes.variants.alleles import derivative, records
from akita_bayes.variants.saturation import scan_names

_log = logging.getLogger(__name__)

TABLE = "sites.tsv"
AROUND = 200
"""Number of bases scanned around a variant, as in Basenji."""

_LETTERS = 10  # most letters of an allele in a name; longer alleles are shortened
_COLUMNS = ("record", "snp", "chr", "pos", "ref", "alt", "sequence", "group", "reason")


class Site(NamedTuple):
    """Describes bases to scan.

    Attributes:
        region: Region on the allele's chromosome.
        allele: Name of the change, as `501A>T`; "" for the genome as it is.
        segments: The changed chromosome; empty for the genome as it is.
    """

    region: regions.Region
    allele: str = ""
    segments: derivative.Segments = ()

    def genome(self, reference: Genome) -> Genome:
        """Returns the genome that the site is scanned in."""
        return Altered(reference, self.region.chrom, self.segments) if self.allele else reference


class Row(NamedTuple):
    """Describes an allele of a variant file.

    Attributes:
        variant: The ALT; for a REF, the first scored ALT of the record.
        sequence: "REF" or "ALT": the allele that the site has.
        site: Bases to scan; None when there is a reason.
        reason: Why there is no site; "" with a site.
    """

    variant: records.Variant
    sequence: str
    site: Site | None
    reason: str = ""


class Span(NamedTuple):
    """Describes which bases of a region, or around a variant, are scanned.

    Attributes:
        bases: Length of the middle part of a region, None for all of it; or of the bases around a
            variant, None for 200, as in Basenji.
        up: Bases left of the middle of a region; None or 0 with `down` to use `bases`.
        down: Bases from the middle of a region to the right.
    """

    bases: int | None = None
    up: int | None = None
    down: int | None = None


class Selection(NamedTuple):
    """Holds the sites of a file.

    Attributes:
        rows: Rows of a variant file; empty for a BED file.
        sites: The distinct sites to scan.
        lines: Number of lines of a BED file, or rows with a site.
    """

    rows: list[Row]
    sites: list[Site]
    lines: int


class Altered(Genome):
    """Replaces one chromosome of a genome by another sequence.

    Args:
        reference: The genome.
        chrom: Name of the chromosome.
        segments: Stretches of its new sequence.
    """

    def __init__(self, reference: Genome, chrom: str, segments: derivative.Segments) -> None:
        self.path = reference.path
        self._reference, self._chrom, self._segments = reference, chrom, segments
        self.sizes = {**reference.sizes, chrom: derivative.length(segments)}

    def fetch(self, region: regions.Region) -> str:
        """Returns the letters of a region, upper case on the changed chromosome.

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
        part = derivative.cut(self._segments, region.start, region.end)
        return derivative.letters(part, self._reference.padded)

    def close(self) -> None:
        """Leaves the reference open; its owner closes it."""


def is_variants(path: str | Path) -> bool:
    """Returns True for a VCF or BCF by its first bytes, or by its name where it is a pipe."""
    if not os.path.isfile(path):
        return str(path).endswith((".vcf", ".vcf.gz", ".bcf"))
    opener = gzip.open if files.is_gzip(path) else open
    with opener(path, "rb") as file:
        try:
            start = file.read(64)
        except damage.GZIP_ERRORS:
            return False  # The reader of BED files reports the damage.
    return start.startswith((b"##fileformat=VCF", b"#CHROM\tPOS", b"BCF"))


def select(path: str | Path, genome: Genome, span: Span | None = None) -> Selection:
    """Returns the sites of a region or a BED file, or those around the variants of a VCF.

    Args:
        path: BED, VCF or BCF; or a region as text, such as "chr2:1,000-1,200".
        genome: The reference.
        span: Which bases are scanned; None for those of `Span()`.

    Raises:
        DataError: A BED file cannot be read, or is empty; or the genome lacks a region.
        VariantError: A variant file cannot be read or has nothing to scan, or the span is only for
            regions.
    """
    span = span or Span()
    if not Path(path).exists() and regions.is_region(str(path)):
        region = regions.parse_in(str(path), genome.sizes)
        return Selection([], [Site(_scanned_part(region, span))], 1)
    if not is_variants(path):
        return _of_regions(path, genome, span)
    if span.up is not None or span.down is not None:
        raise errors.VariantError("-u, -d: need a BED file of regions; with a VCF, give -l.")
    rows = around_variants(path, genome, span.bases or AROUND)
    row_sites = [row.site for row in rows if row.site]
    if not row_sites:
        reason = f"; reason for the first: {rows[0].reason}" if rows else ""
        raise errors.VariantError(f"{path}: has no variant to scan{reason}.")
    return Selection(rows, list(dict.fromkeys(row_sites)), len(row_sites))


def _of_regions(path: str | Path, genome: Genome, span: Span) -> Selection:
    lines = regions.read_bed(path, names=genome.sizes)
    sites = [Site(_scanned_part(region, span)) for region, _ in lines]
    if not sites:
        raise errors.DataError(f"{path}: has no regions; give at least one line.")
    return Selection([], list(dict.fromkeys(sites)), len(sites))


def _scanned_part(region: regions.Region, span: Span) -> regions.Region:
    """Returns the bases of a region that a span chooses."""
    up, down = span.up or 0, span.down or 0
    if up or down:
        middle = (region.start + region.end) // 2
        return region._replace(start=middle - up, end=middle + down)
    if span.bases is None or span.bases >= region.width:
        return region
    start = (region.start + region.end - span.bases) // 2
    return region._replace(start=start, end=start + span.bases)


def around_variants(path: str | Path, genome: Genome, bases: int) -> list[Row]:
    """Returns a row for REF and each ALT of a variant file, in its order.

    The base at POS is the last of the first half of `bases`, as in Basenji. A site that would leave
    the chromosome is cut at its end.

    Args:
        path: VCF or BCF.
        genome: The reference.
        bases: Length of a site in bases.

    Raises:
        VariantError: The file cannot be read.
    """
    rows: list[Row] = []
    with_reference = set()  # records whose own allele has a row
    for variant in records.read(path, genome):
        genome_side, changed_side = ("ALT", "REF") if variant.swapped else ("REF", "ALT")
        if variant.reason or variant.chrom not in genome.sizes:
            rows.append(Row(variant, changed_side, None, variant.reason))
            continue
        if variant.record not in with_reference:
            site = Site(_around(variant, genome.sizes[variant.chrom], bases))
            rows.append(Row(variant, genome_side, site))
            with_reference.add(variant.record)
        if variant.kind == "BND":
            rows.append(
                Row(variant, changed_side, None, "a breakend has no place on one chromosome")
            )
            continue
        segments = derivative.edited(variant, genome.sizes)
        region = _around(variant, derivative.length(segments), bases)
        rows.append(Row(variant, changed_side, Site(region, name(variant), segments)))
    return rows


def _around(variant: records.Variant, size: int, bases: int) -> regions.Region:
    # Of 200 bases, 99 lie left of the base at POS and 100 right of it.
    start = variant.position + 1 - (bases + 1) // 2
    return regions.Region(variant.chrom, max(start, 0), min(start + bases, size))


def name(variant: records.Variant) -> str:
    """Returns the name of a variant's change in names of groups and files."""
    if variant.alt.startswith("<"):
        letters = f"*{zlib.crc32(variant.inserted.encode()):08x}" if variant.inserted else ""
        return f"{variant.position + 1}{variant.kind}{variant.size}{letters}"
    pair = (variant.alt, variant.ref) if variant.swapped else (variant.ref, variant.alt)
    return f"{variant.position + 1}{'>'.join(map(_short, pair))}"


def _short(letters: str) -> str:
    letters = letters.upper()
    if len(letters) <= _LETTERS:
        return letters
    return f"{letters[:5]}*{len(letters)}*{zlib.crc32(letters.encode()):08x}"


def write_table(path: str | Path, rows: Sequence[Row]) -> None:
    """Writes `sites.tsv`: which allele of the variant file is in which group of `sat.h5`.

    Args:
        path: File name.
        rows: Rows of `around_variants`.
    """
    lines = ["\t".join(_COLUMNS)]
    for variant, sequence, site, reason in rows:
        group = scan_names.group_name(site.region, site.allele) if site else ""
        cells = (variant.record, variant.name, variant.chrom, variant.position + 1, variant.ref)
        lines.append("\t".join(map(str, (*cells, variant.alt, sequence, group, reason))))
    with files.atomic(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
