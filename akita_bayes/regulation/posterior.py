"""The posterior of a mechanism by the No-U-Turn sampler (Hoffman and Gelman 2014).

The sampler moves in z, theta = mode + root z, where root root^T is at first the covariance of
Laplace's approximation and then the inverse of the mean curvature where the chains have come to:
there the posterior is close to N(0, I), and a trajectory of a few steps crosses it. The prior is
that of `hierarchy`: the entries of an energy matrix share an unknown scale.
Chains advance side by side, each on a thread of its own in one XLA program (a batch of chains would
take the steps of the longest trajectory with all), and are run until every energy has the effective
sample size and R-hat of `convergence` that were asked for, or the most draws were made.

Draws are reported in physical units: energy matrices centred at each position, constants as the
energy of the wild type, in kT and kcal/mol.
"""

import dataclasses
import os
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_probability as tfp
from numpy.typing import NDArray

from akita_bayes import declarations, dna, states
from akita_bayes.regulation import ascent, convergence, curvature, hierarchy
from akita_bayes.regulation import laplace as gaussians
from akita_bayes.regulation import likelihood as likelihoods
from akita_bayes.regulation import parameters as layout

CHUNK = 50
"""Draws between two looks at convergence."""
R_HAT, EFFECTIVE = 1.01, 400.0
"""R-hat that converged chains are below, and effective draws that they have."""
POINTS = 16
"""Draws of all chains whose curvatures are averaged."""


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
    """Draws in physical units by name: `crp[3,A]`, `interaction`. [..., D] -> each [...]."""
    values = {}
    for block in parameters.blocks:
        if block.owner == "measurement" or block.part == "pairs":
            continue
        part = theta[..., block.start : block.stop]
        if block.part == "bases":
            matrix = part.reshape(*part.shape[:-1], *block.shape) @ layout.CONTRASTS.T
            for position, base in np.ndindex(matrix.shape[-2:]):
                name = f"{block.owner}[{position},{dna.ALPHABET[base]}]"
                values[name] = matrix[..., position, base]
        else:
            values[block.name] = part[..., 0]
    return values


