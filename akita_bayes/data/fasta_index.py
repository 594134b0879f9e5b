"""Makes the index of a FASTA file, or checks that an index belongs to the file.

An index says at which byte each sequence begins and how long its lines are. The index of another
file gives wrong letters without an error. A sample of its entries is therefore compared with the
file: each sequence needs a header of its name before it, and the end of a line behind it.
"""

import bisect
import contextlib
import gzip
import itertools
import os
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pysam

from akita_bayes import errors, files
from akita_bayes.files import damage

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SAME_TIME = 1.0  # seconds between the times of files that were copied together
_SAMPLED = 64  # entries of an index that are compared with the file
_HEADER = 4096  # bytes before a sequence that are searched for its header
_TAIL = 65536  # bytes behind the last sequence that may be blank


class _Entry(NamedTuple):
    """Holds one line of an index: name, number of letters, first byte, and length of the lines."""

    name: bytes
    letters: int
    offset: int
    line_letters: int
    line_bytes: int

    @property
    def end(self) -> int:
        """Returns the byte behind the last letter.

        100 letters from byte 5, in lines of 60 letters and 61 bytes, end at 5 + 61 + 40 = 106.
        """
        before = max(0, self.letters - 1) // max(1, self.line_letters)  # full lines before the last
        return self.offset + before * self.line_bytes + self.letters - before * self.line_letters


def prepare(path: Path) -> None:
    """Makes the index of a FASTA file without one, or checks the index that exists.

    Raises:
        DataError: The file is empty, is not a FASTA or is damaged, or two sequences share a name;
            its index belongs to another file; or an index cannot be made, since lines differ in
            length or the folder cannot be written.
    """
    compressed = _check_format(path)
    suffixes = (".fai", ".gzi") if compressed else (".fai",)
    indices = [path.with_name(path.name + suffix) for suffix in suffixes]
    if all(index.exists() for index in indices):
        _check_age(path, indices)
        _check_fit(path, indices)
    else:
        _check_names(path, compressed)
        _make(path, indices)
        misplaced = _unfit(path, indices)
        if misplaced is not None:
            for index in indices:
                files.remove(index)
            raise errors.DataError(
                f'{path}: cannot be indexed as a FASTA: sequence "{misplaced}" holds more than '
                "letters and ends of lines; check that it is a text file."
            )


def cause(path: Path) -> str:
    """Returns the message that htslib writes to the standard error when it cannot open a FASTA."""
    with _captured() as messages, contextlib.suppress(OSError, ValueError):
        pysam.FastaFile(str(path)).close()
    return _first_error(messages)


def _check_format(path: Path) -> bool:
    """Returns True for a FASTA compressed by bgzip, False for a plain one; refuses other files."""
    with open(path, "rb") as handle:
        head = handle.read(len(_BYTE_ORDER_MARK))
    if not head:
        raise errors.DataError(f"{path}: the FASTA file is empty.")
    compressed = head.startswith(damage.GZIP)
    if compressed:
        with damage.unpacking(path), gzip.open(path) as content:
            head = content.read(len(_BYTE_ORDER_MARK))
    if head.startswith(_BYTE_ORDER_MARK):
        raise errors.DataError(
            f"{path}: begins with a byte order mark, which is invisible and not part of a FASTA; "
            "save the file again without it."
        )
    if head[:1] != b">":
        raise errors.DataError(f'{path}: not a FASTA file; its first line must start with ">".')
    return compressed


def _check_age(path: Path, indices: list[Path]) -> None:
    """Refuses an index that is older than the file and would give letters of wrong positions."""
    changed = path.stat().st_mtime
    for index in indices:
        if changed - index.stat().st_mtime > _SAME_TIME:
            raise errors.DataError(
                f"{index}: is older than {path.name}, which may have changed since; delete the "
                "index and run again."
            )


def _check_fit(path: Path, indices: list[Path]) -> None:
    """Refuses an index that belongs to another file, or was cut short."""
    misplaced = _unfit(path, indices)
    if misplaced is not None:
        raise errors.DataError(
            f'{indices[0]}: does not fit {path.name}: sequence "{misplaced}" is not where the '
            f"index says, or not the last one; remove "
            f"{' and '.join(index.name for index in indices)} and run again."
        )


