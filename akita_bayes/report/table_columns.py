"""Turns tables of files into columns of a report, cut to a size that a browser can hold."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from akita_bayes import errors
from akita_bayes.files import damage
from akita_bayes.report import contents

LONGEST = 60
"""Characters of a text in a cell; alleles can have megabases."""

CELLS = 400_000
"""Largest number of cells of a table, so that a report stays below 10 MB."""


def read(
    path: Path,
    kind: str,
    advice: str,
    *,
    separator: str = "\t",
    numeric: Callable[[str], bool] = lambda name: False,
) -> pd.DataFrame:
    """Reads a table with a header; NA and nan are missing numbers, and texts stay as they are.

    Args:
        path: The file.
        kind: Kind of the file with its article, for messages.
        advice: Next step of the user.
        separator: Character between cells.
        numeric: Returns True for the name of a column that must hold numbers.

    Raises:
        DataError: The file is missing or damaged, or a column holds other texts than numbers.
    """
    if not path.is_file():
        raise errors.DataError(f"{path}: no such file; {advice}.")
    with damage.explained(path, kind, advice):
        frame = pd.read_csv(
            path, sep=separator, keep_default_na=False, na_values=["NA", "nan"], low_memory=False
        )
    for name in frame:
        if numeric(str(name)) and not pd.api.types.is_numeric_dtype(frame[name]):
            raise errors.DataError(f"{path}: column {name} must hold numbers; {advice}.")
    return frame


def column(
    frame: pd.DataFrame, name: str, description: str = "", *, shown: bool = True
) -> contents.Column:
    """Returns a column of a report; long texts are cut, and say how long they were.

    Args:
        frame: A table.
        name: Name of the column.
        description: Sentence that defines it.
        shown: False for a column that a reader has to ask for.
    """
    values: Any = frame[name]
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        whole = pd.api.types.is_integer_dtype(values)
        numbers = [
            None if not np.isfinite(value) else int(value) if whole else float(value)
            for value in values
        ]
        return contents.Column(name, numbers, description, shown)
    return contents.Column(name, [_cut(value) for value in values], description, shown)


def _cut(value: Any) -> str:
    text = "NA" if isinstance(value, float) and np.isnan(value) else str(value)
    if len(text) <= LONGEST:
        return text
    return f"{text[: LONGEST // 2]}... ({len(text):,} characters)"


def table(
    title: str, columns: list[contents.Column], strength: Any = None, *, source: str
) -> contents.Table:
    """Returns a table with at most CELLS cells; the strongest rows stay, in the order of the file.

    Args:
        title: Title.
        columns: Columns.
        strength: Number of every row by which rows are kept; None for the first rows. [rows].
        source: File of all rows, for the note.
    """
    rows = len(columns[0].values) if columns else 0
    largest = max(1, CELLS // max(1, len(columns)))
    if rows <= largest:
        return contents.Table(title, columns, rows=range(rows))
    order = np.arange(rows)
    if strength is not None:
        order = np.argsort(-np.where(np.isfinite(strength), strength, -1), kind="stable")
    kept_rows = sorted(int(row) for row in order[:largest])
    which_rows = "strongest" if strength is not None else "first"
    note = f"The {largest:,} {which_rows} of {rows:,} rows; {source} has all of them."
    cut = [
        contents.Column(
            column.name,
            [column.values[row] for row in kept_rows],
            column.description,
            column.shown,
        )
        for column in columns
    ]
    return contents.Table(title, cut, note, kept_rows)
