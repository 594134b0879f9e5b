"""Reads sequences of a FASTA file, plain or bgzipped, by region."""

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pysam
from numpy.typing import NDArray

from akita_bayes import dna, errors, files, regions
from akita_bayes.data import fasta_index


class Genome:
    """Reads regions of an indexed FASTA; makes the index when it is missing.

    Open one per process: the handle is not shared between processes.

    Args:
        path: FASTA, plain or compressed by `bgzip`.

    Raises:
        DataError: The file is missing, or `fasta_index.prepare` refuses it or its index.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise errors.DataError(f"{self.path}: no such FASTA file.")
        fasta_index.prepare(self.path)
        verbosity = pysam.set_verbosity(0)
        try:
            self._fasta = pysam.FastaFile(str(self.path))
        except (OSError, ValueError):
            raise errors.DataError(
                f"{self.path}: cannot be opened with its index: {fasta_index.cause(self.path)}; "
                f"remove {self.path.name}.fai and run again."
            ) from None
        finally:
            pysam.set_verbosity(verbosity)
        self.sizes = dict(zip(self._fasta.references, self._fasta.lengths, strict=True))

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
        self._fasta.close()

    def fetch(self, region: regions.Region) -> str:
        """Returns the letters of a region, in the case of the file.

        Raises:
            DataError: The chromosome is unknown or the region leaves it.
        """
        size = self.sizes.get(region.chrom)
        if size is None:
            raise errors.DataError(
                f"{self.path}: no chromosome {region.chrom!r}."
                + errors.did_you_mean(region.chrom, self.sizes)
            )
        if not 0 <= region.start <= region.end <= size:
            raise errors.DataError(
                f"{self.path}: {region} leaves {region.chrom}, which has {size:,} bases."
            )
        return self._fasta.fetch(region.chrom, region.start, region.end)

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
            inside = regions.Region(chrom, 0, 0)
            self.fetch(inside)  # reports an unknown chromosome
            return "N" * (end - start)
        left, right = inside.start - start, end - inside.end
        return "N" * left + self.fetch(inside) + "N" * right


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
