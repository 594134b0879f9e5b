"""`targets.txt`: which coolers become targets, and how each is clipped."""

import math
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from akita_bayes import errors

FILE_NAME = "targets.txt"
_NEEDED = ("identifier", "file")


class TargetFile(NamedTuple):
    """One row of the table.

    Attributes:
        identifier: Unique name.
        uri: The cooler, its path relative to the table's folder resolved.
        clip: Largest absolute value of a log ratio; None for no limit.
        description: Free text.
        expected: Table of expected frequencies for a global observed/expected.
    """

    identifier: str
    uri: str
    clip: float | None
    description: str
    expected: str


def read(path: str | Path, *, clip: float | None = None) -> list[TargetFile]:
    """Reads the table: tab-separated, with columns `identifier` and `file`.

    Columns `clip`, `description` and `expected` are optional; others are ignored.

    Args:
        path: The table.
        clip: For rows that give none.

    Raises:
        DataError: The table cannot be read, lacks a column, is empty, has a row without identifier
            or file, names an identifier twice, or holds a clip that is no positive number; or
            `clip` is none.
    """
    path = Path(path)
    if clip is not None and not _positive(clip):
        raise errors.DataError(f"--clip {clip:g}: expected a positive number.")
    if not path.is_file():
        raise errors.DataError(f"{path}: no such table of targets.")
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise errors.DataError(f"{path}: not a tab-separated table ({error}).") from None
    for column in _NEEDED:
        if column not in table.columns:
            raise errors.DataError(
                f'{path}: no column "{column}"; its first line must name tab-separated columns '
                f"identifier and file, and has {', '.join(map(str, table.columns))[:80]}."
            )
    if table.empty:
        raise errors.DataError(f"{path}: no target; add a line for each cooler.")
    table = table.fillna("")
    for row in table.itertuples():
        if not row.identifier or not Path(row.file.partition("::")[0]).name:
            raise errors.DataError(
                f"{path}, line {row.Index + 2}: a target needs an identifier and a file."
            )
    twice = table["identifier"][table["identifier"].duplicated()]
    if len(twice):
        raise errors.DataError(f'{path}: the identifier "{twice.iloc[0]}" is used twice.')
    return [
        TargetFile(
            identifier=row["identifier"],
            uri=_resolve(path.parent, row["file"]),
            clip=_clip(path, row["identifier"], row.get("clip", ""), clip),
            description=row.get("description", ""),
            expected=_resolve(path.parent, row.get("expected", "") or _beside(row["file"])),
        )
        for row in table.to_dict("records")
    ]


def names(data_dir: str | Path, count: int) -> list[str]:
    """Identifiers of a data directory's targets; `target0`, ... where it has no table of them.

    Raises:
        DataError: The table has another number of rows than the records have targets.
    """
    path = Path(data_dir) / FILE_NAME
    if not path.is_file():
        return [f"target{index}" for index in range(count)]
    found = [target.identifier for target in read(path)]
    if len(found) != count:
        raise errors.DataError(
            f"{path}: has {len(found)} rows for records of {count} targets; correct the table."
        )
    return found


def write(path: str | Path, found: list[TargetFile]) -> None:
    """Writes the table with absolute paths, in Basenji's columns."""
    table = pd.DataFrame(
        {
            "identifier": [target.identifier for target in found],
            "file": [target.uri for target in found],
            "clip": ["" if target.clip is None else f"{target.clip:g}" for target in found],
            "description": [target.description for target in found],
        }
    )
    table.to_csv(path, sep="\t", index_label="index")


def _resolve(folder: Path, file: str) -> str:
    path, separator, group = file.partition("::")
    return str((folder / path).resolve()) + separator + group


def _beside(file: str) -> str:
    """Basenji's place: the cooler's name with `.expected` for `.cool`."""
    return str(Path(file.partition("::")[0]).with_suffix(".expected"))


def _clip(path: Path, identifier: str, text: str, default: float | None) -> float | None:
    if not text.strip():
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not _positive(value):
        raise errors.DataError(
            f'{path}: the clip of "{identifier}" is "{text}"; expected a positive number.'
        )
    return value


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0
