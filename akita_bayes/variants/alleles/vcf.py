"""Reads variant files as lines: BCF, and VCF with common irregularities, plain or compressed.

Lines are bytes, since some files hold Latin-1, and an annotated file repeats the bytes unchanged.
A column becomes text as UTF-8 or, if it is not valid UTF-8, as Latin-1, in which every byte is a
character.
"""

import contextlib
import gzip
import io
import itertools
import logging
import re
import zlib
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

import pysam

from akita_bayes import errors
from akita_bayes.files import damage

_log = logging.getLogger(__name__)

FIXED = (b"CHROM", b"POS", b"ID", b"REF", b"ALT", b"QUAL", b"FILTER", b"INFO")
MISSING = b"."
NEEDED = 5  # columns, up to ALT, without which a line has no allele
LARGEST = 2**31 - 1  # largest position, a 32-bit integer in VCF
LONGEST_LINE = 64 << 20
"""Bytes of a line; half a million samples of 40 characters have 20 million."""

_WHOLE = re.compile(r"[0-9]{1,18}")  # ASCII digits, few enough for int()
_BGZIP_EXTRA = b"BC\x02\x00"  # bytes 12 to 15 of a file that bgzip made
_BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_BCF = b"BCF"


def whole_number(text: str) -> int | None:
    """Returns a whole number of at most 18 ASCII digits; None for any other text."""
    return int(text) if _WHOLE.fullmatch(text) else None


def text(column: bytes) -> str:
    """Returns a column as text: UTF-8 or, if it is not valid UTF-8, Latin-1."""
    try:
        return column.decode("utf-8")
    except UnicodeDecodeError:
        return column.decode("latin-1")


class Line(NamedTuple):
    """Holds one record.

    Attributes:
        number: Number of the line in the file, from 1; in a BCF, of the line that bcftools prints.
        columns: The eight columns of every VCF, "." for missing ones; then FORMAT and samples.
    """

    number: int
    columns: list[bytes]

    @property
    def chrom(self) -> str:
        """Returns the chromosome as the file names it."""
        return text(self.columns[0])

    @property
    def pos(self) -> int:
        """Returns POS, counted from 1; 0 is the telomere before the first base."""
        return int(self.columns[1])

    @property
    def alts(self) -> list[str]:
        """Returns every ALT; [] when the column is "."."""
        column = text(self.columns[4])
        return [] if column == "." else column.split(",")

    @property
    def info(self) -> dict[str, str]:
        """Returns INFO as text by key; "" for a flag."""
        return dict(part.partition("=")[::2] for part in text(self.columns[7]).split(";"))


