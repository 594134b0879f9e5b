"""Half-open, zero-based genomic intervals, and the two ways people write them."""

import itertools
import logging
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from akita_bayes import errors, files

_log = logging.getLogger(__name__)

# Greedy: a name may hold colons, and even end like an interval, so the last colon counts.
_REGION = re.compile(r"^(?P<chrom>\S+):(?P<start>\d[\d,]*)-(?P<end>\d[\d,]*)$")


class Region(NamedTuple):
    """Bases start..end-1 of a chromosome, counted from 0."""

    chrom: str
    start: int
    end: int

    @property
    def width(self) -> int:
        """Number of bases."""
        return self.end - self.start

    def overlaps(self, other: "Region") -> bool:
        """True when the two share a base."""
        return self.chrom == other.chrom and self.start < other.end and other.start < self.end

    def __str__(self) -> str:
        return f"{self.chrom}:{self.start:,}-{self.end:,}"


def parse(text: str) -> Region:
    """Reads `chr1:1,000-2,000` as bases 1000..1999 counted from 0, as BED, cooler and bioframe do.

    Tabix, bcftools and the UCSC browser would read it from 1: one base more, on the left. The last
    colon parts name and interval, so that `HLA-A*01:01:01:01:5-90` lies on `HLA-A*01:01:01:01`.

    Raises:
        DataError: The text has another form, or its end is not right of its start.
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
        sizes: Chromosome lengths of a genome, under whose own name the region comes (`own_name`).

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
    """What a chromosome is called among `names`: the same, with or without `chr`, M as MT."""
    bare = chrom.removeprefix("chr")
    spellings = [chrom, bare, f"chr{bare}"]
    if bare in ("M", "MT"):
        spellings += ["M", "MT", "chrM", "chrMT"]
    return next((name for name in spellings if name in names), None)


def own_names(given: Iterable[str], names: Collection[str], source: str) -> dict[str, str]:
    """What a genome calls each chromosome of a file; those that it lacks are left out.

    Args:
        given: Chromosomes of the file.
        names: Chromosomes of the genome.
        source: The file, for messages.

    Raises:
        DataError: The file has chromosomes, and none of them is there.
    """
    given = list(dict.fromkeys(given))
    found = {chrom: own for chrom in given if (own := own_name(chrom, names)) is not None}
    if given and not found:
        raise errors.DataError(
            f"{source}: no chromosome in common with the genome: it has {_some(given)}, the genome "
            f"{_some(names)}."
        )
    otherwise = [chrom for chrom, own in found.items() if chrom != own]
    if otherwise:
        tell_renamed({chrom: found[chrom] for chrom in otherwise}, source)
    return found


def tell_renamed(renamed: Mapping[str, str], source: str) -> None:
    """Logs what a genome calls the chromosomes of a file that are named otherwise there."""
    (first, own), *others = renamed.items()
    alike = f", and {len(others)} more alike" if others else ""
    _log.info(
        "%s: chromosomes are named otherwise than in the genome; reading %s as %s%s.",
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
    """Yields each BED line as (region, further columns); comments, track lines and blanks skipped.

    Args:
        path: A file or a pipe, plain or gzipped.
        names: Chromosomes of a genome; regions come under these names where one of them is meant
            (`own_name`), and otherwise as they stand in the file.

    Raises:
        DataError: What `files.lines` raises, a line without three columns or with
            impossible coordinates, or no chromosome in common with `names`.
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
        # A chromosome may be called `track_1`: only the whole word begins a line for a browser.
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
                f"{path}, line {number}: {region.start} to {region.end} is no interval; "
                "BED counts from 0 and the end is right of the start."
            )
        yield region, fields[3:]
