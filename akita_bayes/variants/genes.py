"""Genes of a GTF or BED file, to be drawn beside maps."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from akita_bayes import errors, files
from akita_bayes.regions import Region

_NAME = re.compile(r'gene_name "([^"]+)"')
_WHOLE_NUMBERS = re.compile(r"[^\t]+\t\d+\t\d+(\t|$)")
_ID = re.compile(r'gene_id "([^"]+)"')


class Gene(NamedTuple):
    """A named interval; `strand` is "+", "-" or "."."""

    name: str
    region: Region
    strand: str


def read(path: str | Path) -> list[Gene]:
    """Reads the `gene` lines of a GTF, or every line of a BED (name column 4, strand column 6).

    A file or a pipe, plain or gzipped. A BED is told by its name, `.bed` or `.bed.gz`, or, where
    that is neither, by whole numbers in the second and third columns.

    Raises:
        DataError: The file is missing or cannot be read, or a line is malformed.
    """
    lines = _numbered(path)
    first = next(lines, None)
    if first is None:
        return []
    bed = re.search(r"\.bed(\.b?gz)?$", str(path)) or _WHOLE_NUMBERS.match(first[1])
    of = _of_bed if bed else _of_gtf
    genes = []
    for number, line in itertools.chain([first], lines):
        try:
            gene = of(line.split("\t"))
        except (IndexError, ValueError):
            kind = "BED" if bed else "GTF"
            raise errors.DataError(f"{path}, line {number}: is no line of a {kind}.") from None
        if gene is not None:
            genes.append(gene)
    return genes


def _numbered(path: str | Path) -> Iterator[tuple[int, str]]:
    """Lines that say something, by their number."""
    for number, line in enumerate(files.lines(path, "file of genes"), 1):
        if line.strip() and not line.startswith(("#", "track", "browser")):
            yield number, line


def _of_bed(fields: list[str]) -> Gene:
    region = Region(fields[0], int(fields[1]), int(fields[2]))
    name = fields[3] if len(fields) > 3 else str(region)
    return Gene(name, region, fields[5] if len(fields) > 5 else ".")


def _of_gtf(fields: list[str]) -> Gene | None:
    if fields[2] != "gene":
        return None
    region = Region(fields[0], int(fields[3]) - 1, int(fields[4]))
    named = _NAME.search(fields[8]) or _ID.search(fields[8])
    return Gene(named[1] if named else str(region), region, fields[6])
