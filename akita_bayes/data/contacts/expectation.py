"""Reads tables of expected contacts, as `cooltools expected-cis` writes them."""

import contextlib
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, files, regions

_REGION = ("region1", "region", "chrom")
_OTHER_REGION = "region2"
_DISTANCE = ("dist", "diag")
_BASES = "dist_bp"
_PAIRS = "n_valid"
_VALUE = ("balanced.avg", "balanced.avg.smoothed", "balanced.avg.smoothed.agg")
_ARM = re.compile(r"^(?P<chrom>.+?)[_.-]?[pq]$")
_NO_NUMBER = ("", "NA", "NaN", "nan", "None", "null")


def existing(path: str) -> str:
    """Returns the path of a table of expected contacts that exists.

    Raises:
        DataError: The table does not exist.
    """
    if not Path(path).is_file():
        raise errors.DataError(
            f"{path}: no such table of expected contacts; make it with `cooltools expected-cis` or "
            "leave out --global_obsexp."
        )
    return path


def read(path: str, chrom: str, *, bins: int, offset: int, width: int) -> NDArray[np.float64]:
    """Returns the expected balanced frequency of a chromosome at distances 0 to `bins` - 1.

    Regions of one chromosome, as its arms, are averaged, weighted by their pairs of valid bins.
    Distances below the offset may be absent from the table; they are NaN then.

    Args:
        path: Tab-separated table with a header, plain or gzipped: `region1` (or `region`, `chrom`),
            optionally `region2`, `dist` (or `diag`, in bins; without it rows are in order) and
            `balanced.avg` (without it `balanced.avg.smoothed` or `balanced.avg.smoothed.agg`).
        chrom: Chromosome, in the cooler's names.
        bins: Number of distances.
        offset: First distance that must have a value.
        width: Bases per bin.

    Raises:
        DataError: The table is missing, is not a table, lacks a column or the chromosome, was made
            for another width of bins, names a distance twice, or has no positive value at a
            distance that is needed.
    """
    table = _table(path)
    label = _column(path, table, _REGION)
    value = _column(path, table, _VALUE)
    if _OTHER_REGION in table:
        table = table[table[label] == table[_OTHER_REGION]]
    labels = _labels(path, list(table[label].unique()), chrom)
    table = table[table[label].isin(labels)]
    distances = _distances(path, table, label, width)
    table, distances = table[distances < bins], distances[distances < bins]
    repeated = pd.DataFrame({"label": table[label], "distance": distances}).duplicated()
    if repeated.any():
        raise errors.DataError(
            f"{path}: names distance {distances[repeated.to_numpy()][0]} of {chrom} twice; make "
            "the table again."
        )
    values = _numbers(path, table, value)
    weights = np.ones(len(table))
    if len(labels) > 1:
        if _PAIRS not in table:
            raise errors.DataError(
                f"{path}: has several regions of {chrom} ({_some(labels)}), and no column "
                f'"{_PAIRS}" to average them by; make the table again with `cooltools '
                "expected-cis`."
            )
        weights = _numbers(path, table, _PAIRS)
    usable = np.isfinite(values) & (weights > 0)
    sums, pairs = (
        np.bincount(distances[usable], column[usable], minlength=bins)
        for column in (values * weights, weights)
    )
    expected: NDArray[np.float64] = np.divide(
        sums, pairs, out=np.full(bins, np.nan), where=pairs > 0
    )
    _check_positive(path, chrom, expected, offset, value, list(table))
    return expected


