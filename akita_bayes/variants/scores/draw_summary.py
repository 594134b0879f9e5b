"""Summarises the draws of a score: mean, spread, and the error of the mean.

A draw uses the same random numbers for the reference and the alternative, so a change that it makes
to both maps does not change the score. The Monte-Carlo standard error of the mean of S draws is
sd / sqrt(S). Quantiles of draws show how much a posterior disagrees with itself. They are not
intervals for the true effect, which `conformal` makes, nor p-values, which `background` computes.
"""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_log = logging.getLogger(__name__)

LEVELS = (0.05, 0.95)


class Interval(NamedTuple):
    """Summarises a score over draws. [T] each.

    Attributes:
        mean: Mean over draws.
        sd: Standard deviation over draws.
        mcse: Monte-Carlo standard error of the mean.
        draw_q05: 5 % quantile of the draws.
        draw_q95: 95 % quantile of the draws.
        draw_exceeds_noise: Share of pairs in which the absolute value of a draw exceeds that of a
            score between two draws of the reference; ties count half. NaN without such scores.
    """

    mean: NDArray[np.float32]
    sd: NDArray[np.float32]
    mcse: NDArray[np.float32]
    draw_q05: NDArray[np.float32]
    draw_q95: NDArray[np.float32]
    draw_exceeds_noise: NDArray[np.float32]


def summarise(draws: NDArray[Any], noise: NDArray[Any] | None = None) -> Interval:
    """Summarises the draws of a score.

    Args:
        draws: Score of every draw, S at least 1. [S, T].
        noise: Scores of one draw of the reference against another. [M, T].
    """
    draws = np.asarray(draws, np.float64)
    count = len(draws)
    sd = draws.std(axis=0, ddof=1) if count > 1 else np.full(draws.shape[1], np.nan)
    low, high = np.quantile(draws, LEVELS, axis=0)
    exceeds = exceedance(draws, noise) if noise is not None else np.full(draws.shape[1], np.nan)
    parts = (draws.mean(axis=0), sd, sd / np.sqrt(count), low, high, exceeds)
    return Interval(*(part.astype(np.float32) for part in parts))


def exceedance(draws: NDArray[Any], noise: NDArray[Any]) -> NDArray[Any]:
    """Returns the share of pairs with |draw| > |noise|, ties counting half, per target. [T].

    Args:
        draws: Score of every draw. [S, T].
        noise: Scores of one draw of the reference against another. [M, T].
    """
    shares = np.full(draws.shape[1], np.nan)
    for target in range(draws.shape[1]):
        samples = np.sort(np.abs(noise[:, target]))
        samples = samples[np.isfinite(samples)]
        values = np.abs(draws[:, target])
        if len(samples) and np.isfinite(values).all():
            # The mean of both counts gives ties one half: of 2 among (1, 2, 3) it is (1 + 2) / 2.
            below = np.searchsorted(samples, values, side="left")
            up_to = np.searchsorted(samples, values, side="right")
            shares[target] = np.mean((below + up_to) / 2) / len(samples)
    return shares


def warn_of_draws(scores: Sequence[str]) -> None:
    """Warns that quantiles of draws are not intervals, for scores without fitted intervals."""
    if scores:
        _log.warning(
            "%s: the quantiles of draws are not intervals of the true effect. They show how much "
            "the draws differ from one another; the error of a score is usually larger. Fit "
            "intervals by `akita_calibrate.py RUN DATA --variants N` and give them by --intervals.",
            ", ".join(scores),
        )
