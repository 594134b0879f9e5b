"""The prior that a sampler needs: parameters of one kind share a scale that is not known.

A Gaussian of fixed width on each of d entries of an energy matrix is nearly a statement of the
scale of the whole matrix, |theta| = sd sqrt(d) within 1 / sqrt(2 d): for the 78 entries of a CRP
site within 8 %. An optimum hardly feels it, but the volume of a posterior does, and the data of one
reporter assay hold the scale of energies loosely. So, per site,

    theta_i ~ N(0, tau^2),    log tau ~ N(log base_prior.sd, 1),

with tau integrated out on a grid; the density depends on theta through its norm alone. So have the
bends of a spline, whose scale is the roughness of p(bin | t). Constants and the other weights keep
the Gaussians of the spec.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.regulation.model import curvature
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import parameters as layout

PARTS = ("bases", "pairs", "bend")
"""Blocks whose entries share a scale."""
SPREAD = 1.0
"""Standard deviation of log tau."""
REACH = 5.0
"""The grid of log tau covers so many standard deviations to either side."""
POINTS = 401


def log_prior(parameters: layout.Parameters, theta: Any) -> Any:
    """Log density of the hierarchical prior. [S, D] -> [S], float64."""
    theta = tf.cast(theta, tf.float64)
    z = (theta - parameters.prior_mean) / parameters.prior_sd
    each = -0.5 * z**2 - np.log(parameters.prior_sd) - 0.5 * np.log(2 * np.pi)
    total = tf.zeros_like(theta[:, 0])
    for block in parameters.blocks:
        here = slice(block.start, block.stop)
        if block.part in PARTS:
            squares = tf.reduce_sum(theta[:, here] ** 2, axis=-1)
            total += shared_scale(squares, block.stop - block.start, block.prior.sd)
        else:
            total += tf.reduce_sum(each[:, here], axis=-1)
    return total


def log_posterior(likelihood: likelihoods.Likelihood, theta: Any) -> Any:
    """Log density that is sampled, unnormalised. [S, D] -> [S], float64."""
    return likelihood.log_likelihood(theta) + log_prior(likelihood.parameters, theta)


def shared_scale(squares: Any, size: int, sd: float) -> Any:
    """Log density of `size` entries whose squares add up to `squares`. [S] -> [S]."""
    grid = np.linspace(-REACH, REACH, POINTS) * SPREAD
    weight = np.exp(-0.5 * (grid / SPREAD) ** 2)
    tau = sd * np.exp(grid)
    log_weight = np.log(weight / weight.sum()) - size * (np.log(tau) + 0.5 * np.log(2 * np.pi))
    return tf.reduce_logsumexp(log_weight - 0.5 * squares[:, None] / tau**2, axis=-1)


def drawn_sd(parameters: layout.Parameters, thetas: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standard deviations of the prior, with the scale of each site as thetas [S, D] have it."""
    sd = parameters.prior_sd.copy()
    for block in parameters.blocks:
        if block.part in PARTS:
            here = slice(block.start, block.stop)
            sd[here] = np.sqrt((thetas[:, here] ** 2).mean())
    return sd


def precision(
    likelihood: likelihoods.Likelihood, thetas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Mean over thetas [S, D] of the negative Hessian, with the scale of each site as drawn.

    The mode of a posterior of hundreds of parameters lies far from its draws, and where a ridge is
    curved so does its curvature; that of a few draws fits the rest better.
    """
    parameters = likelihood.parameters
    found = -np.mean(curvature.hessians(likelihood, thetas), axis=0)
    return found + np.diag(drawn_sd(parameters, thetas) ** -2.0 - parameters.prior_sd**-2.0)
