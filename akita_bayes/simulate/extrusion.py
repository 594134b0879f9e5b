r"""Where the loops are: a snapshot of loop extrusion with two independent legs.

An extruder loads at any bin m with equal probability and reels DNA in from both sides. Its left
leg steps from bin to bin; at each bin k (its loading bin included) it stays with probability

    a_k = 1 - (1 - s_k) exp(-bin_size / processivity)

because a site facing it stalls it (probability s_k) or because the snapshot is taken (a memoryless
travel of mean `processivity`). A forward site (+) faces a leg moving left, a reverse site (-) a leg
moving right; several sites in a bin stall independently: s_k = 1 - prod(1 - stall x occupancy).
So the left leg of an extruder loaded at m is found at i <= m with probability

    L[m, i] = a_i prod_{i < k <= m} (1 - a_k),

the right leg at j >= m with R[m, j] alike, and one extruder per bin makes

    P[i, j] = sum_{i <= m <= j} L[m, i] R[m, j]

loops with anchors i and j. P[i, j] depends on the bins i..j only: it has no memory of anything
outside. It holds all the figures of a contact map: a `>` at i with a `<` at j collects both legs
(a dot), a `>` alone collects left legs whose partners are still under way (a stripe towards the
right), and legs that must pass a site are fewer by 1 - s (a boundary). `<` at i and `>` at j,
divergent, stall no leg of the loops between them, so they make no dot.
"""

import numpy as np
from numpy.typing import NDArray


def leg_stays(stall: NDArray[np.float64], travel: float) -> NDArray[np.float64]:
    """a_k from s_k; `travel` is the mean free travel in bins. [N] -> [N]."""
    return 1 - (1 - stall) * np.exp(-1 / travel)


def right_leg(stays: NDArray[np.float64]) -> NDArray[np.float64]:
    """R[m, j]: where the right leg of an extruder loaded at m is found. [N] -> [N, N]."""
    passed = np.concatenate([[0.0], np.cumsum(np.log1p(-stays))])
    survival = np.exp(np.minimum(passed[None, :-1] - passed[:-1, None], 0.0))
    return np.triu(survival * stays)


def loops(
    left_stall: NDArray[np.float64], right_stall: NDArray[np.float64], travel: float
) -> NDArray[np.float64]:
    """Expected loops between every two bins, for one extruder per bin; symmetric. [N] -> [N, N].

    Args:
        left_stall: Probability that a leg moving left stalls at the bin (forward sites).
        right_stall: The same for a leg moving right (reverse sites).
        travel: Mean free travel of a leg, bins.
    """
    right = right_leg(leg_stays(right_stall, travel))
    left = right_leg(leg_stays(left_stall[::-1], travel))[::-1, ::-1]
    upper = left.T @ right
    return upper + np.triu(upper, 1).T
