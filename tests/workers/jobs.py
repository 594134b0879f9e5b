"""Tasks that the worker processes of the tests can import."""

import contextlib
import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from akita_bayes import errors

_log = logging.getLogger("akita_bayes.tests")


@contextlib.contextmanager
def folder(path: Path) -> Iterator[Path]:
    """Yields a folder, in which each worker leaves a file of its own."""
    (path / f"opened-{os.getpid()}").touch()
    yield path
    (path / f"closed-{os.getpid()}").touch()


def square(path: Path, part: int) -> int:
    with open(path / f"part-{part}", "a", encoding="ascii") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(0.01 if part % 2 else 0.05)
    return part * part


def square_alone(_: None, part: int) -> int:
    return part * part


def killed_once(path: Path, part: int) -> int:
    """Kills its process the first time that it computes part 2."""
    mark = path / "killed"
    if part == 2 and not mark.exists():
        mark.write_text(str(os.getpid()), encoding="ascii")
        os.kill(os.getpid(), signal.SIGKILL)
    return square(path, part)


def killed_always(_: Path, part: int) -> int:
    if part == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return part


def refused(_: Path, part: int) -> int:
    raise errors.DataError(f"part {part}: is refused; give another one.")


def warned(_: Path, part: int) -> int:
    _log.warning("%s has few draws.", "The model")
    return part


def printed(_: Path, part: int) -> tuple[str, str]:
    """Returns what the first two file descriptors of a worker are."""
    return os.readlink("/proc/self/fd/0"), os.readlink("/proc/self/fd/1")


def slow(path: Path, part: int) -> int:
    (path / f"slow-{os.getpid()}").touch()
    time.sleep(60)
    return part
