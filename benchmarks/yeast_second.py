"""Does an interval that was made from one experiment hold the map of another one?

The network, its draws and the factors of its intervals know the W303 map alone. Its predictions
are averaged to bins of 10 kb. The width of 90 % intervals at 10 kb is fitted on the validation
chromosomes of the same map: q is the 90 % quantile of |measured - predicted| / sd. On the test
chromosomes, predicted +- q sd is compared with both experiments. Both maps and the prediction are
ln(observed / expected) with the mean at each distance of a chromosome subtracted.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import cooler
import numpy as np
from numpy.typing import NDArray

from akita_bayes.data import assembly
from benchmarks import map_ceiling, yeast_data, yeast_picture

FACTOR = 5
"""Bins of 2 kb in a bin of 10 kb."""

DISTANCES = (1, 2, 3, 4)
"""Distances in bins of 10 kb; predictions end at 48 kb."""

LEAST = 20
"""Least number of the 25 pixels of 2 kb that a pixel of 10 kb needs."""

COVERAGE = 0.9


class Pixels(NamedTuple):
    """Holds pixels of 10 kb of a chromosome at all distances; NaN where one is missing. [n]."""

    predicted: NDArray[np.float64]
    sd: NDArray[np.float64]
    first: NDArray[np.float64]
    second: NDArray[np.float64]


def measure(
    sources: yeast_data.Sources,
    chromosomes: Mapping[str, yeast_picture.Chromosome],
    valid: Sequence[str],
    test: Sequence[str],
) -> dict[str, Any]:
    """Returns the coverage of both experiments on the test chromosomes, and correlations."""
    first = map_ceiling.coarsened(map_ceiling.read(sources.cooler), FACTOR)
    second = map_ceiling.read(sources.second)
    sizes = dict(cooler.Cooler(str(sources.second)).chromsizes)
    own = assembly.of(sizes).names(tuple(chromosomes), str(sources.cooler))

    def pixels(names: Sequence[str]) -> Pixels:
        parts = [_pixels(chromosomes[name], first[name], second[own[name]]) for name in names]
        return Pixels(*map(np.concatenate, zip(*parts, strict=True)))

    fitted, tested = pixels(valid), pixels(test)
    errors = np.abs(fitted.first - fitted.predicted) / fitted.sd
    q = float(np.nanquantile(errors, COVERAGE))
    return {
        "q": q,
        "pixels": int(np.isfinite(tested.predicted * tested.second).sum()),
        "coverage_first": _coverage(tested.first, tested, q),
        "coverage_second": _coverage(tested.second, tested, q),
        "coverage_first_valid": _coverage(fitted.first, fitted, q),
        "r_predicted_first": _r(tested.predicted, tested.first),
        "r_predicted_second": _r(tested.predicted, tested.second),
        "r_first_second": _r(tested.first, tested.second),
        "sd_first": float(np.nanstd(tested.first)),
        "sd_second": float(np.nanstd(tested.second)),
    }


def _pixels(
    chromosome: yeast_picture.Chromosome, first: map_ceiling.Counts, second: map_ceiling.Counts
) -> Pixels:
    bins = min(len(first.counts), len(second.counts), len(chromosome.predicted) // FACTOR)
    maps = (
        averaged(chromosome.predicted, bins),
        averaged(chromosome.sd, bins),
        log_ratio(first, bins),
        log_ratio(second, bins),
    )
    rows = [[np.diag(matrix, distance).copy() for distance in DISTANCES] for matrix in maps]
    for number in (0, 2, 3):
        rows[number] = [diagonal - np.nanmean(diagonal) for diagonal in rows[number]]
    return Pixels(*map(np.concatenate, rows))


def averaged(matrix: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Averages blocks of 5 x 5 pixels with at least 20 values. [N, N] -> [bins, bins]."""
    side = bins * FACTOR
    blocks = matrix[:side, :side].reshape(bins, FACTOR, bins, FACTOR)
    count = np.isfinite(blocks).sum((1, 3))
    return np.where(count >= LEAST, np.nansum(blocks, (1, 3)) / np.maximum(count, 1), np.nan)


def log_ratio(table: map_ceiling.Counts, bins: int) -> NDArray[np.float64]:
    """Returns ln of balanced contacts in bins of 10 kb; NaN for filtered or empty ones."""
    weights = table.weights[:bins]
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.log(table.counts[:bins, :bins] * np.outer(weights, weights))
    return np.where(np.isfinite(values), values, np.nan)


def _coverage(measured: NDArray[np.float64], pixels: Pixels, q: float) -> float:
    both = np.isfinite(measured) & np.isfinite(pixels.predicted)
    inside = np.abs(measured - pixels.predicted) <= q * pixels.sd
    return float(inside[both].mean())


def _r(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    both = np.isfinite(first) & np.isfinite(second)
    return float(np.corrcoef(first[both], second[both])[0, 1])
