"""The posterior of a mechanism: what it is, when it is known, and how it is reported.

`nuts` draws from it. Chains are run until every energy has the effective sample size and R-hat of
`convergence` that were asked for, or the most draws were made.

Draws are reported in physical units: energy matrices and tables of adjacent bases centred at each
position, constants as the energy of the wild type, in kT and kcal/mol.
"""

import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import declarations, dna, errors, states
from akita_bayes.regulation import convergence, nuts
from akita_bayes.regulation import laplace as gaussians
from akita_bayes.regulation import likelihood as likelihoods
from akita_bayes.regulation import parameters as layout

R_HAT, EFFECTIVE = 1.01, 400.0
"""R-hat that converged chains are below, and effective draws that they have."""
KNOTS = 16
"""Of the splines in place of hidden units."""


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
        seconds: Wall time, burn-in and compilation included.
    """

    parameters: layout.Parameters
    theta: NDArray[np.float64]
    log_density: NDArray[np.float64]
    accepted: float
    divergent: float
    leapfrogs: float
    step_size: float
    seconds: float

    @property
    def pooled(self) -> NDArray[np.float64]:
        """The draws of all chains. [C * S, D]."""
        return self.theta.reshape(-1, self.theta.shape[-1])

    def table(self) -> pd.DataFrame:
        """Every physical parameter: mean, sd, 95 % interval, and how far the chains have come.

        The columns of `summarise`; r_hat, the larger of rank-normalised split R-hat and the same
        folded at the median; ess, the least effective sample size of the centre and of both ends
        of the interval.
        """
        found = diagnose(self.parameters, self.theta)
        return summarise(self.parameters, self.theta).assign(r_hat=found.r_hat, ess=found.ess)

    @property
    def converged(self) -> bool:
        """Whether every energy has R-hat below `R_HAT` and `EFFECTIVE` draws, centre and ends."""
        found = diagnose(self.parameters, self.theta)
        return bool((found.r_hat < R_HAT).all() and (found.ess >= EFFECTIVE).all())


def physical(parameters: layout.Parameters, theta: NDArray) -> dict[str, NDArray[np.float64]]:
    """Draws in physical units by name. [..., D] -> each [...].

    `crp[3,A]` is what an A at position 3 of a site contributes, `crp[3,AC]` what an A there and a C
    next to it contribute beyond their own, `interaction` a constant.
    """
    return {name: values for _, name, values in _reported(parameters, theta)}


def _reported(
    parameters: layout.Parameters, theta: NDArray
) -> Iterator[tuple[layout.Block, str, NDArray[np.float64]]]:
    for block in parameters.blocks:
        if block.owner == "measurement":
            continue
        part = theta[..., block.start : block.stop].reshape(*theta.shape[:-1], *block.shape)
        if block.part == "bases":
            matrix = part @ layout.CONTRASTS.T
            for position, base in np.ndindex(matrix.shape[-2:]):
                name = f"{block.owner}[{position},{dna.ALPHABET[base]}]"
                yield block, name, matrix[..., position, base]
        elif block.part == "pairs":
            pairs = layout.pair_tables(part)
            for position, first, second in np.ndindex(pairs.shape[-3:]):
                name = f"{block.owner}[{position},{dna.ALPHABET[first]}{dna.ALPHABET[second]}]"
                yield block, name, pairs[..., position, first, second]
        else:
            yield block, block.name, part


def summarise(parameters: layout.Parameters, theta: NDArray[np.float64]) -> pd.DataFrame:
    """Mean, sd and 95 % interval of every physical parameter of draws [C, S, D].

    Columns name, unit, mean, sd, lower, upper; energies in kT also have mean_kcal, lower_kcal and
    upper_kcal, in kcal/mol.
    """
    blocks, names, values = zip(*_reported(parameters, theta), strict=True)
    draws = np.stack(values, axis=-1)
    lower, upper = np.quantile(draws, [0.025, 0.975], axis=(0, 1))
    table = pd.DataFrame(
        {
            "name": names,
            "unit": [block.unit for block in blocks],
            "mean": draws.mean((0, 1)),
            "sd": draws.std((0, 1)),
            "lower": lower,
            "upper": upper,
        }
    )
    kcal = np.where(table["unit"] == "kT", parameters.mechanism.kcal_per_kt, np.nan)
    for column in ("mean", "lower", "upper"):
        table[f"{column}_kcal"] = table[column] * kcal
    return table


def diagnose(parameters: layout.Parameters, theta: NDArray[np.float64]) -> convergence.Convergence:
    """Convergence of every physical parameter, in the order of the table, of chains [C, S, D]."""
    return convergence.diagnose(np.stack(list(physical(parameters, theta).values()), axis=-1))


def sample(
    likelihood: likelihoods.Likelihood,
    gaussian: gaussians.Laplace,
    *,
    chains: int = 4,
    burn_in: int = 400,
    effective: float = EFFECTIVE,
    most_draws: int = 2000,
    target_acceptance: float = 0.8,
    max_tree_depth: int = 6,
    seed: int = 0,
    report: Callable[..., Any] | None = None,
) -> Posterior:
    """Runs NUTS until every energy has converged.

    Args:
        likelihood: Gives the log-posterior; per-sequence arithmetic may be float32.
        gaussian: Laplace's approximation at a mode, around which chains start (`nuts.begin`); its
            covariance preconditions.
        chains: Number C of chains.
        burn_in: Draws thrown away. After the first half the coordinates take the curvature where
            the chains have come to; the step size is adapted in both halves.
        effective: Effective draws that the centre and both ends of the interval of every energy
            must have, with R-hat, split and folded, below `R_HAT`.
        most_draws: Draws per chain after which to stop all the same.
        target_acceptance: Of the dual averaging of the step size.
        max_tree_depth: A trajectory has at most 2^this - 1 steps.
        seed: Of the starts and of the sampler.
        report: Called as report(draws_made, note=...) after each chunk.
    """
    began = time.perf_counter()
    run = nuts.Run(likelihood, gaussian, burn_in // 2, target_acceptance, max_tree_depth, seed)
    z = nuts.begin(len(gaussian.mode), chains, seed)
    tell = report or (lambda steps, note: None)
    run.warm_up(run.reshape(run.warm_up(z, tell)), tell)
    kept: list[nuts.Chunk] = []
    while len(kept) * nuts.CHUNK < most_draws:
        kept.append(run.advance())
        found = diagnose(likelihood.parameters, nuts.join(kept, "theta"))
        tell(nuts.CHUNK, note=f"R-hat {found.r_hat.max():.3f}, ESS {found.ess.min():.0f}")
        if found.r_hat.max() < R_HAT and found.ess.min() >= effective:
            break
    return Posterior(
        parameters=likelihood.parameters,
        theta=nuts.join(kept, "theta"),
        log_density=nuts.join(kept, "log_density"),
        accepted=float(np.mean([chunk.accepted for chunk in kept])),
        divergent=float(np.mean([chunk.divergent for chunk in kept])),
        leapfrogs=float(np.mean([chunk.leapfrogs for chunk in kept])),
        step_size=run.step_size,
        seconds=time.perf_counter() - began,
    )


def curves(mechanism: states.Mechanism, *, knots: int | None = None) -> dict[str, states.Mechanism]:
    """The mechanism with bins as smooth curves of the odds of activity, and of their logarithm.

    Of activity itself, where it has no odds. A curve that is smooth in one has to bend in the
    other, so the evidence tells them apart where held-out sequences do not.

    Args:
        mechanism: Its measurement has bins.
        knots: As for `smooth`.
    """
    seen = "odds" if mechanism.levels else "activity"
    found = {}
    for label, read_out in ((seen, "activity"), (f"log {seen}", "log_activity")):
        measurement = mechanism.measurement.model_copy(update={"read_out": read_out})
        other = mechanism.model_copy(update={"measurement": measurement})
        found[label] = smooth(other, knots=knots)
    return found


def smooth(mechanism: states.Mechanism, *, knots: int | None = None) -> states.Mechanism:
    """The mechanism with its bins as splines, and relative, which a sampler can explore.

    The hidden units of `bins` and `monotone_bins` can trade places, and those that the data do not
    need wander; splines hold the same curves with neither. A factor of the odds of activity moves
    the curve and changes no likelihood; where odds exist, the bins see them against the wild
    type's, and the factor keeps its prior. Other measurements stay as they are.

    Args:
        mechanism: What is declared.
        knots: Of the splines; None for those that the mechanism declares, or `KNOTS`.

    Raises:
        SpecError: Fewer knots than a spline needs, or knots of a measurement without bins.
    """
    declared = mechanism.measurement
    if knots is not None and knots < 3:
        raise errors.SpecError(f"knots: {knots} bear no spline; give 3 or more.")
    if not declared.kind.endswith("bins"):
        if knots is not None:
            raise errors.SpecError(
                f"knots: a measurement of kind {declared.kind} has no splines; leave them out."
            )
        return mechanism
    changed: dict[str, Any] = {} if knots is None else {"hidden": knots}
    if declared.kind != "spline_bins":
        prior = declarations.Normal(sd=3.0)
        changed = {"kind": "spline_bins", "hidden": knots or KNOTS, "weight_prior": prior}
    if mechanism.levels:
        changed["relative"] = True
    return mechanism.model_copy(update={"measurement": declared.model_copy(update=changed)})
