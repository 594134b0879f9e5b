"""Genomic regions, half-open and counted from 0, and their two written forms."""

import itertools
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from akita_bayes import errors, files

_log = logging.getLogger(__name__)

# Greedy: a chromosome name may hold colons (HLA-A*01:01), so the last colon separates.
_REGION = re.compile(r"^(?P<chrom>\S+):(?P<start>\d[\d,]*)-(?P<end>\d[\d,]*)$")


class Region(NamedTuple):
    """Describes bases start..end-1 of a chromosome, counted from 0."""

    chrom: str
    start: int
    end: int

    @property
    def width(self) -> int:
        """Returns the number of bases."""
        return self.end - self.start

    def overlaps(self, region: "Region") -> bool:
        """Returns True when both regions share a base."""
        return self.chrom == region.chrom and self.start < region.end and region.start < self.end

    def __str__(self) -> str:
        return f"{self.chrom}:{self.start:,}-{self.end:,}"


def is_region(text: str) -> bool:
    """Returns True for a text such as `chr1:1,000-2,000`, whatever its numbers."""
    return _REGION.match(text.strip()) is not None


def parse(text: str) -> Region:
    """Reads `chr1:1,000-2,000` as bases 1000..1999 counted from 0, as BED, cooler and bioframe do.

    Tabix, bcftools and the UCSC browser read the same text from 1: one base more on the left. The
    last colon separates name and interval: `HLA-A*01:01:01:01:5-90` lies on `HLA-A*01:01:01:01`.

    Raises:
        DataError: The text has another form, or its end is not above its start.
    """
    match = _REGION.match(text.strip())
    if match is None:
        raise errors.DataError(
            f'"{text}" is not a region; expected chrom:start-end, as chr1:1,000-2,000.'
        )
    start, end = (int(match[name].replace(",", "")) for name in ("start", "end"))
    if end <= start:
        raise errors.DataError(f'"{text}" ends at or before its start; expected chrom:start-end.')
    return Region(match["chrom"], start, end)


def parse_in(text: str, sizes: Mapping[str, int]) -> Region:
    """Reads a region as `parse` does, or the name of a chromosome as all of that chromosome.

    Args:
        text: The region.
        sizes: Chromosome lengths of a genome; the region gets the genome's name (`own_name`).

    Raises:
        DataError: As `parse`; the genome lacks the chromosome; or the text is both the name of a
            chromosome and an interval of another one.
    """
    text = text.strip()
    match = _REGION.match(text)
    whole = own_name(text, sizes)
    chrom = None if match is None else own_name(match["chrom"], sizes)
    if whole is not None and match is not None and chrom is not None:
        raise errors.DataError(
            f'"{text}" is the name of a chromosome and also an interval of {chrom}; write '
            f"{whole}:0-{sizes[whole]} for the chromosome, or {chrom}:0{match['start']}-"
            f"{match['end']} for the interval."
        )
    if whole is not None:
        return Region(whole, 0, sizes[whole])
    region = parse(text)
    if chrom is None:
        raise errors.DataError(
            f'"{text}": the genome has no chromosome "{region.chrom}".'
            + errors.did_you_mean(region.chrom, sizes)
        )
    return region._replace(chrom=chrom)


def own_name(chrom: str, names: Collection[str]) -> str | None:
    """Returns the spelling of a chromosome in `names`: as it is, with or without `chr`, M as MT."""
    # For "chrM": "chrM", "M", then the spellings MT and chrMT; the first in `names` wins.
    bare = chrom.removeprefix("chr")
    spellings = [chrom, bare, f"chr{bare}"]
    if bare in ("M", "MT"):
        spellings += ["M", "MT", "chrM", "chrMT"]
    return next((name for name in spellings if name in names), None)


def own_names(chroms: Iterable[str], names: Collection[str], source: str) -> dict[str, str]:
    """Returns the genome's name of each chromosome of a file that the genome has.

    Args:
        chroms: Chromosomes of the file.
        names: Chromosomes of the genome.
        source: The file, for messages.

    Raises:
        DataError: The file has chromosomes, and the genome has none of them.
    """
    chroms = list(dict.fromkeys(chroms))
    matches = {chrom: own for chrom in chroms if (own := own_name(chrom, names)) is not None}
    if chroms and not matches:
        raise errors.DataError(
            f"{source}: no chromosome in common with the genome: it has {_some(chroms)}, the "
            f"genome {_some(names)}."
        )
    renamed = {chrom: own for chrom, own in matches.items() if chrom != own}
    if renamed:
        tell_renamed(renamed, source)
    return matches


def tell_renamed(renamed: Mapping[str, str], source: str) -> None:
    """Logs which chromosomes of a file have another name in the genome."""
    (first, own), *rest = renamed.items()
    alike = f", and {len(rest)} more alike" if rest else ""
    _log.info(
        "%s: chromosomes have other names in the genome; reading %s as %s%s.",
        source,
        first,
        own,
        alike,
    )


def _some(names: Iterable[str]) -> str:
    return ", ".join(itertools.islice(names, 4))


def read_bed(
    path: str | Path, *, names: Collection[str] | None = None
) -> Iterator[tuple[Region, list[str]]]:
    """Yields (region, further columns) of each BED line; skips comments, track lines and blanks.

    Args:
        path: A file or a pipe, plain or gzipped.
        names: Chromosomes of a genome; a region gets the genome's name of its chromosome
            (`own_name`), or keeps the name in the file when the genome lacks it.

    Raises:
        DataError: The file cannot be read (`files.lines`), a line has fewer than three columns or
            impossible coordinates, or no chromosome is among `names`.
    """
    if names is None:
        yield from _bed_lines(path)
        return
    lines = list(_bed_lines(path))
    own = own_names((region.chrom for region, _ in lines), names, str(path))
    for region, columns in lines:
        yield region._replace(chrom=own.get(region.chrom, region.chrom)), columns


def _bed_lines(path: str | Path) -> Iterator[tuple[Region, list[str]]]:
    for number, line in enumerate(files.lines(path, "BED file"), 1):
        # Only the whole word marks a browser's line: a chromosome may be called `track_1`.
        if line.startswith("#") or line.split(maxsplit=1)[:1] in ([], ["track"], ["browser"]):
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        try:
            region = Region(fields[0], int(fields[1]), int(fields[2]))
        except (IndexError, ValueError):
            raise errors.DataError(
                f'{path}, line {number}: expected "chrom start end", the last two whole numbers, '
                f'got "{line[:60]}"; a header line must begin with #.'
            ) from None
        if not 0 <= region.start < region.end:
            raise errors.DataError(
                f"{path}, line {number}: {region.start} to {region.end} is not an interval; "
                "BED counts from 0 and the end is above the start."
            )
        yield region, fields[3:]
