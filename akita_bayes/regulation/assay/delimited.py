"""Reads a text table whose columns are separated by tabs, by commas, or by aligning blanks.

The first line decides: tabs if it has one, else commas, else blanks, where several blanks count as
one separator. Every other line must have the same separator. Empty lines, and lines above the table
that begin with #, are left out; blanks around a cell are removed.

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
"""Separators with their names in messages, in the order of the search in a header."""
MIXED = (
    "the header has different separators between its names; separate all columns by tabs, all by "
    "commas, or all by blanks."
)


class Delimited(NamedTuple):
    """Holds a table as text.

    Attributes:
        names: Names of the columns, from the first line.
        rows: Cells of every other line; each row has one cell per name.
    """

    names: list[str]
    rows: list[list[str]]


def read(path: str | Path) -> Delimited:
    """Reads a table, plain or compressed by gzip.

    Raises:
        DataError: The file is not text, is empty, or a row has other separators than the header.
    """
    path = Path(path)
    lines = [line for line in files.lines(path, "table") if line.strip()]
    comment_lines = 0
    while comment_lines < len(lines) and lines[comment_lines].lstrip().startswith("#"):
        comment_lines += 1
    lines = lines[comment_lines:]
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
    named_columns = [number for number, name in enumerate(names) if name]
    if len(named_columns) < len(names):
        names, rows = (
            [names[i] for i in named_columns],
            [[row[i] for i in named_columns] for row in rows],
        )
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
    """Returns True when cells are whole numbers that rise from row to row."""
    if not all(map(str.isdecimal, cells)):
        return False
    numbers = [int(cell) for cell in cells]
    return all(previous < following for previous, following in itertools.pairwise(numbers))


def _fit(
    names: Sequence[str],
    rows: list[list[str]],
    separator: str,
    lines: Sequence[str],
    path: Path,
) -> list[list[str]]:
    """Returns rows with one cell per name, without an index column."""
    size = len(names)
    # One cell more than names in every row: empty last cells come from separators at the ends of
    # lines; rising whole numbers in front are an index without a name.
    if rows and all(len(row) == size + 1 for row in rows):
        if all(not row[-1] for row in rows):
            return [row[:-1] for row in rows]
        if size > 1 and _is_index([row[0] for row in rows]):
            return [row[1:] for row in rows]
    for number, row in enumerate(rows):
        if len(row) > size and not any(row[size:]):
            rows[number] = row = row[:size]
        line = lines[number + 1]
        foreign_separators = [mark for mark in SEPARATORS if mark != separator and mark in line]
        if len(row) == size and not (separator == " " and foreign_separators):
            continue
        word_count = len(_words(line))
        if word_count == len(_words(lines[0])) > size:
            raise errors.DataError(f"{path}: {MIXED}")
        if foreign_separators and word_count == size:
            separator_names = " and ".join(SEPARATORS[mark] for mark in foreign_separators)
            raise errors.DataError(
                f"{path}: row {number + 1} has {separator_names} "
                f"between its cells, and the header has {SEPARATORS[separator]}; separate all rows "
                "as the header."
            )
        raise errors.DataError(
            f"{path}: row {number + 1} has {len(row)} cells, and the header has {size}; give every "
            "row a cell for each column."
        )
    return rows
