"""Reads sequences of a FASTA compressed by plain gzip, by region.

Plain gzip does not allow access by position. The letters are therefore unpacked once for each
process into a temporary file without a name, one sequence after another and without ends of lines;
the file vanishes with the process, even when it is killed.
"""

import functools
import io
import logging
import os
import tempfile
import threading
import weakref
from pathlib import Path
from typing import NamedTuple

from akita_bayes import errors
from akita_bayes.files import damage

_log = logging.getLogger(__name__)

_BLOCK = b"BC"  # bgzip marks each of its blocks by an extra field of this name
_lock = threading.Lock()


class _Unpacked(NamedTuple):
    """Holds the letters of all sequences in one file, and where each sequence begins."""

    letters: "_Letters"
    starts: dict[str, int]
    sizes: dict[str, int]


class _Letters:
    """Owns a temporary file, and closes it when no genome uses it."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by the finalizer
        weakref.finalize(self, self.file.close)


def is_plain_gzip(path: str | Path) -> bool:
    """Returns True for a file compressed by gzip, False for bgzip and for other files."""
    with open(path, "rb") as handle:
        head = handle.read(18)
    has_field = len(head) > 3 and head[3] & 4 and head[12:14] == _BLOCK
    return head.startswith(damage.GZIP) and not has_field


class GzipFasta:
    """Reads regions of a FASTA compressed by plain gzip.

    Args:
        path: The file.

    Raises:
        DataError: The archive is damaged, its content is not a FASTA, or two sequences share a
            name.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).resolve()
        status = self.path.stat()
        with _lock:  # threads wait for one unpacking instead of starting their own
            self._unpacked = _unpack(self.path, status.st_size, status.st_mtime_ns)
        self.sizes = dict(self._unpacked.sizes)

    def close(self) -> None:
        """Leaves the letters open, since other genomes of this process may read them."""

    def fetch(self, chrom: str, start: int, end: int) -> str:
        """Returns the letters of a region, in the case of the file."""
        descriptor = self._unpacked.letters.file.fileno()
        offset = self._unpacked.starts[chrom] + start
        return os.pread(descriptor, end - start, offset).decode("ascii", errors="replace")


@functools.lru_cache(maxsize=2)
def _unpack(path: Path, size: int, modified: int) -> _Unpacked:
    """Unpacks a file; size and time are part of the key, so that a changed file is read again."""
    _log.info(
        "%s: is compressed by plain gzip and is unpacked for this run; bgzip allows access by "
        "position and saves this step: gunzip -c %s | bgzip > genome.fa.gz",
        path,
        path.name,
    )
    letters = _Letters()
    with (
        damage.unpacking(path),
        open(path, "rb") as packed,
        damage.Gunzip(packed, path) as content,
    ):
        starts, sizes = _copy(path, content, letters)
    letters.file.flush()
    return _Unpacked(letters, starts, sizes)


def _copy(
    path: Path, content: io.BufferedReader, letters: _Letters
) -> tuple[dict[str, int], dict[str, int]]:
    """Copies the letters of each sequence; returns first byte and length of each."""
    starts: dict[str, int] = {}
    sizes: dict[str, int] = {}
    name, position = "", 0
    for line in content:
        if line.startswith(b">"):
            name = (line[1:].split(maxsplit=1) or [b""])[0].decode("utf-8", errors="replace")
            if name in starts:
                raise errors.DataError(
                    f"{path}: two sequences are called {name!r}; rename or remove one."
                )
            starts[name], sizes[name] = position, 0
            continue
        text = b"".join(line.split())
        if text and not starts:
            raise errors.DataError(f'{path}: not a FASTA file; its first line must start with ">".')
        if text:
            letters.file.write(text)
            position += len(text)
            sizes[name] += len(text)
    if not starts:
        raise errors.DataError(f"{path}: the FASTA file is empty.")
    return starts, sizes
