"""Joins modes that were sampled by separate chains into one posterior.

Chains do not pass between modes that lie far apart, or between read-outs. So the number of chains
in a mode does not show its weight. The evidence of a mode shows its share of the posterior, and
the posterior takes as many of its draws as this share allows. All read-outs have the same
probability before the data.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.special
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import progress
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import threads
from akita_bayes.regulation.posterior import (
    bridge,
    convergence,
    mode_posterior,
    modes,
    physical_units,
)
from akita_bayes.regulation.posterior.sampling_options import SamplingOptions

BATCH = 16
"""Densities that are computed at once."""
MEET = 1.05
"""R-hat of all parameters, those of the read-out included, below which two sets of chains belong to
one mode; for two modes it is far larger."""
GUESSES = 10_000
"""Draws of the errors of the evidence; shares are averaged over them."""


Sampled = tuple[modes.Mode, mode_posterior.ModePosterior]
"""A mode and the draws of chains around it."""


class Share(NamedTuple):
    """Holds the share of a mode in the posterior: its mean and 95 % interval."""

    mean: float
    lower: float
    upper: float


class Component(NamedTuple):
    """Holds a sampled mode.

    Attributes:
        read_out: Name of the read-out of smooth bins; "" where the mechanism leaves no choice.
        mode: Mode that the fits found.
        draws: Draws of the chains around it.
        evidence: Evidence from these draws, in nats.
        share: Share of the posterior.
    """

    read_out: str
    mode: modes.Mode
    draws: mode_posterior.ModePosterior
    evidence: bridge.Evidence
    share: Share


def explore(
    likelihood: likelihoods.Likelihood,
    near: Sequence[modes.Mode],
    options: SamplingOptions,
    *,
    advance: progress.Advance = progress.ignore,
) -> list[Sampled]:
    """Draws around modes: from one set of chains for all modes, or from one set per mode.

    Chains can often move between optima that differ. So one set of chains starts from all optima in
    turn. If its chains are still apart after burn-in, each mode gets its own set of chains.

    Args:
        likelihood: Likelihood that computes the sampled density.
        near: Modes that may hold a share of the posterior.
        options: Number of chains in a set, numbers of draws, and seed.
        advance: Callback, called as advance(draws, note=...).
    """

    def settle(starts: Sequence[modes.Mode], turn: int) -> mode_posterior.Settled:
        gaussians = [mode.gaussian for mode in starts]
        own_seed = dataclasses.replace(options, seed=options.seed + turn)
        return mode_posterior.settle(likelihood, gaussians, own_seed, advance=advance)

    def sample(settled: mode_posterior.Settled) -> mode_posterior.ModePosterior:
        return mode_posterior.sample(settled, options, advance=advance)

    if 1 < len(near) <= options.chains:
        settled = settle(near, len(near))
        if not settled.apart:
            fits = sum(mode.fits for mode in near)
            return [(near[0]._replace(fits=fits), sample(settled))]
    return [(mode, sample(settle([mode], turn))) for turn, mode in enumerate(near)]


def components(
    explored: Mapping[str, tuple[likelihoods.Likelihood, Sequence[Sampled]]], *, seed: int = 0
) -> tuple[Component, ...]:
    """Weighs modes and their draws as parts of one posterior, the largest share first.

    Args:
        explored: Likelihood, and modes with their draws, by read-out. Modes whose chains meet
            become one mode.
        seed: Seed of the random numbers of the evidence.
    """
    parts: list[tuple[str, modes.Mode, mode_posterior.ModePosterior]] = []
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
    weighed = [
        Component(*part, weight, share)
        for part, weight, share in zip(parts, evidence, shares(evidence), strict=True)
    ]
    return tuple(sorted(weighed, key=lambda component: -component.evidence.value))


def joined(sampled: Sequence[Sampled]) -> list[Sampled]:
    """Joins modes whose chains, put together, have an R-hat below `MEET`."""
    parts: list[Sampled] = []
    for mode, draws in sampled:
        for number, (earlier_mode, earlier_draws) in enumerate(parts):
            both = earlier_draws.together(draws)
            if convergence.diagnose(both.theta).r_hat.max() < MEET:
                parts[number] = earlier_mode._replace(fits=earlier_mode.fits + mode.fits), both
                break
        else:
            parts.append((mode, draws))
    return parts


def shares(evidence: Sequence[bridge.Evidence]) -> list[Share]:
    """Computes the share of each part in the sum, averaged over the errors of the evidence."""
    errors = np.random.default_rng(0).standard_normal((GUESSES, len(evidence)))
    values, sds = np.transpose([(part.value, part.error) for part in evidence])
    fractions = scipy.special.softmax(values + errors * sds, axis=1)
    lower, upper = np.quantile(fractions, [0.025, 0.975], axis=0)
    ends = zip(fractions.mean(0), lower, upper, strict=True)
    return [Share(float(mean), float(low), float(high)) for mean, low, high in ends]


def by_share(parts: Sequence[Component]) -> dict[str, NDArray[np.float64]]:
    """Takes as many draws as possible with each part in proportion to its share.

    No draw is taken twice. The draws of a part are evenly spaced over its chains.

    Returns:
        Physical parameters by name, each [N]. Parameters of the measurement are left out, because
        they differ between read-outs.
    """
    # The part with fewest draws for its share sets the total: with 100 and 300 draws and shares of
    # 0.5 and 0.5 the total is min(100 / 0.5, 300 / 0.5) = 200, 100 of each.
    pooled = [part.draws.theta.reshape(-1, part.draws.theta.shape[-1]) for part in parts]
    means = [part.share.mean for part in parts]
    total = min(len(draws) / share for draws, share in zip(pooled, means, strict=True) if share)
    samples = [
        physical_units.physical(
            part.draws.parameters,
            draws[np.linspace(0, len(draws) - 1, int(total * share + 0.5)).astype(int)],
        )
        for part, draws, share in zip(parts, pooled, means, strict=True)
    ]
    return {name: np.concatenate([sample[name] for sample in samples]) for name in samples[0]}


def _in_batches(
    likelihood: likelihoods.Likelihood,
) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """Returns a function of log-densities that compiles one batch size only. [M, D] -> [M]."""

    @tf.function(jit_compile=likelihood.compiles, autograph=False)
    def batch(theta: tf.Tensor) -> tf.Tensor:
        return likelihood.log_posterior_unknown_scale(theta)

    def log_densities(theta: NDArray[np.float64]) -> NDArray[np.float64]:
        padded = np.concatenate([theta, np.repeat(theta[-1:], -len(theta) % BATCH, axis=0)])
        parts = tf.constant(padded.reshape(-1, BATCH, theta.shape[-1]))
        return np.concatenate(
            threads.parallel_map(batch, parts, program=batch, compiled=likelihood.compiles)
        )[: len(theta)]

    return log_densities
