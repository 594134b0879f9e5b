"""Locks an output directory by a file that names host, process and command.

A lock of this host whose process has ended is taken over; a lock of another host is refused, since
its process cannot be seen from here. Processes that share a directory, as shards do, take a lock
each, `.lock.SHARE`, and no process can take `.lock` meanwhile.
"""

import contextlib
import datetime
import errno
import fcntl
import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from akita_bayes import errors
from akita_bayes.files import processes

NAME = ".lock"

_ATTEMPTS = 5  # another writer may remove the new, empty directory before this one locks it
_READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)

_log = logging.getLogger(__name__)


class _Holder(NamedTuple):
    """Describes the process that a lock names."""

    process: processes.Process
    command: str
    since: str


@contextlib.contextmanager
def writable(path: Path) -> Iterator[None]:
    """Turns the errors of a read-only directory into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        raise errors.RunError(
            f"{path}: cannot be written ({error.strerror}); choose another -o, or change its "
            "permissions."
        ) from None


def take(path: Path, share: str) -> Path:
    """Takes the lock of a directory, or of one share of it; returns the file.

    Raises:
        RunError: Another process has it.
    """
    lock = path / (f"{NAME}.{share}" if share else NAME)
    for attempt in range(_ATTEMPTS):
        try:
            with writable(path), alone(path):
                # The own lock comes first: of two writers on different hosts, each sees the lock
                # of the other, and at most one goes on.
                _create(lock)
                try:
                    rivals = path.glob(f"{NAME}.*") if not share else [path / NAME]
                    for rival in rivals:
                        _refuse_or_remove(rival)
                except BaseException:
                    release(lock)
                    raise
            return lock
        except FileNotFoundError:
            if attempt == _ATTEMPTS - 1:
                raise
            path.mkdir(parents=True, exist_ok=True)
    raise AssertionError


@contextlib.contextmanager
def alone(path: str | Path) -> Iterator[None]:
    """Runs a body that belongs to a directory in one process of this host at a time.

    It serves a short step, such as one that reads a file of the directory and writes it again. A
    body that enters it again for the same directory waits for itself.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have no such lock
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _create(lock: Path) -> None:
    """Creates a lock that names this process, in place of a lock whose process has ended."""
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    content = processes.own()._asdict() | {"command": processes.command(), "since": since}
    for _ in range(2):
        try:
            descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            _refuse_or_remove(lock)
        else:
            try:
                with open(descriptor, "w", encoding="utf-8") as file:
                    json.dump(content, file)
            except BaseException:
                lock.unlink()
                raise
            return
    _refuse_or_remove(lock)


def _refuse_or_remove(lock: Path) -> None:
    """Removes a lock whose process on this host has ended; nothing to do when it is gone.

    Raises:
        RunError: The process runs, or cannot be seen from here.
    """
    try:
        text = lock.read_text(encoding="utf-8")
    except FileNotFoundError:
        return
    holder = _parsed(text)
    if holder is None:
        raise errors.RunError(
            f"{lock.parent}: is locked by {lock}, which names no process; remove that file if no "
            "other command writes to the directory."
        )
    process, command, since = holder
    if not process.is_local():
        raise errors.RunError(
            f'{lock.parent}: "{command}" on {process.host.split()[0]}, process {process.pid}, '
            f"writes to it{_age(since)}; wait for it, or remove {lock} if it has ended."
        )
    if process.is_alive():
        raise errors.RunError(
            f'{lock.parent}: "{command}", process {process.pid}, writes to it{_age(since)}; wait '
            "for it, or choose another -o."
        )
    _log.warning(
        '%s: process %d ("%s") has ended without finishing; its lock is removed.',
        lock.parent,
        process.pid,
        command,
    )
    lock.unlink(missing_ok=True)


def _parsed(text: str) -> _Holder | None:
    """Reads the process of a lock; None when it is empty or damaged."""
    try:
        values = json.loads(text)
        process = processes.Process(*(values[name] for name in processes.Process._fields))
        return _Holder(process, str(values["command"]), str(values["since"]))
    except (ValueError, KeyError, TypeError):
        return None


def _age(since: str) -> str:
    """Returns how long a lock is held, as " for 3 h 5 min"; "" when it does not say so."""
    try:
        start = datetime.datetime.fromisoformat(since)
        minutes = int((datetime.datetime.now(datetime.UTC) - start).total_seconds() // 60)
    except (ValueError, TypeError):
        return ""
    hours, rest = divmod(max(minutes, 0), 60)
    return f" for {hours} h {rest} min" if hours else f" for {rest} min"


def release(lock: Path) -> None:
    """Removes a lock of this process; a process that was forked meanwhile leaves it."""
    with contextlib.suppress(OSError):
        holder = _parsed(lock.read_text(encoding="utf-8"))
        if holder is not None and holder.process == processes.own():
            lock.unlink()
