"""Reads and writes `targets.txt`, the table of the files of contacts that become targets."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from akita_bayes import errors, files
from akita_bayes.data.contacts import contact_file
from akita_bayes.files import damage, text_table

FILE_NAME = "targets.txt"
_REQUIRED = ("identifier", "file")


class TargetFile(NamedTuple):
    """Describes one row of the table.

    Attributes:
        identifier: Unique name.
        uri: Absolute path of the cooler or .hic file, and its group after `::`; relative paths
            start at the table's folder.
        clip: Largest absolute value of a log ratio; None for no limit.
        description: Free text.
        expected: Path of the table of expected frequencies, for `global_obsexp`.
        weight: Name of the weights or normalisation; empty for the usual one.
        divisive: True when counts are divided by the weights; None when the file says.
        balance: True to balance a cooler without weights.
        replicates: Files of contacts of repeats of the experiment, which the file sums up.
    """

    identifier: str
    uri: str
    clip: float | None
    description: str
    expected: str
    weight: str = ""
    divisive: bool | None = None
    balance: bool = False
    replicates: tuple[str, ...] = ()

    @property
    def source(self) -> contact_file.Source:
        """Returns the file and its weights."""
        return contact_file.Source(self.uri, self.weight, self.divisive, self.balance)

    def record(self) -> dict[str, Any]:
        """Returns the fields for `options.json`; `replicates` only where there are some."""
        fields = self._asdict()
        if not self.replicates:
            del fields["replicates"]
        return fields


def read(
    path: str | Path,
    *,
    clip: float | None = None,
    weight: str = "",
    divisive: bool | None = None,
    balance: bool = False,
) -> list[TargetFile]:
    """Reads the table: tab-separated, with columns `identifier` and `file`.

    Columns `clip`, `description`, `expected`, `weight` (or `norm`), `divisive` (yes or no) and
    `replicates` (two or more files, separated by commas) are optional; others are ignored.

    Args:
        path: The table.
        clip: Clip of rows without one.
        weight: Name of the weights of rows without one.
        divisive: True or False for rows that do not say whether their weights divide counts.
        balance: True to balance coolers without weights.

    Raises:
        DataError: The table cannot be read, lacks a column, is empty, has a row without identifier
            or file, names an identifier twice, or holds a clip that is not a positive number, a
            `divisive` other than yes and no, or a single replicate; or `clip` itself is not a
            positive number.
    """
    path = Path(path)
    if clip is not None and not _positive(clip):
        raise errors.DataError(f"--clip {clip:g}: expected a positive number.")
    table = _table(path, _REQUIRED)
    repeated = table["identifier"][table["identifier"].duplicated()]
    for row in table.itertuples():
        if not row.identifier or not Path(row.file.partition("::")[0]).name:
            raise errors.DataError(
                f"{path}, line {row.Index + 2}: a target needs an identifier and a file."
            )
    if len(repeated):
        raise errors.DataError(f'{path}: the identifier "{repeated.iloc[0]}" is used twice.')
    return [
        TargetFile(
            identifier=row["identifier"],
            uri=_resolve(path.parent, row["file"]),
            clip=_clip(path, row["identifier"], row.get("clip", ""), clip),
            description=row.get("description", ""),
            expected=_resolve(
                path.parent, row.get("expected", "") or _default_expected(row["file"])
            ),
            weight=(row.get("weight", "") or row.get("norm", "")).strip() or weight,
            divisive=_divisive(path, row["identifier"], row.get("divisive", ""), divisive),
            balance=balance,
            replicates=_replicates(path, row["identifier"], row.get("replicates", "")),
        )
        for row in table.to_dict("records")
    ]


def locate(target_files: Sequence[TargetFile], width: int | None) -> list[TargetFile]:
    """Returns the targets with the resolution of `width` bases of files that hold several.

    Raises:
        DataError: A file cannot be read, or lacks the resolution.
    """
    # Readers of maps take long to import, and most users of this table need none.
    from akita_bayes.data.contacts import contact_formats

    return [
        target._replace(
            uri=contact_formats.locate(target.uri, width),
            replicates=tuple(contact_formats.locate(uri, width) for uri in target.replicates),
        )
        for target in target_files
    ]


class Label(NamedTuple):
    """Holds the names of a target.

    Attributes:
        number: First column of its row, as text.
        identifier: Name, unique in the table.
        description: Free text.
    """

    number: str
    identifier: str
    description: str


def labels(path: str | Path) -> list[Label]:
    """Reads the labels of the targets of a table; unlike `read` it needs no column `file`.

    The row's index is appended to an identifier that is empty or not unique.

    Args:
        path: Tab-separated table with an index in its first column and a column `identifier`.

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
    """Returns the identifiers of the targets of a data directory; `target0`, ... without a table.

    Raises:
        DataError: The number of rows of the table differs from the number of targets.
    """
    path = Path(data_dir) / FILE_NAME
    if not path.is_file():
        return [f"target{index}" for index in range(count)]
    identifiers = [label.identifier for label in labels(path)]
    if len(identifiers) != count:
        raise errors.DataError(
            f"{path}: has {len(identifiers)} rows, but the records have {count} targets; correct "
            "the table."
        )
    return identifiers