def summarise(parameters: layout.Parameters, theta: NDArray[np.float64]) -> pd.DataFrame:
    """Mean, sd and 95 % interval of every physical parameter of draws [C, S, D].

    Columns name, unit, mean, sd, lower, upper; energies in kT also have mean_kcal, lower_kcal and
    upper_kcal, in kcal/mol.
    """
    values = physical(parameters, theta)
    draws = np.stack(list(values.values()), axis=-1)
    lower, upper = np.quantile(draws, [0.025, 0.975], axis=(0, 1))
    table = pd.DataFrame(
        {
            "name": list(values),
            "unit": [_unit(parameters, name) for name in values],
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


def _unit(parameters: layout.Parameters, name: str) -> str:
    owner = name.split("[")[0].removesuffix(".log_activity")
    for block in parameters.blocks:
        if block.owner == owner and (block.part == "bases") == ("," in name):
            return block.unit
    raise KeyError(name)


def sample(
    likelihood: likelihoods.Likelihood,
    gaussian: gaussians.Laplace,
    *,
    starts: NDArray[np.float64] | None = None,
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
        gaussian: Laplace's approximation at the best optimum; its covariance preconditions.
        starts: [n, D] the best optima found, n <= C; each chain starts near one of them in turn.
            Only the optimum of `gaussian` when None.
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
    run = _Run(likelihood, gaussian, burn_in // 2, target_acceptance, max_tree_depth, seed)
    z = _initial(gaussian, starts, chains, seed)
    tell = report or (lambda steps, note: None)
    run.warm_up(run.reshape(run.warm_up(z, tell)), tell)
    kept: list[_Chunk] = []
    while len(kept) * CHUNK < most_draws:
        kept.append(run.advance())
        found = diagnose(likelihood.parameters, _join(kept, "theta"))
        tell(CHUNK, note=f"R-hat {found.r_hat.max():.3f}, ESS {found.ess.min():.0f}")
        if found.r_hat.max() < R_HAT and found.ess.min() >= effective:
            break
    return Posterior(
        parameters=likelihood.parameters,
        theta=_join(kept, "theta"),
        log_density=_join(kept, "log_density"),
        accepted=float(np.mean([chunk.accepted for chunk in kept])),
        divergent=float(np.mean([chunk.divergent for chunk in kept])),
        leapfrogs=float(np.mean([chunk.leapfrogs for chunk in kept])),
        step_size=run.step_size,
        seconds=time.perf_counter() - began,
    )


class _Chunk(NamedTuple):
    """Consecutive draws: theta [C, CHUNK, D], log-density [C, CHUNK], and means over them."""

    theta: NDArray[np.float64]
    log_density: NDArray[np.float64]
    accepted: float
    divergent: float
    leapfrogs: float


def _join(chunks: list[_Chunk], field: str) -> NDArray[np.float64]:
    return np.concatenate([getattr(chunk, field) for chunk in chunks], axis=1)


class _Run:
    """The sampler between two looks: its coordinates, chains and step size."""

    def __init__(
        self,
        likelihood: likelihoods.Likelihood,
        gaussian: gaussians.Laplace,
        adaptation: int,
        target_acceptance: float,
        max_tree_depth: int,
        seed: int,
    ) -> None:
        self._likelihood, self._prior_sd = likelihood, likelihood.parameters.prior_sd
        self._mode, self._root = gaussian.mode, gaussian.root
        self._warm = -(-adaptation // CHUNK)
        self._seed, self._made = seed, 0
        self._states: list[tf.Tensor] = []
        self._results: list[Any] = []
        size = len(gaussian.mode)

        def kernel(root: tf.Tensor) -> tfp.mcmc.TransitionKernel:
            def log_density(z: tf.Tensor) -> tf.Tensor:
                theta = self._mode + tf.matmul(z, root, transpose_b=True)
                prior = hierarchy.log_prior(likelihood.parameters, theta)
                return likelihood.log_likelihood(theta) + prior

            return tfp.mcmc.DualAveragingStepSizeAdaptation(
                tfp.mcmc.NoUTurnSampler(
                    log_density,
                    step_size=tf.constant(size**-0.25, tf.float64),
                    max_tree_depth=max_tree_depth,
                ),
                num_adaptation_steps=int(0.9 * self._warm * CHUNK),
                target_accept_prob=tf.constant(target_acceptance, tf.float64),
            )

        @tf.function(jit_compile=True, autograph=False)
        def begin(root: tf.Tensor, state: tf.Tensor) -> Any:
            return kernel(root).bootstrap_results(state)

        @tf.function(jit_compile=True, autograph=False)
        def advance(root: tf.Tensor, state: tf.Tensor, results: Any, seed: tf.Tensor) -> Any:
            return tfp.mcmc.sample_chain(
                CHUNK,
                state,
                previous_kernel_results=results,
                kernel=kernel(root),
                trace_fn=_trace,
                return_final_kernel_results=True,
                seed=seed,
            )

        self._begin, self._advance = begin, advance

    @property
    def step_size(self) -> float:
        """Mean over the chains, in whitened units."""
        return float(np.mean([results.new_step_size for results in self._results]))

    def advance(self) -> _Chunk:
        """CHUNK draws of every chain."""
        root = tf.constant(self._root)

        def one(chain: int) -> Any:
            seed = tf.constant([self._seed, self._made * len(self._states) + chain], tf.int32)
            return self._advance(root, self._states[chain], self._results[chain], seed)

        with futures.ThreadPoolExecutor(len(self._states)) as threads:
            outs = list(threads.map(one, range(len(self._states))))
        self._made += 1
        self._states = [out.all_states[-1] for out in outs]
        self._results = [out.final_kernel_results for out in outs]
        z = np.stack([out.all_states.numpy()[:, 0] for out in outs])
        density, leapfrogs, log_ratio, divergent = (
            np.stack([part.numpy()[:, 0] for part in parts])
            for parts in zip(*[out.trace for out in outs], strict=True)
        )
        return _Chunk(
            self._mode + z @ self._root.T,
            density,
            float(np.exp(np.minimum(log_ratio, 0.0)).mean()),
            float(divergent.mean()),
            float(leapfrogs.mean()),
        )

    def warm_up(self, z: NDArray[np.float64], tell: Callable[..., Any]) -> NDArray[np.float64]:
        """Adapts the step sizes, from z [C, D] on; returns the last draws. [C, CHUNK, D]."""
        root = tf.constant(self._root)
        self._states = [tf.constant(chain[None]) for chain in z]
        self._results = [self._begin(root, state) for state in self._states]
        for _ in range(self._warm):
            draws = self.advance().theta
            tell(CHUNK, note=f"burn-in, step {self.step_size:.3f}")
        return draws

    def reshape(self, draws: NDArray[np.float64]) -> NDArray[np.float64]:
        """Takes the curvature where the chains are; returns their ends in the new z. [C, D]."""
        ends, spread = draws[:, -1], -(-POINTS // len(draws))
        some = draws[:, np.linspace(0, CHUNK - 1, spread + 1).astype(int)[1:]]
        measured = precision(self._likelihood, some.reshape(-1, draws.shape[-1]))
        self._root = ascent.root_of(measured, self._prior_sd)
        return np.asarray(np.linalg.solve(self._root, (ends - self._mode).T).T, np.float64)


def precision(
    likelihood: likelihoods.Likelihood, thetas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over thetas [S, D] of the negative Hessian, with the scale of each site as drawn.

    The mode of a posterior of hundreds of parameters lies far from its draws, and where a ridge is
    curved so does its curvature; that of a few draws fits the rest better.
    """
    parameters = likelihood.parameters
    with futures.ThreadPoolExecutor(os.cpu_count()) as threads:
        hessians = list(threads.map(curvature.Hessian(likelihood), thetas))
    found = -np.mean(hessians, axis=0)
    found -= np.diag(parameters.prior_sd**-2.0)
    variance = parameters.prior_sd**2
    for block in parameters.blocks:
        if block.part in hierarchy.PARTS:
            variance[block.start : block.stop] = (thetas[:, block.start : block.stop] ** 2).mean()
    return found + np.diag(1 / variance)


def _initial(
    gaussian: gaussians.Laplace, starts: NDArray | None, chains: int, seed: int
) -> NDArray[np.float64]:
    """Each chain at one of the optima, jittered by the width of the Gaussian. [C, D]."""
    near = gaussian.mode[None] if starts is None else starts
    z = np.linalg.solve(gaussian.root, (near - gaussian.mode).T).T
    z = z[np.arange(chains) % len(z)]
    return z + np.random.default_rng(seed).standard_normal(z.shape)


def _trace(_: Any, results: Any) -> tuple:
    inner = results.inner_results
    return (
        inner.target_log_prob,
        inner.leapfrogs_taken,
        inner.log_accept_ratio,
        inner.has_divergence,
    )


def smooth(mechanism: states.Mechanism, *, knots: int = 16) -> states.Mechanism:
    """The mechanism with its bins as splines, and relative, which a sampler can explore.

    The hidden units of `bins` and `monotone_bins` can trade places, and those that the data do not
    need wander; splines hold the same curves with neither. A factor of the odds of activity moves
    the curve and changes no likelihood; where odds exist, the bins see them against the wild
    type's, and the factor keeps its prior. Other measurements stay as they are.
    """
    declared = mechanism.measurement
    if not declared.kind.endswith("bins"):
        return mechanism
    changed: dict[str, Any] = {}
    if declared.kind != "spline_bins":
        prior = declarations.Normal(sd=3.0)
        changed = {"kind": "spline_bins", "hidden": knots, "weight_prior": prior}
    if mechanism.levels:
        changed["relative"] = True
    return mechanism.model_copy(update={"measurement": declared.model_copy(update=changed)})
