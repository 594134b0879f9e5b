"""How sure a score is: draws summarised, with the error that drawing itself leaves.

Draws share their random numbers between the reference and the alternative, so what a draw changes
in both maps alike leaves the score alone. The Monte-Carlo standard error of the mean of S draws is
sd / sqrt(S). Quantiles of draws say how far a posterior disagrees with itself; they are not
intervals for the true effect, which `conformal` makes. Nothing here is a p-value; `background` has
one.
"""

import logging
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

log = logging.getLogger(__name__)

LEVELS = (0.05, 0.95)


class Interval(NamedTuple):
    """A score over draws. [T] each.

    Attributes:
        mean: Mean over draws.
        sd: Standard deviation over draws.
        mcse: Monte-Carlo standard error of the mean.
        draw_q05: 5 % quantile of the draws.
        draw_q95: 95 % quantile of the draws.
        draw_exceeds_noise: Share of pairs in which a draw exceeds the score of two draws of the
            reference, in size, ties counting half; NaN without such scores.
    """

    mean: NDArray[np.float32]
    sd: NDArray[np.float32]
    mcse: NDArray[np.float32]
    draw_q05: NDArray[np.float32]
    draw_q95: NDArray[np.float32]
    draw_exceeds_noise: NDArray[np.float32]


def summarise(draws: NDArray, noise: NDArray | None = None) -> Interval:
    """Summarises a score.

    Args:
        draws: [S, T], S at least 1.
        noise: Scores of one draw of the reference against another. [M, T].
    """
    draws = np.asarray(draws, np.float64)
    count = len(draws)
    sd = draws.std(axis=0, ddof=1) if count > 1 else np.full(draws.shape[1], np.nan)
    low, high = np.quantile(draws, LEVELS, axis=0)
    exceeds = exceedance(draws, noise) if noise is not None else np.full(draws.shape[1], np.nan)
    parts = (draws.mean(axis=0), sd, sd / np.sqrt(count), low, high, exceeds)
    return Interval(*(part.astype(np.float32) for part in parts))


def exceedance(draws: NDArray, noise: NDArray) -> NDArray:
    """Returns the share of pairs with |draw| > |noise|, ties counting half, per target. [T].

    Args:
        draws: [S, T].
        noise: [M, T].
    """
    result = np.full(draws.shape[1], np.nan)
    for target in range(draws.shape[1]):
        samples = np.sort(np.abs(noise[:, target]))
        samples = samples[np.isfinite(samples)]
        values = np.abs(draws[:, target])
        if len(samples) and np.isfinite(values).all():
            below = np.searchsorted(samples, values, side="left")
            up_to = np.searchsorted(samples, values, side="right")
            result[target] = np.mean((below + up_to) / 2) / len(samples)
    return result


def warn_of_draws(scores: Sequence[str]) -> None:
    """Warns that quantiles of draws are not intervals, of scores that have nothing else."""
    if scores:
        log.warning(
            "quantiles of draws are not intervals for the true effect: draws of %s say how far the "
            "posterior disagrees with itself, which is usually less than how wrong it is; fit "
            "intervals for scores of 0 or more with `akita_calibrate.py RUN DATA --variants N` and "
            "give them as --intervals.",
            ", ".join(scores),
        )
