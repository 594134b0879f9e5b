"""Checks the convergence of chains: R-hat and effective sample size, of the bulk and the tails.

Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021). Draws are replaced by normal scores of
their ranks, so that heavy tails and scale do not matter. Each chain is split in half, so that a
drift within a chain counts as disagreement between chains. The R-hat of the distance to the median
finds chains that agree on the centre but not on the width. The effective sample size of "this draw
lies beyond the end" shows how well the ends of an interval are known.
"""

from typing import NamedTuple

import numpy as np
import scipy.special
import scipy.stats
from numpy.typing import NDArray

ENDS = (0.025, 0.975)
"""Quantiles at which the tails are judged: the ends of the reported intervals."""


class Convergence(NamedTuple):
    """Describes the convergence of chains, per parameter [...]; R-hat is near 1 at convergence.

    Attributes:
        bulk_r_hat: R-hat of the centre: agreement of chains, and of halves of chains, on it.
        folded_r_hat: R-hat of the distance of the draws from the centre.
        bulk_ess: Effective draws of the centre.
        tail_ess: Effective draws of that end of the interval which has fewer of them.
    """

    bulk_r_hat: NDArray[np.float64]
    folded_r_hat: NDArray[np.float64]
    bulk_ess: NDArray[np.float64]
    tail_ess: NDArray[np.float64]

    @property
    def r_hat(self) -> NDArray[np.float64]:
        """Returns the larger R-hat; judge convergence by this one."""
        return np.maximum(self.bulk_r_hat, self.folded_r_hat)

    @property
    def ess(self) -> NDArray[np.float64]:
        """Returns the smaller effective sample size; judge convergence by this one."""
        return np.minimum(self.bulk_ess, self.tail_ess)


def diagnose(draws: NDArray[np.float64]) -> Convergence:
    """Computes the convergence of every parameter of C chains of S draws. [C, S, ...] -> [...]."""
    halves = _halves(draws)
    scores = normal_scores(halves)
    folded = normal_scores(np.abs(halves - np.median(halves, axis=(0, 1))))
    ends = np.quantile(halves, ENDS, axis=(0, 1))
    return Convergence(
        bulk_r_hat=_r_hat(scores),
        folded_r_hat=_r_hat(folded),
        bulk_ess=effective(scores),
        tail_ess=np.min([effective((halves <= end).astype(float)) for end in ends], axis=0),
    )


def normal_scores(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replaces values by normal quantiles of their ranks over all chains (Blom). [C, S, ...]."""
    count = draws.shape[0] * draws.shape[1]
    ranks = scipy.stats.rankdata(draws.reshape(count, *draws.shape[2:]), axis=0)
    scores: NDArray[np.float64] = scipy.special.ndtri((ranks - 0.375) / (count + 0.25))
    return scores.reshape(draws.shape)


def _r_hat(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the potential scale reduction of chains. [C, S, ...] -> [...]."""
    within = z.var(axis=1, ddof=1).mean(0)
    between = z.mean(axis=1).var(axis=0, ddof=1)
    length = z.shape[1]
    reduction: NDArray[np.float64] = np.sqrt((length - 1) / length + between / within)
    return reduction


def effective(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the effective sample size of the mean of all chains. [C, S, ...] -> [...].

    S_eff = C S / tau, tau = 1 + 2 sum_t rho_t. The sum ends where pairs of autocorrelations
    rho_2t + rho_2t+1 are no longer positive, and its pairs are made monotone (Geyer 1992). A chain
    that never moves counts as one draw at most.
    """
    chains, length = z.shape[:2]
    centred = z - z.mean(axis=1, keepdims=True)
    # Autocovariances by FFT. The series is padded to twice its length, because otherwise its end
    # would be correlated with its beginning.
    spectrum = np.fft.rfft(centred, n=2 * length, axis=1)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :length].mean(0) / length
    within = covariance[0] * length / (length - 1)
    total = within * (length - 1) / length + z.mean(axis=1).var(axis=0, ddof=1)
    scale = np.where(total > 0, total, 1.0)
    rho = 1 - (within - covariance * length / (length - 1)) / scale
    rho[0] = 1.0
    even = length // 2 * 2
    pairs = rho[0:even:2] + rho[1:even:2]
    # Both minima run along time: pairs 1.9, 0.3, -0.1, 0.2 count as 1.9, 0.3, 0, 0, and
    # 1.9, 0.3, 0.4 count as 1.9, 0.3, 0.3.
    positive = np.minimum.accumulate(pairs > 0, axis=0)
    monotone = np.minimum.accumulate(np.where(positive, pairs, 0.0), axis=0)
    tau = np.maximum(2 * monotone.sum(0) - 1, 1 / np.log10(chains * length))
    size: NDArray[np.float64] = chains * length / tau
    return size


def _halves(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Splits each chain in two. [C, S, ...] -> [2 C, S / 2, ...]."""
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, half : 2 * half]])
