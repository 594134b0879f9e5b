"""Reads that are shared out among the nodes of a grid."""

import numpy as np
import pytest
import tensorflow as tf

from akita_bayes.regulation.layers import bins
from akita_bayes.regulation.marginal import curve_grid

POSITIONS = np.array([0.0, 0.001, 0.37, 0.5, 0.9999, 1.0, 1.01, 1.7, 12.0])


def spline(knots):
    return bins.SplineBins(columns=2, hidden=knots, read_out="log_activity")


@pytest.fixture(scope="module")
def grid():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curve_grid, "FINE_KNOTS", 8)
        return curve_grid.CurveGrid(spline(8))


def interpolated(grid, values, shares):
    """Sums of values of nodes [G] over the four nodes of each position, with weights."""
    nodes = shares.first.numpy() + np.arange(4)[:, None]
    return (values[nodes] * shares.weights.numpy()).sum(axis=0)


def test_a_curve_at_a_position_is_its_value_at_the_nodes_around(grid):
    weights = np.random.default_rng(0).normal(size=8)
    shares = grid.share(tf.constant(POSITIONS))
    curve = spline(8).design(POSITIONS) @ weights
    np.testing.assert_allclose(
        interpolated(grid, grid.design @ weights, shares), curve, rtol=2e-3, atol=2e-3
    )
    np.testing.assert_allclose(shares.weights.numpy().sum(axis=0), 1.0)


def test_slopes_are_the_derivatives_of_the_shares(grid):
    u = tf.constant(np.linspace(0.013, 3.0, 41))
    values = np.cos(np.arange(grid.nodes))
    with tf.GradientTape() as tape:
        tape.watch(u)
        shares = grid.share(u)
        at_nodes = values[shares.first.numpy() + np.arange(4)[:, None]]
        total = tf.reduce_sum(shares.weights * at_nodes)
    by_u = (shares.slopes.numpy() * at_nodes).sum(axis=0)
    np.testing.assert_allclose(by_u, tape.gradient(total, u).numpy(), rtol=1e-9)


def test_positions_beyond_the_grid_stay_on_the_last_node(grid):
    shares = grid.share(tf.constant([1e3, 1e9]))
    assert (shares.first.numpy() + 4 == grid.nodes).all()
    assert (shares.slopes.numpy() == 0).all()


def test_modes_have_the_covariance_of_curves_of_many_knots():
    positions = np.linspace(0.0, 1.0, 101)
    grid = curve_grid.CurveGrid(spline(24))
    fine = spline(curve_grid.FINE_KNOTS).design(positions)
    shares = grid.share(tf.constant(positions))
    modes = np.stack([interpolated(grid, column, shares) for column in grid.design.T], axis=1)
    assert modes.shape == (101, 24)
    for columns in (slice(0, 2), slice(2, None)):
        covariance = fine[:, columns] @ fine[:, columns].T
        np.testing.assert_allclose(
            modes[:, columns] @ modes[:, columns].T, covariance, atol=1e-3 * covariance.max()
        )
