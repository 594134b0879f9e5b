"""The path of a posterior along a ridge: where all entries lie for each position on the ridge.

Conditional modes are the optima of the density of a fit for fixed positions. They follow the ridge
further than the curvature at the mode does. On the ridge of a factor's energy, for example, the
matrix of the factor must be larger where it is nearly always bound, to have the same effect; where
it is rarely bound, the matrix no longer depends on the energy. A `Bend` describes this path as a
smooth function, so that the sampler can move along it in straight lines.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Self, TypeAlias

import numpy as np
import scipy.linalg
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.regulation.fits import quasi_newton
from akita_bayes.regulation.model import likelihood as likelihoods

STEP = 0.5
"""Distance of two points of a path, in kT or in nats of a background."""
FALL = 10.0
"""Nats below the mode at which a path ends."""
LONGEST = 60
"""Largest number of steps from the mode in one direction."""
SPACING = 0.75
"""Distance of the centres of the sigmoids of a bend. Functions as smooth as a share of binding,
whose sigmoids have a width of 1 kT, are fitted to about 0.01 kT."""
PENALTY = 1e-3
"""Weight of the squared heights of the sigmoids, against squared errors."""

Axis: TypeAlias = tuple[int, ...]
"""Entries of theta whose mean is the position on a ridge."""


class Path(NamedTuple):
    """Holds conditional modes along a ridge.

    Attributes:
        positions: Positions on the ridge, increasing. [K]
        thetas: The conditional modes. [K, D]
    """

    positions: NDArray[np.float64]
    thetas: NDArray[np.float64]


def path(
    likelihood: likelihoods.Likelihood,
    mode: NDArray[np.float64],
    root: NDArray[np.float64],
    axis: Axis,
    fixed: Sequence[Axis] = (),
) -> Path:
    """Follows the optima of the density of a fit from a mode in both directions.

    Args:
        likelihood: Likelihood that computes the density.
        mode: The mode. [D]
        root: Matrix that whitens the density at the mode; root root^T is Laplace's covariance.
        axis: Entries of theta whose mean is fixed at each point of the path.
        fixed: Axes of other ridges, whose positions stay as they are at the mode.

    Returns:
        Optima at distances of `STEP`, to the first that is `FALL` nats below the mode.
    """
    means = np.zeros((1 + len(fixed), len(mode)))
    for row, entries in zip(means, [axis, *fixed], strict=True):
        row[list(entries)] = 1 / len(entries)
    whitened = means @ root
    # Directions that keep all positions, and the most likely change that moves the first by 1.
    across = root @ scipy.linalg.null_space(whitened)
    along = root @ np.linalg.pinv(whitened)[:, 0]
    least = likelihood.value_and_gradient(mode[None]).value[0] - FALL
    points = {float(means[0] @ mode): mode}
    for sign in (-1.0, 1.0):
        theta, change = mode, sign * STEP * along
        for _ in range(LONGEST):
            ascent = quasi_newton.climb(likelihood.value_and_gradient, theta + change, across)
            theta, change = ascent.theta, ascent.theta - theta
            points[float(means[0] @ theta)] = theta
            if ascent.value < least:
                break
    positions = sorted(points)
    return Path(np.array(positions), np.stack([points[at] for at in positions]))


class Bend(NamedTuple):
    """Holds a smooth function of the position on a ridge, with one value for each entry.

    Attributes:
        axis: Entries of theta whose mean is the position.
        line: Slope of a straight line, which the bend does not contain. [D]
        centres: Positions at which falling sigmoids have half of their height. [J]
        heights: Heights of the sigmoids, whose sum is the bend. [J, D]
    """

    axis: Axis
    line: NDArray[np.float64]
    centres: NDArray[np.float64]
    heights: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        axis: Axis,
        positions: NDArray[np.float64],
        values: NDArray[np.float64],
        straight: Sequence[int],
    ) -> Self:
        """Fits a straight line and a bend to values.

        Args:
            axis: Entries whose mean is the position.
            positions: Positions of the values, increasing. [K]
            values: A value for each entry. [K, D]
            straight: Entries without a bend.
        """
        centres = np.arange(positions[0] - SPACING, positions[-1] + 2 * SPACING, SPACING)
        line = np.stack([np.ones_like(positions), positions], axis=1)
        design = np.concatenate([line, _falling(positions, centres)], axis=1)
        penalty = np.diag(np.repeat([0.0, PENALTY], [line.shape[1], len(centres)]))
        coefficients = np.linalg.solve(design.T @ design + penalty, design.T @ values)
        heights = coefficients[line.shape[1] :]
        heights[:, list(straight)] = 0.0
        return cls(axis, coefficients[1], centres, heights)

    def at(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Computes the bend at the position of theta. [..., D] -> [..., D]."""
        mean = theta[..., list(self.axis)].mean(-1)
        return np.asarray(_falling(mean, self.centres) @ self.heights)

    def tensor(self, theta: Any) -> Any:
        """Computes the bend at the position of a tensor. [S, D] -> [S, D]."""
        mean = tf.reduce_mean(tf.gather(theta, self.axis, axis=1), axis=1)
        return tf.matmul(tf.sigmoid(self.centres - mean[:, None]), self.heights)

    def slopes(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Computes the derivatives of the bend with respect to theta. [D] -> [D, D]."""
        share = _falling(theta[list(self.axis)].mean(), self.centres)
        slopes = np.zeros((len(theta), len(theta)))
        by_position = -(share * (1 - share)) @ self.heights
        slopes[:, list(self.axis)] = by_position[:, None] / len(self.axis)
        return slopes


def _falling(position: Any, centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Computes 1 / (1 + exp(position - centre)). [...], [J] -> [..., J]."""
    return np.asarray(np.exp(-np.logaddexp(0.0, np.asarray(position)[..., None] - centres)))