class Reader:
    """Reads the header, then the records of a variant file, in its order.

    Args:
        path: Path of the file, for messages.
        stream: Lines of the file.
        size: Bytes of the file on the disk.

    Raises:
        VariantError: The header cannot be read or, during iteration, a record.

    Attributes:
        meta: Lines that start with ##, without line ends.
        names: Names of the columns after INFO in the header.
    """

    def __init__(self, path: Path, stream: Iterable[bytes], size: int) -> None:
        self.meta: list[bytes] = []
        self.names: list[bytes] = []
        self._path, self._size = path, size
        self._bytes_kept = 0  # without genotypes, which repeat and may compress a thousand times
        self._names_line = 0  # number of the line of column names; 0 without one
        self._lines = self._numbered(stream)
        self._first: list[tuple[int, bytes]] = []
        self._read_header()

    def __iter__(self) -> Iterator[Line]:
        first, self._first = self._first, []
        for number, line in itertools.chain(first, self._lines):
            yield Line(number, self._columns(number, line))

    def _numbered(self, stream: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        """Yields lines that are not blank, without their ends, with their numbers from 1."""
        number = 0
        try:
            for number, line in enumerate(stream, 1):
                line = line.removesuffix(b"\n").removesuffix(b"\r")
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")  # a byte order mark
                if b"\0" in line:
                    self._refuse(
                        number, "holds a NUL byte; expected a VCF, which is text, or a BCF"
                    )
                if b"\r" in line:
                    self._refuse(
                        number, "holds a carriage return; end lines with a line feed, as Unix does"
                    )
                if line.strip():
                    yield number, line
        except damage.GZIP_ERRORS as error:
            sentence = damage.archive_fault(self._path, error, number)
            raise errors.VariantError(sentence) from None

    def _read_header(self) -> None:
        """Reads lines up to the first record, which `__iter__` yields first."""
        for number, line in self._lines:
            self._check_memory(line)
            if line.startswith(b"##"):
                self.meta.append(line)
            elif not line.startswith(b"#"):
                self._first = [(number, line)]
                return
            elif line[1:].lstrip().upper().startswith(FIXED[0]):
                self._read_names(number, line)
            else:
                self.meta.append(b"##comment=" + line[1:].strip())
        if not self.meta and not self._names_line:
            raise errors.VariantError(
                f"{self._path}: holds neither a header nor records; expected a VCF or BCF."
            )

    def _read_names(self, number: int, line: bytes) -> None:
        """Reads the names of the columns, and refuses other names than those of a VCF."""
        if self._names_line:
            self._refuse(
                number,
                f"names the columns again, after line {self._names_line}; keep one such line",
            )
        self._names_line = number
        names = _without_empty_end([name.strip() for name in line[1:].split(b"\t")])
        if len(names) == 1 and len(line.split()) > 1:
            self._refuse(number, "separates the column names by blanks; VCF separates them by tabs")
        for column, (name, expected) in enumerate(zip(names, FIXED, strict=False), 1):
            if name.upper() != expected:
                self._refuse(
                    number,
                    f'calls column {column} "{text(name[:40])}"; expected {expected.decode()}, '
                    "and tabs between names",
                )
        self.names = names[len(FIXED) :]

    def _columns(self, number: int, line: bytes) -> list[bytes]:
        """Returns the columns of a record, with "." for missing ones."""
        if line.startswith(b"#"):
            self._refuse(
                number,
                "is a header line after records; keep one header when you join files",
            )
        columns = _without_empty_end(line.split(b"\t"))
        if len(columns) < NEEDED:
            blanks = len(line.split()) >= NEEDED
            problem = "separates columns by blanks" if blanks else f"has {len(columns)} columns"
            self._refuse(
                number, f"{problem}; expected CHROM, POS, ID, REF, ALT and more, separated by tabs"
            )
        fixed = [column.strip() or MISSING for column in columns[: len(FIXED)]]
        fixed += [MISSING] * (len(FIXED) - len(fixed))
        if fixed[0] == MISSING:
            self._refuse(number, "names no chromosome in its first column")
        position = whole_number(text(fixed[1]))
        if position is None or position > LARGEST:
            self._refuse(
                number,
                f'has the POS "{text(fixed[1][:40])}"; expected a whole number of at most '
                f"{LARGEST:,}",
            )
        self._check_memory(*fixed)
        return fixed + columns[len(FIXED) :]

    def _check_memory(self, *columns: bytes) -> None:
        """Refuses a small file whose header and first eight columns would fill the memory."""
        self._bytes_kept += sum(map(len, columns))
        damage.check_expansion(self._path, self._size, self._bytes_kept)

    def _refuse(self, number: int, problem: str) -> NoReturn:
        raise errors.VariantError(f"{self._path}, line {number}: {problem}.")


def _without_empty_end(columns: list[bytes]) -> list[bytes]:
    """Returns columns up to the last one with content, since lines may end in tabs and blanks."""
    filled = [number for number, column in enumerate(columns, 1) if column.strip()]
    return columns[: filled[-1]] if filled else []


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[Reader]:
    """Opens a VCF, plain or compressed by gzip or bgzip, or a BCF.

    A record may have fewer columns than the header, but at least those up to ALT, or more. The
    header may be missing, or its first line or column names. Lines may be blank or end in blanks.

    Raises:
        VariantError: The file is missing, is not a VCF or BCF, or is damaged; with the line.
    """
    path = Path(path)
    if not path.is_file():
        raise errors.VariantError(f"{path}: no such variant file.")
    size = path.stat().st_size
    with contextlib.ExitStack() as stack:
        if _is_bcf(path):
            stack.callback(pysam.set_verbosity, pysam.set_verbosity(0))
            yield Reader(path, stack.enter_context(contextlib.closing(_printed(path))), size)
            return
        stream = stack.enter_context(open(path, "rb"))
        head = stream.peek(16)
        if head.startswith(damage.GZIP):
            _check_end(path, head)
            unpacked = stack.enter_context(gzip.GzipFile(fileobj=stream))
            yield Reader(path, _lines(path, unpacked), size)
        else:
            yield Reader(path, _lines(path, stream), size)


def _lines(path: Path, stream: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """Yields the lines of a stream; refuses a line without an end, which would fill the memory."""
    for number in itertools.count(1):
        line = stream.readline(LONGEST_LINE)
        if not line:
            return
        if len(line) == LONGEST_LINE:
            raise errors.VariantError(
                f"{path}, line {number}: is longer than {LONGEST_LINE:,} bytes; expected a VCF."
            )
        yield line


def _is_bcf(path: Path) -> bool:
    with open(path, "rb") as handle:
        head = handle.read(len(_BCF))
    if head.startswith(damage.GZIP):
        try:
            with gzip.open(path) as packed:
                head = packed.read(len(_BCF))
        except (OSError, EOFError, zlib.error):
            return False
    return head == _BCF


def _printed(path: Path) -> Generator[bytes]:
    """Yields the lines of a BCF as lines of a VCF."""
    try:
        with pysam.VariantFile(str(path)) as source:
            yield from _as_bytes(source.header).rstrip(b"\n").split(b"\n")
            yield from map(_as_bytes, source)
    except (OSError, ValueError, TypeError, LookupError, NotImplementedError) as error:
        raise errors.VariantError(
            f"{path}: the BCF is damaged or was cut short ({error}); make or copy it again."
        ) from None


def _as_bytes(printed: Any) -> bytes:
    """Returns the bytes that htslib prints; for text other than UTF-8, from pysam's error."""
    try:
        return str(printed).encode()
    except UnicodeDecodeError as error:
        return error.object


def _check_end(path: Path, head: bytes) -> None:
    """Warns of a bgzipped file without the last block that bgzip writes."""
    if head[12:16] != _BGZIP_EXTRA:
        return
    with open(path, "rb") as handle:
        # A file shorter than the end mark is read from its first byte.
        handle.seek(-min(len(_BGZIP_END), path.stat().st_size), io.SEEK_END)
        if handle.read() != _BGZIP_END:
            _log.warning(
                "%s: lacks the end mark of bgzip and may have been cut short; compare its size "
                "with that of its source.",
                path,
            )
