"""Turns names that inputs give into names of files, which stay in their folder."""

import hashlib
import urllib.parse
from collections.abc import Sequence

from akita_bayes.files import replacement

_KEPT = " +,=@()"
_DIGEST = 12  # hexadecimal digits at the end of a name that was cut
_ENDING = 20  # bytes for a number and an ending, as _2.mcool
_LONGEST = 255 - replacement.ADDED - 1 - _DIGEST - _ENDING
"""Bytes of a name before its digest; file systems allow 255 in all."""


def fault(name: str) -> str:
    """Returns why a name cannot be part of a file name or of `name[i,B]`; empty for a valid one."""
    if not name.strip():
        return "a name is empty; give it letters."
    if (
        not name.isprintable()
        or name != name.strip()
        or name.startswith(".")
        or set(name) & set("/\\,[]")
    ):
        return (
            f"{name!r:.60} cannot name a column or a file; leave out / \\ , [ ], line ends, a "
            "leading dot and spaces around it."
        )
    size = len(name.encode())
    return "" if size <= 100 else f'"{name:.20}..." is a name of {size} bytes; give up to 100.'


def file_names(names: Sequence[str]) -> list[str]:
    """Returns a name of a file for each name, all different, also where case does not count.

    Characters with a meaning in paths or shells are quoted as in URLs, a long name is cut and ends
    in a digest, and a name that would appear twice gets a number.
    """
    by_key: dict[str, str] = {}
    for name in names:
        stem = limited(urllib.parse.quote(name, safe=_KEPT))
        stem = f"%2E{stem[1:]}" if stem.startswith(".") else stem or "_"
        candidate, number = stem, 2
        while candidate.casefold() in by_key:
            candidate, number = f"{stem}_{number}", number + 1
        by_key[candidate.casefold()] = candidate
    return list(by_key.values())


def limited(name: str) -> str:
    """Returns a name, or its start and its digest when it is too long for a file."""
    encoded = name.encode()
    if len(encoded) <= _LONGEST:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:_DIGEST]
    return f"{encoded[:_LONGEST].decode(errors='ignore')}_{digest}"
