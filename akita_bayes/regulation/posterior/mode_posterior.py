"""The posterior of a mechanism around a mode: what is sampled, and when it is known.

`nuts` draws from it. Chains are run until every energy has the effective sample size and R-hat of
`convergence` that were asked for, or the most draws were made.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import parameters as layout
from akita_bayes.regulation.posterior import convergence, laplace, nuts, physical_units

R_HAT, EFFECTIVE = 1.01, 400.0
"""R-hat that converged chains are below, and effective draws that they have."""
APART = 1.5
"""R-hat of short chains above which they seem to be in several modes. Four chains, two in each of
two modes whose centres are 2.1 standard deviations apart, have it."""
SPREAD = 2.0
"""Standard deviations of Laplace's Gaussian by which chains start off a mode."""


@dataclasses.dataclass(frozen=True, eq=False)
class Posterior:
    """Draws of a posterior.

    Attributes:
        parameters: What the entries of theta are.
        theta: [C, S, D] draws of C chains.
        log_density: [C, S] unnormalised log-posterior of each draw, in nats.
        accepted: Mean acceptance statistic.
        divergent: Fraction of trajectories that diverged.
        leapfrogs: Mean number of gradients per draw.
        step_size: In whitened units.
        root: [D, D] of the coordinates in which the chains moved; root root^T is about the
            covariance of the draws.
        seconds: Wall time, burn-in and compilation included.
    """

    parameters: layout.Parameters
    theta: NDArray[np.float64]
    log_density: NDArray[np.float64]
    accepted: float
    divergent: float
    leapfrogs: float
    step_size: float
    root: NDArray[np.float64]
    seconds: float

    def table(self) -> pd.DataFrame:
        """Every physical parameter: mean, sd, 95 % interval, and how far the chains have come.

        The columns of `physical_units.summarise`; r_hat, the larger of rank-normalised split R-hat
        and the same folded at the median; ess, the least effective sample size of the centre and of
        both ends of the interval.
        """
        found = diagnose(self.parameters, self.theta)
        table = physical_units.summarise(self.parameters, self.theta)
        return table.assign(r_hat=found.r_hat, ess=found.ess)

    @property
    def converged(self) -> bool:
        """Whether every energy has R-hat below `R_HAT` and `EFFECTIVE` draws, centre and ends."""
        found = diagnose(self.parameters, self.theta)
        return bool((found.r_hat < R_HAT).all() and (found.ess >= EFFECTIVE).all())

    def together(self, other: "Posterior") -> "Posterior":
        """The chains of both, as long as the shorter ones; what is said of each, on average."""
        length = min(self.theta.shape[1], other.theta.shape[1])
        parts = (self, other)
        return dataclasses.replace(
            self,
            theta=np.concatenate([part.theta[:, -length:] for part in parts]),
            log_density=np.concatenate([part.log_density[:, -length:] for part in parts]),
            accepted=(self.accepted + other.accepted) / 2,
            divergent=max(self.divergent, other.divergent),
            leapfrogs=(self.leapfrogs + other.leapfrogs) / 2,
            step_size=(self.step_size + other.step_size) / 2,
            seconds=self.seconds + other.seconds,
        )


def diagnose(parameters: layout.Parameters, theta: NDArray[np.float64]) -> convergence.Convergence:
    """Convergence of every physical parameter, in the order of the table, of chains [C, S, D]."""
    values = physical_units.physical(parameters, theta).values()
    return convergence.diagnose(np.stack(list(values), axis=-1))


class Settled(NamedTuple):
    """Chains after burn-in.

    Attributes:
        run: The sampler, its coordinates and step sizes adapted.
        theta: [C, S, D] the second half of the burn-in.
        seconds: Wall time.
    """

    run: nuts.Run
    theta: NDArray[np.float64]
    seconds: float

    @property
    def apart(self) -> bool:
        """Whether chains seem to be in different modes: an R-hat of theta above `APART`."""
        return bool(convergence.diagnose(self.theta).r_hat.max() > APART)