def of_head(
    model: str | Path, head: str, count: int, *, table: str | Path | None = None
) -> list[Label] | None:
    """Returns the labels of the targets of a head, from a table or from the run of the model.

    Args:
        model: A run directory, or a file in one.
        head: Name of the head.
        count: Number of targets of the head.
        table: Path of a table of targets; None for what the run records.

    Raises:
        DataError: The table cannot be read, or has another number of targets.
    """
    if table is None:
        return of_run(model, head, count)
    table_labels = labels(table)
    if len(table_labels) != count:
        raise errors.DataError(
            f"{table}: names {len(table_labels)} targets, but head {head} has {count}; give the "
            "table of the targets that the head was trained on."
        )
    return table_labels


def of_run(model: str | Path, head: str, count: int) -> list[Label] | None:
    """Returns the labels of the targets of a head; None when the run does not record them.

    Args:
        model: A run directory, or a file in one.
        head: Name of the head.
        count: Number of targets of the head.
    """
    path = Path(model)
    provenance = (path if path.is_dir() else path.parent) / "provenance.json"
    if not provenance.is_file():
        return None
    with damage.explained(provenance, "the provenance of a run", "give -t"):
        entries = files.read_json(provenance).get("data", [])
        head_entries = [entry for entry in entries if entry.get("head") == head]
        if not head_entries and len(entries) == 1 and "head" not in entries[0]:
            head_entries = entries  # runs of older versions do not name the head
        if not head_entries:
            return None
        table = Path(head_entries[0].get("path", "")) / FILE_NAME
        if "targets" in head_entries[0]:
            run_labels = [
                Label(str(index), identifier, description)
                for index, (identifier, description) in enumerate(head_entries[0]["targets"])
            ]
        elif table.is_file():
            run_labels = labels(table)
        else:
            return None
        return run_labels if len(run_labels) == count else None


def _table(path: Path, required: tuple[str, ...]) -> pd.DataFrame:
    """Reads the cells of a table as text, and checks that it has columns and rows."""
    table = text_table.read(path, required, missing="no such table of targets")
    if table.empty:
        raise errors.DataError(f"{path}: has no target; add a line for each target.")
    return table


def write(path: str | Path, target_files: list[TargetFile]) -> None:
    """Writes the table with absolute paths, in Basenji's columns."""
    table = pd.DataFrame(
        {
            "identifier": [target.identifier for target in target_files],
            "file": [target.uri for target in target_files],
            "clip": ["" if target.clip is None else f"{target.clip:g}" for target in target_files],
            "description": [target.description for target in target_files],
        }
    )
    weights = [target.weight for target in target_files]
    if any(weights):
        table["weight"] = weights
    if any(target.divisive is not None for target in target_files):
        words = {None: "", True: "yes", False: "no"}
        table["divisive"] = [words[target.divisive] for target in target_files]
    if any(target.replicates for target in target_files):
        table["replicates"] = [",".join(target.replicates) for target in target_files]
    table.to_csv(path, sep="\t", index_label="index")


def _resolve(folder: Path, file: str) -> str:
    path, separator, group = file.partition("::")
    return str((folder / path).resolve()) + separator + group


def _default_expected(file: str) -> str:
    """Returns the name that Basenji expects: the cooler's, with `.expected` for `.cool`."""
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


def _divisive(path: Path, identifier: str, text: str, default: bool | None) -> bool | None:
    word = text.strip().lower()
    if word not in ("", "yes", "no"):
        raise errors.DataError(
            f'{path}: "divisive" of "{identifier}" is "{text}"; expected yes or no.'
        )
    return {"": default, "yes": True, "no": False}[word]


def _replicates(path: Path, identifier: str, text: str) -> tuple[str, ...]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if len(names) == 1 or len(set(names)) < len(names):
        raise errors.DataError(
            f'{path}: the replicates of "{identifier}" are "{text}"; expected two or more '
            "different files, separated by commas."
        )
    return tuple(_resolve(path.parent, name) for name in names)


def _positive(value: float) -> bool:
    return math.isfinite(value) and value > 0
