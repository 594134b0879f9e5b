"""Opens and checks coolers, reads counts and weights of regions, and writes coolers."""

import logging
from collections.abc import Mapping
from pathlib import Path

import cooler
import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, files, regions
from akita_bayes.data import compiled

_log = logging.getLogger(__name__)

_UNREADABLE = (OSError, KeyError, RuntimeError)
_HIC = b"HIC\0"  # first bytes of Juicer's files
_SAMPLED_ROWS = 256  # pixels whose first bin is compared with the index
_SAMPLED_COUNTS = 1 << 20  # counts that are tested for being whole numbers
_NO_PROBLEM, _UNSORTED, _BELOW_DIAGONAL, _NO_COUNT = range(4)  # results of `_scatter`


class Contacts:
    """Reads counts and balancing weights of one cooler, by the genome's chromosome names.

    Args:
        uri: Path of a `.cool`, or `path.mcool::/resolutions/N`.
        sizes: Chromosome lengths of the genome. A cooler may name `chr1` as `1`, or `1` as `chr1`;
            the names are then mapped, and the mapping is logged.

    Raises:
        DataError: The file is missing, is not a cooler, holds several resolutions, has bins of
            varying width, no counts or no balancing weights, shares no chromosome with the genome,
            or has a chromosome of another length than the genome.
    """

    def __init__(self, uri: str, sizes: Mapping[str, int]) -> None:
        self.uri = uri
        self.cooler = _open(uri)
        if self.cooler.binsize is None:
            raise errors.DataError(f"{uri}: its bins vary in width; expected one width.")
        self.bin_width = int(self.cooler.binsize)
        if "weight" not in self.cooler.bins().columns:
            raise errors.DataError(
                f"{uri}: has no balancing weights; run `cooler balance {uri}` first."
            )
        if "count" not in self.cooler.pixels().columns:
            raise errors.DataError(
                f'{uri}: its pixels have no column "count", only '
                f"{', '.join(self.cooler.pixels().columns[2:]) or 'their two bins'}; make the "
                "cooler again from raw counts."
            )
        for column, kind in (
            ("count", self.cooler.pixels().dtypes["count"]),
            ("weight", self.cooler.bins().dtypes["weight"]),
        ):
            if kind.kind not in "iuf":
                raise errors.DataError(
                    f'{uri}: its column "{column}" holds values of type {kind}; expected numbers.'
                )
        self.names = self._names(sizes)
        for chrom, cooler_name in self.names.items():
            size = int(self.cooler.chromsizes[cooler_name])
            if abs(size - sizes[chrom]) >= self.bin_width:
                raise errors.DataError(
                    f"{uri}: {cooler_name} has {size:,} bases, but {chrom} of the genome has "
                    f"{sizes[chrom]:,}; is it another assembly?"
                )

    def bins(self, chrom: str) -> int:
        """Returns the number of bins of a chromosome; 0 when the cooler lacks it."""
        if chrom not in self.names:
            return 0
        first, last = self.cooler.extent(self.names[chrom])
        return int(last - first)

    def counts(self, region: regions.Region) -> NDArray:
        """Returns raw counts of a bin-aligned region, with zeros below the diagonal. [N, N].

        Rows of the table with the same two bins are summed, as `cooler.matrix` does. Pixels are
        read as one slice of the file; `cooler.matrix` also sorts and mirrors them, which takes
        longer than the computation of a target.

        Raises:
            DataError: The file is damaged, its pixels are not sorted by their first bin, a pixel
                lies below the diagonal of an upper triangle, a count is negative or not finite, or
                the map is not symmetric.
        """
        try:
            first, last = map(int, self.cooler.extent(self._own(region)))
            with self.cooler.open("r") as group:
                starts = group["indexes/bin1_offset"][first : last + 1].astype(np.int64)
                pixel_range = slice(int(starts[0]), int(starts[-1]))
                rows = group["pixels/bin1_id"][pixel_range]
                columns = group["pixels/bin2_id"][pixel_range]
                values = group["pixels/count"][pixel_range]
        except _UNREADABLE as error:
            raise _damaged(self.uri, error) from None
        if (np.diff(starts) < 0).any() or len(values) != starts[-1] - starts[0]:
            raise self._unfit_index()
        # The sum of two int8 counts of 100 would overflow; int32 holds it.
        counts = np.zeros((last - first, last - first), np.result_type(values.dtype, np.int32))
        both_triangles = self.cooler.storage_mode == "square"
        problem, pixel = _scatter(
            starts - starts[0], rows, columns, values, first, both_triangles, counts
        )
        if problem != _NO_PROBLEM:
            bins = int(rows[pixel]), int(columns[pixel])
            raise self._refused(problem, bins, values[pixel])
        if both_triangles:
            self._check_symmetry(counts, first)
            counts = np.triu(counts)
        return counts

    def weights(self, region: regions.Region) -> NDArray[np.float64]:
        """Returns the balancing weights of a bin-aligned region, NaN for filtered bins. [N].

        Raises:
            DataError: The file is damaged, or a weight is zero, negative or infinite.
        """
        try:
            first, last = map(int, self.cooler.extent(self._own(region)))
            with self.cooler.open("r") as group:
                weights = group["bins/weight"][first:last].astype(np.float64)
        except _UNREADABLE as error:
            raise _damaged(self.uri, error) from None
        wrong = np.flatnonzero(np.isinf(weights) | (weights <= 0))
        if len(wrong):
            raise errors.DataError(
                f"{self.uri}: the balancing weight of {self._bin(first + wrong[0])} is "
                f"{weights[wrong[0]]:g}; weights must be positive, or NaN for a filtered bin. Run "
                f"`cooler balance --force {self.uri}`."
            )
        return weights

    def inspect(self) -> None:
        """Checks the order of a sample of pixels, and logs doubts about counts and weights.

        Balancing that did not converge and counts stored as floats are logged.

        Raises:
            DataError: The file is damaged, or its pixels are not sorted by their first bin.
        """
        try:
            with self.cooler.open("r") as group:
                starts = group["indexes/bin1_offset"][:].astype(np.int64)
                rows = group["pixels/bin1_id"]
                sampled_pixels = np.unique(
                    np.linspace(0, max(len(rows) - 1, 0), _SAMPLED_ROWS, dtype=int)
                )
                sampled_rows = np.array(
                    [rows[pixel] for pixel in sampled_pixels[: len(rows)]], np.int64
                )
                pixels = len(rows)
                converged = group["bins/weight"].attrs.get("converged", True)
                sample = group["pixels/count"][:_SAMPLED_COUNTS]
        except _UNREADABLE as error:
            raise _damaged(self.uri, error) from None
        # The index says where each row begins: with starts 0, 3, 5, pixel 3 must have row 1.
        expected = np.searchsorted(starts, sampled_pixels[:pixels], side="right") - 1
        wrong = np.flatnonzero(sampled_rows != expected)
        if len(wrong):
            raise self._refused(_UNSORTED, (int(sampled_rows[wrong[0]]), 0), 0)
        if starts[0] != 0 or starts[-1] != pixels or (np.diff(starts) < 0).any():
            raise self._unfit_index()
        self._log_balancing(np.atleast_1d(np.asarray(converged, bool)))
        if sample.dtype.kind != "f":
            return
        fractions = sample[np.isfinite(sample) & (sample != np.round(sample))]
        if len(fractions):
            _log.warning(
                "%s: its counts are not whole numbers (one is %g); expected raw counts, since "
                "balancing weights multiply them and small counts are smoothed.",
                self.uri,
                fractions[0],
            )
        else:
            _log.info("%s: its counts are stored as %s; read as raw.", self.uri, sample.dtype)

    def _log_balancing(self, converged: NDArray[np.bool_]) -> None:
        """Logs which chromosomes were not balanced.

        Args:
            converged: One flag for the genome, or one for each chromosome. [1] or [C].
        """
        names = list(self.cooler.chromnames)
        cis_only = len(converged) > 1 and len(converged) == len(names)
        if cis_only:
            used = set(self.names.values())
            failed = [
                name
                for name, right in zip(names, converged, strict=True)
                if not right and name in used
            ]
            scope, option = ", ".join(failed[:4]) + ", ..." * (len(failed) > 4), " --cis-only"
        else:
            failed = [] if converged.all() else names
            scope, option = "all chromosomes", ""
        if failed:
            _log.warning(
                "%s: balancing did not converge (%s), so that targets keep a part of the biases of "
                "bins; run `cooler balance --force%s --max-iters 2000 %s`.",
                self.uri,
                scope,
                option,
                self.uri,
            )

    def _unfit_index(self) -> errors.DataError:
        return errors.DataError(
            f"{self.uri}: damaged: its index does not fit its pixels; make or download it again."
        )

    def _refused(self, problem: int, bins: tuple[int, int], count: float) -> errors.DataError:
        """Returns the error about the pixel at which `_scatter` stopped."""
        row, column = bins
        if problem == _UNSORTED:
            return errors.DataError(
                f"{self.uri}: its pixels are not sorted by their first bin (bin {row} is out of "
                "order); make the cooler again with `cooler load`, which sorts them."
            )
        if problem == _BELOW_DIAGONAL:
            return errors.DataError(
                f"{self.uri}: the pixel of bins {row} and {column} lies below the diagonal, but "
                "the cooler is declared to hold the upper triangle only; make it again with "
                "`cooler load`, which reflects such pixels."
            )
        return errors.DataError(
            f"{self.uri}: the count of the pixel of {self._bin(row)} and {self._bin(column)} is "
            f"{count}; counts must be finite and not negative. Leave such pixels out and make the "
            "cooler again from raw counts."
        )

    def _check_symmetry(self, counts: NDArray, first: int) -> None:
        """Refuses a map whose two triangles differ."""
        differing = np.argwhere(counts != counts.T)
        if len(differing):
            row, column = differing[0]
            raise errors.DataError(
                f"{self.uri}: holds both triangles, and they differ: {counts[row, column]} and "
                f"{counts[column, row]} for {self._bin(first + row)} and "
                f"{self._bin(first + column)}; only symmetric maps become targets."
            )

    def _bin(self, number: int) -> regions.Region:
        row = self.cooler.bins()[int(number)].iloc[0]
        return regions.Region(str(row["chrom"]), int(row["start"]), int(row["end"]))

    def _own(self, region: regions.Region) -> tuple[str, int, int]:
        cooler_name = self.names[region.chrom]
        return cooler_name, region.start, min(region.end, int(self.cooler.chromsizes[cooler_name]))

    def _names(self, sizes: Mapping[str, int]) -> dict[str, str]:
        genome_names = regions.own_names(self.cooler.chromnames, sizes, self.uri)
        # A later entry replaces an earlier one: `chr1` as chr1 wins over `1` as chr1.
        exact_last = sorted(genome_names.items(), key=lambda pair: pair[0] == pair[1])
        return {name: cooler_name for cooler_name, name in exact_last}


