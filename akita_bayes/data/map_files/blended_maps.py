"""Joins the maps of overlapping windows of a chromosome, one pixel for each pair of bins.

Windows w with predictions y_w and standard deviations s_w of a pixel give

    y = sum_w y_w / s_w^2  /  sum_w 1 / s_w^2
    s = sum_w s_w / s_w^2  /  sum_w 1 / s_w^2

The first line is the mean weighted by the inverse variance. The second is its standard deviation
when the errors of the windows agree, which overlapping windows of one model nearly do; the smaller
(sum_w 1 / s_w^2)^(-1/2) would need independent errors. Without draws all windows weigh the same.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, regions

SPREAD = "epistemic_sd"
"""Dataset of `predict.h5` with the standard deviations of the map."""

_LEAST = 1e-12
"""Smallest variance, so that windows without spread weigh the same."""


class Pixels(NamedTuple):
    """Holds consecutive pixels of a chromosome, sorted by row and then by column.

    Attributes:
        chrom: Chromosome.
        row: First bin, counted from the start of the chromosome. [n].
        column: Second bin. [n].
        value: Blended prediction. [n].
        sd: Its standard deviation; None without draws. [n].
    """

    chrom: str
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    value: NDArray[np.float64]
    sd: NDArray[np.float64] | None


class Windows(NamedTuple):
    """Describes the windows of one chromosome in order.

    Attributes:
        numbers: Numbers of the windows in the file. [W].
        first: First bin of the map of each, counted from the start of the chromosome. [W].
    """

    numbers: NDArray[np.int64]
    first: NDArray[np.int64]


def windows_of(
    file: h5py.File, group: h5py.Group, chrom_sizes: Mapping[str, int]
) -> dict[str, Windows]:
    """Returns the windows of each chromosome that has some, from left to right.

    Raises:
        DataError: A window is not on the grid of bins.
    """
    width = int(group.attrs["bin_width"])
    chroms = file["chrom"].asstr()[()]
    starts = group["bin_start"][:, 0].astype(np.int64)
    windows = {}
    for chrom in chrom_sizes:
        numbers = np.flatnonzero(chroms == chrom)
        off_grid = numbers[starts[numbers] % width != 0]
        if len(off_grid):
            number = off_grid[0]
            region = regions.Region(chrom, *(int(file[end][number]) for end in ("start", "end")))
            raise errors.DataError(
                f"{region}: starts off the grid of {width}-bp bins, so a cooler cannot "
                "hold it; move it, or give a region of another width, which is aligned."
            )
        if len(numbers):
            numbers = numbers[np.argsort(starts[numbers], kind="stable")]
            windows[chrom] = Windows(numbers, starts[numbers] // width)
    return windows


def covered(windows: Windows, bins: int, total: int) -> NDArray[np.bool_]:
    """Returns True for the bins of a chromosome that lie in the map of a window.

    Args:
        windows: Windows of the chromosome.
        bins: Bins of a map.
        total: Whole bins of the chromosome.
    """
    return within_one_window(np.arange(total), np.arange(total) + 1, windows, bins)


def within_one_window(
    first: NDArray[np.int64], last: NDArray[np.int64], windows: Windows, bins: int
) -> NDArray[np.bool_]:
    """Returns True where one window holds all bins from `first` to `last` - 1. [n], [n] -> [n]."""
    # The last window that begins at or before `first` reaches farthest to the right.
    candidate = np.searchsorted(windows.first, first, side="right") - 1
    ends = windows.first[np.maximum(candidate, 0)] + bins
    return np.asarray((candidate >= 0) & (last <= ends))


def blended(
    file: h5py.File, group: h5py.Group, target: int, chrom_sizes: Mapping[str, int]
) -> Iterator[Pixels]:
    """Yields the pixels of each chromosome in order; a few windows are in memory at a time.

    Bins that are not wholly inside their chromosome are left out.

    Args:
        file: `predict.h5`.
        group: Group of the head.
        target: Number of the target.
        chrom_sizes: Chromosome -> bases.

    Raises:
        DataError: A window is not on the grid of bins.
    """
    width = int(group.attrs["bin_width"])
    rows, columns = group["row"][()].astype(np.int64), group["column"][()].astype(np.int64)
    has_spread = SPREAD in group
    for chrom, windows in windows_of(file, group, chrom_sizes).items():
        total = chrom_sizes[chrom] // width
        pending = np.empty((3, 0))
        keys = np.empty(0, np.int64)
        next_rows = [*windows.first[1:].tolist(), total]
        for number, first, next_row in zip(*windows, next_rows, strict=True):
            row, column = first + rows, first + columns
            inside = (row >= 0) & (column < total)
            value = group["preds"][number, :, target][inside].astype(np.float64)
            sd = np.ones_like(value)
            if has_spread:
                sd = group[SPREAD][number, :, target][inside].astype(np.float64)
            weight = 1 / np.maximum(sd**2, _LEAST) if has_spread else sd
            parts = np.stack([weight, weight * value, weight * sd])
            # One number names a pixel of the chromosome: row * total + column. With 100 bins, pixel
            # (3, 7) is 307; sorted keys are sorted by row, then by column.
            keys = np.concatenate([keys, row[inside] * total + column[inside]])
            pending = np.concatenate([pending, parts], axis=1)
            keys, inverse = np.unique(keys, return_inverse=True)
            pending = np.stack([np.bincount(inverse, part, len(keys)) for part in pending])
            # No later window holds a row above the first row of the next one.
            complete = np.searchsorted(keys, next_row * total)
            if complete:
                weight, weighted, weighted_sd = pending[:, :complete]
                yield Pixels(
                    chrom,
                    keys[:complete] // total,
                    keys[:complete] % total,
                    weighted / weight,
                    weighted_sd / weight if has_spread else None,
                )
            keys, pending = keys[complete:], pending[:, complete:]
