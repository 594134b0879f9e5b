"""Checks the counts and positions in the header of a .hic file before hictk reads it.

hictk believes the header: it computes without end for a file that claims 268 million chromosomes.
The layout is that of Juicer's specification (github.com/aidenlab/hic-format), versions 6 to 9.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

SIGNATURE = b"HIC\0"
MOST_TEXT = 1 << 20  # bytes of one name or attribute


def check(path: Path) -> None:
    """Reads the header of a .hic file.

    Raises:
        ValueError: A count or a position in the header does not fit into the file; the message says
            which one.
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
        for kind in ("resolutions", "resolutions in fragments"):
            file.seek(4 * _count(file, size, 4, kind), os.SEEK_CUR)


def _count(file: BinaryIO, size: int, smallest: int, kind: str) -> int:
    """Reads a number of items, each of which takes at least `smallest` bytes."""
    (count,) = _numbers(file, "<i")
    if not 0 <= count * smallest <= size - file.tell():
        raise ValueError(f"the header claims {count:,} {kind}, more than fit into the file")
    return int(count)


def _numbers(file: BinaryIO, layout: str) -> tuple[int, ...]:
    content = file.read(struct.calcsize(layout))
    if len(content) < struct.calcsize(layout):
        raise ValueError("the header is cut short")
    return struct.unpack(layout, content)


def _text(file: BinaryIO) -> None:
    """Passes a text that ends with a zero byte."""
    for _ in range(MOST_TEXT):
        byte = file.read(1)
        if byte == b"\0":
            return
        if not byte:
            break
    raise ValueError("a text of the header has no end")
