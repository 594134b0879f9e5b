"""Writes files and folders under a temporary name, and renames them when they are complete."""

import contextlib
import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from akita_bayes.files import processes

INFIX = ".partial."
"""Part of a temporary name: `.`, the code of the process, random letters, this, the final name."""

TEMPORARY = re.compile(r"\.([0-9a-f]{16,})" + re.escape(INFIX))
"""Characters that a temporary name adds to the final name; the group identifies the process."""

ADDED = 42
"""Characters that a temporary name adds: a dot, 32 hexadecimal digits and INFIX."""


@contextlib.contextmanager
def atomic(path: str | Path, *, directory: bool = False) -> Iterator[Path]:
    """Yields a temporary path beside `path` and renames it to `path` when the body succeeds.

    If the body raises, no new file remains and an older file at `path` stays as it was. The
    temporary name tells which process writes it, so that `output_directory` can remove it when
    that process was killed. It keeps the suffixes of `path`, by which some writers choose a format.

    Args:
        path: Final path; its folder is created.
        directory: True when the body writes a folder. An existing folder is replaced, and is
            removed only after the new one is at `path`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _partial(path)
    try:
        if directory:
            temporary.mkdir()
        yield temporary
        if not directory:
            with open(temporary, "rb") as handle:
                os.fsync(handle.fileno())
        if directory and path.is_dir():
            _replace_folder(temporary, path)
        else:
            os.replace(temporary, path)
    finally:
        remove(temporary)


@contextlib.contextmanager
def scratch(path: str | Path) -> Iterator[Path]:
    """Yields a new folder beside `path` for parts of results, and removes it after the body.

    Its name tells which process uses it, as that of `atomic` does.
    """
    folder = _partial(Path(path))
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        remove(folder)


def _partial(path: Path) -> Path:
    """Returns an unused hidden path beside `path`."""
    code = processes.own().code() + secrets.token_hex(4)
    return path.with_name(f".{code}{INFIX}{path.name}")


def final_path(path: str | Path) -> str:
    """Returns a path without the characters of a temporary name."""
    return TEMPORARY.sub("", str(path))


def _replace_folder(new: Path, path: Path) -> None:
    """Moves `new` to `path`; restores the older folder at `path` when the move fails."""
    backup = _partial(path)
    os.replace(path, backup)
    try:
        os.replace(new, path)
    except BaseException:
        os.replace(backup, path)
        raise
    remove(backup)


def remove(path: Path) -> None:
    """Removes a file or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any) -> None:
    """Writes indented JSON atomically; raises ValueError for NaN and infinity, as JSON has none."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