def bin_width(uri: str) -> int:
    """Returns the bin width of a cooler, in bases.

    Raises:
        DataError: The file is missing, is not a cooler, holds several resolutions, or has bins of
            varying width.
    """
    width = _open(uri).binsize
    if width is None:
        raise errors.DataError(f"{uri}: its bins vary in width; expected one width.")
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
        path: Path of the cooler.
        sizes: Chromosome lengths, in the order of bins.
        width: Bases per bin.
        pixels: Columns `bin1_id`, `bin2_id` (at least `bin1_id`) and `count`.
        weights: Balancing weights of every bin, NaN for filtered ones; by default
            `cooler.balance_cooler` computes them from contacts within chromosomes.
        **balance: Options of `cooler.balance_cooler`, as `mad_max` and `tol`.
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
    starts: NDArray,
    rows: NDArray,
    columns: NDArray,
    values: NDArray,
    first: int,
    both_triangles: bool,
    counts: NDArray,
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Adds pixels into a map; pixels of row i begin at `starts[i]`.

    Args:
        starts: First pixel of each row, and the end of the last row. [N + 1].
        rows: First bin of each pixel.
        columns: Second bin of each pixel.
        values: Count of each pixel.
        first: First bin of the map.
        both_triangles: True where both triangles are stored.
        counts: Map that receives the sums; zeros at the start. [N, N].

    Returns:
        The problem and the pixel that has it; `_NO_PROBLEM` and 0 when all pixels are right.
    """
    bins = len(counts)
    for i in range(bins):
        for pixel in range(starts[i], starts[i + 1]):
            if rows[pixel] != first + i:
                return _UNSORTED, pixel
            j = columns[pixel] - first
            if j < i and not both_triangles:
                return _BELOW_DIAGONAL, pixel
            if 0 <= j < bins:
                # NaN fails both comparisons, so `not` refuses it too.
                if not (values[pixel] >= 0 and values[pixel] < np.inf):
                    return _NO_COUNT, pixel
                counts[i, j] += values[pixel]
    return _NO_PROBLEM, 0


def _open(uri: str) -> cooler.Cooler:
    path, _, group = uri.partition("::")
    if not Path(path).is_file():
        raise errors.DataError(f"{path}: no such cooler.")
    try:
        with open(path, "rb") as handle:
            is_hic = handle.read(len(_HIC)) == _HIC
    except OSError as error:
        raise errors.DataError(f"{path}: cannot be read ({error.strerror}).") from None
    if is_hic:
        raise errors.DataError(
            f"{path}: is a .hic file; convert it to a cooler, as with `hictk convert`."
        )
    if not h5py.is_hdf5(path):
        raise errors.DataError(f"{path}: not a cooler; it is not an HDF5 file, or is damaged.")
    try:
        groups = cooler.fileops.list_coolers(path)
        if not group and "/" not in groups and groups:
            raise errors.DataError(
                f"{path}: holds several resolutions; write the one to use, as {path}::{groups[0]}."
            )
        if (group or "/") not in groups and f"/{group}" not in groups:
            available = f"it has {', '.join(groups)}" if groups else "it has none"
            raise errors.DataError(f"{path}: no cooler at {group or '/'}; {available}.")
        return cooler.Cooler(uri)
    except _UNREADABLE as error:
        raise _damaged(uri, error) from None


def _damaged(uri: str, error: Exception) -> errors.DataError:
    """Returns the error about a file that HDF5 or cooler cannot read."""
    if isinstance(error, BlockingIOError):
        return errors.DataError(
            f"{uri}: another program has it open for writing; run again when that has finished."
        )
    if isinstance(error, PermissionError):
        return errors.DataError(f"{uri}: cannot be read (permission denied).")
    reason = str(error).splitlines()[0][:120]
    return errors.DataError(f"{uri}: damaged or cut short; make or download it again ({reason}).")
