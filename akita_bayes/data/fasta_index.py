"""The index of a FASTA file: made, or checked to be of this file, with a sentence for each fault.

An index says at which byte each sequence begins and how long its lines are. One that is of another
file gives letters of other places without an error, so a sample of its entries is compared with
the file: a header of the right name before a sequence, and the end of a line behind it.
"""

import bisect
import contextlib
import gzip
import itertools
import os
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import pysam

from akita_bayes import errors, files

_GZIP = b"\x1f\x8b"
_MARK = b"\xef\xbb\xbf"
_SAME_TIME = 1.0  # seconds between the times of files that were copied together
_SAMPLED = 64  # entries of an index that are compared with the file
_HEADER = 4096  # bytes before a sequence that its header is looked for in
_TAIL = 65536  # bytes behind the last sequence that may be blank


class _Entry(NamedTuple):
    """One line of an index: letters and bytes of a line, and the byte that the sequence is at."""

    name: bytes
    letters: int
    offset: int
    line_letters: int
    line_bytes: int

    @property
    def end(self) -> int:
        """Byte behind the last letter."""
        before = max(0, self.letters - 1) // max(1, self.line_letters)  # full lines before the last
        return self.offset + before * self.line_bytes + self.letters - before * self.line_letters


def prepare(path: Path) -> None:
    """Makes the index of a FASTA file that has none, and checks the one that it has.

    Raises:
        DataError: The file is empty, is not a FASTA, is compressed by plain gzip or damaged, or two
            sequences share a name; its index is of another file; or none can be made, since lines
            differ in length or the folder cannot be written.
    """
    packed = _check_format(path)
    suffixes = (".fai", ".gzi") if packed else (".fai",)
    indices = [path.with_name(path.name + suffix) for suffix in suffixes]
    if all(index.exists() for index in indices):
        _check_age(path, indices)
        _check_fit(path, indices)
    else:
        _check_names(path, packed)
        _make(path, indices)
        unfit = _unfit(path, indices)
        if unfit is not None:
            for index in indices:
                files.remove(index)
            raise errors.DataError(
                f'{path}: cannot be indexed as a FASTA: sequence "{unfit}" holds more than letters '
                "and ends of lines; is it a text file?"
            )


def cause(path: Path) -> str:
    """Returns what htslib says when it cannot open a FASTA file; it has no other way to tell."""
    with _captured() as said, contextlib.suppress(OSError, ValueError):
        pysam.FastaFile(str(path)).close()
    return _first_error(said)


def _check_format(path: Path) -> bool:
    """Refuses what is not a FASTA; returns True for one that is compressed by bgzip."""
    with open(path, "rb") as handle:
        head = handle.read(18)
    if not head:
        raise errors.DataError(f"{path}: the FASTA file is empty.")
    packed = head.startswith(_GZIP)
    # bgzip marks each of its blocks by an extra field called BC.
    if packed and not (head[3] & 4 and head[12:14] == b"BC"):
        raise errors.DataError(
            f"{path}: is compressed by plain gzip, in which no position can be looked up; compress "
            f"it by bgzip instead: gunzip -c {path.name} | bgzip > genome.fa.gz"
        )
    if packed:
        with _whole(path), gzip.open(path) as content:
            head = content.read(len(_MARK))
    if head.startswith(_MARK):
        raise errors.DataError(
            f"{path}: begins with a byte order mark, which is invisible and no part of a FASTA; "
            "save the file again without it."
        )
    if head[:1] != b">":
        raise errors.DataError(f'{path}: not a FASTA file; its first line must start with ">".')
    return packed


def _check_age(path: Path, indices: list[Path]) -> None:
    """Refuses an index of an older file, by which letters of other places would be read."""
    changed = path.stat().st_mtime
    for index in indices:
        if changed - index.stat().st_mtime > _SAME_TIME:
            raise errors.DataError(
                f"{index}: is older than {path.name}, which may have changed since; delete the "
                "index and run again."
            )


