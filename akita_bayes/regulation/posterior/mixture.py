"""Modes that were sampled, each by chains of its own, as one posterior.

Chains do not pass between modes that lie far apart, nor between read-outs, so how many of them are
where says nothing. The evidence of each says what share of the posterior it holds, and its draws
are drawn on by that share. Read-outs are as likely as each other before the data.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.special
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import threads
from akita_bayes.regulation.posterior import (
    bridge,
    convergence,
    hierarchy,
    mode_posterior,
    modes,
    physical_units,
)

BATCH = 16
"""Densities taken at once."""
MEET = 1.05
"""R-hat of all parameters, those of the read-out too, below which two sets of chains are of one
mode; of two modes it is far larger."""
GUESSES = 10_000
"""Draws of the errors of the evidence, of which shares are averages."""


Sampled = tuple[modes.Mode, mode_posterior.Posterior]
"""A mode and the draws of chains around it."""


class Share(NamedTuple):
    """The share of a posterior that a mode holds: its mean and 95 % interval."""

    mean: float
    lower: float
    upper: float


class Component(NamedTuple):
    """A mode that was sampled.

    Attributes:
        read_out: What smooth bins see, by name; "" where the mechanism leaves no choice.
        mode: As fits found it.
        draws: Of the chains around it.
        evidence: From these draws, in nats.
        share: Of the posterior.
    """

    read_out: str
    mode: modes.Mode
    draws: mode_posterior.Posterior
    evidence: bridge.Evidence
    share: Share


def explore(
    likelihood: likelihoods.Likelihood,
    near: Sequence[modes.Mode],
    *,
    chains: int,
    burn_in: int,
    effective: float,
    most_draws: int,
    seed: int,
    report: Callable[..., Any] | None = None,
) -> list[Sampled]:
    """Draws around modes: one set of chains that starts from all, or one set each.

    Optima that differ are often not modes that chains cannot leave. So chains start from all of
    them in turn; if after burn-in they still are where they began, each mode has chains of its own.

    Args:
        likelihood: Gives the density that is sampled.
        near: The modes.
        chains: Of each set.
        burn_in: As for `mode_posterior.settle`.
        effective: As for `mode_posterior.sample`, as is `most_draws`.
        most_draws: Draws per chain at the most.
        seed: Of the chains.
        report: Called as report(draws_made, note=...).
    """

    def settle(some: Sequence[modes.Mode], turn: int) -> mode_posterior.Settled:
        gaussians = [mode.gaussian for mode in some]
        return mode_posterior.settle(
            likelihood, gaussians, chains=chains, burn_in=burn_in, seed=seed + turn, report=report
        )

    def sample(settled: mode_posterior.Settled) -> mode_posterior.Posterior:
        return mode_posterior.sample(
            settled, effective=effective, most_draws=most_draws, report=report
        )

    if 1 < len(near) <= chains:
        settled = settle(near, len(near))
        if not settled.apart:
            fits = sum(mode.fits for mode in near)
            return [(near[0]._replace(fits=fits), sample(settled))]
    return [(mode, sample(settle([mode], turn))) for turn, mode in enumerate(near)]


def components(
    explored: Mapping[str, tuple[likelihoods.Likelihood, Sequence[Sampled]]], *, seed: int = 0
) -> tuple[Component, ...]:
    """Modes and their draws as parts of one posterior, that of the largest share first.

    Args:
        explored: By read-out, what gives the density that was sampled, and each mode with its
            draws. Modes whose chains meet are one.
        seed: Of the evidence's random numbers.
    """
    parts: list[tuple[str, modes.Mode, mode_posterior.Posterior]] = []
    evidence = []
    for read_out, (likelihood, sampled) in explored.items():
        log_density = _in_batches(likelihood)
        for mode, draws in joined(sampled):
            parts.append((read_out, mode, draws))
            evidence.append(
                bridge.log_evidence(
                    log_density, draws.theta, draws.log_density, draws.root, seed=seed
                )
            )
    found = [
        Component(*part, weight, share)
        for part, weight, share in zip(parts, evidence, shares(evidence), strict=True)
    ]
    return tuple(sorted(found, key=lambda each: -each.evidence.value))


def joined(sampled: Sequence[Sampled]) -> list[Sampled]:
    """The same with modes made one whose chains, put together, have an R-hat below `MEET`."""
    parts: list[Sampled] = []
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


def by_share(parts: Sequence[Component]) -> dict[str, NDArray[np.float64]]:
    """As many draws as there can be with each part's in proportion to its share.

    None is taken twice; those of a part are evenly spaced over its chains.

    Returns:
        Physical parameters by name, each [N]. Those of the measurement are not the same ones in
        different read-outs.
    """
    pooled = [part.draws.theta.reshape(-1, part.draws.theta.shape[-1]) for part in parts]
    held = [part.share.mean for part in parts]
    total = min(len(own) / share for own, share in zip(pooled, held, strict=True) if share)
    chosen = [
        physical_units.physical(
            part.draws.parameters,
            own[np.linspace(0, len(own) - 1, int(total * share + 0.5)).astype(int)],
        )
        for part, own, share in zip(parts, pooled, held, strict=True)
    ]
    return {name: np.concatenate([each[name] for each in chosen]) for name in chosen[0]}


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
        return np.concatenate(threads.each(batch, parts, program=batch))[: len(theta)]

    return all_of
