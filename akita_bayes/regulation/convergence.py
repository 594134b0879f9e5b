"""Whether chains have converged: split R-hat and effective sample size.

Vehtari, Gelman, Simpson, Carpenter and Buerkner (2021): draws are replaced by normal scores of
their ranks, so that heavy tails and scale do not matter, and each chain is split in half, so that a
drift within a chain counts as disagreement between chains.
"""

import numpy as np
import scipy.special
import scipy.stats
from numpy.typing import NDArray


def split_r_hat(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rank-normalised split R-hat, near 1 at convergence. [C, S, ...] -> [...]."""
    z = normal_scores(_halves(draws))
    within = z.var(axis=1, ddof=1).mean(0)
    between = z.mean(axis=1).var(axis=0, ddof=1)
    length = z.shape[1]
    return np.sqrt((length - 1) / length + between / within)


def effective_sample_size(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bulk effective sample size of all chains together. [C, S, ...] -> [...].

    S_eff = C S / tau, tau = 1 + 2 sum_t rho_t, the sum up to where pairs of autocorrelations
    rho_2t + rho_2t+1 are no longer positive, and made monotone (Geyer 1992).
    """
    z = normal_scores(_halves(draws))
    chains, length = z.shape[:2]
    centred = z - z.mean(axis=1, keepdims=True)
    spectrum = np.fft.rfft(centred, n=2 * length, axis=1)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :length].mean(0) / length
    within = covariance[0] * length / (length - 1)
    total = within * (length - 1) / length + z.mean(axis=1).var(axis=0, ddof=1)
    rho = 1 - (within - covariance * length / (length - 1)) / total
    rho[0] = 1.0
    even = length // 2 * 2
    pairs = rho[0:even:2] + rho[1:even:2]
    positive = np.minimum.accumulate(pairs > 0, axis=0)
    monotone = np.minimum.accumulate(np.where(positive, pairs, 0.0), axis=0)
    tau = np.maximum(2 * monotone.sum(0) - 1, 1 / np.log10(chains * length))
    return chains * length / tau


def normal_scores(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each value as the normal quantile of its rank over all chains (Blom). [C, S, ...]."""
    count = draws.shape[0] * draws.shape[1]
    ranks = scipy.stats.rankdata(draws.reshape(count, *draws.shape[2:]), axis=0)
    return scipy.special.ndtri((ranks - 0.375) / (count + 0.25)).reshape(draws.shape)


def _halves(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """[C, S, ...] -> [2 C, S / 2, ...]."""
    half = draws.shape[1] // 2
    return np.concatenate([draws[:, :half], draws[:, half : 2 * half]])
