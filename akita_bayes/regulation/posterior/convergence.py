"""Whether chains have converged: R-hat and effective sample size, of the bulk and of the tails.

Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021). Draws are replaced by normal scores of
their ranks, so that heavy tails and scale do not matter, and each chain is split in half, so that a
drift within a chain counts as disagreement between chains. Chains that agree on the centre and not
on the width are told by the same R-hat of the distance to the median; how well the ends of an
interval are known, by the effective sample size of lying beyond them.
"""

from typing import NamedTuple

import numpy as np
import scipy.special
import scipy.stats
from numpy.typing import NDArray

ENDS = (0.025, 0.975)
"""Quantiles at which the tails are judged: the ends of the intervals that are reported."""


class Convergence(NamedTuple):
    """How far chains have come, per parameter [...]; R-hat is near 1 at convergence.

    Attributes:
        bulk_r_hat: Do chains, and halves of chains, agree on where the centre is?
        folded_r_hat: Do they agree on how far from it draws lie?
        bulk_ess: Effective draws of the centre.
        tail_ess: Effective draws of the worse known end of the interval.
    """

    bulk_r_hat: NDArray[np.float64]
    folded_r_hat: NDArray[np.float64]
    bulk_ess: NDArray[np.float64]
    tail_ess: NDArray[np.float64]

    @property
    def r_hat(self) -> NDArray[np.float64]:
        """The larger R-hat, which is the one to judge by."""
        return np.maximum(self.bulk_r_hat, self.folded_r_hat)

    @property
    def ess(self) -> NDArray[np.float64]:
        """The smaller effective sample size, which is the one to judge by."""
        return np.minimum(self.bulk_ess, self.tail_ess)


def diagnose(draws: NDArray[np.float64]) -> Convergence:
    """Of every parameter of C chains of S draws. [C, S, ...] -> [...]."""
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
    """Each value as the normal quantile of its rank over all chains (Blom). [C, S, ...]."""
    count = draws.shape[0] * draws.shape[1]
    ranks = scipy.stats.rankdata(draws.reshape(count, *draws.shape[2:]), axis=0)
    return scipy.special.ndtri((ranks - 0.375) / (count + 0.25)).reshape(draws.shape)


def _r_hat(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Potential scale reduction of chains. [C, S, ...] -> [...]."""
    within = z.var(axis=1, ddof=1).mean(0)
    between = z.mean(axis=1).var(axis=0, ddof=1)
    length = z.shape[1]
    return np.sqrt((length - 1) / length + between / within)


def effective(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Effective sample size of the mean of all chains together. [C, S, ...] -> [...].

    S_eff = C S / tau, tau = 1 + 2 sum_t rho_t, the sum up to where pairs of autocorrelations
    rho_2t + rho_2t+1 are no longer positive, and made monotone (Geyer 1992). Chains that never move
    are one draw each at the most.
    """
    chains, length = z.shape[:2]
    centred = z - z.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, n=2 * length, axis=1)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :length].mean(0) / length
    within = covariance[0] * length / (length - 1)
    total = within * (length - 1) / length + z.mean(axis=1).var(axis=0, ddof=1)
    scale = np.where(total > 0, total, 1.0)
    rho = 1 - (within - covariance * length / (length - 1)) / scale
    rho[0] = 1.0
    even = length // 2 * 2
    pairs = rho[0:even:2] + rho[1:even:2]
    positive = np.minimum.accumulate(pairs > 0, axis=0)
    monotone = np.minimum.accumulate(np.where(positive, pairs, 0.0), axis=0)
    tau = np.maximum(2 * monotone.sum(0) - 1, 1 / np.log10(chains * length))
    return chains * length / tau


def _halves(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """[C, S, ...] -> [2 C, S / 2, ...]."""
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, half : 2 * half]])