def _table(path: str) -> pd.DataFrame:
    lines = list(files.lines(existing(path), "tab-separated table"))
    try:
        return pd.read_csv(
            io.StringIO("\n".join(lines)), sep="\t", dtype=str, keep_default_na=False
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise errors.DataError(f"{path}: not a tab-separated table ({error}).") from None


def _column(path: str, table: pd.DataFrame, names: Sequence[str]) -> str:
    """Returns the first of the names that the table has."""
    for name in names:
        if name in table:
            return name
    first, *alternatives = (f'"{name}"' for name in names)
    raise errors.DataError(
        f"{path}: has no column {first} (or {' or '.join(alternatives)}); its columns are "
        f"{_some(list(table))}."
    )


def _labels(path: str, labels: list[str], chrom: str) -> list[str]:
    """Returns the regions of a chromosome in a table: the whole, or parts such as its arms."""
    whole = regions.own_name(chrom, labels)
    if whole is not None:
        return [whole]
    parts = [label for label in labels if regions.own_name(chrom, _chromosomes(label)) is not None]
    if not parts:
        raise errors.DataError(
            f"{path}: has no region of {chrom}, only {_some(labels) or 'an empty table'}; a region "
            f"must be named as the cooler's chromosome, {chrom}:start-end, {chrom}_p or {chrom}_q."
        )
    return parts


def _chromosomes(label: str) -> set[str]:
    """Returns the chromosomes to which a region may belong, from its name."""
    arm = _ARM.match(label)
    names = set() if arm is None else {arm["chrom"]}
    with contextlib.suppress(errors.DataError):
        names.add(regions.parse(label).chrom)
    return names


def _distances(path: str, table: pd.DataFrame, label: str, width: int) -> NDArray[np.int64]:
    """Returns the distance of every row, in bins."""
    name = next((name for name in _DISTANCE if name in table), None)
    if name is None:
        return np.asarray(table.groupby(label).cumcount(), np.int64)
    numbers = _numbers(path, table, name)
    # ~(x >= 0) also marks NaN, which x < 0 would not.
    uncounted = ~(numbers >= 0) | (numbers != np.round(numbers))
    if uncounted.any():
        raise errors.DataError(
            f'{path}: its column "{name}" holds {numbers[uncounted][0]:g}; expected whole numbers '
            "of bins from 0."
        )
    if _BASES in table:
        bases = _numbers(path, table, _BASES)
        wrong = np.isfinite(bases) & (bases != numbers * width)
        if wrong.any():
            raise errors.DataError(
                f"{path}: a distance of {numbers[wrong][0]:g} bins is {bases[wrong][0]:,.0f} bases "
                f"there, and {numbers[wrong][0] * width:,.0f} in the cooler; make the table of the "
                f"cooler with bins of {width:,} bases."
            )
    return numbers.astype(np.int64)


def _numbers(path: str, table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Returns a column as numbers, NaN for empty cells."""
    text = table[name].str.strip()
    text = text.where(~text.isin(_NO_NUMBER), "nan")
    numbers = np.asarray(pd.to_numeric(text, errors="coerce"), np.float64)
    wrong = np.flatnonzero(np.isnan(numbers) & (text != "nan").to_numpy())
    if len(wrong):
        line = int(table.index[wrong[0]]) + 2  # from 1, after the header
        raise errors.DataError(
            f'{path}, line {line}: the column "{name}" holds "{text.iloc[wrong[0]][:40]}"; '
            "expected a number."
        )
    return numbers


def _check_positive(
    path: str,
    chrom: str,
    expected: NDArray[np.float64],
    offset: int,
    value: str,
    columns: list[str],
) -> None:
    """Refuses expected values that are missing, zero or negative at a distance of the window."""
    usable = np.isfinite(expected) & (expected > 0)
    missing = np.flatnonzero(~usable)
    missing = missing[missing >= offset]
    if not len(missing):
        return
    more = f" and {len(missing) - 1} others" if len(missing) > 1 else ""
    smoothed = next((name for name in _VALUE[1:] if name in columns and name != value), None)
    if not usable[missing[0] :].any():
        advice = "make the table of the same cooler, for the whole chromosome"
    elif smoothed is not None:
        advice = f'remove the column "{value}", so that "{smoothed}" is read'
    else:
        advice = "make it with `cooltools expected-cis --smooth` and remove the unsmoothed column"
    raise errors.DataError(
        f'{path}: its column "{value}" has no positive number for {chrom} at distance {missing[0]}'
        f"{more}, but a window needs distances {offset} to {len(expected) - 1}; {advice}."
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + ", ..." * (len(names) > 6)
