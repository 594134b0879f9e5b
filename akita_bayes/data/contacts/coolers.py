"""Reads counts and weights of coolers, and checks their pixels."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, regions
from akita_bayes.data import assembly, compiled
from akita_bayes.data.contacts import balancing, contact_file, cooler_files, cooler_logs

_SAMPLED_ROWS = 256  # pixels whose first bin is compared with the index
_SAMPLED_COUNTS = 1 << 20  # counts that are tested for being whole numbers
_NO_PROBLEM, _UNSORTED, _BELOW_DIAGONAL, _NO_COUNT = range(4)  # results of `_scatter`
_Pixels = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[Any]]
_NOT_WEIGHTS = ("chrom", "start", "end", "size")  # columns of bins


class Contacts(contact_file.ContactFile):
    """Reads counts and balancing weights of one cooler, by the genome's chromosome names.

    Args:
        source: The cooler, with its group where the file holds several, and its weights.
        genome: The genome.
        folder: Folder in which processes of one run share weights that were computed.

    Raises:
        DataError: The file is missing, is not a cooler, holds several resolutions, has bins of
            varying width, no counts or not the weights that were named, or does not fit the genome.
    """

    def __init__(
        self,
        source: contact_file.Source,
        genome: assembly.Assembly,
        *,
        folder: Path | None = None,
    ) -> None:
        uri = source.uri
        self.cooler = cooler_files.open_cooler(uri)
        self._folder = folder
        with contact_file.reading(uri):
            with self.cooler.open("r") as group:
                offsets = group["indexes/chrom_offset"][:].astype(np.int64)
                columns = {
                    name: dict(column.attrs)
                    for name, column in group["bins"].items()
                    if name not in _NOT_WEIGHTS
                }
                kinds = {f"bins/{name}": group[f"bins/{name}"].dtype for name in columns}
                kinds |= {f"pixels/{name}": node.dtype for name, node in group["pixels"].items()}
                generator = str(group.attrs.get("generated-by", ""))
            if offsets.shape != (len(self.cooler.chromnames) + 1,):
                raise ValueError("indexes/chrom_offset does not fit the chromosomes")
        self._weights = balancing.choose(source, columns, generator)
        if "pixels/count" not in kinds:
            raise errors.DataError(
                f'{uri}: its pixels have no column "count", only '
                f"{', '.join(self.cooler.pixels().columns[2:]) or 'their two bins'}; make the "
                "cooler again from raw counts."
            )
        for column in ("pixels/count", f"bins/{self._weights.column}"):
            if column in kinds and kinds[column].kind not in "iuf":
                raise errors.DataError(
                    f'{uri}: its column "{column.partition("/")[2]}" holds values of type '
                    f"{kinds[column]}; expected numbers."
                )
        # The sum of two int8 counts of 100 would overflow; int32 holds it.
        self._count_type = np.result_type(kinds["pixels/count"], np.int32)
        self._first = dict(zip(self.cooler.chromnames, offsets[:-1].tolist(), strict=True))
        extents = {
            name: contact_file.Extent(int(self.cooler.chromsizes[name]), int(bins))
            for name, bins in zip(self.cooler.chromnames, np.diff(offsets), strict=True)
        }
        super().__init__(uri, int(self.cooler.binsize), extents, genome)

    def counts(self, region: regions.Region) -> NDArray[Any]:
        """Returns raw counts of a bin-aligned region, with zeros below the diagonal. [N, N].

        Rows of the table with the same two bins are summed, as `cooler.matrix` does. Pixels are
        read as one slice of the file; `cooler.matrix` also sorts and mirrors them, which takes
        longer than the computation of a target.

        Raises:
            DataError: The file is damaged, its pixels are not sorted by their first bin, a pixel
                lies below the diagonal of an upper triangle, a count is negative or not finite, or
                the map is not symmetric.
        """
        size, runs = self._size(region), self._runs(region)
        chrom_first = self._first[self.names[region.chrom]] if runs else 0
        # Row of the map of each bin of the chromosome, -1 for bins outside the region.
        position = np.full(self.bins(region.chrom), -1)
        for run in runs:
            position[run.first : run.last] = np.arange(run.rows.start, run.rows.stop)
        both_triangles = self.cooler.storage_mode == "square"
        counts = np.zeros((size, size), self._count_type)
        for run in runs:
            starts, pixels = self._read(chrom_first + run.first, run)
            problem, pixel = _scatter(
                starts - starts[0],
                pixels,
                chrom_first,
                run.first,
                position,
                both_triangles,
                counts,
            )
            if problem != _NO_PROBLEM:
                rows, columns, values = pixels
                raise self._refused(problem, (int(rows[pixel]), int(columns[pixel])), values[pixel])
        if both_triangles:
            self._check_symmetry(counts, region)
            counts = np.triu(counts)
        return counts

    def _read(self, first: int, run: contact_file.Run) -> tuple[NDArray[np.int64], _Pixels]:
        """Returns the first pixel of each row, and both bins and the count of each pixel."""
        with contact_file.reading(self.uri), self.cooler.open("r") as group:
            last = first + run.last - run.first
            starts = group["indexes/bin1_offset"][first : last + 1].astype(np.int64)
            pixel_range = slice(int(starts[0]), int(starts[-1]))
            rows = group["pixels/bin1_id"][pixel_range]
            columns = group["pixels/bin2_id"][pixel_range]
            values = group["pixels/count"][pixel_range]
        if (np.diff(starts) < 0).any() or len(values) != starts[-1] - starts[0]:
            raise self._unfit_index()
        return starts, (rows, columns, values)

    def weights(self, region: regions.Region) -> NDArray[np.float64]:
        """Returns the weights that multiply counts; NaN for filtered and missing bins. [N].

        Raises:
            DataError: The file is damaged, or a weight is zero, negative or infinite.
        """
        weights = np.full(self._size(region), np.nan)
        for run in self._runs(region):
            first = self._first[self.names[region.chrom]] + run.first
            values = self._stored(first, first + run.last - run.first)
            wrong = np.flatnonzero(np.isinf(values) | (values <= 0))
            if len(wrong):
                column = self._weights.column
                advice = f"Run `cooler balance --force {self.uri}`."
                raise errors.DataError(
                    f"{self.uri}: the balancing weight of {self._bin(first + wrong[0])} is "
                    f"{values[wrong[0]]:g}; weights must be positive, or NaN for a filtered bin. "
                    + (advice if column == balancing.WEIGHT else "Choose others with --weight.")
                )
            weights[run.rows] = values
        return weights

    def share_weights(self) -> None:
        """Computes weights that the file lacks, where processes of this run find them again."""
        if self._weights.computed:
            balancing.computed(self.uri, self._folder)

    def _stored(self, first: int, last: int) -> NDArray[np.float64]:
        """Returns the weights of bins of the file, as factors of counts."""
        if self._weights.computed:
            return balancing.computed(self.uri, self._folder)[first:last]
        if not self._weights.column:
            return np.ones(last - first)
        with contact_file.reading(self.uri), self.cooler.open("r") as group:
            values = group[f"bins/{self._weights.column}"][first:last].astype(np.float64)
        if self._weights.divisive:
            # Juicer gives bins without contacts 0, which cannot divide.
            values = 1 / np.where(values == 0, np.nan, values)
        return np.asarray(values, np.float64)

    def maps(self, region: regions.Region) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Returns balanced and raw contacts as `cooler.matrix` computes them. [N, N], [N, N]."""
        size, runs = self._size(region), self._runs(region)
        balanced = np.full((size, size), np.nan)
        counts = np.zeros((size, size), self._count_type)
        balance = self._weights.column or False
        matrices = [
            (
                balanced,
                self.cooler.matrix(balance=balance, divisive_weights=self._weights.divisive),
            ),
            (counts, self.cooler.matrix(balance=False)),
        ]
        first = self._first[self.names[region.chrom]] if runs else 0
        with np.errstate(divide="ignore", invalid="ignore"):  # cooler divides by vectors of 0
            for matrix, selector in matrices:
                for across in runs:
                    for down in runs:
                        matrix[across.rows, down.rows] = selector[
                            first + across.first : first + across.last,
                            first + down.first : first + down.last,
                        ]
        weights = self.weights(region)
        balanced[np.isnan(weights)] = balanced[:, np.isnan(weights)] = np.nan
        if self._weights.computed:
            balanced *= np.outer(weights, weights)
        return balanced, counts

    def inspect(self) -> None:
        """Checks the order of bins and of a sample of pixels, and logs doubts about the file.

        Missing bins at the ends of chromosomes, balancing that did not converge and counts stored
        as floats are logged.

        Raises:
            DataError: The file is damaged, its pixels are not sorted by their first bin, or bins
                are missing inside a chromosome.
        """
        super().inspect()
        self._check_bins()
        with contact_file.reading(self.uri), self.cooler.open("r") as group:
            starts = group["indexes/bin1_offset"][:].astype(np.int64)
            rows = group["pixels/bin1_id"]
            sampled_pixels = np.unique(
                np.linspace(0, max(len(rows) - 1, 0), _SAMPLED_ROWS, dtype=int)
            )
            sampled_rows = np.array(
                [rows[pixel] for pixel in sampled_pixels[: len(rows)]], np.int64
            )
            pixels = len(rows)
            converged: object = True
            if self._weights.column:
                column = group[f"bins/{self._weights.column}"]
                converged = column.attrs.get("converged", True)
            sample = group["pixels/count"][:_SAMPLED_COUNTS]
        # The index says where each row begins: with starts 0, 3, 5, pixel 3 must have row 1.
        expected = np.searchsorted(starts, sampled_pixels[:pixels], side="right") - 1
        wrong = np.flatnonzero(sampled_rows != expected)
        if len(wrong):
            raise self._refused(_UNSORTED, (int(sampled_rows[wrong[0]]), 0), 0)
        if starts[0] != 0 or starts[-1] != pixels or (np.diff(starts) < 0).any():
            raise self._unfit_index()
        cooler_logs.log_balancing(
            self.uri,
            np.atleast_1d(np.asarray(converged, bool)),
            list(self.cooler.chromnames),
            used=set(self.names.values()),
        )
        cooler_logs.log_counts(self.uri, sample)

    def _check_bins(self) -> None:
        """Refuses a table of bins with gaps inside a chromosome."""
        with contact_file.reading(self.uri), self.cooler.open("r") as group:
            starts = group["bins/start"][:].astype(np.int64)
        for chrom, name in self.names.items():
            bins = self.bins(chrom)
            expected = np.arange(bins) * self.bin_width
            wrong = np.flatnonzero(starts[self._first[name] :][:bins] != expected)
            if len(wrong):
                start = starts[self._first[name] + wrong[0]]
                raise errors.DataError(
                    f"{self.uri}: bin {wrong[0]} of {name} begins at {start:,} instead of "
                    f"{expected[wrong[0]]:,}; only bins at the end of a chromosome may be missing. "
                    f"{name} has {self._extents[chrom].bases:,} bases, {chrom} of the genome "
                    f"{self.genome.sizes[chrom]:,}."
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

    def _check_symmetry(self, counts: NDArray[Any], region: regions.Region) -> None:
        """Refuses a map whose two triangles differ."""
        differing = np.argwhere(counts != counts.T)
        if len(differing):
            row, column = differing[0]
            raise errors.DataError(
                f"{self.uri}: holds both triangles, and they differ: {counts[row, column]} and "
                f"{counts[column, row]} for {self._bin_of(region, row)} and "
                f"{self._bin_of(region, column)}; only symmetric maps become targets."
            )

    def _bin_of(self, region: regions.Region, row: int) -> regions.Region:
        """Returns the bin of one row of the map of a region."""
        first = self._first[self.names[region.chrom]]
        (run,) = (run for run in self._runs(region) if run.rows.start <= row < run.rows.stop)
        return self._bin(first + run.first + int(row) - run.at)

    def _bin(self, number: int) -> regions.Region:
        row = self.cooler.bins()[int(number)].iloc[0]
        return regions.Region(str(row["chrom"]), int(row["start"]), int(row["end"]))


@compiled.njit()
def _scatter(
    starts: NDArray[np.int64],
    pixels: _Pixels,
    chrom_first: int,
    run_first: int,
    position: NDArray[np.int64],
    both_triangles: bool,
    counts: NDArray[Any],
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Adds pixels into a map; pixels of row i begin at `starts[i]`.

    Args:
        starts: First pixel of each row, and the end of the last row. [R + 1].
        pixels: First bin, second bin and count of each pixel.
        chrom_first: First bin of the chromosome.
        run_first: First of the R bins, counted from the start of the chromosome.
        position: Row of the map of each bin of the chromosome, -1 for none.
        both_triangles: True where both triangles are stored.
        counts: Map that receives the sums; zeros at the start. [N, N].

    Returns:
        The problem and the pixel that has it; `_NO_PROBLEM` and 0 when all pixels are right.
    """
    rows, columns, values = pixels
    bins = len(position)
    for i in range(len(starts) - 1):
        row = position[run_first + i]
        for pixel in range(starts[i], starts[i + 1]):
            if rows[pixel] != chrom_first + run_first + i:
                return _UNSORTED, pixel
            if columns[pixel] < rows[pixel] and not both_triangles:
                return _BELOW_DIAGONAL, pixel
            j = columns[pixel] - chrom_first
            if 0 <= j < bins and position[j] >= 0:
                # NaN fails both comparisons, so `not` refuses it too.
                if not (values[pixel] >= 0 and values[pixel] < np.inf):
                    return _NO_COUNT, pixel
                column = position[j]
                # Behind the origin of a circle, a later bin of the file is an earlier row.
                if column < row and not both_triangles:
                    counts[column, row] += values[pixel]
                else:
                    counts[row, column] += values[pixel]
    return _NO_PROBLEM, 0
