"""Checks the counts and positions in a .hic file that hictk believes without a check.

hictk computes without end for a header that claims 268 million chromosomes, and divides by a
resolution or a width of blocks of 0. Read are the header, the index of matrices, and the headers of
the matrices within chromosomes. The layout is that of Juicer's specification
(github.com/aidenlab/hic-format), versions 6 to 9.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

SIGNATURE = b"HIC\0"
MOST_TEXT = 1 << 20  # bytes of one name or attribute


def check(path: Path) -> None:
    """Reads what describes the content of a .hic file.

    Raises:
        ValueError: A count or a position does not fit into the file, or a width is 0; the message
            says which one.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        file.seek(len(SIGNATURE))
        (version,) = _numbers(file, "<i")
        (footer,) = _numbers(file, "<q")
        if not file.tell() < footer < size:
            raise ValueError(f"the footer is said to begin at byte {footer:,} of {size:,}")
        _text(file)  # the genome
        length = "<q" if version >= 9 else "<i"
        if version >= 9:
            index, index_length = _numbers(file, "<qq")
            if index < 0 or index_length < 0 or index + index_length > size:
                raise ValueError(
                    f"the index of normalisations is said to end at byte {index + index_length:,} "
                    f"of {size:,}"
                )
        for _ in range(_count(file, size, 2, "attributes")):
            _text(file)
            _text(file)
        for _ in range(_count(file, size, 1 + struct.calcsize(length), "chromosomes")):
            _text(file)
            _numbers(file, length)
        resolutions = _count(file, size, 4, "resolutions")
        for _ in range(resolutions):
            _positive(file, "resolution")
        file.seek(4 * _count(file, size, 4, "resolutions in fragments"), os.SEEK_CUR)
        file.seek(footer)
        _check_matrices(file, size, length)


def _check_matrices(file: BinaryIO, size: int, length: str) -> None:
    """Reads the index of matrices, and the headers of those within a chromosome."""
    _numbers(file, length)  # bytes of the index
    positions = []
    for _ in range(_count(file, size, 13, "matrices")):
        first, _, second = _text(file).partition(b"_")
        position, _ = _numbers(file, "<qi")
        if first == second:
            positions.append(position)
    for position in positions:
        if not 0 < position < size:
            raise ValueError(f"a matrix is said to begin at byte {position:,} of {size:,}")
        file.seek(position)
        _numbers(file, "<ii")  # both chromosomes
        for _ in range(_count(file, size, 38, "resolutions of a matrix")):
            _text(file)  # BP or FRAG
            _numbers(file, "<iffff")
            for kind in ("bin width", "width of blocks", "number of columns of blocks"):
                _positive(file, kind)
            file.seek(16 * _count(file, size, 16, "blocks"), os.SEEK_CUR)


def _positive(file: BinaryIO, kind: str) -> None:
    """Reads a number that must be above 0."""
    (value,) = _numbers(file, "<i")
    if value < 1:
        raise ValueError(f"a {kind} is {value:,}")


def _count(file: BinaryIO, size: int, smallest: int, kind: str) -> int:
    """Reads a number of items, each of which takes at least `smallest` bytes."""
    (count,) = _numbers(file, "<i")
    if not 0 <= count * smallest <= size - file.tell():
        raise ValueError(f"the file claims {count:,} {kind}, more than fit into it")
    return int(count)


def _numbers(file: BinaryIO, layout: str) -> tuple[int, ...]:
    content = file.read(struct.calcsize(layout))
    if len(content) < struct.calcsize(layout):
        raise ValueError("the file is cut short")
    return struct.unpack(layout, content)


def _text(file: BinaryIO) -> bytes:
    """Reads a text that ends with a zero byte, without this byte."""
    text = bytearray()
    while len(text) < MOST_TEXT:
        byte = file.read(1)
        if byte == b"\0":
            return bytes(text)
        if not byte:
            break
        text += byte
    raise ValueError("a text of the file has no end")
