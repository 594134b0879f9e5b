"""`targets.txt`: which coolers become targets, and how each is clipped."""

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, files

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
    table = _table(path, _NEEDED)
    twice = table["identifier"][table["identifier"].duplicated()]
    for row in table.itertuples():
        if not row.identifier or not Path(row.file.partition("::")[0]).name:
            raise errors.DataError(
                f"{path}, line {row.Index + 2}: a target needs an identifier and a file."
            )
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


class Label(NamedTuple):
    """What a target is called.

    Attributes:
        number: First column of its row, as text.
        identifier: Name, unique in the table.
        description: Free text.
    """

    number: str
    identifier: str
    description: str


def labels(path: str | Path) -> list[Label]:
    """Reads what a table calls its targets; unlike `read` it needs no column `file`.

    An identifier that another row has too, or none at all, is completed by the row's index.

    Args:
        path: The table; tab-separated, an index first, with a column `identifier`.

    Raises:
        DataError: The table cannot be read, lacks `identifier`, or is empty.
    """
    table = _table(Path(path), ("identifier",))
    index, identifier = table[table.columns[0]], table["identifier"]
    unclear = identifier.duplicated(keep=False) | (identifier == "")
    unique = identifier.where(~unclear, (identifier + "_" + index).str.lstrip("_"))
    description = table.get("description", [""] * len(table))
    return [Label(*row) for row in zip(index, unique, description, strict=True)]


def names(data_dir: str | Path, count: int) -> list[str]:
    """Identifiers of a data directory's targets; `target0`, ... where it has no table of them.

    Raises:
        DataError: The table has another number of rows than the records have targets.
    """
    path = Path(data_dir) / FILE_NAME
    if not path.is_file():
        return [f"target{index}" for index in range(count)]
    identifiers = [label.identifier for label in labels(path)]
    if len(identifiers) != count:
        raise errors.DataError(
            f"{path}: has {len(identifiers)} rows for records of {count} targets; "
            "correct the table."
        )
    return identifiers


def of_run(model: str | Path, head: str, count: int) -> list[Label] | None:
    """Returns what a run's data call the targets of a head; None where the run does not say.

    Args:
        model: A run directory, or a file in one.
        head: Name of the head.
        count: Targets of the head.
    """
    path = Path(model)
    record = (path if path.is_dir() else path.parent) / "provenance.json"
    if not record.is_file():
        return None
    entries = files.read_json(record).get("data", [])
    own = [entry for entry in entries if entry.get("head") == head]
    if not own and len(entries) == 1 and "head" not in entries[0]:
        own = entries  # of a run that did not note its heads yet
    if not own:
        return None
    table = Path(own[0].get("path", "")) / FILE_NAME
    if "targets" in own[0]:
        own_labels = [
            Label(str(index), identifier, description)
            for index, (identifier, description) in enumerate(own[0]["targets"])
        ]
    elif table.is_file():
        own_labels = labels(table)
    else:
        return None
    return own_labels if len(own_labels) == count else None


def _table(path: Path, needed: tuple[str, ...]) -> pd.DataFrame:
    """Reads the cells of a table as text, and checks that it has columns and rows."""
    if not path.is_file():
        raise errors.DataError(f"{path}: no such table of targets.")
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise errors.DataError(f"{path}: not a tab-separated table ({error}).") from None
    for column in needed:
        if column not in table.columns:
            raise errors.DataError(
                f'{path}: no column "{column}"; its first line must name tab-separated columns '
                f"{' and '.join(needed)}, and has {', '.join(map(str, table.columns))[:80]}."
            )
    if table.empty:
        raise errors.DataError(f"{path}: no target; add a line for each target.")
    return table.fillna("")


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


def existing_expected(path: str) -> str:
    """The path of a table of expected contacts, which is there.

    Raises:
        DataError: It is not.
    """
    if not Path(path).is_file():
        raise errors.DataError(
            f"{path}: no such table of expected contacts; make it with `cooltools expected-cis` or "
            "leave out --global_obsexp."
        )
    return path


def read_expected(path: str, chrom: str, bins: int) -> NDArray[np.float64]:
    """Expected balanced frequency of one chromosome at distances 0 to `bins` - 1.

    Args:
        path: Table of `cooltools expected-cis`: `region1` (or `chrom`), `dist` (or `diag`) and
            `balanced.avg`.
        chrom: Chromosome, in the table's names.
        bins: Number of distances.

    Raises:
        DataError: The table is missing, no table, lacks a column, or is too short.
    """
    try:
        table = pd.read_csv(existing_expected(path), sep="\t")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise errors.DataError(f"{path}: not a tab-separated table ({error}).") from None
    name = next((column for column in ("region1", "chrom") if column in table), None)
    if name is None or "balanced.avg" not in table:
        raise errors.DataError(
            f'{path}: needs the columns "region1" (or "chrom") and "balanced.avg".'
        )
    try:
        values = table.loc[table[name] == chrom, "balanced.avg"].to_numpy(np.float64)[:bins]
    except ValueError as error:
        raise errors.DataError(f"{path}: balanced.avg must hold numbers ({error}).") from None
    if len(values) < bins:
        raise errors.DataError(
            f"{path}: has {len(values)} distances of {chrom}, a window needs {bins}."
        )
    return values


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
