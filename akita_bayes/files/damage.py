"""Reports damaged files in one sentence, and limits what compressed files may expand to."""

import contextlib
import errno
import gzip
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from akita_bayes import errors

FREE = 32 << 20
"""Bytes that any file may expand to, whatever its size."""

EXPANSION = 200
"""Largest ratio of the content of a file to its size, above FREE."""

GZIP = b"\x1f\x8b"
"""First bytes of a gzip or bgzip archive (RFC 1952)."""

GZIP_ERRORS = (gzip.BadGzipFile, EOFError, zlib.error)
"""Errors that Python raises while it unpacks a damaged archive."""

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Numbers of the errors of the system that say that a disk, a quota or a file is full."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE)
_HDF5_NUMBER = re.compile(r"errno = (\d+),")
_LONGEST = 120  # characters of the error of a library in a message


@contextlib.contextmanager
def explained(
    path: str | Path,
    kind: str,
    advice: str,
    *,
    error: type[errors.AkitaBayesError] = errors.DataError,
) -> Iterator[None]:
    """Turns what libraries raise for a damaged file into one sentence.

    Errors of this package pass, and those of the system that say nothing about the content: a file
    that is missing or a directory, no permission, a full disk or quota, and too many open files.
    Any other exception, also an error of input or output, counts as damage.

    Args:
        path: The file, for the message.
        kind: Kind of the file with its article, as "a SWAG posterior".
        advice: Next step of the user, as "train again".
        error: Class of the error.

    Raises:
        AkitaBayesError: The file is damaged, and the error of the library is the cause; or another
            program has it open for writing.
        OSError: The system refused, whatever the file holds.
    """
    try:
        yield
    except errors.AkitaBayesError:
        raise
    except (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError):
        raise
    except BlockingIOError:  # HDF5 locks the files that it writes
        raise error(
            f"{path}: another program has it open for writing; run again when that has finished."
        ) from None
    # Parsers of damaged files raise errors of every kind, also AttributeError and MemoryError.
    except Exception as cause:
        if isinstance(cause, OSError) and number_of(cause) in _FULL:
            raise
        raise error(_sentence(path, kind, advice, cause)) from cause


def number_of(error: OSError) -> int | None:
    """Returns the number of an error of the system; HDF5 may give it only in its text."""
    in_text = _HDF5_NUMBER.search(str(error))
    return error.errno or (int(in_text[1]) if in_text else None)


def _sentence(path: str | Path, kind: str, advice: str, cause: BaseException) -> str:
    detail = " ".join(str(cause).split())
    shown = detail if len(detail) <= _LONGEST else f"{detail[:_LONGEST]}..."
    return f"{path}: damaged or not {kind} ({shown or type(cause).__name__}); {advice}."


@contextlib.contextmanager
def unpacking(path: str | Path) -> Iterator[None]:
    """Turns the errors of a damaged gzip or bgzip archive into one sentence.

    Raises:
        DataError: The body found the archive at `path` damaged.
    """
    try:
        yield
    except GZIP_ERRORS as cause:
        raise errors.DataError(archive_fault(path, cause)) from None


def archive_fault(path: str | Path, cause: BaseException, line: int | None = None) -> str:
    """Returns the sentence about a damaged archive, with the last line that could be read."""
    where = "" if line is None else f" after line {line}"
    return (
        f"{path}: the archive is damaged or was cut short{where} ({cause}); compress or copy it "
        "again."
    )


def check_expansion(path: str | Path, size: int, expanded: int) -> None:
    """Refuses a content that is much larger than its file.

    Args:
        path: The file, for the message.
        size: Bytes of the file, or of the part of it that was read.
        expanded: Bytes of its content.

    Raises:
        DataError: The content is larger than FREE and than EXPANSION times the size.
    """
    if expanded > max(FREE, EXPANSION * size):
        raise errors.DataError(
            f"{path}: {size:,} bytes expand to {expanded:,} or more; expected at most "
            f"{EXPANSION} times as many. The file is damaged or not what it seems; copy it again."
        )


def check_archive(archive: zipfile.ZipFile, path: str | Path) -> None:
    """Refuses a zip archive, open from `path`, whose members expand too much."""
    size = os.path.getsize(path)
    check_expansion(path, size, sum(member.file_size for member in archive.infolist()))


class Gunzip(io.BufferedReader):
    """Reads gzip or bgzip, and refuses an archive that expands too much.

    Args:
        packed: The archive, open in binary mode; a pipe too.
        path: Its name, for messages.
    """

    def __init__(self, packed: IO[bytes], path: str | Path) -> None:
        super().__init__(_Counted(packed, path), 1 << 20)


class _Counted(io.RawIOBase):
    """Reads gzip, and compares the bytes that go in and come out."""

    def __init__(self, packed: IO[bytes], path: str | Path) -> None:
        self._packed = _Counter(packed)
        self._content = gzip.GzipFile(fileobj=self._packed, mode="rb")
        self._path = path
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._content.read1(len(buffer))
        buffer[: len(content)] = content
        self._read += len(content)
        check_expansion(self._path, self._packed.count, self._read)
        return len(content)


class _Counter:
    """Counts the bytes that are read from a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.count = 0

    def read(self, size: int = -1) -> bytes:
        """Reads some bytes."""
        content = self._file.read(size)
        self.count += len(content)
        return content

    def seek(self, offset: int) -> int:
        """Refuses to move, since a pipe cannot; gzip asks for it only when it is itself moved."""
        raise io.UnsupportedOperation("seek")