def settle(
    likelihood: likelihoods.Likelihood,
    gaussians: Sequence[laplace.Laplace],
    *,
    chains: int = 4,
    burn_in: int = 300,
    target_acceptance: float = 0.65,
    max_tree_depth: int = 6,
    seed: int = 0,
    report: Callable[..., Any] | None = None,
) -> Settled:
    """Runs NUTS until its chains have found the posterior and its coordinates suit it.

    Args:
        likelihood: Gives the log-posterior; per-sequence arithmetic may be float32.
        gaussians: Laplace's approximation at each of some modes, around which chains start in turn
            (`begin`); the covariance of the first preconditions.
        chains: Number C of chains.
        burn_in: Draws thrown away. After the first half the coordinates take the curvature where
            the chains have come to; the step size is adapted in both.
        target_acceptance: Of the dual averaging of the step size. The best of many dimensions is
            0.65 (Beskos et al. 2013); 0.8 took a third more gradients per effective draw in one
            comparison of 500 draws.
        max_tree_depth: A trajectory has at most 2^this - 1 steps.
        seed: Of the starts and of the sampler.
        report: Called as report(draws_made, note=...) after each chunk.
    """
    began = time.perf_counter()
    centre, root = gaussians[0].mode, gaussians[0].root
    adaptation = burn_in // 2
    run = nuts.Run(likelihood, centre, root, adaptation, target_acceptance, max_tree_depth, seed)
    tell = report or (lambda steps, note: None)
    draws = run.warm_up(begin(gaussians, chains, seed), tell)
    run.reshape(draws)
    draws = run.warm_up(draws[:, -1], tell)
    return Settled(run, draws, time.perf_counter() - began)


def begin(gaussians: Sequence[laplace.Laplace], chains: int, seed: int) -> NDArray[np.float64]:
    """Starts around modes in turn, farther off than draws of their Gaussians are. [C, D].

    R-hat tells chains that have not forgotten their starts only if these lie farther apart than
    draws do (Gelman and Rubin 1992).
    """
    random = np.random.default_rng(seed).standard_normal((chains, len(gaussians[0].mode)))
    around = [gaussians[number % len(gaussians)] for number in range(chains)]
    starts = [each.mode + SPREAD * each.root @ z for each, z in zip(around, random, strict=True)]
    return np.stack(starts)


def sample(
    settled: Settled,
    *,
    effective: float = EFFECTIVE,
    most_draws: int = 2000,
    report: Callable[..., Any] | None = None,
) -> Posterior:
    """Draws until every energy has converged.

    Args:
        settled: Chains after burn-in; these go on.
        effective: Effective draws that the centre and both ends of the interval of every energy
            must have, with R-hat, split and folded, below `R_HAT`.
        most_draws: Draws per chain after which to stop all the same.
        report: Called as report(draws_made, note=...) after each chunk.
    """
    began = time.perf_counter()
    run, tell = settled.run, report or (lambda steps, note: None)
    parameters = run.likelihood.parameters
    kept: list[nuts.Chunk] = []
    while len(kept) * nuts.CHUNK < most_draws:
        kept.append(run.advance())
        found = diagnose(parameters, nuts.join(kept, "theta"))
        tell(nuts.CHUNK, note=f"R-hat {found.r_hat.max():.3f}, ESS {found.ess.min():.0f}")
        if found.r_hat.max() < R_HAT and found.ess.min() >= effective:
            break
    return Posterior(
        parameters=parameters,
        theta=nuts.join(kept, "theta"),
        log_density=nuts.join(kept, "log_density"),
        accepted=float(np.mean([chunk.accepted for chunk in kept])),
        divergent=float(np.mean([chunk.divergent for chunk in kept])),
        leapfrogs=float(np.mean([chunk.leapfrogs for chunk in kept])),
        step_size=run.step_size,
        root=run.root,
        seconds=settled.seconds + time.perf_counter() - began,
    )
