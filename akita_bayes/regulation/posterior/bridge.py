"""Estimates the evidence from the draws of chains, by bridge sampling.

Laplace's evidence assumes that the posterior is Gaussian. It is off by several nats where hundreds
of parameters have a posterior that is not quite Gaussian. Draws y_1 ... y_n of the posterior p / E
and x_1 ... x_m of a normalised Gaussian q near it give E, with the least error that such draws
allow, as the fixed point (Meng and Wong 1996, eq. 4.1) of

    E = [1/m sum_j p(x_j) / (s p(x_j) + r E q(x_j))] / [1/n sum_i q(y_i) / (s p(y_i) + r E q(y_i))],

s = n / (n + m), r = m / (n + m), where n counts effective draws. The Gaussian has the curvature in
which the chains change and the mean of their draws. A mean that is taken from the same y_i lies too
near to them (Overstall and Forster 2010). So the first half of every chain gives the mean for the
second half, and the second half gives the mean for the first.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.special
from numpy.typing import NDArray

from akita_bayes.regulation.posterior import convergence

TOLERANCE, MOST_STEPS = 1e-6, 1000
"""Nats by which the fixed point may still move, and most steps of the iteration."""


class Evidence(NamedTuple):
    """Holds a log evidence and its standard error, in nats."""

    value: float
    error: float


def log_evidence(
    log_density: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    theta: NDArray[np.float64],
    values: NDArray[np.float64],
    root: NDArray[np.float64],
    *,
    seed: int = 0,
) -> Evidence:
    """Estimates the log of the integral of a density over the region that chains have explored.

    Args:
        log_density: Function that returns the unnormalised log-density. [M, D] -> [M].
        theta: Draws of C converged chains; S is at least 4. [C, S, D]
        values: Log-densities of the draws. [C, S]
        root: Matrix with root root^T close to the covariance of the draws. [D, D]
        seed: Seed of the Gaussian's draws.

    Returns:
        The mean of both halves. The error is the larger one of two estimates: from the scatter of
        the terms (Fruehwirth-Schnatter 2004, with autocorrelation), and from the difference of the
        two halves.
    """
    half = theta.shape[1] // 2
    sides = slice(None, half), slice(half, 2 * half)
    log_volume = float(np.linalg.slogdet(root)[1])
    estimates = []
    for number, (fit, use) in enumerate((sides, sides[::-1])):
        mean = theta[:, fit].mean((0, 1))
        random = np.random.default_rng((seed, number))
        z = random.standard_normal((values[:, use].size, theta.shape[-1]))
        at_chains = np.linalg.solve(root, (theta[:, use] - mean)[..., None])[..., 0]
        estimates.append(
            _bridge(
                values[:, use] - _log_gaussian(at_chains, log_volume),
                log_density(mean + z @ root.T) - _log_gaussian(z, log_volume),
            )
        )
    first, second = estimates
    scatter = np.hypot(first.error, second.error) / 2
    return Evidence(
        (first.value + second.value) / 2, float(max(scatter, abs(first.value - second.value) / 2))
    )


def _log_gaussian(z: NDArray[np.float64], log_volume: float) -> NDArray[np.float64]:
    """Returns the log-density of the Gaussian at whitened z. [..., D] -> [...]."""
    size = z.shape[-1]
    return -0.5 * (z**2).sum(-1) - log_volume - 0.5 * size * np.log(2 * np.pi)


def _bridge(at_chains: NDArray[np.float64], at_proposals: NDArray[np.float64]) -> Evidence:
    """Solves the fixed point from log p - log q at draws of chains [C, S] and the Gaussian [M]."""
    # log p - log q is near the log evidence, which may be -1e5. Its median is taken out first, so
    # that the iteration works on numbers near 0, and is added again at the end.
    middle = float(np.median(at_chains))
    y, x = at_chains - middle, at_proposals - middle
    number = float(convergence.effective(y[..., None])[0])
    s, r = np.log([number, x.size]) - np.log(number + x.size)
    log_e = 0.0
    for _ in range(MOST_STEPS):
        at_gaussian = x - np.logaddexp(s + x, r + log_e)
        at_posterior = -np.logaddexp(s + y, r + log_e)
        change = _log_mean(at_gaussian) - _log_mean(at_posterior) - log_e
        log_e += change
        if abs(change) < TOLERANCE:
            break
    gaussian, chains = (np.exp(logs - logs.max()) for logs in (at_gaussian, at_posterior))
    independent = convergence.effective(chains[..., None])[0]
    squared = gaussian.var() / gaussian.mean() ** 2 / x.size
    squared += chains.var() / chains.mean() ** 2 / independent
    return Evidence(middle + log_e, float(np.sqrt(squared)))


def _log_mean(logs: NDArray[np.float64]) -> float:
    """Returns the log of the mean of exp(logs)."""
    return float(scipy.special.logsumexp(logs) - np.log(logs.size))
