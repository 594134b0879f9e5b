"""Half-open, zero-based genomic intervals, and the two ways people write them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from akita_bayes import errors

_REGION = re.compile(r"^(?P<chrom>[^\s:]+):(?P<start>[\d,]+)-(?P<end>[\d,]+)$")


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
    """Reads `chr1:1,000-2,000` as bases 1000..1999 counted from 0 (the UCSC file convention).

    Raises:
        DataError: The text has another form, or its end is not right of its start.
    """
    match = _REGION.match(text.strip())
    if match is None:
        raise errors.DataError(
            f'"{text}" is no region; write chrom:start-end, as chr1:1,000-2,000.'
        )
    start, end = (int(match[name].replace(",", "")) for name in ("start", "end"))
    if end <= start:
        raise errors.DataError(f'"{text}" ends at or before its start; write chrom:start-end.')
    return Region(match["chrom"], start, end)


def read_bed(path: str | Path) -> Iterator[tuple[Region, list[str]]]:
    """Yields each BED line as (region, further columns); comments, track lines and blanks skipped.

    Raises:
        DataError: A missing file, one that is not text, or a line without three columns or with
            impossible coordinates.
    """
    path = Path(path)
    if not path.is_file():
        raise errors.DataError(f"{path}: no such BED file.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise errors.DataError(
            f"{path}: not a text file; a compressed BED file must be unpacked first."
        ) from None
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        fields = line.split("\t") if "\t" in line else line.split()
        try:
            region = Region(fields[0], int(fields[1]), int(fields[2]))
        except (IndexError, ValueError):
            raise errors.DataError(
                f'{path}, line {number}: expected "chrom start end", got "{line[:60]}".'
            ) from None
        if not 0 <= region.start < region.end:
            raise errors.DataError(
                f"{path}, line {number}: {region.start} to {region.end} is no interval; "
                "BED counts from 0 and the end is right of the start."
            )
        yield region, fields[3:]
