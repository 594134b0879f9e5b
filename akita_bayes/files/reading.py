"""Reads JSON and text, plain or gzipped, and computes digests of files."""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from akita_bayes import errors
from akita_bayes.files import damage

DEEPEST = 100
"""Lists and objects inside one another that a JSON file may have."""


def read_json(path: str | Path) -> Any:
    """Reads JSON.

    Raises:
        DataError: The file is missing, is not text, is not JSON (names line and column), or has an
            object that gives a key twice (a JSON reader would drop one of the two).
    """
    path = Path(path)
    repeated: dict[int, str] = {}

    def collect(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(pairs)
        if len(values) < len(pairs):
            keys = [key for key, _ in pairs]
            repeated[id(values)] = next(key for key in keys if keys.count(key) > 1)
        return values

    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=collect)
    except FileNotFoundError:
        raise errors.DataError(f"{path}: no such file.") from None
    except UnicodeDecodeError:
        raise errors.DataError(f"{path}: not valid JSON: it is not a text file.") from None
    except json.JSONDecodeError as error:
        raise errors.DataError(
            f"{path}: not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None
    except ValueError as error:  # A whole number of more digits than Python reads.
        raise errors.DataError(f"{path}: not valid JSON: {error}.") from None
    except RecursionError:
        raise errors.DataError(f"{path}: not valid JSON: too many lists in lists.") from None
    if _depth(content) > DEEPEST:
        raise errors.DataError(
            f"{path}: has more than {DEEPEST} lists or objects inside one another; expected fewer."
        )
    for steps, value in _walk(content) if repeated else ():
        if id(value) in repeated:
            key = json_path((*steps, repeated[id(value)]))
            raise errors.DataError(f"{path}: {key}: is given twice; keep one.")
    return content


def json_path(steps: Iterable[str | int], start: str = "") -> str:
    """Writes the path of a value in JSON, such as `model.trunk[2].filters`.

    Args:
        steps: Keys of objects, and indices in lists.
        start: Path of the value from which the steps start.
    """
    for step in steps:
        start += f"[{step}]" if isinstance(step, int) else f".{step}" if start else step
    return start


def _depth(content: Any) -> int:
    """Returns how many lists and objects lie inside one another, at most one above DEEPEST."""
    level, values = 0, [content]
    while containers := [value for value in values if isinstance(value, list | dict)]:
        level += 1
        if level > DEEPEST:
            break
        values = [
            inner
            for value in containers
            for inner in (value.values() if isinstance(value, dict) else value)
        ]
    return level


def _walk(value: Any, steps: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Yields every value inside a value of JSON, and the value itself, each with its path."""
    yield steps, value
    items = value.items() if isinstance(value, dict) else ()
    for step, inner in enumerate(value) if isinstance(value, list) else items:
        yield from _walk(inner, (*steps, step))


def is_gzip(path: str | Path) -> bool:
    """Returns True for a file whose first bytes are those of gzip or bgzip."""
    with open(path, "rb") as opened:
        return opened.read(len(damage.GZIP)) == damage.GZIP


def lines(path: str | Path, kind: str) -> Iterator[str]:
    """Yields the lines of a text file or pipe, without their line ends.

    Args:
        path: A plain text, or one compressed by gzip or bgzip; the first bytes decide.
        kind: Kind of the file, for messages, such as "BED file".

    Raises:
        DataError: The file is missing, is a directory, is not text, or is a damaged archive.
    """
    try:
        with damage.unpacking(path), open(path, "rb") as opened:
            # `peek` consumes nothing, so that a pipe, which cannot seek, works too.
            packed = opened.peek(len(damage.GZIP)).startswith(damage.GZIP)
            stream = damage.Gunzip(opened, path) if packed else opened
            with io.TextIOWrapper(stream, encoding="utf-8-sig") as text:
                for line in text:
                    yield line.removesuffix("\n")
    except (FileNotFoundError, IsADirectoryError):
        raise errors.DataError(f"{path}: no such {kind}.") from None
    except UnicodeDecodeError:
        raise errors.DataError(f"{path}: not a text, plain or gzipped; give a {kind}.") from None


def digest(path: str | Path) -> str:
    """Computes the SHA-256 of a file, as hexadecimal text."""
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
