"""Reads tab-separated tables whose cells are text, and says what is wrong with others."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from akita_bayes import errors


def read(path: str | Path, required: Sequence[str], *, missing: str) -> pd.DataFrame:
    """Reads the cells of a table as text; an absent last cell is "".

    Args:
        path: The file; its first line names the columns.
        required: Columns that it must have.
        missing: What the error says of a file that does not exist, as "no such table of targets".

    Raises:
        DataError: The file is missing, is not such a table, or lacks a column.
    """
    path = Path(path)
    if not path.is_file():
        raise errors.DataError(f"{path}: {missing}.")
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise errors.DataError(f"{path}: not a tab-separated table ({error}).") from None
    if not isinstance(table.index, pd.RangeIndex):
        raise errors.DataError(f"{path}: a line has more columns than the first line; add names.")
    if any(table[column].astype(str).str.contains("\0", regex=False).any() for column in table):
        raise errors.DataError(f"{path}: holds a NUL byte; expected a table as text.")
    for column in required:
        if column not in table.columns:
            raise errors.DataError(
                f'{path}: no column "{column}"; its first line must name tab-separated columns '
                f"{' and '.join(required)}, and has {', '.join(map(str, table.columns))[:80]}."
            )
    return table.fillna("")
