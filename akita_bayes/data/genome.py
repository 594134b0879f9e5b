"""A genome: sequences of a FASTA file, plain or bgzipped, by region."""

import gzip
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pysam
from numpy.typing import NDArray

from akita_bayes import dna, errors, files, regions

_SAME_TIME = 1.0  # seconds between the times of files that were copied together


class Genome:
    """Reads regions of an indexed FASTA; makes the index when it is missing.

    Open one per process: the handle is not shared between processes.

    Args:
        path: FASTA, plain or compressed by `bgzip`.

    Raises:
        DataError: The file is missing, empty, no FASTA, or compressed by plain gzip, two sequences
            share a name, its index is older than itself, or can neither be found nor made.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise errors.DataError(f"{self.path}: no such FASTA file.")
        _check_format(self.path)
        if self.path.with_name(self.path.name + ".fai").exists():
            _check_indices(self.path)
        else:
            _check_names(self.path)
        verbosity = pysam.set_verbosity(0)
        try:
            self._fasta = pysam.FastaFile(str(self.path))
        except (OSError, ValueError) as error:
            raise errors.DataError(
                f"{self.path}: cannot be read as an indexed FASTA ({error}); a plain gzip file "
                "must be compressed by bgzip, and the folder of a new file must be writable for "
                "its .fai index."
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
        """Letters of a region, in the file's own case.

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
        """Bases of a region as 0..3, unknown ones as 4. [L]."""
        return dna.to_index(self.fetch(region))

    def padded(self, chrom: str, start: int, end: int) -> str:
        """Letters of `start`..`end`, with N where the interval leaves the chromosome.

        Raises:
            DataError: The chromosome is unknown.
        """
        size = self.sizes.get(chrom, 0)
        inside = regions.Region(chrom, min(max(start, 0), size), max(min(end, size), 0))
        if inside.end <= inside.start:
            inside = regions.Region(chrom, 0, 0)
            self.fetch(inside)
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


def _check_format(path: Path) -> None:
    with open(path, "rb") as handle:
        head = handle.read(2)
    if not head:
        raise errors.DataError(f"{path}: the FASTA file is empty.")
    if head[:1] != b">" and head != b"\x1f\x8b":
        raise errors.DataError(f'{path}: not a FASTA file; its first line must start with ">".')


def _check_indices(path: Path) -> None:
    """Refuses an index of an older file, by which letters of other places would be read."""
    changed = path.stat().st_mtime
    for suffix in (".fai", ".gzi"):
        index = path.with_name(path.name + suffix)
        if index.exists() and changed - index.stat().st_mtime > _SAME_TIME:
            raise errors.DataError(
                f"{index}: is older than {path.name}, which may have changed since; delete the "
                "index and run again."
            )


def _check_names(path: Path) -> None:
    """Refuses two sequences of one name, of which indexing would silently keep the first."""
    seen: set[bytes] = set()
    opener = gzip.open if path.suffix in (".gz", ".bgz") else open
    with opener(path, "rb") as handle:
        for line in handle:
            if not line.startswith(b">"):
                continue
            name = line[1:].split(maxsplit=1)[0] if line[1:].strip() else b""
            if name in seen:
                raise errors.DataError(
                    f"{path}: two sequences are called {name.decode()!r}; rename or remove one."
                )
            seen.add(name)
