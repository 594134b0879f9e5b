"""Runs chains of the No-U-Turn sampler (Hoffman and Gelman 2014), side by side.

The sampler moves in z, phi = centre + root z, where phi is theta with its ridges straightened
(`ridges`). At first root root^T is the covariance of Laplace's approximation, later
the inverse of the mean curvature at the current place of the chains. In these coordinates the
posterior is close to N(0, I), and a trajectory of a few steps crosses it. (A winding ridge is
longer than its curvature suggests. Coordinates that are stretched to its length make it stiff
across: on the lac reads of Kinney et al. (2010) an effective draw then took twice the gradients, in
one comparison of 300 draws. Only straightened ridges are stretched.) The prior is
`priors.unknown_scale`: the entries of an energy matrix share an unknown scale. Each chain has its
own thread in one XLA program. (In a batch of chains every chain would take as many steps as the
longest trajectory.)
"""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from numpy.typing import NDArray

from akita_bayes import progress
from akita_bayes.regulation.fits import quasi_newton
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import threads
from akita_bayes.regulation.posterior import hierarchy
from akita_bayes.regulation.posterior import ridges as ridge_coordinates
from akita_bayes.regulation.posterior.sampling_options import SamplingOptions

CHUNK = 50
"""Draws between two checks of convergence."""
POINTS = 8
"""Draws, over all chains, whose curvatures are averaged."""
LONGEST = 4.0
"""Largest factor by which `stretch` widens a direction."""


class Chunk(NamedTuple):
    """Holds consecutive draws: theta [C, CHUNK, D], log-density [C, CHUNK], and statistics."""

    theta: NDArray[np.float64]
    log_density: NDArray[np.float64]
    accepted: float
    divergent: float
    leapfrogs: float


def join(chunks: list[Chunk], field: str) -> NDArray[np.float64]:
    """Joins one field of all chunks along the draws. [C, all draws, ...]."""
    return np.concatenate([getattr(chunk, field) for chunk in chunks], axis=1)


