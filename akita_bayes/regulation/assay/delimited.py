"""Reads a text table whose columns are separated by tabs, by commas, or by blanks that align them.

The first line tells which: tabs if it has one, else commas, else blanks, of which any number is
one separator. Every other line must be separated alike. Lines that are empty, and lines that begin
with # above the table, are left out; blanks around a cell are no part of it.

An index column, as pandas and R write it, is left out: a column without a name, or, where every row
has one cell more than the header has names, a first column of rising whole numbers.
"""

import csv
import itertools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from akita_bayes import errors, files

SEPARATORS = {"\t": "tabs", ",": "commas", " ": "blanks"}
"""Separators and what messages call them, in the order in which a header is searched for them."""
MIXED = (
    "the header has different separators between its names; separate all columns by tabs, all by "
    "commas, or all by blanks."
)


class Delimited(NamedTuple):
    """A table as text.

    Attributes:
        names: Names of the columns: the cells of the first line.
        rows: The cells of every other line, as many as there are names.
    """

    names: list[str]
    rows: list[list[str]]


def read(path: str | Path) -> Delimited:
    """Reads a table, plain or compressed by gzip.

    Raises:
        DataError: It is no text, is empty, or has a row that is not separated as the header is.
    """
    path = Path(path)
    lines = [line for line in files.lines(path, "table") if line.strip()]
    comments = 0
    while comments < len(lines) and lines[comments].lstrip().startswith("#"):
        comments += 1
    lines = lines[comments:]
    if not lines:
        raise errors.DataError(f"{path}: is empty.")
    separator = next((mark for mark in SEPARATORS if mark in lines[0]), " ")
    if ";" in lines[0] and separator == " ":
        raise errors.DataError(
            f"{path}: the columns are separated by semicolons; separate them by tabs, commas or "
            "blanks."
        )
    cells = _split(lines, separator, path)
    names, rows = cells[0], cells[1:]
    rows = _fit(names, rows, separator, lines, path)
    named = [number for number, name in enumerate(names) if name]
    if len(named) < len(names):
        names, rows = [names[i] for i in named], [[row[i] for i in named] for row in rows]
    return Delimited(names, rows)


def _words(line: str) -> list[str]:
    """Returns the parts of a line between separators of any kind."""
    return re.split("[\t, ]+", line.strip())


def _split(lines: Sequence[str], separator: str, path: Path) -> list[list[str]]:
    """Returns the cells of every line, without the blanks around them."""
    if not any('"' in line for line in lines):
        if separator == " ":
            return [line.split() for line in lines]
        return [[cell.strip() for cell in line.split(separator)] for line in lines]
    stripped = [line.strip(" ") for line in lines]
    reader = csv.reader(stripped, delimiter=separator, skipinitialspace=True, strict=True)
    cells: list[list[str]] = []
    try:
        for row in reader:
            if reader.line_num > len(cells) + 1:
                raise csv.Error("a quoted cell goes on in the next line")
            cells.append([cell.strip() for cell in row])
    except csv.Error:
        row_name = f"row {len(cells)}" if cells else "the header"
        raise errors.DataError(
            f"{path}: {row_name} has a quotation mark that is not closed, or letters after one; "
            "quote whole cells, or none."
        ) from None
    return cells


def _is_index(cells: Sequence[str]) -> bool:
    """Returns whether cells are whole numbers that rise from row to row."""
    if not all(map(str.isdecimal, cells)):
        return False
    numbers = [int(cell) for cell in cells]
    return all(one < other for one, other in itertools.pairwise(numbers))


def _fit(
    names: Sequence[str],
    rows: list[list[str]],
    separator: str,
    lines: Sequence[str],
    path: Path,
) -> list[list[str]]:
    """Returns rows of as many cells as there are names, without an index column."""
    size = len(names)
    if rows and all(len(row) == size + 1 for row in rows):
        if all(not row[-1] for row in rows):
            return [row[:-1] for row in rows]
        if size > 1 and _is_index([row[0] for row in rows]):
            return [row[1:] for row in rows]
    for number, row in enumerate(rows):
        if len(row) > size and not any(row[size:]):
            rows[number] = row = row[:size]
        line = lines[number + 1]
        others = [mark for mark in SEPARATORS if mark != separator and mark in line]
        if len(row) == size and not (separator == " " and others):
            continue
        words = len(_words(line))
        if words == len(_words(lines[0])) > size:
            raise errors.DataError(f"{path}: {MIXED}")
        if others and words == size:
            raise errors.DataError(
                f"{path}: row {number + 1} has {' and '.join(SEPARATORS[mark] for mark in others)} "
                f"between its cells, and the header has {SEPARATORS[separator]}; separate all rows "
                "as the header."
            )
        raise errors.DataError(
            f"{path}: row {number + 1} has {len(row)} cells, and the header has {size}; give every "
            "row a cell for each column."
        )
    return rows