def _unfit(path: Path, indices: list[Path]) -> str | None:
    """Returns the name of a sequence whose position in the index is wrong; None if all fit."""
    entries = sorted(_entries(indices[0]), key=lambda entry: entry.offset)
    if not entries:
        raise errors.DataError(
            f"{indices[0]}: is empty, but {path.name} is not; remove "
            f"{' and '.join(index.name for index in indices)} and run again."
        )
    sampled = {round(share * (len(entries) - 1) / _SAMPLED) for share in range(_SAMPLED + 1)}
    with _reader(path, indices) as read:
        for number in sorted(sampled):
            if not _fits(entries[number], read, last=number == len(entries) - 1):
                return entries[number].name.decode(errors="replace")
    return None


def _fits(entry: _Entry, read: "_Read", *, last: bool) -> bool:
    """Returns True when header, letters and the end of a line lie where an entry says."""
    if not entry.letters:
        return True
    start = max(0, entry.offset - _HEADER)
    text_before = read(start, entry.offset - start)
    lines = text_before.rstrip().rsplit(b"\n", 1)
    header = lines[-1]
    header_fits = header.startswith(b">") and (header[1:].split() or [b""])[0] == entry.name
    header_too_long = (
        start > 0 and len(lines) == 1
    )  # a header longer than `_HEADER` is not compared
    if not text_before.endswith(b"\n") or not (header_fits or header_too_long):
        return False
    tail_length = _TAIL if last else 1
    end = read(entry.end - 1, 1 + tail_length)
    letter, tail = end[:1], end[1:]
    return (
        bool(letter.strip(b"> \t\r\n"))
        and not tail.strip()
        and (not last or len(tail) < tail_length)
    )


def _entries(index: Path) -> Iterator[_Entry]:
    try:
        lines = index.read_bytes().splitlines()
    except OSError as error:
        raise errors.DataError(f"{index}: cannot be read ({error.strerror}).") from None
    for number, line in enumerate(lines, 1):
        name, *numbers = line.split(b"\t")
        try:
            letters, offset, line_letters, line_bytes = map(int, numbers)
        except ValueError:
            raise errors.DataError(
                f"{index}, line {number}: not a line of a FASTA index; remove {index.name} and run "
                "again."
            ) from None
        yield _Entry(name, letters, offset, line_letters, line_bytes)


class _Read:
    """Reads bytes of the uncompressed content of a FASTA file."""

    def __init__(self, handle: BinaryIO, blocks: list[tuple[int, int]]) -> None:
        self._handle = handle
        self._blocks = blocks  # (byte of content, byte of file) of each block; empty when plain

    def __call__(self, start: int, count: int) -> bytes:
        if not self._blocks:
            self._handle.seek(start)
            return self._handle.read(count)
        # The last block that begins at or before `start`: 1 << 63 sorts behind every file offset.
        content_offset, file_offset = self._blocks[
            bisect.bisect(self._blocks, (start, 1 << 63)) - 1
        ]
        self._handle.seek(file_offset)
        with gzip.GzipFile(fileobj=self._handle) as content:
            content.read(start - content_offset)
            return content.read(count)


@contextlib.contextmanager
def _reader(path: Path, indices: list[Path]) -> Iterator[_Read]:
    blocks = [] if len(indices) == 1 else _blocks(indices[1])
    with open(path, "rb") as handle:
        try:
            yield _Read(handle, blocks)
        except damage.GZIP_ERRORS:
            raise errors.DataError(
                f"{indices[1]}: does not fit {path.name}, or that file is damaged; remove "
                f"{indices[0].name} and {indices[1].name} and run again."
            ) from None


def _blocks(index: Path) -> list[tuple[int, int]]:
    """Returns the first byte of each block of bgzip, in the content and in the file."""
    content = index.read_bytes()
    count = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else -1
    if len(content) != 8 + 16 * count:
        raise errors.DataError(
            f"{index}: not an index of bgzip, or cut short; remove {index.name} and run again."
        )
    pairs = struct.iter_unpack("<QQ", content[8:])
    return [(0, 0), *((start, file_offset) for file_offset, start in pairs)]


def _check_names(path: Path, compressed: bool) -> None:
    """Refuses two sequences of one name, since an index would silently keep only the first."""
    names: set[bytes] = set()
    with damage.unpacking(path), (gzip.open if compressed else open)(path, "rb") as handle:
        for line in handle:
            if not line.startswith(b">"):
                continue
            name = line[1:].split(maxsplit=1)[0] if line[1:].strip() else b""
            if name in names:
                raise errors.DataError(
                    f"{path}: two sequences are called {name.decode()!r}; rename or remove one."
                )
            names.add(name)


