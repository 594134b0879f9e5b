"""Reads sequences of a .2bit file of UCSC by region.

The file begins with a signature, a version and an index of (name, position). At the position of a
sequence stand its length, the starts and sizes of its stretches of N and of lower-case letters, and
four bases in each byte, the first base in the two highest bits: T is 0, C 1, A 2 and G 3.
"""

import mmap
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors

_SIGNATURE = 0x1A412743
_LOWER = 32  # distance of a lower-case letter from its capital in ASCII
# Row 27 = 0b00011011 holds T C A G, the letters of one byte.
_LETTERS = np.frombuffer(b"TCAG", np.uint8)[(np.arange(256)[:, None] >> np.array([6, 4, 2, 0])) & 3]


class _Stretches(NamedTuple):
    """Holds sorted starts and ends of stretches. [K], [K]."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]

    def within(self, start: int, end: int) -> list[slice]:
        """Returns the overlaps with start..end, counted from `start`."""
        first = int(np.searchsorted(self.ends, start, side="right"))
        last = int(np.searchsorted(self.starts, end, side="left"))
        return [
            slice(max(int(self.starts[index]) - start, 0), int(self.ends[index]) - start)
            for index in range(first, last)
        ]


class _Sequence(NamedTuple):
    """Holds the first byte of the bases of a sequence, its unknown and its lower-case stretches."""

    bases: int
    unknown: _Stretches
    lower: _Stretches


def is_two_bit(path: str | Path) -> bool:
    """Returns True for a file whose first bytes are those of a .2bit file."""
    with open(path, "rb") as handle:
        return _byte_order(handle.read(4)) != ""


class TwoBit:
    """Reads regions of a .2bit file, of version 0 or 1 and of either byte order.

    Args:
        path: The file.

    Raises:
        DataError: The file is of another version, is empty, was cut short, or names a sequence
            twice.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._sequences: dict[str, _Sequence] = {}
        self._handle = open(self.path, "rb")  # noqa: SIM115 - closed by `close`
        try:
            self._bytes = mmap.mmap(self._handle.fileno(), 0, access=mmap.ACCESS_READ)
            self._order = _byte_order(self._bytes[:4])
            self._positions = self._read_index()
            self.sizes = {
                name: self._number(position, name) for name, position in self._positions.items()
            }
            for name in self._positions:
                self._check_whole(name)
        except BaseException:
            self._handle.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        self._bytes.close()
        self._handle.close()

    def fetch(self, chrom: str, start: int, end: int) -> str:
        """Returns the letters of a region: N where unknown, lower case where masked."""
        sequence = self._sequence(chrom)
        first, last = start // 4, -(-end // 4)
        packed = np.frombuffer(
            self._bytes[sequence.bases + first : sequence.bases + last], np.uint8
        )
        letters = _LETTERS[packed].reshape(-1)[start - 4 * first : end - 4 * first].copy()
        for stretch in sequence.unknown.within(start, end):
            letters[stretch] = ord("N")
        for stretch in sequence.lower.within(start, end):
            letters[stretch] |= _LOWER  # stretches of a damaged file may overlap
        return str(letters.tobytes(), "ascii")

    def _read_index(self) -> dict[str, int]:
        version, count = self._number(4), self._number(8)
        if version not in (0, 1):
            raise errors.DataError(
                f"{self.path}: is a .2bit file of version {version}; expected 0 or 1. Convert it "
                "with twoBitToFa."
            )
        wide = version == 1  # positions of 8 bytes, for files above 4 GB
        positions: dict[str, int] = {}
        cursor = 16
        for _ in range(count):
            length = self._bytes[cursor] if cursor < len(self._bytes) else 0
            text = self._bytes[cursor + 1 : cursor + 1 + length]
            cursor += 1 + length
            entry = self._bytes[cursor : cursor + (8 if wide else 4)]
            cursor += 8 if wide else 4
            if cursor > len(self._bytes):
                raise self._cut_short("its index")
            name = text.decode("utf-8", errors="replace")
            if name in positions:
                raise errors.DataError(
                    f"{self.path}: two sequences are called {name!r}; rename or remove one."
                )
            positions[name] = struct.unpack(self._order + ("Q" if wide else "I"), entry)[0]
        if not positions:
            raise errors.DataError(f"{self.path}: has no sequence; convert the FASTA again.")
        return positions

    def _check_whole(self, name: str) -> None:
        """Refuses a sequence that ends beyond the end of the file."""
        blocks = self._number(self._positions[name] + 4, name)
        cursor = self._positions[name] + 8 + 8 * blocks
        masks = self._number(cursor, name)
        end = cursor + 8 + 8 * masks + -(-self.sizes[name] // 4)
        if end > len(self._bytes):
            raise self._cut_short(f"sequence {name!r}")

    def _sequence(self, name: str) -> _Sequence:
        if name not in self._sequences:
            unknown, cursor = self._stretches(self._positions[name] + 4)
            lower, cursor = self._stretches(cursor)
            # Four reserved bytes stand before the bases.
            self._sequences[name] = _Sequence(cursor + 4, unknown, lower)
        return self._sequences[name]

    def _stretches(self, cursor: int) -> tuple[_Stretches, int]:
        count = self._number(cursor)
        table = np.frombuffer(
            self._bytes[cursor + 4 : cursor + 4 + 8 * count], np.dtype(f"{self._order}u4")
        )
        starts, sizes = table.astype(np.int64).reshape(2, count)
        order = np.argsort(starts, kind="stable")
        return _Stretches(starts[order], (starts + sizes)[order]), cursor + 4 + 8 * count

    def _number(self, position: int, name: str = "") -> int:
        """Returns the whole number of four bytes at a position of the file."""
        entry = self._bytes[position : position + 4]
        if len(entry) < 4:
            raise self._cut_short(f"sequence {name!r}" if name else "its header")
        return int(struct.unpack(f"{self._order}I", entry)[0])

    def _cut_short(self, part: str) -> errors.DataError:
        return errors.DataError(
            f"{self.path}: is damaged or was cut short: {part} ends beyond the end of the file; "
            "copy or download it again."
        )


def _byte_order(head: bytes) -> str:
    """Returns the letter of `struct` for the byte order; '' when the signature is another."""
    for order in ("<", ">"):
        if len(head) == 4 and struct.unpack(f"{order}I", head)[0] == _SIGNATURE:
            return order
    return ""
