"""Genes of a GTF or BED file, to be drawn beside maps."""

import gzip
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from akita_bayes import errors
from akita_bayes.regions import Region

_NAME = re.compile(r'gene_name "([^"]+)"')
_ID = re.compile(r'gene_id "([^"]+)"')


class Gene(NamedTuple):
    """A named interval; `strand` is "+", "-" or "."."""

    name: str
    region: Region
    strand: str


def read(path: str | Path) -> list[Gene]:
    """Reads the `gene` lines of a GTF, or every line of a BED (name column 4, strand column 6).

    Plain or gzipped; a name ending in `.bed` or `.bed.gz` is a BED.

    Raises:
        DataError: The file is missing, or a line is malformed.
    """
    path = Path(path)
    if not path.is_file():
        raise errors.DataError(f"{path}: no such file of genes.")
    bed = path.name.removesuffix(".gz").endswith(".bed")
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            return list(_genes(path, lines, bed))
    with open(path, encoding="utf-8") as lines:
        return list(_genes(path, lines, bed))


def _genes(path: Path, lines: Iterable[str], bed: bool) -> Iterator[Gene]:
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(("#", "track", "browser")):
            continue
        fields = line.rstrip("\n").split("\t")
        try:
            if bed:
                region = Region(fields[0], int(fields[1]), int(fields[2]))
                name = fields[3] if len(fields) > 3 else str(region)
                yield Gene(name, region, fields[5] if len(fields) > 5 else ".")
            elif fields[2] == "gene":
                region = Region(fields[0], int(fields[3]) - 1, int(fields[4]))
                named = _NAME.search(fields[8]) or _ID.search(fields[8])
                yield Gene(named[1] if named else str(region), region, fields[6])
        except (IndexError, ValueError):
            kind = "BED" if bed else "GTF"
            raise errors.DataError(f"{path}, line {number}: is no line of a {kind}.") from None