def _check_fit(path: Path, indices: list[Path]) -> None:
    """Refuses an index that is not of this file, or was cut short."""
    unfit = _unfit(path, indices)
    if unfit is not None:
        raise errors.DataError(
            f'{indices[0]}: does not fit {path.name}: sequence "{unfit}" is not where the index '
            f"says, or not the last one; remove {' and '.join(index.name for index in indices)} "
            "and run again."
        )


def _unfit(path: Path, indices: list[Path]) -> str | None:
    """Returns the name of a sequence that is not where its index says; None when all are."""
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
    """Returns True when a header, letters and the end of a line are where an entry says."""
    if not entry.letters:
        return True
    start = max(0, entry.offset - _HEADER)
    before = read(start, entry.offset - start)
    lines = before.rstrip().rsplit(b"\n", 1)
    header = lines[-1]
    named = header.startswith(b">") and (header[1:].split() or [b""])[0] == entry.name
    cut = start > 0 and len(lines) == 1  # such a long header is not compared
    if not before.endswith(b"\n") or not (named or cut):
        return False
    behind = _TAIL if last else 1
    end = read(entry.end - 1, 1 + behind)
    letter, rest = end[:1], end[1:]
    return bool(letter.strip(b"> \t\r\n")) and not rest.strip() and (not last or len(rest) < behind)


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
    """Reads bytes of a FASTA file as they were before it was compressed by bgzip."""

    def __init__(self, handle: BinaryIO, blocks: list[tuple[int, int]]) -> None:
        self._handle = handle
        self._blocks = blocks  # (byte of the content, byte of the file) of each; empty when plain

    def __call__(self, start: int, count: int) -> bytes:
        if not self._blocks:
            self._handle.seek(start)
            return self._handle.read(count)
        first, address = self._blocks[bisect.bisect(self._blocks, (start, 1 << 63)) - 1]
        self._handle.seek(address)
        with gzip.GzipFile(fileobj=self._handle) as content:
            content.read(start - first)
            return content.read(count)


@contextlib.contextmanager
def _reader(path: Path, indices: list[Path]) -> Iterator[_Read]:
    blocks = [] if len(indices) == 1 else _blocks(indices[1])
    with open(path, "rb") as handle:
        try:
            yield _Read(handle, blocks)
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise errors.DataError(
                f"{indices[1]}: does not fit {path.name}, or that file is damaged; remove "
                f"{indices[0].name} and {indices[1].name} and run again."
            ) from None


def _blocks(index: Path) -> list[tuple[int, int]]:
    """Returns where the blocks of bgzip begin, in the content and in the file."""
    content = index.read_bytes()
    count = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else -1
    if len(content) != 8 + 16 * count:
        raise errors.DataError(
            f"{index}: not an index of bgzip, or cut short; remove {index.name} and run again."
        )
    pairs = struct.iter_unpack("<QQ", content[8:])
    return [(0, 0), *((start, address) for address, start in pairs)]


def _check_names(path: Path, packed: bool) -> None:
    """Refuses two sequences of one name, of which indexing would silently keep the first."""
    seen: set[bytes] = set()
    with _whole(path), (gzip.open if packed else open)(path, "rb") as handle:
        for line in handle:
            if not line.startswith(b">"):
                continue
            name = line[1:].split(maxsplit=1)[0] if line[1:].strip() else b""
            if name in seen:
                raise errors.DataError(
                    f"{path}: two sequences are called {name.decode()!r}; rename or remove one."
                )
            seen.add(name)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[None]:
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise errors.DataError(
            f"{path}: the archive is damaged or was cut short ({error}); compress or copy it again."
        ) from None


