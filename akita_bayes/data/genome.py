"""Reads sequences of a genome by region: a FASTA, plain, bgzipped or gzipped, or a .2bit file."""

from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import pysam
from numpy.typing import NDArray

from akita_bayes import dna, errors, files, regions
from akita_bayes.data import fasta_index, gzip_fasta, two_bit
from akita_bayes.files import damage


class _Sequences(Protocol):
    """Reads sequences of one file format."""

    sizes: dict[str, int]

    def fetch(self, chrom: str, start: int, end: int) -> str: ...

    def close(self) -> None: ...


class Genome:
    """Reads regions of a genome; makes the index of a FASTA when it is missing.

    Open one per process: the handle is not shared between processes.

    Args:
        path: A .2bit file, or a FASTA, plain or compressed by bgzip or gzip; the first bytes
            decide.
        circular: Circular chromosomes. A region of one may end beyond its last base, and
            continues at base 0.

    Raises:
        DataError: The file is missing or damaged, `fasta_index.prepare` refuses it or its index,
            or it lacks a circular chromosome.
    """

    def __init__(self, path: str | Path, *, circular: Collection[str] = ()) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise errors.DataError(f"{self.path}: no such FASTA or .2bit file.")
        self._sequences: _Sequences
        if two_bit.is_two_bit(self.path):
            self._sequences = two_bit.TwoBit(self.path)
        elif gzip_fasta.is_plain_gzip(self.path):
            self._sequences = gzip_fasta.GzipFasta(self.path)
        else:
            self._sequences = _IndexedFasta(self.path)
        self.sizes = self._sequences.sizes
        self.circular = frozenset(circular)
        for chrom in self.circular:
            self._size(chrom)

    @property
    def reference_sizes(self) -> dict[str, int]:
        """Returns the lengths of the chromosomes of the reference, of which this may be a copy."""
        return self.sizes

    @property
    def described(self) -> dict[str, Any]:
        """Returns what decides the sequence beside the file."""
        return {}

    def to_reference(self, chrom: str, position: int) -> int:
        """Returns the reference base of a position."""
        return position

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._sequences.close()

    def check(self, region: regions.Region) -> int:
        """Returns the length of the chromosome of a region that lies in the genome.

        Raises:
            DataError: The chromosome is unknown, with a similar name if there is one; or the
                region leaves it.
        """
        size = self._size(region.chrom)
        limit = region.start + size if region.chrom in self.circular else size
        if not 0 <= region.start <= min(region.end, size) or region.end > limit:
            raise errors.DataError(
                f"{self.path}: {region} leaves {region.chrom}, which has {size:,} bases."
            )
        return size

    def fetch(self, region: regions.Region) -> str:
        """Returns the letters of a region, in the case of the file.

        Raises:
            DataError: The chromosome is unknown or the region leaves it.
        """
        size = self.check(region)
        letters = self._sequences.fetch(region.chrom, region.start, min(region.end, size))
        if region.end > size:
            letters += self._sequences.fetch(region.chrom, 0, region.end - size)
        return letters

    def index(self, region: regions.Region) -> NDArray[np.uint8]:
        """Returns the bases of a region as 0..3, and unknown ones as 4. [L]."""
        return dna.to_index(self.fetch(region))

    def padded(self, chrom: str, start: int, end: int) -> str:
        """Returns the letters of `start`..`end`, with N where the interval leaves the chromosome.

        Raises:
            DataError: The chromosome is unknown.
        """
        size = self.sizes.get(chrom, 0)
        inside = regions.Region(chrom, min(max(start, 0), size), max(min(end, size), 0))
        if inside.end <= inside.start:
            self.check(regions.Region(chrom, 0, 0))  # reports an unknown chromosome
            return "N" * (end - start)
        left, right = inside.start - start, end - inside.end
        return "N" * left + self.fetch(inside) + "N" * right

    def _size(self, chrom: str) -> int:
        if chrom not in self.sizes:
            raise errors.DataError(
                f"{self.path}: no chromosome {chrom!r}." + errors.did_you_mean(chrom, self.sizes)
            )
        return self.sizes[chrom]


class _IndexedFasta:
    """Reads a FASTA, plain or compressed by bgzip, through its index."""

    def __init__(self, path: Path) -> None:
        fasta_index.prepare(path)
        verbosity = pysam.set_verbosity(0)
        try:
            self._fasta = pysam.FastaFile(str(path))
        except (OSError, ValueError):
            raise errors.DataError(
                f"{path}: cannot be opened with its index: {fasta_index.cause(path)}; "
                f"remove {path.name}.fai and run again."
            ) from None
        finally:
            pysam.set_verbosity(verbosity)
        self.sizes = dict(zip(self._fasta.references, self._fasta.lengths, strict=True))
        if files.is_gzip(path):
            damage.check_expansion(path, path.stat().st_size, sum(self.sizes.values()))

    def fetch(self, chrom: str, start: int, end: int) -> str:
        return str(self._fasta.fetch(chrom, start, end))

    def close(self) -> None:
        self._fasta.close()


def write_fasta(path: str | Path, sequences: dict[str, str], *, width: int = 80) -> None:
    """Writes a plain FASTA and its `.fai` index, both atomically."""
    path = Path(path)
    files.remove(path.with_name(path.name + ".fai"))
    with files.atomic(path) as temporary, open(temporary, "w", encoding="ascii") as handle:
        for name, sequence in sequences.items():
            handle.write(f">{name}\n")
            for start in range(0, len(sequence), width):
                handle.write(sequence[start : start + width] + "\n")
    pysam.faidx(str(path))
