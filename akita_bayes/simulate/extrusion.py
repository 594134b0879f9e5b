r"""Computes expected loops: a snapshot of loop extrusion with two independent legs.

An extruder loads at any bin m with equal probability and reels DNA in from both sides. Its left
leg steps from bin to bin; at each bin k (its loading bin included) it stays with probability

    a_k = 1 - (1 - s_k) exp(-bin_size / processivity)

because a site that faces it stalls it (probability s_k) or because the snapshot is taken (travel of
mean `processivity`, without memory). A forward site (+) faces a leg moving left, a reverse site (-)
a leg moving right; several sites in a bin stall independently: s_k = 1 - prod(1 - stall x
occupancy). So the left leg of an extruder that loaded at m is at i <= m with probability

    L[m, i] = a_i prod_{i < k <= m} (1 - a_k),

and its right leg at j >= m with R[m, j], which is defined in the same way. One extruder per bin
makes

    P[i, j] = sum_{i <= m <= j} L[m, i] R[m, j]

loops with anchors i and j. P[i, j] depends on the bins i..j only. It makes all features of a
contact map: a `>` at i with a `<` at j collects both legs (a dot), a `>` alone collects left legs
whose partners still move (a stripe towards the right), and a site reduces the legs that pass it by
the factor 1 - s (a boundary). `<` at i and `>` at j diverge and do not stall the legs of loops
between them, so they make no dot.
"""

import numpy as np
from numpy.typing import NDArray


def leg_stays(stall: NDArray[np.float64], travel: float) -> NDArray[np.float64]:
    """Computes a_k from s_k; `travel` is the mean free travel in bins. [N] -> [N]."""
    return 1 - (1 - stall) * np.exp(-1 / travel)


def right_leg(stays: NDArray[np.float64]) -> NDArray[np.float64]:
    """Computes R[m, j], the probability of the right leg at j when loaded at m. [N] -> [N, N]."""
    # log_pass[k] = sum of ln(1 - a) over bins before k, so exp(log_pass[j] - log_pass[m]) is the
    # probability to pass bins m..j-1. Below the diagonal it is > 1; the minimum avoids overflow.
    log_pass = np.concatenate([[0.0], np.cumsum(np.log1p(-stays))])
    survival = np.exp(np.minimum(log_pass[None, :-1] - log_pass[:-1, None], 0.0))
    return np.triu(survival * stays)


def loops(
    left_stall: NDArray[np.float64], right_stall: NDArray[np.float64], travel: float
) -> NDArray[np.float64]:
    """Computes expected loops of every two bins, one extruder per bin; symmetric. [N] -> [N, N].

    Args:
        left_stall: Probability that a leg moving left stalls at the bin (forward sites).
        right_stall: Probability that a leg moving right stalls at the bin (reverse sites).
        travel: Mean free travel of a leg, bins.
    """
    right = right_leg(leg_stays(right_stall, travel))
    # The left leg is the right leg of the reversed chromosome.
    left = right_leg(leg_stays(left_stall[::-1], travel))[::-1, ::-1]
    upper = left.T @ right
    return upper + np.triu(upper, 1).T
