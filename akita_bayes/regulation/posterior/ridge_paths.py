"""The path of a posterior along a ridge: where all entries lie for each energy of the factor.

Conditional modes are the optima of the density of a fit for fixed energies of the factor. They
follow the ridge further than the curvature at the mode does: where the factor is nearly always
bound, its matrix must be larger to have the same effect, and where it is rarely bound, the matrix
no longer depends on the energy. A `Bend` describes this path as a smooth function, so that the
sampler can move along it in straight lines.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.linalg
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.regulation.fits import quasi_newton
from akita_bayes.regulation.model import likelihood as likelihoods

STEP = 0.5
"""Distance of two energies of the path, in kT."""
FALL = 10.0
"""Nats below the mode at which a path ends."""
LONGEST = 60
"""Largest number of steps from the mode in one direction."""
SPACING = 0.75
"""Distance of the centres of the sigmoids of a bend, in kT. Functions as smooth as a share of
binding, whose sigmoids have a width of 1 kT, are fitted to about 0.01 kT."""
PENALTY = 1e-3
"""Weight of the squared heights of the sigmoids, against squared errors in kT."""


class Path(NamedTuple):
    """Holds conditional modes along a ridge.

    Attributes:
        energies: Mean energy of the factor, increasing. [K]
        thetas: The conditional modes. [K, D]
    """

    energies: NDArray[np.float64]
    thetas: NDArray[np.float64]


def path(
    likelihood: likelihoods.Likelihood,
    mode: NDArray[np.float64],
    root: NDArray[np.float64],
    factor: Sequence[int],
) -> Path:
    """Follows the optima of the density of a fit from a mode in both directions.

    Args:
        likelihood: Likelihood that computes the density.
        mode: The mode. [D]
        root: Matrix that whitens the density at the mode; root root^T is Laplace's covariance.
        factor: Entries of theta whose mean is fixed at each point of the path.

    Returns:
        Optima at distances of `STEP`, to the first that is `FALL` nats below the mode.
    """
    mean = np.zeros(len(mode))
    mean[list(factor)] = 1 / len(factor)
    # Only directions that keep the mean energy, and the most likely change of theta with it.
    across = root @ scipy.linalg.null_space((mean @ root)[None])
    along = root @ (root.T @ mean)
    along /= mean @ along
    least = likelihood.value_and_gradient(mode[None]).value[0] - FALL
    points = {float(mean @ mode): mode}
    for sign in (-1.0, 1.0):
        theta, change = mode, sign * STEP * along
        for _ in range(LONGEST):
            ascent = quasi_newton.climb(likelihood.value_and_gradient, theta + change, across)
            theta, change = ascent.theta, ascent.theta - theta
            points[float(mean @ theta)] = theta
            if ascent.value < least:
                break
    energies = sorted(points)
    return Path(np.array(energies), np.stack([points[energy] for energy in energies]))


class Bend(NamedTuple):
    """A smooth function of an energy with one value for each entry: a sum of falling sigmoids.

    Attributes:
        centres: Energies at which the sigmoids have half of their height, in kT. [J]
        heights: Heights of the sigmoids. [J, D]
    """

    centres: NDArray[np.float64]
    heights: NDArray[np.float64]

    @classmethod
    def fit(cls, energies: NDArray[np.float64], values: NDArray[np.float64]) -> Self:
        """Fits a straight line and a bend to values, and returns the bend. [K], [K, D]."""
        centres = np.arange(energies[0] - SPACING, energies[-1] + 2 * SPACING, SPACING)
        line = np.stack([np.ones_like(energies), energies], axis=1)
        design = np.concatenate([line, _falling(energies, centres)], axis=1)
        penalty = np.diag(np.repeat([0.0, PENALTY], [line.shape[1], len(centres)]))
        heights = np.linalg.solve(design.T @ design + penalty, design.T @ values)
        return cls(centres, heights[line.shape[1] :])

    def at(self, energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Computes the values at energies. [...] -> [..., D]."""
        return np.asarray(_falling(energy, self.centres) @ self.heights)

    def tensor(self, energy: Any) -> Any:
        """Computes the values at energies of a tensor. [S] -> [S, D]."""
        return tf.matmul(tf.sigmoid(self.centres - energy[:, None]), self.heights)

    def slope(self, energy: float) -> NDArray[np.float64]:
        """Computes the derivative at an energy. [D]."""
        share = _falling(np.asarray(energy), self.centres)
        return np.asarray(-(share * (1 - share)) @ self.heights)


def _falling(energy: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Computes 1 / (1 + exp(energy - centre)). [...], [J] -> [..., J]."""
    return np.asarray(np.exp(-np.logaddexp(0.0, energy[..., None] - centres)))
