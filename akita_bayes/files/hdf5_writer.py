"""Writes HDF5 files, such that a full disk ends in an error of the system.

HDF5 keeps changes in memory, and crashes the process when it cannot write them while it closes a
file. It therefore writes to a file object that accepts everything: after the first failure of the
disk, the object keeps the rest in memory, and the writer raises the error of the disk.
"""

import contextlib
import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py

from akita_bayes import errors
from akita_bayes.files import replacement, seals

_ROOM = 1 << 20
"""Bytes that a disk must accept after a crash, else the crash counts as that of a full disk."""

_PROCESS = (
    "import json, sys; sys.path[:] = json.loads(sys.stdin.buffer.readline()); "
    "from akita_bayes.files import hdf5_writer; hdf5_writer.serve(*map(int, sys.argv[1:]))"
)


class File(h5py.File):
    """Represents an HDF5 file for writing, whose `check` raises the first error of the disk."""

    def __init__(self, disk: "_Disk", *, track_order: bool | None) -> None:
        super().__init__(disk, "w", track_order=track_order)
        self._disk = disk

    def check(self) -> None:
        """Raises the first error of the disk; writers of many parts call it after each.

        Raises:
            OSError: The disk did not accept what was written so far.
        """
        self._disk.check()


@contextlib.contextmanager
def create(
    path: str | Path, *, track_order: bool | None = None, sealed: bool = False
) -> Iterator[File]:
    """Writes an HDF5 file atomically; yields the open file.

    Args:
        path: Final path, see `files.atomic`.
        track_order: True to keep datasets and attributes in the order of their creation.
        sealed: True to append a checksum (`seals`), which `hdf5_reader.opened` compares. It reads
            the file once more, so it is for files that this package reads again.

    Raises:
        OSError: The disk is full, or fails in another way; no file remains.
    """
    with replacement.atomic(path) as temporary:
        with _Disk(temporary) as disk:
            try:
                with File(disk, track_order=track_order) as file:
                    yield file
            finally:
                # An error of HDF5 that follows from a full disk is replaced by its cause.
                disk.check()
        if sealed:
            seals.put(temporary)


def run_apart(path: Path, write: Callable[..., None], *arguments: Any) -> None:
    """Calls `write(path, *arguments)` in a process of its own, which HDF5 may crash.

    It serves libraries that open HDF5 files by name. The process never outlives this one: an
    interruption here ends it first, and it ends by itself when this process is killed.

    Args:
        path: The file that `write` creates.
        write: A function of a module.
        arguments: Further arguments, which can be pickled.

    Raises:
        OSError: The disk is full.
        RunError: The system or a person killed the process.
        ChildProcessError: The process ended without an error and without a result.
        Exception: Whatever `write` raises.
    """
    request = json.dumps(sys.path).encode() + b"\n" + pickle.dumps((write, path, arguments))
    outcome, status = _answer(request)
    if not outcome:
        if status == -signal.SIGKILL:
            raise errors.RunError(
                f"{replacement.final_path(path)}: the process that writes it was killed, as Linux "
                "does when memory is short; free some memory and run again."
            )
        _probe(path)
        raise ChildProcessError(
            f"{path}: the process that writes it has ended early, with {status}."
        )
    error = pickle.loads(outcome)
    if error is None:
        return
    if not isinstance(error, ValueError):
        _probe(path)
    raise error


def _answer(request: bytes) -> tuple[bytes, int]:
    """Returns what the process answers to a request, and its exit status."""
    # The answer has a pipe of its own, since libraries may print to both usual outputs. The end of
    # another pipe tells the process that this one has ended.
    reading, writing = os.pipe()
    alive, lifeline = os.pipe()
    with open(reading, "rb") as answer, open(lifeline, "wb"):
        with open(writing, "wb"), open(alive, "rb"):
            process = subprocess.Popen(
                [sys.executable, "-c", _PROCESS, str(writing), str(alive)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # messages of a dying HDF5
                pass_fds=(writing, alive),
            )
        try:
            process.communicate(request)
            return answer.read(), process.returncode
        finally:
            process.kill()  # of no effect unless an interruption ended the wait
            process.wait()


def serve(descriptor: int, alive: int) -> None:
    """Makes the call that standard input holds; writes its error, or None, to a descriptor.

    Args:
        descriptor: Pipe for the answer.
        alive: Pipe that ends when the process that asks has ended.
    """
    threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
    write, path, arguments = pickle.load(sys.stdin.buffer)
    outcome: Exception | None = None
    try:
        write(path, *arguments)
    except Exception as error:  # raised again by `run_apart`, in the process that asked
        outcome = error
    with open(descriptor, "wb") as answer:
        pickle.dump(outcome, answer)


def _end_with(alive: int) -> None:
    """Ends this process when a pipe ends."""
    os.read(alive, 1)
    os._exit(1)


def _probe(path: Path) -> None:
    """Raises the error of the system when the disk of a file accepts no more bytes."""
    with open(path, "ab", buffering=0) as file:
        written = 0
        while written < _ROOM:
            written += _write(file.write, bytes(_ROOM - written), path)


def _write(write: Callable[[Any], int | None], data: Any, path: Path) -> int:
    """Writes some bytes and returns their number; an error names the file."""
    try:
        count = write(data)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    if not count:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    return count


class _Disk:
    """Represents the file object that HDF5 writes to; only `check` raises errors of the disk.

    Args:
        path: File to create.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115  `__exit__` closes it
        self._error: OSError | None = None
        self._rest: list[tuple[int, bytes]] = []
        self._position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
        except OSError as failure:  # Network file systems report a full disk as late as here.
            self._error = self._error or failure
        if kind is None:
            self.check()

    def check(self) -> None:
        """Raises the first error."""
        if self._error is not None:
            raise self._error

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to a position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size()}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Returns the position."""
        return self._position

    def write(self, data: Any) -> int:
        """Writes all bytes, to memory after the first failure; returns their number."""
        content = memoryview(data).cast("B")
        done = 0
        if self._error is None:
            try:
                self._file.seek(self._position)
                while done < len(content):
                    done += _write(self._file.write, content[done:], self._path)
            except OSError as error:
                self._error = error
        if done < len(content):
            self._rest.append((self._position + done, bytes(content[done:])))
        self._position += len(content)
        return len(content)

    def read(self, size: int) -> bytes:
        """Reads some bytes."""
        content = bytearray(size)
        self.readinto(content)
        return bytes(content)

    def readinto(self, buffer: Any) -> int:
        """Reads what was written; zeros where nothing was."""
        content = memoryview(buffer).cast("B")
        start, end = self._position, self._position + len(content)
        count = 0
        with contextlib.suppress(OSError):
            self._file.seek(start)
            while count < len(content) and (more := self._file.readinto(content[count:])):
                count += more
        content[count:] = bytes(len(content) - count)
        for offset, piece in self._rest:
            first, last = max(start, offset), min(end, offset + len(piece))
            if first < last:
                content[first - start : last - start] = piece[first - offset : last - offset]
        self._position = end
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        """Cuts or extends the file."""
        size = self._position if size is None else size
        if self._error is None:
            try:
                self._file.truncate(size)
            except OSError as error:
                self._error = OSError(error.errno, error.strerror, str(self._path))
        return size

    def flush(self) -> None:
        """Does nothing: the file has no buffer."""

    def _size(self) -> int:
        sizes = [offset + len(piece) for offset, piece in self._rest]
        return max(os.fstat(self._file.fileno()).st_size, *sizes, 0)
