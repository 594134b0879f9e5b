"""Paths of conditional modes, smooth functions that follow them, and coordinates without them."""

import numpy as np
import pytest
import tensorflow as tf

from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import simulated_assay
from akita_bayes.regulation.fits import fitting
from akita_bayes.regulation.posterior import laplace, ridge_paths, ridges
from tests import mechanism_json
from tests.regulation.coordinate_checks import assert_slopes_of_the_conversion
from tests.regulation.known_density import KnownDensity

SD = np.array([1.5, 1.0, 0.1, 0.02])
"""Standard deviations of both energies of the factor, and of two entries around their path."""


def place(energy):
    """Returns where both other entries lie for a mean energy. [...] -> [..., 2]."""
    share = 1 / (1 + np.exp(np.asarray(energy)))
    return np.stack([3 * share, 0.5 * np.asarray(energy) - 2 * share**2], axis=-1)


class Bent(KnownDensity):
    """A density of four entries; its conditional modes are known."""

    def log_density(self, theta):
        energy = tf.reduce_mean(theta[:, :2], axis=1)
        share = tf.sigmoid(-energy)
        expected = tf.stack([3 * share, 0.5 * energy - 2 * share**2], axis=1)
        z = tf.concat([theta[:, :2], theta[:, 2:] - expected], axis=1) / SD
        return -0.5 * tf.reduce_sum(z**2, axis=1)


MODE = np.concatenate([np.zeros(2), place(0.0)])


@pytest.fixture(scope="module")
def path():
    return ridge_paths.path(Bent(), MODE, np.diag(SD), (0, 1))


def test_a_path_holds_the_conditional_modes(path):
    # Given the mean, the most likely energies differ as their variances do.
    share = SD[:2] ** 2 / (SD[:2] ** 2).mean()
    np.testing.assert_allclose(path.thetas[:, :2], path.positions[:, None] * share, atol=0.02)
    errors = (path.thetas[:, 2:] - place(path.positions)) / SD[2:]
    assert np.abs(errors).max() < 0.05


def test_a_path_goes_from_the_mode_in_both_directions_until_the_density_falls(path):
    np.testing.assert_allclose(np.diff(path.positions), ridge_paths.STEP)
    assert 0.0 in path.positions
    falls = -Bent().value_and_gradient(path.thetas).value
    assert falls[[0, -1]].min() > ridge_paths.FALL
    assert falls[1:-1].max() < ridge_paths.FALL


def test_a_density_that_does_not_fall_ends_the_path(monkeypatch):
    monkeypatch.setattr(ridge_paths, "LONGEST", 3)
    monkeypatch.setattr(ridge_paths, "FALL", 1e6)
    assert len(ridge_paths.path(Bent(), MODE, np.diag(SD), (0, 1)).positions) == 7


def test_positions_on_other_ridges_stay():
    path = ridge_paths.path(Bent(), MODE, np.diag(SD), (0,), [(1,)])
    np.testing.assert_allclose(path.thetas[:, 1], MODE[1], atol=1e-9)
    np.testing.assert_allclose(np.diff(path.thetas[:, 0]), ridge_paths.STEP)
    errors = (path.thetas[:, 2:] - place(path.positions / 2)) / SD[2:]
    assert np.abs(errors).max() < 0.05


@pytest.fixture(scope="module")
def bend(path):
    return ridge_paths.Bend.fit((0, 1), path.positions, path.thetas, [0, 1])


def test_a_bend_leaves_a_straight_line(path, bend):
    rest = path.thetas - bend.at(path.thetas)
    line = np.polynomial.polynomial.polyfit(path.positions, rest, 1)
    fitted = np.polynomial.polynomial.polyval(path.positions, line).T
    np.testing.assert_allclose(rest, fitted, atol=0.02)
    np.testing.assert_allclose(bend.line, line[1], atol=0.02)
    np.testing.assert_array_equal(rest[:, :2], path.thetas[:, :2])


def test_a_bend_is_constant_beyond_the_path(path, bend):
    far = path.positions[-1] + np.array([[20.0], [40.0]])
    np.testing.assert_allclose(*bend.at(np.tile(far, 4)), atol=1e-4)