def _make(path: Path, indices: list[Path]) -> None:
    """Makes an index atomically, so that a stopped run does not leave a part of an index."""
    missing = next(index for index in indices if not index.exists())
    try:
        with contextlib.ExitStack() as stack:
            names = [stack.enter_context(files.atomic(index)) for index in indices]
            for name in names:
                name.touch()  # fails at once in a folder that cannot be written
            options = zip(("--fai-idx", "--gzi-idx"), map(str, names), strict=False)
            reason = _faidx([str(path), *itertools.chain(*options)])
            if reason is not None:
                raise _not_indexed(path, reason)
    except OSError as error:
        raise errors.DataError(
            f"{path}: has no index {missing.name}, and its folder cannot be written "
            f"({error.strerror}); let its owner run `samtools faidx {path.name}` there, or copy "
            "the file to a folder of yours."
        ) from None


def _faidx(arguments: list[str]) -> str | None:
    """Runs `samtools faidx` and returns the cause of a failure, or None."""
    verbosity = pysam.set_verbosity(0)
    try:
        pysam.faidx(*arguments)
    except pysam.utils.SamtoolsError:
        pass
    else:
        return None
    finally:
        pysam.set_verbosity(verbosity)
    # Run again to capture the cause, since other threads cannot write to the standard error then.
    with _captured() as messages, contextlib.suppress(pysam.utils.SamtoolsError):
        pysam.faidx(*arguments)
    return _first_error(messages)


def _not_indexed(path: Path, reason: str) -> errors.DataError:
    """Returns the error for a file that htslib cannot index."""
    with open(path, "rb") as plain:
        compressed = plain.read(2) == damage.GZIP
    with damage.unpacking(path), (gzip.open if compressed else open)(path, "rb") as handle:
        odd_line = _odd_line(handle)
    if odd_line is None:
        return errors.DataError(f"{path}: cannot be indexed as a FASTA: {reason}.")
    name, number, text = odd_line
    return errors.DataError(
        f"{path}, line {number}: Different line length in sequence '{name}': the line {text}. All "
        "lines of a sequence but its last must be as long as its first, and none may be blank; "
        "write the file again, as with `seqkit seq -w 60`."
    )


def _odd_line(lines: Iterable[bytes]) -> tuple[str, int, str] | None:
    """Returns sequence, number and description of the first line of a wrong length, or None."""
    name, first, odd = "", b"", None
    for number, line in enumerate(lines, 1):
        if line.startswith(b">"):
            name = (line[1:].split() or [b""])[0].decode(errors="replace")
            first, odd = b"", None
        elif not line.strip():
            odd = odd or (name, number, "is blank")
        elif odd is not None:  # a short or blank line before the last one
            return odd
        elif not first:
            first = line
        elif len(line) != len(first) or len(line.strip()) != len(first.strip()):
            odd = name, number, _length_problem(line, first)
            if len(line.strip()) > len(first.strip()):
                return odd
    return None


def _length_problem(line: bytes, first: bytes) -> str:
    letters, expected = len(line.strip()), len(first.strip())
    if letters != expected:
        return f"has {letters:,} letters, the first line {expected:,}"
    return f"ends with {line[letters:]!r}, the first line with {first[expected:]!r}"


@contextlib.contextmanager
def _captured() -> Iterator[list[bytes]]:
    """Yields a list that collects the standard error, to which htslib writes its messages."""
    messages: list[bytes] = []
    reading, writing = os.pipe()
    os.set_blocking(writing, False)  # a full pipe drops text instead of blocking
    os.set_blocking(reading, False)
    original = os.dup(2)
    verbosity = pysam.set_verbosity(1)
    os.dup2(writing, 2)
    try:
        yield messages
    finally:
        os.dup2(original, 2)
        pysam.set_verbosity(verbosity)
        with contextlib.suppress(BlockingIOError):
            messages.append(os.read(reading, 1 << 16))
        for descriptor in (original, reading, writing):
            os.close(descriptor)


def _first_error(messages: list[bytes]) -> str:
    """Returns the first cause in htslib's messages: `File truncated` of `[E::x] File truncated`."""
    lines = b"".join(messages).decode(errors="replace").splitlines()
    causes = [line.partition("] ")[2] for line in lines if line.startswith("[E::")]
    return causes[0].rstrip(".") if causes else "htslib gives no reason"
