"""How sure a score is: draws summarised, with the error that drawing itself leaves.

Draws share their random numbers between the reference and the alternative, so what a draw changes
in both maps alike leaves the score alone. The Monte-Carlo standard error of the mean of S draws is
sd / sqrt(S).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVELS = (0.05, 0.95)


class Interval(NamedTuple):
    """A score over draws. [T] each.

    Attributes:
        mean: Mean over draws.
        sd: Standard deviation over draws.
        q05: 5 % quantile.
        q95: 95 % quantile.
        mcse: Monte-Carlo standard error of the mean.
        p_null: Probability that a draw exceeds a sample of the null, ties counting half; NaN
            without a null.
    """

    mean: NDArray[np.float32]
    sd: NDArray[np.float32]
    q05: NDArray[np.float32]
    q95: NDArray[np.float32]
    mcse: NDArray[np.float32]
    p_null: NDArray[np.float32]


def summarise(draws: NDArray, null: NDArray | None = None) -> Interval:
    """Summarises a score.

    Args:
        draws: [S, T], S at least 1.
        null: Scores under the null. [M, T].
    """
    draws = np.asarray(draws, np.float64)
    count = len(draws)
    sd = draws.std(axis=0, ddof=1) if count > 1 else np.full(draws.shape[1], np.nan)
    low, high = np.quantile(draws, LEVELS, axis=0)
    exceeds = exceedance(draws, null) if null is not None else np.full(draws.shape[1], np.nan)
    parts = (draws.mean(axis=0), sd, low, high, sd / np.sqrt(count), exceeds)
    return Interval(*(part.astype(np.float32) for part in parts))


def exceedance(draws: NDArray, null: NDArray) -> NDArray:
    """P(draw > sample of the null) + P(equal) / 2, per target; sizes compare, not signs. [T].

    Args:
        draws: [S, T].
        null: [M, T].
    """
    result = np.full(draws.shape[1], np.nan)
    for target in range(draws.shape[1]):
        samples = np.sort(np.abs(null[:, target]))
        samples = samples[np.isfinite(samples)]
        values = np.abs(draws[:, target])
        if len(samples) and np.isfinite(values).all():
            below = np.searchsorted(samples, values, side="left")
            up_to = np.searchsorted(samples, values, side="right")
            result[target] = np.mean((below + up_to) / 2) / len(samples)
    return result
