"""Coolers: opened with every doubt resolved, read by blocks, and written."""

from collections.abc import Mapping
from pathlib import Path

import cooler
import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, files, regions
from akita_bayes.data import compiled

_UNREADABLE = (OSError, KeyError, RuntimeError)


class Contacts:
    """Counts and balancing weights of one cooler, asked for in the genome's chromosome names.

    Args:
        uri: Path of a `.cool`, or `path.mcool::/resolutions/N`.
        sizes: Chromosome lengths of the genome. Where the cooler says `1` for `chr1`, or `chr1` for
            `1`, the names are mapped, and the mapping is logged.

    Raises:
        DataError: No such file, no cooler, a multi-resolution file without a resolution, bins of
            varying width, no balancing weights, no chromosome in common with the genome, or another
            chromosome length than the genome's.
    """

    def __init__(self, uri: str, sizes: Mapping[str, int]) -> None:
        self.uri = uri
        self.cooler = _open(uri)
        if self.cooler.binsize is None:
            raise errors.DataError(f"{uri}: its bins vary in width; one width is needed.")
        self.bin_width = int(self.cooler.binsize)
        if "weight" not in self.cooler.bins().columns:
            raise errors.DataError(
                f"{uri}: has no balancing weights; run `cooler balance {uri}` first."
            )
        self.names = self._names(sizes)
        for name, own in self.names.items():
            length = int(self.cooler.chromsizes[own])
            if abs(length - sizes[name]) >= self.bin_width:
                raise errors.DataError(
                    f"{uri}: {own} has {length:,} bases, but {name} of the genome has "
                    f"{sizes[name]:,}; is it another assembly?"
                )

    def bins(self, chrom: str) -> int:
        """Number of bins of a chromosome; 0 when the cooler lacks it."""
        if chrom not in self.names:
            return 0
        first, last = self.cooler.extent(self.names[chrom])
        return int(last - first)

    def counts(self, region: regions.Region) -> NDArray:
        """Raw counts of a bin-aligned region, upper triangle; zeros below it. [N, N].

        Pixels are read in one slice, as they lie in the file; `cooler.matrix` sorts and mirrors
        them too, which takes longer than a target.

        Raises:
            DataError: The file is damaged.
        """
        try:
            first, last = map(int, self.cooler.extent(self._own(region)))
            with self.cooler.open("r") as group:
                starts = group["indexes/bin1_offset"][first : last + 1].astype(np.int64)
                span = slice(int(starts[0]), int(starts[-1]))
                columns = group["pixels/bin2_id"][span]
                values = group["pixels/count"][span]
        except _UNREADABLE as error:
            raise _damaged(self.uri, error) from None
        counts = np.zeros((last - first, last - first), values.dtype)
        _scatter(starts, columns, values, first, counts)
        return counts

    def weights(self, region: regions.Region) -> NDArray[np.float64]:
        """Balancing weights of a bin-aligned region, NaN for filtered bins. [N].

        Raises:
            DataError: The file is damaged.
        """
        try:
            first, last = map(int, self.cooler.extent(self._own(region)))
            with self.cooler.open("r") as group:
                return group["bins/weight"][first:last].astype(np.float64)
        except _UNREADABLE as error:
            raise _damaged(self.uri, error) from None

    def _own(self, region: regions.Region) -> tuple[str, int, int]:
        own = self.names[region.chrom]
        return own, region.start, min(region.end, int(self.cooler.chromsizes[own]))

    def _names(self, sizes: Mapping[str, int]) -> dict[str, str]:
        own = regions.own_names(self.cooler.chromnames, sizes, self.uri)
        exact_last = sorted(own.items(), key=lambda pair: pair[0] == pair[1])
        return {name: there for there, name in exact_last}


def bin_width(uri: str) -> int:
    """Bin width of a cooler, in bases.

    Raises:
        DataError: As `Contacts`.
    """
    width = _open(uri).binsize
    if width is None:
        raise errors.DataError(f"{uri}: its bins vary in width; one width is needed.")
    return int(width)


def write_cooler(
    path: str | Path,
    sizes: Mapping[str, int],
    width: int,
    pixels: pd.DataFrame,
    *,
    weights: NDArray | None = None,
    **balance: float,
) -> None:
    """Writes a `.cool` atomically, balanced.

    Args:
        path: Final name.
        sizes: Chromosome lengths, in the order of bins.
        width: Bases per bin.
        pixels: Columns `bin1_id`, `bin2_id` (not left of `bin1_id`) and `count`.
        weights: Balancing weights of every bin, NaN for filtered ones; by default they are found by
            `cooler.balance_cooler` on contacts within chromosomes.
        **balance: Options of that search, as `mad_max` and `tol`.
    """
    bins = cooler.binnify(pd.Series(dict(sizes)), width)
    with files.atomic(path) as temporary:
        if weights is not None:
            bins["weight"] = weights
        cooler.create_cooler(
            str(temporary), bins, pixels.sort_values(["bin1_id", "bin2_id"]), ordered=True
        )
        if weights is None:
            cooler.balance_cooler(
                cooler.Cooler(str(temporary)), cis_only=True, store=True, **balance
            )


@compiled.njit()
def _scatter(
    starts: NDArray, columns: NDArray, values: NDArray, first: int, counts: NDArray
) -> None:  # pragma: no cover - compiled
    """Writes pixels, ordered by row, of which row i's begin at `starts[i]`, into a map."""
    bins = len(counts)
    for i in range(bins):
        for pixel in range(starts[i] - starts[0], starts[i + 1] - starts[0]):
            j = columns[pixel] - first
            if i <= j < bins:
                counts[i, j] = values[pixel]


def _open(uri: str) -> cooler.Cooler:
    path, _, group = uri.partition("::")
    if not Path(path).is_file():
        raise errors.DataError(f"{path}: no such cooler.")
    if not h5py.is_hdf5(path):
        raise errors.DataError(f"{path}: no cooler; it is not an HDF5 file, or is damaged.")
    try:
        found = cooler.fileops.list_coolers(path)
        if not group and "/" not in found and found:
            raise errors.DataError(
                f"{path}: holds several resolutions; write the one to use, as {path}::{found[0]}."
            )
        if (group or "/") not in found and f"/{group}" not in found:
            there = f"it has {', '.join(found)}" if found else "it has none"
            raise errors.DataError(f"{path}: no cooler at {group or '/'}; {there}.")
        return cooler.Cooler(uri)
    except _UNREADABLE as error:
        raise _damaged(uri, error) from None


def _damaged(uri: str, error: Exception) -> errors.DataError:
    reason = str(error).splitlines()[0][:120]
    return errors.DataError(f"{uri}: damaged or cut short; make or download it again ({reason}).")
