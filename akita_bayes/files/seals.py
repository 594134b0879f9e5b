"""Marks a finished file by a checksum at its end, and tells when the content has changed since.

HDF5 has no checksum of its own. A flipped bit would be read as another number, and some damaged
files keep its library busy without end. HDF5 ignores bytes behind its content.
"""

import hashlib
from pathlib import Path
from typing import IO

MARK = b"\nakita_bayes sha256 "
"""Begin of a seal; the SHA-256 of everything before the seal follows."""

_DIGEST = hashlib.sha256().digest_size
_LENGTH = len(MARK) + _DIGEST
_BLOCK = 1 << 20


def put(path: str | Path) -> None:
    """Appends a seal to a finished file.

    Raises:
        OSError: The disk is full.
    """
    with Path(path).open("r+b", buffering=0) as file:
        seal = MARK + _digest(file, file.seek(0, 2))
        file.seek(0, 2)
        while seal:
            seal = seal[file.write(seal) :]


def check(path: str | Path) -> None:
    """Compares a sealed file with its seal; a file without a seal passes.

    Raises:
        ValueError: The content has changed since the file was sealed.
        OSError: The file cannot be read.
    """
    with Path(path).open("rb") as file:
        size = file.seek(0, 2) - _LENGTH
        if size < 0:
            return
        file.seek(size)
        seal = file.read()
        if seal.startswith(MARK) and seal != MARK + _digest(file, size):
            raise ValueError("its checksum does not match its content")


def _digest(file: IO[bytes], size: int) -> bytes:
    """Returns the SHA-256 of the first bytes of a file."""
    digest = hashlib.sha256()
    file.seek(0)
    while size > 0:
        block = file.read(min(size, _BLOCK))
        if not block:
            break
        digest.update(block)
        size -= len(block)
    return digest.digest()
