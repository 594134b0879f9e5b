"""Balances the counts of a chromosome that are stored as a band, as cooler balances a map.

A band holds the counts of bin i with bins i, i + 1, ..., i + D - 1 in row i: [M, D]. Weights w make
the total of w_i w_j C[i, j] over j the same for all bins (Imakaev et al. 2012, Nat Methods 9:999).
"""

import numpy as np
from numpy.typing import NDArray

IGNORED = 2
"""Diagonals without a part in a bin's total, as in cooler."""

TOLERANCE = 1e-3
"""Standard deviation of the bins' totals, in means, at which balancing ends.

Differences over far more bins than a window has may remain; a target does not depend on them.
"""

_ROUNDS = 300


def balance(
    counts: NDArray[np.integer], unmappable: NDArray[np.bool_], *, tolerance: float = TOLERANCE
) -> NDArray[np.float64]:
    """Returns balancing weights of mean about 1; NaN for bins without reads. [M, D] -> [M].

    Args:
        counts: Counts as a band; pixels beyond the chromosome's end are 0.
        unmappable: True for bins that are filtered. [M].
        tolerance: As `TOLERANCE`.
    """
    band = counts[:, IGNORED:].astype(np.float64)
    # Entry [i, d] belongs to row i and to row i + d; rows beyond the end receive zeros only.
    partner = np.arange(len(band))[:, None] + np.arange(IGNORED, counts.shape[1])
    partner = np.minimum(partner, len(band) - 1)
    ones = np.ones(len(band))
    valid = ~unmappable & (_totals(band, partner, ones) > 0)
    weights = valid.astype(np.float64)
    for _ in range(_ROUNDS):
        totals = weights * _totals(band, partner, weights)
        relative = totals[valid] / totals[valid].mean()
        if relative.std() < tolerance:
            break
        weights[valid] /= np.sqrt(relative)
    weights[valid] /= weights[valid].mean()
    return np.where(valid, weights, np.nan)


def _totals(
    band: NDArray[np.float64], partner: NDArray[np.intp], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sums w_j C[i, j] over j, of both triangles. [M]."""
    right = (band * weights[partner]).sum(axis=1)
    left = np.bincount(partner.ravel(), (band * weights[:, None]).ravel(), minlength=len(weights))
    return np.asarray(right + left)
