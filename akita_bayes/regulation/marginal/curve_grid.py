"""A grid of positions on the axis of a curve, and the smooth modes of which the curve is a sum.

The likelihood of a curve depends on a sequence only through its position u on the axis of the curve
and through its reads. So reads that lie between two nodes of a fine grid are shared out among the
nodes around them, and a curve of 50,000 sequences is evaluated at 400 nodes. A read takes the
weights of cubic interpolation (Keys 1981) at four nodes. So a smooth function of u, summed over the
nodes with these weights, equals the function at u up to a multiple of the third power of the step,
and it has a continuous gradient in u.

A curve is a straight line and a sum of modes: the principal components of all curves that the prior
of a spline with many knots allows, the largest ones (Karhunen and Loeve's expansion). As many modes
as a spline has bends describe the same curves as the spline, but they have no knots. With knots,
the likelihood has waves, which are half a nat high on the lac reads of Kinney et al. (2010): a turn
of a curve that moves along the axis fits well at some distances from the knots, and worse at
others. Waves are narrower than the posterior, so that chains need short steps, and the curvature at
a mode says nothing of the width of the posterior. With modes they are below 0.05 nats.

Up to u = 1 the nodes are evenly spaced. Beyond 1, where curves are straight lines, distances grow
in proportion to u, so that promoters hundreds of times as strong as the wild type stay on the grid.
"""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.regulation.layers import bins

CELLS = 8
"""Steps of the grid between two knots, at least."""
FEWEST = 200
"""Steps of the grid from 0 to 1, at least."""
FINE_KNOTS = 128
"""Knots of the spline whose curves have the modes."""
GROWTH = 0.05
"""Distance beyond u = 1 at which steps are twice as long."""
REACH = 0.35
"""Length of the grid beyond 1 in steps of equal size; it ends at u = 55."""


class Shares(NamedTuple):
    """Holds how reads at N positions are shared out among the nodes around them.

    Attributes:
        first: Number of the first of the four nodes. [N], int32
        weights: Share of each of the four nodes. [4, N]
        slopes: Derivatives of the shares with respect to u. [4, N]
    """

    first: Any
    weights: Any
    slopes: Any


class CurveGrid:
    """Places nodes on the axis of a curve, and shares out positions among them.

    Args:
        process: Spline whose number of knots K sets the number of weights.

    Attributes:
        nodes: Number of nodes G.
        design: Log odds that each weight of a curve adds at each node: of the two weights of a
            line, and of K - 2 modes, whose weights have the prior of bends. (A spline with as many
            knots keeps its bends.) [G, K]
    """

    def __init__(self, process: bins.SplineBins) -> None:
        self._step = 1.0 / max(CELLS * (process.hidden - 1), FEWEST)
        even = self._step * np.arange(-1, int((1 + REACH) / self._step) + 2)
        beyond = np.maximum(even - 1.0, 0.0)
        positions = np.minimum(even, 1.0) + GROWTH * np.expm1(beyond / GROWTH)
        self.nodes = len(positions)
        self.design = _with_modes(process, positions)

    def share(self, u: Any) -> Shares:
        """Shares out reads at positions u >= 0. [N] -> shares of four nodes."""
        beyond = tf.nn.relu(u - 1.0) / GROWTH
        even = tf.minimum(u, 1.0) + GROWTH * tf.math.log1p(beyond)
        index = even / self._step + 1.0
        last = self.nodes - 3
        inside = index <= last + 1
        cell = tf.minimum(tf.floor(index), last)
        index = tf.minimum(index, last + 1)
        f = index - cell
        square, cube = f * f, f * f * f
        weights = [
            -0.5 * cube + square - 0.5 * f,
            1.5 * cube - 2.5 * square + 1.0,
            -1.5 * cube + 2.0 * square + 0.5 * f,
            0.5 * cube - 0.5 * square,
        ]
        slopes = [
            -1.5 * square + 2.0 * f - 0.5,
            4.5 * square - 5.0 * f,
            -4.5 * square + 4.0 * f + 0.5,
            1.5 * square - f,
        ]
        # Positions beyond the last node stay there, and so do not depend on u.
        by_u = tf.where(inside, 1.0 / ((1.0 + beyond) * self._step), tf.zeros_like(u))
        first = tf.cast(cell, tf.int32) - 1
        return Shares(first, tf.stack(weights), tf.stack(slopes) * by_u)


def _with_modes(process: bins.SplineBins, positions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the design of a line and of the modes of fine bends. [G] -> [G, K]."""
    if process.hidden >= FINE_KNOTS:
        return process.design(positions)
    fine = bins.SplineBins(**{**process.get_config(), "hidden": FINE_KNOTS}).design(positions)
    line, bends = fine[:, :2], fine[:, 2:]
    # All weights of bends have one prior, so the right singular vectors of the curves between 0
    # and 1 are the principal components of the weights.
    inside = (positions >= 0) & (positions <= 1)
    components = np.linalg.svd(bends[inside], full_matrices=False)[2]
    return np.concatenate([line, bends @ components[: process.hidden - 2].T], axis=1)
