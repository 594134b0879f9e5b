"""Scores that compare two maps pixel by pixel.

A is the reference map and B the alternative, both [N, N, T] and symmetric. The mask [N, N] is True
for pixels that can be compared. Sums and means run over compared pixels i < j. Every score is
exactly 0 for two equal maps.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Map = NDArray[np.floating]
Mask = NDArray[np.bool_]
Values = NDArray[np.float64]


def compared(ref: Map, alt: Map, mask: Mask) -> tuple[Values, Values]:
    """Returns the compared pixels i < j of both maps, as float64. [pixels, T] each."""
    upper = np.triu(mask)
    return ref[upper].astype(np.float64), alt[upper].astype(np.float64)


def scd(ref: Map, alt: Map, mask: Mask) -> Values:
    """Computes sqrt(sum (B - A)^2), the squared contact difference of Basenji. [T]."""
    a, b = compared(ref, alt, mask)
    return np.sqrt(np.sum((b - a) ** 2, axis=0))


def ssd(ref: Map, alt: Map, mask: Mask) -> Values:
    """Computes sqrt(sum B^2) - sqrt(sum A^2), the signed change of strength of Basenji. [T]."""
    a, b = compared(ref, alt, mask)
    return np.sqrt(np.sum(b**2, axis=0)) - np.sqrt(np.sum(a**2, axis=0))


def mse(ref: Map, alt: Map, mask: Mask) -> Values:
    """Computes the mean squared difference, mean (B - A)^2. [T]."""
    a, b = compared(ref, alt, mask)
    return _mean((b - a) ** 2)


def pearson(ref: Map, alt: Map, mask: Mask) -> Values:
    """Computes 1 - Pearson correlation of the pixels. [T]."""
    return uncorrelation(*compared(ref, alt, mask))


def spearman(ref: Map, alt: Map, mask: Mask) -> Values:
    """Computes 1 - Spearman correlation of the pixels. [T]."""
    a, b = compared(ref, alt, mask)
    return uncorrelation(stats.rankdata(a, axis=0), stats.rankdata(b, axis=0))


def impact(ref: Map, alt: Map, mask: Mask, *, site: tuple[int, int]) -> Values:
    """Computes the mean over j of |B[i, j] - A[i, j]|, where i are the bins of the event. [T].

    This is the structural impact score of Orca (Zhou 2022) for every bin that the event touches.
    Where none of these bins can be compared, as in a deletion, it uses the nearest bins that can.

    Args:
        ref: A.
        alt: B.
        mask: Compared pixels.
        site: First bin of the event and one past its last.
    """
    first, last = site
    # Widens the event by a bin on each side until a pixel can be compared.
    while not mask[first:last].any() and last - first < len(mask):
        first, last = max(first - 1, 0), min(last + 1, len(mask))
    rows = slice(first, last)
    change = np.abs(alt[rows].astype(np.float64) - ref[rows])
    return _mean(change[mask[rows]])


def regional(ref: Map, alt: Map, mask: Mask, *, weights: NDArray[Any]) -> Values:
    """Computes sum_i w_i mean_j (B[i, j] - A[i, j])^2 / sum_i w_i over regions of interest. [T].

    NaN where no compared bin has a weight.

    Args:
        ref: A.
        alt: B.
        mask: Compared pixels.
        weights: w, the weight of every bin. [N].
    """
    squares = np.where(mask[..., None], (alt.astype(np.float64) - ref) ** 2, 0).sum(axis=1)
    pixels = mask.sum(axis=1)
    weights = np.where(pixels > 0, weights, 0)
    track = squares / np.maximum(pixels, 1)[:, None]
    total = weights.sum()
    return weights @ track / total if total > 0 else np.full(ref.shape[-1], np.nan)


def uncorrelation(a: Values, b: Values) -> Values:
    """Computes 1 - r over the first axis; exactly 0 for equal inputs. [T].

    It is |z_a - z_b|^2 / 2 of the centred unit vectors z. Two constant sides give 0, a constant
    side and another one give 1.
    """
    if not len(a):
        return np.full(a.shape[-1], np.nan)
    (za, flat_a), (zb, flat_b) = _unit(a), _unit(b)
    distance = np.sum((za - zb) ** 2, axis=0) / 2
    return np.where(flat_a ^ flat_b, 1.0, distance)


def _unit(values: Values) -> tuple[Values, NDArray[np.bool_]]:
    """Returns centred columns of length 1, and True for constant columns, which become 0."""
    flat = np.ptp(values, axis=0) == 0
    centred = values - values.mean(axis=0)
    norm = np.sqrt(np.sum(centred**2, axis=0))
    return np.where(flat, 0.0, centred / np.where(flat, 1.0, norm)), flat


def _mean(values: Values) -> Values:
    """Returns the mean over the first axis; NaN, without a warning, where that is empty."""
    return values.mean(axis=0) if len(values) else np.full(values.shape[-1], np.nan)
