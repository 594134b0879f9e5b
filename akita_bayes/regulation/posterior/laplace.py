"""Approximates a posterior quickly: by its curvature at the mode, and by refits of resampled data.

Laplace: theta ~ N(mode, (-d2 log p / d theta2)^-1). The weighted-likelihood bootstrap (Newton and
Raftery 1994) refits with the N sequences weighted by N Dirichlet(1, ..., 1). It does not resample
the prior. So a direction that only the prior determines gets almost no width. Both take seconds.
Both are compared with the draws of `mode_posterior.sample`, and Laplace's covariance gives the
sampler its coordinates.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp
from numpy.typing import NDArray

from akita_bayes import workers
from akita_bayes.regulation.fits import quasi_newton
from akita_bayes.regulation.model import curvature
from akita_bayes.regulation.model import likelihood as likelihoods

NEWTON_STEPS = 3
"""Largest number of Newton steps to a mode."""
BATCH = 8
"""Replicates that are refitted at once."""


class Laplace(NamedTuple):
    """Holds a Gaussian at the mode of a posterior.

    Attributes:
        mode: Theta at the mode. [D]
        covariance: Covariance of the Gaussian. [D, D]
        root: Matrix with root @ root.T = covariance; theta = mode + root @ z whitens. [D, D]
        log_density: Log-posterior at the mode, unnormalised, in nats.
    """

    mode: NDArray[np.float64]
    covariance: NDArray[np.float64]
    root: NDArray[np.float64]
    log_density: float

    def draws(self, number: int, *, seed: int) -> NDArray[np.float64]:
        """Draws samples from the Gaussian. [number, D]."""
        z = np.random.default_rng(seed).standard_normal((number, len(self.mode)))
        return self.mode + z @ self.root.T


def laplace(
    likelihood: likelihoods.Likelihood,
    theta: NDArray[np.float64],
    *,
    newton_steps: int = NEWTON_STEPS,
) -> Laplace:
    """Computes the Gaussian at a mode.

    The Gaussian is not wider than the prior in any direction. Newton's method takes the last steps
    to the mode; of a step and its halves, that with the highest density is taken.

    Args:
        likelihood: Likelihood that computes the log-posterior.
        theta: Theta near a mode, for example of a fit. [D]
        newton_steps: Most Newton steps.
    """
    sd = likelihood.parameters.prior_sd
    hessian = curvature.hessian_of(likelihood)
    theta = np.array(theta, float)
    for step in range(newton_steps + 1):
        root = quasi_newton.root_of(-hessian(theta), sd)
        value, gradient = likelihood.value_and_gradient(theta[None])
        move = root @ (root.T @ gradient[0])
        if step == newton_steps or gradient[0] @ move < 0.01:
            break
        # One theta at a time, since a program for a batch of six would be compiled for this alone.
        steps = [theta + size * move for size in 0.5 ** np.arange(6)]
        values = [likelihood.value_and_gradient(point[None]).value[0] for point in steps]
        if max(values) <= value[0]:
            break
        theta = steps[int(np.argmax(values))]
    return Laplace(theta, root @ root.T, root, float(value[0]))


def of_fit(theta: NDArray[np.float64], covariance: NDArray[np.float64]) -> Laplace:
    """Returns the Gaussian of the optimum [D] and covariance [D, D] of a fit, without a density."""
    return Laplace(
        theta, covariance, np.asarray(np.linalg.cholesky(covariance), np.float64), np.nan
    )


class Bootstrap(NamedTuple):
    """Holds the refits of a weighted-likelihood bootstrap.

    Attributes:
        theta: Refits that converged. [B, D]
        converged: Share of the requested refits that converged.
    """

    theta: NDArray[np.float64]
    converged: float


def bootstrap(
    likelihood: likelihoods.Likelihood,
    gaussian: Laplace,
    *,
    replicates: int = 32,
    seed: int = 0,
    steps: int = 400,
    cluster: workers.Cluster = workers.HERE,
) -> Bootstrap:
    """Refits with random weights of the sequences and leaves out refits that do not converge.

    Refits hardly differ along directions that only the prior determines, so intervals are too
    narrow there. All replicates climb together from the mode, in coordinates that are whitened by
    its curvature.

    Args:
        likelihood: Likelihood that computes the log-posterior.
        gaussian: Laplace's approximation at its mode.
        replicates: Number of refits.
        seed: Seed of the weights.
        steps: Most steps of L-BFGS; a typical refit takes a tenth of them.
        cluster: Workers that share the refits.
    """
    rng = np.random.default_rng(seed)
    parts = [
        likelihood.rows * rng.dirichlet(np.ones(likelihood.rows), BATCH)
        for _ in range(-(-replicates // BATCH))
    ]
    setup = functools.partial(_refits, likelihood, gaussian, steps)
    batches = list(workers.map_parts(_refit, parts, cluster, setup=setup))
    theta, converged = (np.concatenate(part)[:replicates] for part in zip(*batches, strict=True))
    return Bootstrap(theta[converged], float(converged.mean()))


_Arrays = tuple[NDArray[np.float64], NDArray[np.bool_]]


def _refit(
    refits: Callable[[NDArray[np.float64]], _Arrays], weight: NDArray[np.float64]
) -> _Arrays:
    """Refits with some weights, in a worker."""
    return refits(weight)


@contextlib.contextmanager
def _refits(
    likelihood: likelihoods.Likelihood, gaussian: Laplace, steps: int
) -> Iterator[Callable[[NDArray[np.float64]], _Arrays]]:
    """Yields a compiled function: weights of the sequences -> optimum, and if it converged."""
    root = tf.constant(gaussian.root)
    mode = tf.constant(gaussian.mode)

    @tf.function(jit_compile=True)
    def refit(weight: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def descend(z: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(z)
                theta = mode + tf.matmul(z, root, transpose_b=True)
                value = -likelihood.log_posterior_fixed_scale(theta, weight)
            return value, tape.gradient(value, z)

        optimum = tfp.optimizer.lbfgs_minimize(
            descend,
            initial_position=tf.zeros((weight.shape[0], len(gaussian.mode)), tf.float64),
            tolerance=0.05,
            max_iterations=steps,
        )
        theta = mode + tf.matmul(optimum.position, root, transpose_b=True)
        return theta, optimum.converged & ~optimum.failed

    def arrays(weight: NDArray[np.float64]) -> _Arrays:
        theta, converged = refit(tf.constant(weight))
        return theta.numpy(), converged.numpy()

    yield arrays
