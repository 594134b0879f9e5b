"""Draws the biases of an experiment: coverage of bins, unmappable stretches, fields of contacts."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from akita_bayes.simulate.measurement.settings import Measurement

LONGEST_STRETCH = 4
"""Longest unmappable stretch, in mean lengths; it bounds the masked part of a window."""

_TRUNCATE = 4.0
"""Length of a Gaussian kernel to each side, in standard deviations."""


def coverage(
    bins: int, bin_size: int, measurement: Measurement, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draws the coverage of each bin, log-normal of mean 1. [M].

    The smooth part is white noise behind a Gaussian, which wraps around the chromosome's ends.
    """
    white = rng.standard_normal((2, bins))
    sigma = measurement.coverage_length / bin_size
    smooth = ndimage.gaussian_filter1d(white[0], sigma, mode="wrap", truncate=_TRUNCATE)
    smooth /= np.sqrt(_squares(sigma, bins))
    log = measurement.coverage_smooth * smooth + measurement.coverage_bin * white[1]
    variance = measurement.coverage_smooth**2 + measurement.coverage_bin**2
    return np.asarray(np.exp(log - variance / 2))


def stretches(
    bins: int, bin_size: int, measurement: Measurement, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Draws unmappable stretches, True in their bins. [M].

    Lengths are geometric, cut at `LONGEST_STRETCH` means. Starts are uniform, and stretches may
    overlap, so that n stretches of mean length l leave the share exp(-n l / M) mappable.
    """
    result = np.zeros(bins, bool)
    if not measurement.unmappable_stretches:
        return result
    mean = max(measurement.unmappable_length / bin_size, 1.0)
    longest = max(round(LONGEST_STRETCH * mean), 1)
    lengths = np.arange(1, longest + 1)
    chance = (1 - 1 / mean) ** (lengths - 1)
    chance /= chance.sum()
    expected = -np.log1p(-measurement.unmappable_stretches) * bins / (chance @ lengths)
    for _ in range(rng.poisson(expected)):
        # A stretch may begin before the first bin, so that bins at the ends are not spared.
        start = int(rng.integers(1 - longest, bins))
        length = int(rng.choice(lengths, p=chance))
        result[max(start, 0) : max(start + length, 0)] = True
    return result


def field(bins: int, distances: int, sigma: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draws a smooth Gaussian field of mean 0 and variance 1 over pairs of bins, as a band. [M, D].

    White noise of pixels (i, j) passes a Gaussian along j and one along i; entry [i, d] of the band
    is pixel (i, i + d).

    Args:
        bins: Number of bins M.
        distances: Number of distances D.
        sigma: Standard deviation of both Gaussians, bins.
        rng: Source of the field.
    """
    pad = int(_TRUNCATE * sigma + 0.5)
    values = rng.standard_normal((bins, distances + 2 * pad))
    values = ndimage.gaussian_filter1d(values, sigma, axis=1, mode="wrap", truncate=_TRUNCATE)
    # Along i at a fixed j, the distance d = j - i falls as i grows. Column d of the sheared array
    # is shifted by d rows, so that row j holds all pixels of bin j, at distances d.
    row, column = np.indices(values.shape)
    sheared = values[(row - column) % bins, column]
    sheared = ndimage.gaussian_filter1d(sheared, sigma, axis=1, mode="wrap", truncate=_TRUNCATE)
    values = sheared[(row + column) % bins, column]
    result: NDArray[np.float64] = values[:, pad : pad + distances]
    return result / _squares(sigma, values.shape[1])


def factor(
    shape: tuple[int, int], sd: float, sigma: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draws log-normal factors of mean 1 from a smooth field; sd of their logarithm. [M, D]."""
    return np.asarray(np.exp(sd * field(*shape, sigma, rng) - sd**2 / 2))


def _squares(sigma: float, size: int) -> float:
    """Returns the sum of squares of a Gaussian kernel: the variance of smoothed white noise."""
    impulse = np.zeros(size)
    impulse[0] = 1.0
    kernel = ndimage.gaussian_filter1d(impulse, sigma, mode="wrap", truncate=_TRUNCATE)
    return float(kernel @ kernel)
