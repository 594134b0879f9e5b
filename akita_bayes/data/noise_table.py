"""Reads and writes `noise.tsv`, the noise of the targets of a data directory.

The noise of a target is the scatter of repeats of the experiment around their mean. A row holds,
for one target and one genomic distance, the mean variance of the noise v and its slope s:

    variance of a pixel with value y = v exp(s y) / mean of exp(s y) at this distance

Counts of contacts that are expected less often are relatively noisier, so s is about -1 for the
logarithm of observed over expected counts. The slope is estimated by moments, from squares n^2 with
the expectation v: s = Cov(n^2, y) / (v (Var(y) - v)), which is exact for normally distributed true
values and independent noise. Var(y) - v, the variance of the true values, is taken to be at least a
tenth of Var(y).
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, files, triangle
from akita_bayes.files import text_table

FILE_NAME = "noise.tsv"
_COLUMNS = ("target", "distance", "variance", "slope", "pixels", "method")
_NUMBERS = _COLUMNS[:-1]
_MOMENTS = 5
_LEAST_SHARE = 0.1


@dataclasses.dataclass(frozen=True)
class NoiseTable:
    """Holds the noise of every target and distance. Distances count from the first diagonal.

    Attributes:
        variance: Mean variance of the noise, in squared units of the target. [T, D].
        slope: Change of the logarithm of the variance per unit of the target. [T, D].
        pixels: Number of pixels behind an estimate; 0 where nothing was measured. [T, D].
        diagonal_offset: First distance, in bins.
        method: How the noise was estimated, in words.
    """

    variance: NDArray[np.float64]
    slope: NDArray[np.float64]
    pixels: NDArray[np.int64]
    diagonal_offset: int
    method: str


class NoiseSums:
    """Accumulates squares of the noise by target and distance; sums of several workers add up.

    Args:
        targets: Number of targets T.
        bins: Side N of the map.
        diagonal_offset: First diagonal of the triangle.
    """

    def __init__(self, targets: int, bins: int, diagonal_offset: int) -> None:
        self.diagonal_offset = diagonal_offset
        self.sums = np.zeros((_MOMENTS, targets, bins - diagonal_offset))
        self._index = triangle.distances(bins, diagonal_offset) - diagonal_offset

    def add(self, squares: NDArray[Any], values: NDArray[Any], mask: NDArray[np.bool_]) -> None:
        """Adds one window.

        Args:
            squares: Squares with the variance of the noise as expectation, such as those of
                `measurement_noise.of_counts`; not finite where unknown. [P, T].
            values: Target. [P, T].
            mask: True where measured. [P, T].
        """
        squares, values = np.asarray(squares, np.float64), np.asarray(values, np.float64)
        mask = mask & np.isfinite(squares)
        squares, values = (np.where(mask, array, 0.0) for array in (squares, values))
        moments = (mask, squares, values, values**2, squares * values)
        for row, moment in enumerate(moments):
            for target in range(self.sums.shape[1]):
                self.sums[row, target] += np.bincount(
                    self._index, moment[:, target], self.sums.shape[2]
                )

    def merge(self, sums: NDArray[np.float64]) -> None:
        """Adds the `sums` of another worker. [5, T, D]."""
        self.sums += sums

    def table(self, method: str) -> NoiseTable:
        """Returns the noise of all windows.

        Args:
            method: How the squares were computed, in words.
        """
        pixels = self.sums[0]
        square, value, value_square, product = self.sums[1:] / np.maximum(pixels, 1)
        square = np.maximum(square, 0.0)
        scatter = np.maximum(value_square - value**2, 0.0)
        divisor = square * np.maximum(scatter - square, _LEAST_SHARE * scatter)
        slope = np.divide(
            product - square * value, divisor, out=np.zeros_like(square), where=divisor > 0
        )
        return NoiseTable(square, slope, pixels.astype(np.int64), self.diagonal_offset, method)


def write(data_dir: str | Path, table: NoiseTable) -> Path:
    """Writes `noise.tsv` of a data directory, one row for each target and distance."""
    targets, distances = table.variance.shape
    target, distance = np.indices((targets, distances)).reshape(2, -1)
    path = Path(data_dir) / FILE_NAME
    columns = {
        "target": target,
        "distance": distance + table.diagonal_offset,
        "variance": [f"{value:.6g}" for value in table.variance.ravel()],
        "slope": [f"{value:.4f}" for value in table.slope.ravel()],
        "pixels": table.pixels.ravel(),
        "method": table.method,
    }
    with files.atomic(path) as temporary:
        pd.DataFrame(columns).to_csv(temporary, sep="\t", index=False)
    return path


def read(
    data_dir: str | Path, *, targets: int, bins: int, diagonal_offset: int
) -> NoiseTable | None:
    """Reads the noise of a data directory; None when it has no `noise.tsv`.

    The columns `slope` and `pixels` may be missing: the slope is then 0, and every row counts.

    Args:
        data_dir: Data directory.
        targets: Number of targets T.
        bins: Side N of the map.
        diagonal_offset: First diagonal of the triangle.

    Raises:
        DataError: The file is not such a table, a row repeats another, a row of a target and
            distance is missing, or a number is not finite or out of range.
    """
    path = Path(data_dir) / FILE_NAME
    if not path.is_file():
        return None
    rows = text_table.read(path, _COLUMNS[:3], missing="no such table of noise")
    rows = rows.assign(**{name: "0" for name in ("slope",) if name not in rows})
    rows = rows.assign(**{name: "1" for name in ("pixels",) if name not in rows})
    numbers = {name: pd.to_numeric(rows[name], errors="coerce").to_numpy() for name in _NUMBERS}
    correct = np.all([np.isfinite(column) for column in numbers.values()], axis=0)
    correct &= (numbers["variance"] >= 0) & (numbers["pixels"] >= 0)
    if not correct.all():
        raise errors.DataError(
            f"{path}, line {np.argmin(correct) + 2}: expected finite numbers, and a variance and "
            "pixels of at least 0."
        )
    distances = bins - diagonal_offset
    expected = np.indices((targets, distances)).reshape(2, -1)
    index = np.stack([numbers["target"], numbers["distance"] - diagonal_offset])
    order = np.lexsort(index[::-1])
    if index.shape != expected.shape or (index[:, order] != expected).any():
        raise errors.DataError(
            f"{path}: expected one row for each of {targets} targets and each distance from "
            f"{diagonal_offset} to {bins - 1} bins; write it again for these data."
        )
    variance, slope, pixels = (
        numbers[name][order].reshape(targets, distances) for name in ("variance", "slope", "pixels")
    )
    method = rows["method"].iloc[0] if "method" in rows else ""
    return NoiseTable(variance, slope, pixels.astype(np.int64), diagonal_offset, method)
