"""Writing so that nothing half-written is ever left under a final name; reading packed or not."""

import contextlib
import gzip
import hashlib
import io
import json
import os
import secrets
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from akita_bayes import errors

_GZIP = b"\x1f\x8b"
"""First bytes of gzip's archives, bgzip's among them: RFC 1952."""


@contextlib.contextmanager
def atomic(path: str | Path, *, directory: bool = False) -> Iterator[Path]:
    """Yields a temporary path beside `path` and renames it to `path` when the body succeeds.

    A body that raises leaves no file behind, and an older file under the final name untouched.
    The temporary name is random, since writers in containers or on several hosts share process
    numbers, and keeps the suffixes of `path`, by which some writers choose a format.

    Args:
        path: Final name; its folder is created.
        directory: True when the body writes a folder (an existing one is replaced, and removed
            only when the new one has its name).
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


def _partial(path: Path) -> Path:
    """A hidden name beside `path` that nothing has."""
    return path.with_name(f".{secrets.token_hex(8)}.partial.{path.name}")


def _replace_folder(new: Path, path: Path) -> None:
    """Gives a folder the name of an older one, which waits aside until it is sure."""
    aside = _partial(path)
    os.replace(path, aside)
    try:
        os.replace(new, path)
    except BaseException:
        os.replace(aside, path)
        raise
    remove(aside)


def remove(path: Path) -> None:
    """Removes a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_json(path: str | Path, value: Any) -> None:
    """Writes indented JSON atomically; NaN and infinity are refused: JSON has no word for them."""
    text = json.dumps(value, indent=2, allow_nan=False) + "\n"
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Reads JSON.

    Raises:
        DataError: The file is missing, is not text, is not JSON (names line and column), or has an
            object that gives a key twice, of which one would be dropped.
    """
    path = Path(path)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise errors.DataError(f'{path}: the key "{key}" is given twice; keep one.')
            found[key] = value
        return found

    try:
        return json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=once)
    except FileNotFoundError:
        raise errors.DataError(f"{path}: no such file.") from None
    except UnicodeDecodeError:
        raise errors.DataError(f"{path}: not valid JSON: it is not a text file.") from None
    except json.JSONDecodeError as error:
        raise errors.DataError(
            f"{path}: not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None


def is_gzip(path: str | Path) -> bool:
    """Returns whether a file is compressed by gzip or bgzip, which its first bytes tell."""
    with open(path, "rb") as opened:
        return opened.read(len(_GZIP)) == _GZIP


def lines(path: str | Path, kind: str) -> Iterator[str]:
    """Yields the lines of a text without their ends, from a file or from a pipe.

    Args:
        path: Plain, or compressed by gzip or bgzip, which its first bytes tell.
        kind: What it is, for messages.

    Raises:
        DataError: It is missing, is a directory, is no text, or is an archive that was cut short.
    """
    try:
        with open(path, "rb") as opened:
            packed = opened.peek(len(_GZIP))[: len(_GZIP)] == _GZIP
            stream: gzip.GzipFile | io.BufferedReader = (
                gzip.GzipFile(fileobj=opened) if packed else opened
            )
            with io.TextIOWrapper(stream, encoding="utf-8-sig") as text:
                for line in text:
                    yield line.removesuffix("\n")
    except (FileNotFoundError, IsADirectoryError):
        raise errors.DataError(f"{path}: no such {kind}.") from None
    except UnicodeDecodeError:
        raise errors.DataError(f"{path}: not a text, plain or gzipped; give a {kind}.") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise errors.DataError(
            f"{path}: the archive is damaged or was cut short ({error}); compress or copy it again."
        ) from None


def digest(path: str | Path) -> str:
    """SHA-256 of a file, as hexadecimal text."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
