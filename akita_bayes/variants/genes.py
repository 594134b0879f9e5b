"""Reads genes of a GTF or BED file, and finds where they lie in the frame of a map."""

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from akita_bayes import errors, files, regions
from akita_bayes.regions import Region
from akita_bayes.variants.alleles import bin_loci

_NAME = re.compile(r'gene_name "([^"]+)"')
_WHOLE_NUMBERS = re.compile(r"[^\t]+\t\d+\t\d+(\t|$)")
_ID = re.compile(r'gene_id "([^"]+)"')


class Gene(NamedTuple):
    """Describes a named interval; `strand` is "+", "-" or "."."""

    name: str
    region: Region
    strand: str


class GeneSpans(NamedTuple):
    """Holds a gene and the bins of the frame where its stretches start and end, with fractions."""

    name: str
    strand: str
    spans: list[tuple[float, float]]


def read(path: str | Path) -> list[Gene]:
    """Reads the `gene` lines of a GTF, or every line of a BED (name column 4, strand column 6).

    The path is a file or a pipe, plain or gzipped. A file is a BED when its name ends in `.bed` or
    `.bed.gz`, or when the second and third columns of its first line are whole numbers.

    Raises:
        DataError: The file is missing or cannot be read, or a line is malformed.
    """
    lines = _numbered(path)
    first = next(lines, None)
    if first is None:
        return []
    bed = re.search(r"\.bed(\.b?gz)?$", str(path)) or _WHOLE_NUMBERS.match(first[1])
    parse = _of_bed if bed else _of_gtf
    genes = []
    for number, line in itertools.chain([first], lines):
        try:
            gene = parse(line.split("\t"))
        except (IndexError, ValueError):
            kind = "BED" if bed else "GTF"
            raise errors.DataError(
                f"{path}, line {number}: is not a line of a {kind}; correct or remove it."
            ) from None
        if gene is not None:
            genes.append(gene)
    return genes


def spans(annotation: Iterable[Gene], stretches: Sequence[bin_loci.Stretch]) -> list[GeneSpans]:
    """Returns the genes that lie in a frame, with their bins.

    Args:
        annotation: Genes, whose chromosomes may be named differently ("1" for "chr1").
        stretches: Stretches of the genome in the frame, from left to right.
    """
    names = {stretch.region.chrom for stretch in stretches}
    result = []
    for gene in annotation:
        chrom = regions.own_name(gene.region.chrom, names)
        if chrom is not None:
            parts = bin_loci.spans(gene.region._replace(chrom=chrom), stretches)
            if parts:
                result.append(GeneSpans(gene.name, gene.strand, parts))
    return result


def _numbered(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yields the lines with content, and their numbers from 1."""
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
    name = _NAME.search(fields[8]) or _ID.search(fields[8])
    return Gene(name[1] if name else str(region), region, fields[6])
