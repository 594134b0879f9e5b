"""Samples the posterior of a mechanism around a mode until its chains have converged.

`nuts` makes the draws. Chains run until every energy has the requested effective sample size and
R-hat (`convergence`), or until they reach the largest number of draws.
"""

import dataclasses
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import progress
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import parameters as layout
from akita_bayes.regulation.posterior import convergence, laplace, nuts, physical_units
from akita_bayes.regulation.posterior.sampling_options import DEFAULTS, SamplingOptions

R_HAT, EFFECTIVE = 1.01, DEFAULTS.effective
"""Largest R-hat and fewest effective draws of converged chains."""
APART = 1.5
"""R-hat of short chains above which they seem to be in several modes. Four chains have this value
when two modes hold two chains each and the centres lie 2.1 standard deviations apart."""
SPREAD = 2.0
"""Distance of the starts of chains from a mode, in standard deviations of Laplace's Gaussian."""


@dataclasses.dataclass(frozen=True, eq=False)
class ModePosterior:
    """Holds the draws of a posterior around a mode.

    Attributes:
        parameters: Meaning of the entries of theta.
        theta: Draws of C chains. [C, S, D]
        log_density: Unnormalised log-posterior of each draw, in nats. [C, S]
        accepted: Mean acceptance statistic.
        divergent: Fraction of trajectories that diverged.
        leapfrogs: Mean number of gradients per draw.
        step_size: Mean step size, in whitened units.
        root: Matrix of the coordinates in which the chains moved; root root^T is close to the
            covariance of the draws. [D, D]
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
        """Returns the mean, sd, 95 % interval and convergence of every physical parameter.

        Columns: those of `physical_units.summarise`; `r_hat`, the larger of the rank-normalised
        split R-hat and the same number folded at the median; `ess`, the smallest effective sample
        size of the centre and of both ends of the interval.
        """
        diagnosis = diagnose(self.parameters, self.theta)
        table = physical_units.summarise(self.parameters, self.theta)
        return table.assign(r_hat=diagnosis.r_hat, ess=diagnosis.ess)

    @property
    def converged(self) -> bool:
        """Returns True when every energy has R-hat below `R_HAT` and `EFFECTIVE` draws."""
        diagnosis = diagnose(self.parameters, self.theta)
        return bool((diagnosis.r_hat < R_HAT).all() and (diagnosis.ess >= EFFECTIVE).all())

    def together(self, second: "ModePosterior") -> "ModePosterior":
        """Joins the chains of two posteriors, cut to the length of the shorter ones.

        Statistics are averaged; the larger share of divergent trajectories counts, and seconds are
        added.
        """
        length = min(self.theta.shape[1], second.theta.shape[1])
        parts = (self, second)
        return dataclasses.replace(
            self,
            theta=np.concatenate([part.theta[:, -length:] for part in parts]),
            log_density=np.concatenate([part.log_density[:, -length:] for part in parts]),
            accepted=(self.accepted + second.accepted) / 2,
            divergent=max(self.divergent, second.divergent),
            leapfrogs=(self.leapfrogs + second.leapfrogs) / 2,
            step_size=(self.step_size + second.step_size) / 2,
            seconds=self.seconds + second.seconds,
        )


def diagnose(parameters: layout.Parameters, theta: NDArray[np.float64]) -> convergence.Convergence:
    """Computes the convergence of every physical parameter of chains [C, S, D], in table order."""
    values = physical_units.physical(parameters, theta).values()
    return convergence.diagnose(np.stack(list(values), axis=-1))


class Settled(NamedTuple):
    """Holds chains after burn-in.

    Attributes:
        run: Sampler with adapted coordinates and step sizes.
        theta: Draws of the second half of the burn-in. [C, S, D]
        seconds: Wall time.
    """

    run: nuts.Run
    theta: NDArray[np.float64]
    seconds: float

    @property
    def apart(self) -> bool:
        """Returns True when an R-hat above `APART` shows that chains are in different modes."""
        return bool(convergence.diagnose(self.theta).r_hat.max() > APART)


def settle(
    likelihood: likelihoods.Likelihood,
    gaussians: Sequence[laplace.Laplace],
    options: SamplingOptions = DEFAULTS,
    *,
    advance: progress.Advance = progress.ignore,
) -> Settled:
    """Runs the burn-in: chains reach the posterior, and the sampler adapts its coordinates to it.

    Args:
        likelihood: Likelihood that computes the log-posterior; its arithmetic per sequence may be
            float32.
        gaussians: Laplace's approximation at each mode. Chains start around these modes in turn
            (`begin`). The covariance of the first one defines the first coordinates.
        options: Number of chains and of draws thrown away, seed, and settings of the sampler.
        advance: Callback, called as advance(draws, note=...) after each chunk.
    """
    start_time = time.perf_counter()
    centre, root = gaussians[0].mode, gaussians[0].root
    run = nuts.Run(likelihood, centre, root, options)
    draws = run.warm_up(begin(gaussians, options.chains, options.seed), advance)
    run.reshape(draws)
    draws = run.warm_up(draws[:, -1], advance)
    return Settled(run, draws, time.perf_counter() - start_time)


def begin(gaussians: Sequence[laplace.Laplace], chains: int, seed: int) -> NDArray[np.float64]:
    """Draws starts around the modes in turn, more widely than draws of their Gaussians. [C, D].

    R-hat finds chains that still depend on their starts only if the starts lie farther apart than
    the draws (Gelman and Rubin 1992).
    """
    random = np.random.default_rng(seed).standard_normal((chains, len(gaussians[0].mode)))
    around = [gaussians[number % len(gaussians)] for number in range(chains)]
    return np.stack(
        [
            gaussian.mode + SPREAD * gaussian.root @ z
            for gaussian, z in zip(around, random, strict=True)
        ]
    )


def sample(
    settled: Settled,
    options: SamplingOptions = DEFAULTS,
    *,
    advance: progress.Advance = progress.ignore,
) -> ModePosterior:
    """Draws from the posterior until every energy has converged.

    Args:
        settled: Chains after burn-in, which continue.
        options: Effective draws that the centre and both ends of the interval of every energy must
            have (R-hat, split and folded, must also be below `R_HAT`), and the largest number of
            draws.
        advance: Callback, called as advance(draws, note=...) after each chunk.
    """
    start_time = time.perf_counter()
    run = settled.run
    parameters = run.likelihood.parameters
    chunks: list[nuts.Chunk] = []
    while len(chunks) * nuts.CHUNK < options.most_draws:
        chunks.append(run.next_chunk())
        diagnosis = diagnose(parameters, nuts.join(chunks, "theta"))
        advance(
            nuts.CHUNK, note=f"R-hat {diagnosis.r_hat.max():.3f}, ESS {diagnosis.ess.min():.0f}"
        )
        if diagnosis.r_hat.max() < R_HAT and diagnosis.ess.min() >= options.effective:
            break
    return ModePosterior(
        parameters=parameters,
        theta=nuts.join(chunks, "theta"),
        log_density=nuts.join(chunks, "log_density"),
        accepted=float(np.mean([chunk.accepted for chunk in chunks])),
        divergent=float(np.mean([chunk.divergent for chunk in chunks])),
        leapfrogs=float(np.mean([chunk.leapfrogs for chunk in chunks])),
        step_size=run.step_size,
        root=run.root,
        seconds=settled.seconds + time.perf_counter() - start_time,
    )
