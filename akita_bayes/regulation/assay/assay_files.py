"""Reads reporter assays from disk, in three formats, gzipped or not.

Tabs, commas, or aligning blanks separate the columns (`delimited`).

- a directory with `files.txt` (columns bin, file) and one file of columns `ct`, `seq` per bin;
- a wide table: a sequence column and one column of counts `ct_*` per bin, or a read-out `value`
  with an optional `weight`, or a `count` with an optional `exposure`; optionally `library`;
- long rows: library, bin, sequence and optionally a count, with or without a header.

A column `set` or `split` of training, validation and test is the split of the table. Sequences with
the letter N are counted and left out.
"""

import dataclasses
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import dna, errors, files
from akita_bayes.files import damage, safe_names
from akita_bayes.regulation.assay import assay_references, assay_table, delimited, published_split

_log = logging.getLogger(__name__)

VALUE = ("value", "y")
LONG = ["library", "bin", "sequence", "count"]
"""Columns of long rows without a header; the count may be left out."""
ALIASES = {"seq_rna": "seq"}
"""Names of columns in the tables of MPAthic and sortseq_tools, and their names in this module."""
WORDS = {
    *assay_table.SEQUENCE,
    *VALUE,
    *assay_table.COUNT,
    *published_split.COLUMNS,
    "library",
    "bin",
    "file",
    "weight",
    "exposure",
}
"""Columns whose names are read without regard to upper and lower case."""
DNA = re.compile("[ACGTUNacgtun-]+")
LARGEST = 1e30
"""Largest absolute value of a read-out: the likelihood is in float32."""


def read(path: str | Path) -> assay_table.Table:
    """Reads a directory or a file in one of the three formats.

    Raises:
        DataError: A file is missing or cannot be read; the message names the file, the row and the
            remedy.
    """
    path = Path(path)
    if path.is_dir():
        if (path / "files.txt").exists():
            return _read_bins(path)
        tables = [
            p
            for p in sorted(path.iterdir())
            if assay_references.is_table(p) and not assay_references.base_columns(p)
        ]
        if len(tables) != 1:
            raise errors.DataError(
                f"{path}: has no files.txt and {len(tables)} tables; name one table, or list "
                "the file of each bin in files.txt (columns bin, file)."
            )
        path = tables[0]
    if not path.exists():
        raise errors.DataError(f"{path}: no such file or directory.")
    return _read_table(path)


def _read_bins(folder: Path) -> assay_table.Table:
    listing = read_frame(folder / "files.txt")
    if not {"bin", "file"} <= set(listing.columns):
        raise errors.DataError(f"{folder / 'files.txt'}: needs the columns bin and file.")
    if listing.empty:
        raise errors.DataError(
            f"{folder / 'files.txt'}: names no bins; list each bin and its file."
        )
    for column in ("bin", "file"):
        _present(listing[column], f"{folder / 'files.txt'}")
        if listing[column].duplicated().any():
            duplicate = listing[column][listing[column].duplicated()].iloc[0]
            raise errors.DataError(
                f"{folder / 'files.txt'}: {column} {duplicate} is named twice; give every bin one "
                "file."
            )
    frames = []
    for bin_name, file_name in zip(listing["bin"], listing["file"], strict=True):
        candidates = [folder / str(file_name), folder / f"{file_name}.gz"]
        with damage.explained(folder / "files.txt", "a list of files", "correct its names"):
            file = next((file for file in candidates if file.exists()), None)
        if file is None:
            raise errors.DataError(f"{candidates[0]}: no such file, named in files.txt.")
        frame = read_frame(file)
        sequence = find_column(frame, assay_table.SEQUENCE, file)
        if list(frame) == [sequence]:
            frame["ct"] = "1"  # a file of sequences alone has a row for every read
        count = find_column(frame, assay_table.COUNT, file)
        _present(frame[sequence], str(file))
        frame = without_unknown(frame, sequence, str(file))
        assay_table.to_index(list(frame[sequence]), where=str(file), rows=frame.index + 1)
        reads = _counts(frame[[count]], str(file))[:, 0]
        letters = frame[sequence].map(dna.from_rna)
        frames.append(pd.DataFrame({"bin": str(bin_name), "sequence": letters, "count": reads}))
    bins = [str(bin_name) for bin_name in listing["bin"]]
    return assay_table.Table((_long_library(pd.concat(frames), bins, "", str(folder)),))


