"""Defines the prior for sampling: parameters of one kind share an unknown scale.

A Gaussian of fixed width on each of the d entries of an energy matrix nearly fixes the scale of the
whole matrix: |theta| = sd sqrt(d) within 1 / sqrt(2 d), which is 8 % for the 78 entries of a CRP
site. This hardly changes an optimum, but it changes the volume of a posterior, and the data of one
reporter assay determine the scale of energies only roughly. So, per site,

    theta_i ~ N(0, tau^2),    log tau ~ N(log base_prior.sd, 1),

with tau integrated out on a grid; the density depends on theta through its norm alone. The bends of
a spline have the same prior; their scale is the roughness of p(bin | t). Constants and all
remaining weights keep the Gaussians of the spec.
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
"""Half width of the grid of log tau, in standard deviations."""
POINTS = 401
"""Points of the grid of log tau."""


def log_prior(parameters: layout.Parameters, theta: Any) -> Any:
    """Returns the log density of the hierarchical prior. [S, D] -> [S], float64."""
    theta = tf.cast(theta, tf.float64)
    z = (theta - parameters.prior_mean) / parameters.prior_sd
    entries = -0.5 * z**2 - np.log(parameters.prior_sd) - 0.5 * np.log(2 * np.pi)
    total = tf.zeros_like(theta[:, 0])
    for block in parameters.blocks:
        columns = slice(block.start, block.stop)
        if block.part in PARTS:
            squares = tf.reduce_sum(theta[:, columns] ** 2, axis=-1)
            total += shared_scale(squares, block.stop - block.start, block.prior.sd)
        else:
            total += tf.reduce_sum(entries[:, columns], axis=-1)
    return total


def log_posterior(likelihood: likelihoods.Likelihood, theta: Any) -> Any:
    """Returns the unnormalised log density that is sampled. [S, D] -> [S], float64."""
    return likelihood.log_likelihood(theta) + log_prior(likelihood.parameters, theta)


def shared_scale(squares: Any, size: int, sd: float) -> Any:
    """Returns the log density of `size` entries with the sum of squares `squares`. [S] -> [S]."""
    grid = np.linspace(-REACH, REACH, POINTS) * SPREAD
    weight = np.exp(-0.5 * (grid / SPREAD) ** 2)
    tau = sd * np.exp(grid)
    log_weight = np.log(weight / weight.sum()) - size * (np.log(tau) + 0.5 * np.log(2 * np.pi))
    return tf.reduce_logsumexp(log_weight - 0.5 * squares[:, None] / tau**2, axis=-1)


def empirical_prior_sd(
    parameters: layout.Parameters, thetas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns the prior's standard deviations with the scale of each site taken from draws. [D].

    Args:
        parameters: Meaning of the entries of theta.
        thetas: Draws. [S, D]
    """
    sd = parameters.prior_sd.copy()
    for block in parameters.blocks:
        if block.part in PARTS:
            columns = slice(block.start, block.stop)
            sd[columns] = np.sqrt((thetas[:, columns] ** 2).mean())
    return sd


def precision(
    likelihood: likelihoods.Likelihood, thetas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Averages the negative Hessian over draws, with the scale of each site from them. [D, D].

    The mode of a posterior of hundreds of parameters lies far from its draws. Where the posterior
    is a curved ridge, the curvature at the mode differs from the curvature at the draws. The mean
    curvature of a few draws fits the remaining draws better.

    Args:
        likelihood: Likelihood with its parameters.
        thetas: Draws. [S, D]
    """
    parameters = likelihood.parameters
    hessian = -np.mean(curvature.hessians(likelihood, thetas), axis=0)
    return hessian + np.diag(
        empirical_prior_sd(parameters, thetas) ** -2.0 - parameters.prior_sd**-2.0
    )
