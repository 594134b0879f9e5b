"""Reads reporter assays from disk, in three formats, gzipped or not.

- a directory with `files.txt` (columns bin, file) and one file of columns `ct`, `seq` per bin;
- a wide table: a sequence column and one column of counts `ct_*` per bin, or a read-out `value`
  with an optional `weight`, or a `count` with an optional `exposure`; optionally `library`;
- long rows: library, bin, sequence and optionally a count, with or without a header.
"""

import csv
import gzip
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import dna, errors, files
from akita_bayes.data import mpra

SEQUENCE = ("sequence", "seq", "x")
VALUE = ("value", "y")
LONG = ["library", "bin", "sequence", "count"]
"""Columns of long rows without a header; the count may be left out."""


def read(path: str | Path) -> mpra.Table:
    """Reads a directory or a file in one of the three formats.

    Raises:
        DataError: What is wrong, in which file and row, and what to do.
    """
    path = Path(path)
    if path.is_dir():
        if (path / "files.txt").exists():
            return _read_bins(path)
        tables = [p for p in sorted(path.iterdir()) if _is_table(p)]
        if len(tables) != 1:
            raise errors.DataError(
                f"{path}: has no files.txt and {len(tables)} tables; name one table, or list "
                "the file of each bin in files.txt (columns bin, file)."
            )
        path = tables[0]
    if not path.exists():
        raise errors.DataError(f"{path}: no such file or directory.")
    return _read_table(path)


def _is_table(path: Path) -> bool:
    return path.name.removesuffix(".gz").endswith((".csv", ".tsv", ".txt"))


def _read_bins(folder: Path) -> mpra.Table:
    listing = _frame(folder / "files.txt")
    if not {"bin", "file"} <= set(listing.columns):
        raise errors.DataError(f"{folder / 'files.txt'}: needs the columns bin and file.")
    for column in ("bin", "file"):
        _present(listing[column], f"{folder / 'files.txt'}")
        if listing[column].duplicated().any():
            twice = listing[column][listing[column].duplicated()].iloc[0]
            raise errors.DataError(
                f"{folder / 'files.txt'}: {column} {twice} is named twice; give every bin one file."
            )
    frames = []
    for number, name in zip(listing["bin"], listing["file"], strict=True):
        candidates = [folder / str(name), folder / f"{name}.gz"]
        file = next((file for file in candidates if file.exists()), None)
        if file is None:
            raise errors.DataError(f"{candidates[0]}: no such file, named in files.txt.")
        frame = _frame(file)
        count = _column(frame, mpra.COUNT, file)
        sequence = _column(frame, SEQUENCE, file)
        _present(frame[sequence], str(file))
        mpra.to_index(list(frame[sequence].astype(str)), where=str(file))
        frames.append(
            pd.DataFrame(
                {"bin": str(number), "sequence": frame[sequence], "count": frame[count]},
            )
        )
    bins = [str(number) for number in listing["bin"]]
    return mpra.Table((_long_library(pd.concat(frames), bins, "", str(folder)),))


def _read_table(path: Path) -> mpra.Table:
    frame = _frame(path)
    sequence = _column(frame, SEQUENCE, path)
    for column in (sequence, "library", "bin"):
        if column in frame:
            _present(frame[column], str(path))
    groups: Mapping[str, pd.DataFrame] = {"": frame}
    if "library" in frame:
        groups = {str(name): group for name, group in frame.groupby("library", sort=False)}
    libraries = []
    for name, group in groups.items():
        where = f'{path}, library "{name}"' if name else str(path)
        bins = [column for column in frame if column.startswith("ct_")]
        if "bin" in frame:
            count = next((c for c in mpra.COUNT if c in frame), None)
            rows = pd.DataFrame({"bin": group["bin"].astype(str), "sequence": group[sequence]})
            rows["count"] = 1.0 if count is None else group[count]
            order = sorted(rows["bin"].unique(), key=_natural)
            libraries.append(_long_library(rows, order, name, where))
        elif bins:
            labels = [column.removeprefix("ct_") for column in bins]
            counts = _numbers(group[bins], where)
            sequences = list(group[sequence].astype(str))
            libraries.append(
                mpra.from_counts(sequences, counts, columns=labels, name=name, where=where)
            )
        else:
            libraries.append(_read_out(group, sequence, name, where))
    return mpra.Table(tuple(libraries))


def _long_library(rows: pd.DataFrame, bins: Sequence[str], name: str, where: str) -> mpra.Library:
    sequences, unique = pd.factorize(rows["sequence"].astype(str))
    counts = np.zeros((len(unique), len(bins)))
    column = pd.Index(bins).get_indexer(rows["bin"])
    reads = _numbers(rows[["count"]], where)[:, 0]
    mpra.check_counts(reads, where)
    np.add.at(counts, (sequences, column), reads)
    return mpra.from_counts(list(unique), counts, columns=bins, name=name, where=where)