def test_tensors_and_slopes_agree_with_the_values(bend):
    theta = np.random.default_rng(2).normal(0, 3, (7, 4))
    np.testing.assert_allclose(bend.tensor(tf.constant(theta)), bend.at(theta), atol=1e-9)
    for point in theta:
        numeric = [(bend.at(point + u) - bend.at(point - u)) / 2e-5 for u in 1e-5 * np.eye(4)]
        np.testing.assert_allclose(bend.slopes(point), np.transpose(numeric), atol=1e-7)


RIDGES = (ridges.Ridge((0,), 2), ridges.Ridge((1, 3), 4))
"""Of theta with six entries."""


@pytest.fixture(scope="module")
def coordinates():
    generator = np.random.default_rng(1)
    bends = []
    for axis in ((0,), (1, 3)):
        heights = generator.normal(size=(3, 6))
        heights[:, [0, 1, 3]] = 0.0
        bends.append(ridge_paths.Bend(axis, np.zeros(6), np.array([-1.0, 0.5, 2.0]), heights))
    return ridges.Coordinates(RIDGES, bends)


def thetas(count=20):
    return np.random.default_rng(0).normal(0, 2.0, (count, 6))


def test_theta_comes_back_from_bent_coordinates(coordinates):
    theta = thetas()
    restored, _ = coordinates.theta(tf.constant(coordinates.straighten(theta)))
    np.testing.assert_allclose(restored, theta, rtol=1e-9, atol=1e-9)
    assert np.abs(coordinates.straighten(theta)[:, 5] - theta[:, 5]).min() > 0.01


def test_slopes_and_jacobian_of_bent_coordinates_are_those_of_the_conversion(coordinates):
    assert_slopes_of_the_conversion(coordinates, thetas(), atol=1e-7)


@pytest.fixture(scope="module")
def two_factors():
    """The likelihood and the mode of a simulated promoter whose factor binds weakly."""
    spec = mechanism_json.changed(
        mechanism_json.TWO_SITES,
        wild_type="ACGTACGT",
        measurement={"kind": "gaussian", "log_base": "e"},
        truth={"a": {"constant": 0.5}, "b": {"constant": 0.0}, "ab": {"constant": -2.5}},
    )
    mechanism = mechanism_spec.parse(spec)
    design = simulated_assay.Design(sequences=2000, mutation_rate=0.3, noise=0.3)
    table = simulated_assay.simulate(mechanism, design, seed=1).table
    fit = fitting.fit(mechanism, table, starts=2, seed=1)
    return fit.likelihood, laplace.laplace(fit.likelihood, fit.theta)


def test_the_background_of_a_logarithm_is_the_axis_of_a_ridge(two_factors):
    likelihood, gaussian = two_factors
    coordinates = ridges.Coordinates.at(likelihood, gaussian.mode, gaussian.root)
    (library,) = likelihood.parameters.libraries
    background = likelihood.parameters.find("measurement", "log_background", library).start
    factor = likelihood.parameters.find("a", "constant", library).start
    assert [bend.axis for bend in coordinates.bends] == [(factor,), (background,)]
    for bend in coordinates.bends:
        np.testing.assert_array_equal(bend.heights[:, [factor, background]], 0.0)
        assert bend.line[list(bend.axis)] == pytest.approx(1.0)


def test_bends_straighten_the_path_of_a_weakly_bound_factor(two_factors):
    """Without bends the path leaves its chord by more than ten conditional standard deviations."""
    likelihood, gaussian = two_factors
    bent = ridges.Coordinates.at(likelihood, gaussian.mode, gaussian.root)
    (ridge,) = bent.ridges
    fixed = [bend.axis for bend in bent.bends if bend.axis != ridge.factor]
    path = ridge_paths.path(likelihood, gaussian.mode, gaussian.root, ridge.factor, fixed)
    precision = np.linalg.inv(gaussian.covariance)
    conditional_sd = 1 / np.sqrt(np.diag(precision))

    def farthest(coordinates):
        phi = coordinates.straighten(path.thetas) / conditional_sd
        line = np.polynomial.polynomial.polyfit(path.positions, phi, 1)
        return np.abs(phi - np.polynomial.polynomial.polyval(path.positions, line).T).max()

    assert farthest(bent) < 1.0
    assert farthest(ridges.Coordinates(bent.ridges)) > 10.0
