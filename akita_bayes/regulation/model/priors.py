"""Two priors of a mechanism's parameters, which differ in the scale of an energy matrix.

Fixed scale. Every parameter has the Gaussian of the spec. The optimum of a fit, its curvature and
the bootstrap use it. (With an unknown scale the density is by far largest at a matrix of 0, so that
its optimum would be no fit.)

Unknown scale. A Gaussian of fixed width on each of the d entries of an energy matrix nearly fixes
the scale of the whole matrix: |theta| = sd sqrt(d) within 1 / sqrt(2 d), which is 8 % for the 78
entries of a CRP site. This hardly changes an optimum, but it changes the volume of a posterior, and
the data of one reporter assay determine the scale of energies only roughly. So, per site,

    theta_i ~ N(0, tau^2),    log tau ~ N(log base_prior.sd, 1),

with tau integrated out on a grid; the density depends on theta through its norm alone. The bends of
a spline have the same prior; their scale is the roughness of p(bin | t). Constants and all
remaining weights keep the Gaussians of the spec. Draws and the evidence use this prior.
"""

from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from akita_bayes.regulation.model import parameters as layout

SCALED_PARTS = ("bases", "pairs", "bend")
"""Blocks whose entries share a scale."""
SPREAD = 1.0
"""Standard deviation of log tau."""
REACH = 5.0
"""Half width of the grid of log tau, in standard deviations."""
POINTS = 401
"""Points of the grid of log tau."""


def fixed_scale(parameters: layout.Parameters, theta: Any) -> Any:
    """Computes the log density of independent Gaussians, in theta's precision. [..., D] -> [...]"""
    theta = tf.convert_to_tensor(theta)
    return _gaussian(theta, parameters.prior_mean, parameters.prior_sd)


def unknown_scale(parameters: layout.Parameters, theta: Any) -> Any:
    """Computes the log density with the scales of sites integrated out. [S, D] -> [S], float64."""
    theta = tf.cast(theta, tf.float64)
    total = tf.zeros_like(theta[:, 0])
    for block in parameters.blocks:
        columns = slice(block.start, block.stop)
        if block.part in SCALED_PARTS:
            squares = tf.reduce_sum(theta[:, columns] ** 2, axis=-1)
            total += scale_mixture(squares, block.stop - block.start, block.prior.sd)
        else:
            mean, sd = parameters.prior_mean[columns], parameters.prior_sd[columns]
            total += _gaussian(theta[:, columns], mean, sd)
    return total


def scale_mixture(squares: Any, size: int, sd: float) -> Any:
    """Returns the log density of `size` entries with the sum of squares `squares`. [S] -> [S]."""
    grid = np.linspace(-REACH, REACH, POINTS) * SPREAD
    weight = np.exp(-0.5 * (grid / SPREAD) ** 2)
    tau = sd * np.exp(grid)
    log_weight = np.log(weight / weight.sum()) - size * (np.log(tau) + 0.5 * np.log(2 * np.pi))
    return tf.reduce_logsumexp(log_weight - 0.5 * squares[:, None] / tau**2, axis=-1)


def _gaussian(theta: Any, mean: NDArray[np.float64], sd: NDArray[np.float64]) -> Any:
    """Computes the log density of independent Gaussians. [..., D] -> [...]."""
    z = (theta - ops.cast(mean, theta.dtype)) / ops.cast(sd, theta.dtype)
    constant = np.log(sd).sum() + 0.5 * len(sd) * np.log(2 * np.pi)
    return -0.5 * ops.sum(z * z, axis=-1) - constant
