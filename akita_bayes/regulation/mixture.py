"""Modes that were sampled, each by chains of its own, as one posterior.

Chains do not pass between modes that lie far apart, so how many of them are in which says nothing.
The evidence of each mode says what share of the posterior it holds, and its draws are drawn on by
that share.
"""

import os
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import NamedTuple

import numpy as np
import scipy.special
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.regulation import bridge, convergence, hierarchy, modes, posterior
from akita_bayes.regulation import likelihood as likelihoods

BATCH = 16
"""Densities taken at once."""
MEET = 1.05
"""R-hat of all parameters, those of the read-out too, below which two sets of chains are of one
mode; of two modes it is far larger."""
GUESSES = 10_000
"""Draws of the errors of the evidence, of which shares are averages."""


class Share(NamedTuple):
    """The share of a posterior that a mode holds: its mean and 95 % interval."""

    mean: float
    lower: float
    upper: float


class Component(NamedTuple):
    """A mode that was sampled.

    Attributes:
        mode: As fits found it.
        draws: Of the chains around it.
        evidence: From these draws, in nats.
        share: Of the posterior.
    """

    mode: modes.Mode
    draws: posterior.Posterior
    evidence: bridge.Evidence
    share: Share


def components(
    likelihood: likelihoods.Likelihood,
    sampled: Sequence[tuple[modes.Mode, posterior.Posterior]],
    *,
    seed: int = 0,
) -> tuple[Component, ...]:
    """Modes and their draws as parts of one posterior, that of the largest share first.

    Args:
        likelihood: Gives the density that was sampled.
        sampled: Each mode with its draws. Those whose chains meet are one.
        seed: Of the evidence's random numbers.
    """
    parts = joined(sampled)
    log_density = _in_batches(likelihood)
    evidence = [
        bridge.log_evidence(log_density, each.theta, each.log_density, each.root, seed=seed)
        for _, each in parts
    ]
    found = [
        Component(mode, draws, weight, share)
        for (mode, draws), weight, share in zip(parts, evidence, shares(evidence), strict=True)
    ]
    return tuple(sorted(found, key=lambda each: -each.evidence.value))


def joined(
    sampled: Sequence[tuple[modes.Mode, posterior.Posterior]],
) -> list[tuple[modes.Mode, posterior.Posterior]]:
    """The same with modes made one whose chains, put together, have an R-hat below `MEET`."""
    parts: list[tuple[modes.Mode, posterior.Posterior]] = []
    for mode, draws in sampled:
        for number, (other, held) in enumerate(parts):
            both = held.together(draws)
            if convergence.diagnose(both.theta).r_hat.max() < MEET:
                parts[number] = other._replace(fits=other.fits + mode.fits), both
                break
        else:
            parts.append((mode, draws))
    return parts


def shares(evidence: Sequence[bridge.Evidence]) -> list[Share]:
    """What each of several parts holds of their sum, averaged over the errors of the evidence."""
    errors = np.random.default_rng(0).standard_normal((GUESSES, len(evidence)))
    logs = [each.value for each in evidence] + errors * [each.error for each in evidence]
    held = scipy.special.softmax(logs, axis=1)
    lower, upper = np.quantile(held, [0.025, 0.975], axis=0)
    ends = zip(held.mean(0), lower, upper, strict=True)
    return [Share(float(mean), float(low), float(high)) for mean, low, high in ends]


def by_share(parts: Sequence[Component]) -> NDArray[np.float64]:
    """As many draws as there can be with each part's in proportion to its share. [N, D].

    None is taken twice; those of a part are evenly spaced over its chains.
    """
    pooled = [part.draws.theta.reshape(-1, part.draws.theta.shape[-1]) for part in parts]
    held = [part.share.mean for part in parts]
    total = min(len(own) / share for own, share in zip(pooled, held, strict=True) if share)
    return np.concatenate(
        [
            own[np.linspace(0, len(own) - 1, int(total * share + 0.5)).astype(int)]
            for own, share in zip(pooled, held, strict=True)
        ]
    )


def _in_batches(
    likelihood: likelihoods.Likelihood,
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Log-densities of any number of points, by one compiled program. [M, D] -> [M]."""

    @tf.function(jit_compile=True, autograph=False)
    def batch(theta: tf.Tensor) -> tf.Tensor:
        return hierarchy.log_posterior(likelihood, theta)

    def all_of(theta: NDArray[np.float64]) -> NDArray[np.float64]:
        padded = np.concatenate([theta, np.repeat(theta[-1:], -len(theta) % BATCH, axis=0)])
        parts = tf.constant(padded.reshape(-1, BATCH, theta.shape[-1]))
        with futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            return np.concatenate(list(threads.map(batch, parts)))[: len(theta)]

    return all_of