def _read_out(frame: pd.DataFrame, sequence: str, name: str, where: str) -> mpra.Library:
    """A read-out with a weight, or a count with an exposure."""
    value = next((column for column in (*VALUE, *mpra.COUNT) if column in frame), None)
    if value is None:
        raise errors.DataError(
            f"{where}: has neither a bin column, nor counts ct_*, nor a value, nor a count; "
            f"its columns are {', '.join(map(str, frame.columns))}."
        )
    weight = "exposure" if value in mpra.COUNT else "weight"
    observed = _numbers(frame[[value]], where)
    weights = _numbers(frame[[weight]], where)[:, 0] if weight in frame else np.ones(len(frame))
    if (weights <= 0).any():
        raise errors.DataError(
            f"{where}: row {int(np.argmax(weights <= 0)) + 1} has {weight} "
            f"{weights[np.argmax(weights <= 0)]:g}; leave out what was not measured."
        )
    if value in mpra.COUNT:
        mpra.check_counts(observed, where)
    index = mpra.to_index(list(frame[sequence].astype(str)), where=where)
    return mpra.Library(name, index, observed, (value,), weights)


def _frame(path: Path) -> pd.DataFrame:
    """A delimited table; long rows without a header get their names."""
    try:
        with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as handle:
            head = handle.readline()
        if not head.strip():
            raise errors.DataError(f"{path}: is empty.")
        separator = csv.Sniffer().sniff(head, delimiters="\t, ").delimiter
        names = [cell.strip() for cell in head.rstrip("\n").split(separator)]
        headless = len(names) in (3, 4) and not {*names} & {*SEQUENCE, "bin", "ct"}
        given = {"header": None, "names": LONG[: len(names)]} if headless else {}
        return pd.read_csv(path, sep=separator, **given)
    except (csv.Error, UnicodeDecodeError, pd.errors.ParserError, gzip.BadGzipFile) as error:
        raise errors.DataError(f"{path}: cannot be read as a delimited table: {error}.") from None


def _column(frame: pd.DataFrame, names: Sequence[str], path: Path) -> str:
    for name in names:
        if name in frame:
            return name
    raise errors.DataError(
        f"{path}: has no column {' or '.join(names)}; it has {', '.join(map(str, frame.columns))}."
    )


def _present(column: pd.Series, where: str) -> None:
    if column.isna().any():
        row = int(np.argmax(column.isna())) + 1
        raise errors.DataError(
            f"{where}: row {row}: {column.name} is empty; fill it in or drop the row."
        )


def _numbers(frame: pd.DataFrame, where: str) -> NDArray[np.float64]:
    values = frame.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        cell = frame.iloc[row, column]
        found = "is empty" if pd.isna(cell) else f"{str(cell)!r} is not a number"
        raise errors.DataError(f"{where}: row {row + 1}, column {frame.columns[column]}: {found}.")
    return values


def _natural(label: str) -> tuple[str, int]:
    """B2 before B10."""
    digits = label[len(label.rstrip("0123456789")) :]
    return label.rstrip("0123456789"), int(digits or 0)


def references(folder: str | Path, widths: Mapping[str, int]) -> dict[str, NDArray[np.float64]]:
    """Energy matrices that lie beside the data, to compare a fit with.

    A site's matrix is a table `<site>_*` (.txt, .tsv or .csv) whose columns end in A, C, G and T,
    with one row per base, in kT up to a constant per position; or the one in `truth.json`, where a
    simulation wrote it.

    Args:
        folder: The data directory; a file has no references.
        widths: Bases of each site.
    """
    found: dict[str, NDArray[np.float64]] = {}
    folder = Path(folder)
    for name, matrix in _truth(folder).get("matrices", {}).items():
        if len(matrix["A"]) == widths.get(name):
            found[name] = np.array([matrix[base] for base in dna.ALPHABET]).T
    for name, width in widths.items():
        for path in sorted(folder.glob(f"{name}_*")) if folder.is_dir() else []:
            if not _is_table(path):
                continue
            columns, *rows = [re.split(r"[\s,]+", line.strip()) for line in _lines(path)]
            bases = {column[-1:]: i for i, column in enumerate(columns)}
            if set(dna.ALPHABET) <= set(bases) and len(rows) == width:
                matrix = [[float(row[bases[base]]) for base in dna.ALPHABET] for row in rows]
                found[name] = np.array(matrix)
    return found


def constants(folder: str | Path) -> dict[str, float]:
    """Constants that a simulation wrote beside its data, as `name` and as `name[library]`."""
    found: dict[str, float] = {}
    for name, values in _truth(Path(folder)).get("constants", {}).items():
        found |= {f"{name}[{library}]" if library else name: v for library, v in values.items()}
        if len(set(values.values())) == 1:
            found[name] = next(iter(values.values()))
    return found


def _truth(folder: Path) -> dict[str, Any]:
    """What `mpra_simulate.py` wrote beside its data; empty beside a real assay, and for a file."""
    path = folder / "truth.json"
    return files.read_json(path) if path.is_file() else {}


def _lines(path: Path) -> list[str]:
    with gzip.open(path, "rt") if path.suffix == ".gz" else open(path) as handle:
        return [line for line in handle.read().splitlines() if line.strip()]