def _read_table(path: Path) -> assay_table.Table:
    frame = read_frame(path)
    sequence = find_column(frame, assay_table.SEQUENCE, path)
    if frame.empty:
        raise errors.DataError(f"{path}: has no sequences below its header.")
    for column in (sequence, "library", "bin"):
        if column in frame:
            _present(frame[column], str(path))
    groups: Mapping[str, pd.DataFrame] = {"": frame}
    if "library" in frame:
        groups = {str(name): group for name, group in frame.groupby("library", sort=False)}
    for fault in filter(None, map(safe_names.fault, groups if "library" in frame else ())):
        raise errors.DataError(f"{path}: column library: {fault}")
    libraries = []
    for name, group in groups.items():
        where = f'{path}, library "{name}"' if name else str(path)
        group = without_unknown(group, sequence, where)
        bins = [column for column in frame if column.startswith("ct_")]
        sequences, side = list(group[sequence]), published_split.sides(group, where)
        assay_table.to_index(sequences, where=where, rows=group.index + 1)
        if "bin" in frame:
            count = next((c for c in assay_table.COUNT if c in frame), None)
            rows = pd.DataFrame({"bin": group["bin"], "sequence": group[sequence]})
            rows["count"] = 1.0 if count is None else group[count]
            order = sorted(rows["bin"].unique(), key=_natural)
            libraries.append(_long_library(rows, order, name, where, side))
        elif bins:
            labels = [column.removeprefix("ct_") for column in bins]
            counts = _counts(group[bins], where)
            libraries.append(
                assay_table.from_counts(
                    sequences, counts, columns=labels, name=name, where=where, side=side
                )
            )
        else:
            read_out = _read_out(group, sequence, name, where)
            libraries.append(dataclasses.replace(read_out, side=side))
    return assay_table.Table(tuple(libraries))


def _long_library(
    rows: pd.DataFrame,
    bins: Sequence[str],
    name: str,
    where: str,
    side: NDArray[np.int64] | None = None,
) -> assay_table.Library:
    sequences, unique = pd.factorize(rows["sequence"])
    if side is not None:
        side = published_split.of_groups(sequences, side, where, list(unique))
    counts = np.zeros((len(unique), len(bins)))
    column = pd.Index(bins).get_indexer(rows["bin"])
    # Unlike `counts[...] += ...`, this adds every row where a sequence occurs twice in a bin.
    np.add.at(counts, (sequences, column), _counts(rows[["count"]], where)[:, 0])
    return assay_table.from_counts(
        list(unique), counts, columns=bins, name=name, where=where, side=side
    )


def _read_out(frame: pd.DataFrame, sequence: str, name: str, where: str) -> assay_table.Library:
    """Returns a library of read-outs with weights, or of counts with exposures."""
    value = next((column for column in (*VALUE, *assay_table.COUNT) if column in frame), None)
    if value is None:
        raise errors.DataError(
            f"{where}: has neither a bin column, nor counts ct_*, nor a value, nor a count; "
            f"its columns are {', '.join(map(str, frame.columns))}."
        )
    weight = "exposure" if value in assay_table.COUNT else "weight"
    read = _counts if value in assay_table.COUNT else _numbers
    observed = read(frame[[value]], where)
    weights = _numbers(frame[[weight]], where)[:, 0] if weight in frame else np.ones(len(frame))
    if (weights <= 0).any():
        raise errors.DataError(
            f"{where}: row {frame.index[np.argmax(weights <= 0)] + 1} has {weight} "
            f"{weights[np.argmax(weights <= 0)]:g}; leave out rows that were not measured."
        )
    index = assay_table.to_index(list(frame[sequence]), where=where)
    return assay_table.Library(name, index, observed, (value,), weights)


