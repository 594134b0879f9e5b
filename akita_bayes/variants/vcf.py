"""Variant files as pysam reads them, also those that Basenji reads and pysam does not."""

import contextlib
import itertools
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pysam

from akita_bayes import errors

_COLUMNS = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


@contextlib.contextmanager
def opened(path: str | Path) -> Iterator[Any]:
    """A `pysam.VariantFile`.

    A plain text file without the line of column names, as Basenji reads it, is completed: that
    line, and columns up to INFO.

    Raises:
        VariantError: The file is missing or is no VCF or BCF.
    """
    path = Path(path)
    if not path.is_file():
        raise errors.VariantError(f"{path}: no such variant file.")
    verbosity = pysam.set_verbosity(0)
    try:
        with tempfile.TemporaryDirectory() as folder, _opened(path, Path(folder)) as file:
            yield file
    finally:
        pysam.set_verbosity(verbosity)


def _opened(path: Path, folder: Path) -> Any:
    try:
        return pysam.VariantFile(str(path))
    except (OSError, ValueError, NotImplementedError) as error:
        text = b"" if isinstance(error, NotImplementedError) else path.read_bytes()
        named = re.match(rb"(##[^\n]*\n)+(?=[^#\n])", text)
        if named is None:
            raise errors.VariantError(
                f"{path}: cannot be read as VCF or BCF ({error}); check that it starts with "
                "##fileformat and that a compressed file was made by bgzip."
            ) from None
    lines = text[named.end() :].splitlines()
    rows = [line + b"\t." * max(7 - line.count(b"\t"), 0) for line in lines if line.strip()]
    completed = folder / "completed.vcf"
    completed.write_bytes(text[: named.end()] + _COLUMNS + b"\n".join(rows) + b"\n")
    return pysam.VariantFile(str(completed))


def numbered(path: str | Path, file: Any) -> Iterator[tuple[int, Any]]:
    """Yields the records of an opened file with their numbers, from 0.

    Raises:
        VariantError: A line is malformed; names its number.
    """
    records = iter(file)
    for number in itertools.count():
        try:
            record = next(records)
        except StopIteration:
            return
        except (OSError, ValueError) as error:
            raise errors.VariantError(
                f"{path}: record {number + 1} is malformed ({error}); mend or remove that line."
            ) from None
        yield number, record