def _make(path: Path, indices: list[Path]) -> None:
    """Makes an index, atomically: a start that is stopped must not leave a part of one."""
    missing = next(index for index in indices if not index.exists())
    try:
        with contextlib.ExitStack() as stack:
            names = [stack.enter_context(files.atomic(index)) for index in indices]
            for name in names:
                name.touch()  # refused at once where nothing can be written
            options = zip(("--fai-idx", "--gzi-idx"), map(str, names), strict=False)
            reason = _faidx([str(path), *itertools.chain(*options)])
            if reason is not None:
                raise _not_indexed(path, reason)
    except OSError as error:
        raise errors.DataError(
            f"{path}: has no index {missing.name}, and none can be written into its folder "
            f"({error.strerror}); let its owner run `samtools faidx {path.name}` there, or copy "
            "the file to a folder of yours."
        ) from None


def _faidx(arguments: list[str]) -> str | None:
    """Runs `samtools faidx`; returns None, or the cause by which it failed."""
    verbosity = pysam.set_verbosity(0)
    try:
        pysam.faidx(*arguments)
    except pysam.SamtoolsError:
        pass
    else:
        return None
    finally:
        pysam.set_verbosity(verbosity)
    # Only now, since nothing else can write to the standard error meanwhile.
    with _captured() as said, contextlib.suppress(pysam.SamtoolsError):
        pysam.faidx(*arguments)
    return _first_error(said)


def _not_indexed(path: Path, reason: str) -> errors.DataError:
    """Returns the error for a file that htslib cannot index."""
    with open(path, "rb") as plain:
        packed = plain.read(2) == _GZIP
    with _whole(path), (gzip.open if packed else open)(path, "rb") as handle:
        line = _odd_line(handle)
    if line is None:
        return errors.DataError(f"{path}: cannot be indexed as a FASTA: {reason}.")
    name, number, text = line
    return errors.DataError(
        f"{path}, line {number}: Different line length in sequence '{name}': the line {text}. All "
        "lines of a sequence but its last must be as long as its first, and none may be blank; "
        "write the file again, as with `seqkit seq -w 60`."
    )


def _odd_line(lines: Iterable[bytes]) -> tuple[str, int, str] | None:
    """Returns sequence, number and description of the first line of another length."""
    name, first, odd = "", b"", None
    for number, line in enumerate(lines, 1):
        if line.startswith(b">"):
            name = (line[1:].split() or [b""])[0].decode(errors="replace")
            first, odd = b"", None
        elif not line.strip():
            odd = odd or (name, number, "is blank")
        elif odd is not None:  # a short or blank line was not the last
            return odd
        elif not first:
            first = line
        elif len(line) != len(first) or len(line.strip()) != len(first.strip()):
            odd = name, number, _compared(line, first)
            if len(line.strip()) > len(first.strip()):
                return odd
    return None


def _compared(line: bytes, first: bytes) -> str:
    letters, expected = len(line.strip()), len(first.strip())
    if letters != expected:
        return f"has {letters:,} letters, the first line {expected:,}"
    return f"ends with {line[letters:]!r}, the first line with {first[expected:]!r}"


@contextlib.contextmanager
def _captured() -> Iterator[list[bytes]]:
    """Yields a list that takes what is written to the standard error meanwhile; htslib's way."""
    said: list[bytes] = []
    reading, writing = os.pipe()
    os.set_blocking(writing, False)  # more than a pipe holds is dropped, and never waited for
    os.set_blocking(reading, False)
    former = os.dup(2)
    verbosity = pysam.set_verbosity(1)
    os.dup2(writing, 2)
    try:
        yield said
    finally:
        os.dup2(former, 2)
        pysam.set_verbosity(verbosity)
        with contextlib.suppress(BlockingIOError):
            said.append(os.read(reading, 1 << 16))
        for descriptor in (former, reading, writing):
            os.close(descriptor)


def _first_error(said: list[bytes]) -> str:
    """Returns the first cause among htslib's words, as of `[E::fai_build_core] File truncated`."""
    lines = b"".join(said).decode(errors="replace").splitlines()
    causes = [line.partition("] ")[2] for line in lines if line.startswith("[E::")]
    return causes[0].rstrip(".") if causes else "htslib names no cause"