def read_frame(path: Path) -> pd.DataFrame:
    """Reads a delimited table as text; long rows without a header get the names in `LONG`."""
    if path.suffix == ".gz" and not files.is_gzip(path):
        raise errors.DataError(
            f"{path}: cannot be read as a table: its name ends in .gz, but it is not compressed; "
            "compress it, or remove .gz from its name."
        )
    table = delimited.read(path)
    names = [_canonical(name) for name in table.names]
    # A first line such as `wt,B2,ACGT,7` is data: its third cell is DNA, and no cell is a word.
    if len(names) in (3, 4) and not {*names} & WORDS and DNA.fullmatch(names[2]):
        rows = [table.names, *table.rows]
        return pd.DataFrame(rows, columns=LONG[: len(names)], dtype=object)
    for name in names:
        if names.count(name) > 1:
            raise errors.DataError(f"{path}: has two columns {name}; leave one out.")
        # A cell such as `sequence ct_0` holds two names that another separator divides.
        parts = [_canonical(part) for part in re.split("[\t, ]+", name)]
        if len(parts) > 1 and all(part in WORDS or part.startswith("ct_") for part in parts):
            raise errors.DataError(f"{path}: {delimited.MIXED}")
    return pd.DataFrame(table.rows, columns=names, dtype=object)


def _canonical(name: str) -> str:
    """Returns the name that this module uses for a column."""
    lower = name.lower()
    if lower.startswith("ct_"):
        return lower[:3] + name[3:]
    return ALIASES.get(lower, lower) if lower in WORDS or lower in ALIASES else name


def find_column(frame: pd.DataFrame, names: Sequence[str], path: Path) -> str:
    """Returns the first of some names that is a column.

    Raises:
        DataError: None of them is.
    """
    for name in names:
        if name in frame:
            return name
    raise errors.DataError(
        f"{path}: has no column {' or '.join(names)}; it has {', '.join(map(str, frame.columns))}."
    )


def without_unknown(frame: pd.DataFrame, sequence: str, where: str) -> pd.DataFrame:
    """Leaves out the rows whose sequence has the letter N, and logs their number.

    Args:
        frame: Table of text.
        sequence: Name of the column of sequences.
        where: Source of the data, with which errors begin.

    Raises:
        DataError: All sequences have the letter N.
    """
    unknown = frame[sequence].str.contains("[Nn]").to_numpy(bool)
    if not unknown.any():
        return frame
    if unknown.all():
        raise errors.DataError(
            f"{where}: all {len(frame)} sequences have the letter N; give sequences of known bases."
        )
    _log.warning(
        "%s: %d of %d rows have the letter N in their sequence and are left out.",
        where,
        np.count_nonzero(unknown),
        len(frame),
    )
    return frame[~unknown]


def _present(column: pd.Series, where: str) -> None:
    empty = column == ""
    if empty.any():
        row = int(np.argmax(empty)) + 1
        raise errors.DataError(
            f"{where}: row {row}: {column.name} is empty; fill it in or drop the row."
        )


def _numbers(frame: pd.DataFrame, where: str) -> NDArray[np.float64]:
    """Returns the columns of a table as numbers; errors give the row in the file. [N, M]."""
    values: NDArray[np.float64] = frame.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    # Negated, so that NaN, for which every comparison is False, counts as invalid too.
    invalid = ~(np.abs(values) <= LARGEST)
    if invalid.any():
        row, column = np.argwhere(invalid)[0]
        cell = frame.iloc[row, column]
        problem = f"{str(cell)!r} is not a number" if str(cell).strip() else "is empty"
        if np.isfinite(values[row, column]):
            problem = f"{cell} is too large to be fitted; give up to {LARGEST:g}"
        raise errors.DataError(
            f"{where}: row {frame.index[row] + 1}, column {frame.columns[column]}: {problem}."
        )
    return values


def _counts(frame: pd.DataFrame, where: str) -> NDArray[np.float64]:
    """Returns the columns of a table as counts of reads, checked. [N, M]."""
    values = _numbers(frame, where)
    assay_table.check_counts(values, where, frame.index + 1)
    return values


def _natural(label: str) -> tuple[str, int]:
    """Returns a sort key that puts B2 before B10: (letters, trailing number)."""
    digits = label[len(label.rstrip("0123456789")) :]
    return label.rstrip("0123456789"), int(digits or 0)