class Run:
    """Holds the state of the sampler between two checks: coordinates, chains and step size."""

    def __init__(
        self,
        likelihood: likelihoods.Likelihood,
        centre: NDArray[np.float64],
        root: NDArray[np.float64],
        options: SamplingOptions,
    ) -> None:
        self.likelihood = likelihood
        likelihood.centre_at(centre)
        self.root = root
        self._coordinates = (
            ridge_coordinates.Coordinates(())
            if likelihood.nearly_gaussian
            else ridge_coordinates.Coordinates.at(likelihood, centre, root)
        )
        self._centre = self._coordinates.straighten(centre)
        self._root = self._coordinates.slopes(centre) @ root
        self._warm = -(-(options.burn_in // 2) // CHUNK)
        self._seed, self._chunks = options.seed, 0
        self._states: list[tf.Tensor] = []
        self._results: list[Any] = []
        coordinates, origin = self._coordinates, self._centre

        def kernel(root: tf.Tensor, chain: tf.Tensor) -> tfp.mcmc.TransitionKernel:
            density = likelihood.chain_density(chain)

            def log_density(z: tf.Tensor) -> tf.Tensor:
                theta, log_jacobian = coordinates.theta(
                    origin + tf.matmul(z, root, transpose_b=True)
                )
                return density(theta) + log_jacobian

            return tfp.mcmc.DualAveragingStepSizeAdaptation(
                tfp.mcmc.NoUTurnSampler(
                    log_density,
                    step_size=tf.constant(len(centre) ** -0.25, tf.float64),
                    max_tree_depth=options.max_tree_depth,
                ),
                num_adaptation_steps=int(0.9 * self._warm * CHUNK),
                target_accept_prob=tf.constant(
                    options.target_acceptance or likelihood.target_acceptance, tf.float64
                ),
            )

        @tf.function(jit_compile=likelihood.compiles, autograph=False)
        def first(root: tf.Tensor, state: tf.Tensor, chain: tf.Tensor) -> Any:
            return kernel(root, chain).bootstrap_results(state)

        @tf.function(jit_compile=likelihood.compiles, autograph=False)
        def further(
            root: tf.Tensor, state: tf.Tensor, results: Any, seed: tf.Tensor, chain: tf.Tensor
        ) -> Any:
            return tfp.mcmc.sample_chain(
                CHUNK,
                state,
                previous_kernel_results=results,
                kernel=kernel(root, chain),
                trace_fn=_trace,
                return_final_kernel_results=True,
                seed=seed,
            )

        self._first, self._further = first, further

    @property
    def step_size(self) -> float:
        """Returns the mean step size of the chains, in whitened units."""
        return float(np.mean([results.new_step_size for results in self._results]))

    def next_chunk(self) -> Chunk:
        """Draws CHUNK samples in every chain."""
        root = tf.constant(self._root)

        def next_chunk(chain: int) -> Any:
            # A seed of its own for every chunk of every chain.
            seed = tf.constant([self._seed, self._chunks * len(self._states) + chain], tf.int32)
            return self._further(
                root, self._states[chain], self._results[chain], seed, tf.constant(chain)
            )

        outs = threads.parallel_map(
            next_chunk,
            range(len(self._states)),
            program=self._further,
            compiled=self.likelihood.compiles,
        )
        self._chunks += 1
        self._states = [out.all_states[-1] for out in outs]
        self._results = [out.final_kernel_results for out in outs]
        z = np.stack([out.all_states.numpy()[:, 0] for out in outs])
        density, leapfrogs, log_ratio, divergent = (
            np.stack([part.numpy()[:, 0] for part in parts])
            for parts in zip(*[out.trace for out in outs], strict=True)
        )
        theta, log_jacobian = self._theta(self._centre + z @ self._root.T)
        return Chunk(
            theta,
            density - log_jacobian,
            float(np.exp(np.minimum(log_ratio, 0.0)).mean()),
            float(divergent.mean()),
            float(leapfrogs.mean()),
        )

    def warm_up(self, theta: NDArray[np.float64], advance: progress.Advance) -> NDArray[np.float64]:
        """Adapts the step sizes in chains that start at theta [C, D]; returns draws. [C, S, D]."""
        root = tf.constant(self._root)
        self._states = [tf.constant(chain[None]) for chain in self._whitened(theta)]
        self._results = [
            self._first(root, state, tf.constant(chain)) for chain, state in enumerate(self._states)
        ]
        chunks = []
        for _ in range(self._warm):
            chunks.append(self.next_chunk())
            advance(CHUNK, note=f"burn-in, step {self.step_size:.3f}")
        return join(chunks, "theta")

    def reshape(self, draws: NDArray[np.float64]) -> None:
        """Sets the coordinates by the curvature at the last draws of the chains. [C, S, D].

        Along straightened ridges they are also widened by the spread of the draws. A nearly
        Gaussian posterior keeps its coordinates.
        """
        if self.likelihood.nearly_gaussian:
            return
        last, per_chain = draws[:, -CHUNK:], -(-POINTS // len(draws))
        points = last[:, np.linspace(0, CHUNK - 1, per_chain + 1).astype(int)[1:]]
        points = points.reshape(-1, draws.shape[-1])
        prior_sd = self.likelihood.parameters.prior_sd
        precisions = hierarchy.precisions(self.likelihood, points)
        self.root = quasi_newton.root_of(precisions.mean(axis=0), prior_sd)
        self._root = self.root
        if self._coordinates.bends:
            inverse = np.linalg.inv([self._coordinates.slopes(point) for point in points])
            precision = (np.swapaxes(inverse, 1, 2) @ precisions @ inverse).mean(axis=0)
            self._root = quasi_newton.root_of(precision, prior_sd)
            settled = draws[:, draws.shape[1] // 3 :].reshape(-1, draws.shape[-1])
            self._root = self._root @ stretch(self._whitened(settled), self._ridges())

    def _ridges(self) -> NDArray[np.float64]:
        """Returns the directions of the ridges in z. [D, R]."""
        directions = self._coordinates.directions()
        return np.asarray(np.linalg.solve(self._root, directions), np.float64)

    def _theta(self, phi: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Converts phi [C, S, D] to theta, with ln |d theta / d phi| [C, S]."""
        theta, log_jacobian = self._coordinates.theta(tf.constant(phi.reshape(-1, phi.shape[-1])))
        return theta.numpy().reshape(phi.shape), log_jacobian.numpy().reshape(phi.shape[:-1])

    def _whitened(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Converts theta [S, D] to z."""
        phi = self._coordinates.straighten(theta)
        return np.asarray(np.linalg.solve(self._root, (phi - self._centre).T).T, np.float64)


def stretch(z: NDArray[np.float64], along: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the matrix that widens coordinates along ridges on which draws spread far.

    A straight ridge can be many times longer than the curvature at one of its points says.

    Args:
        z: Draws in coordinates that the curvature whitens. [S, D]
        along: Directions of the ridges. [D, R]

    Returns:
        A symmetric matrix; no direction is widened more than `LONGEST`-fold. [D, D]
    """
    ridges, _ = np.linalg.qr(along)
    variances, turns = np.linalg.eigh(np.atleast_2d(np.cov((z @ ridges).T)))
    directions = ridges @ turns
    factors = np.sqrt(np.clip(variances, 1.0, LONGEST**2))
    return np.asarray(np.eye(z.shape[1]) + (directions * (factors - 1)) @ directions.T)


def _trace(_: Any, results: Any) -> tuple[Any, ...]:
    """Returns the statistics of a draw: log density, gradients, log acceptance, divergence."""
    inner = results.inner_results
    return (
        inner.target_log_prob,
        inner.leapfrogs_taken,
        inner.log_accept_ratio,
        inner.has_divergence,
    )
