"""Straight coordinates of a factor and its interaction: exact, and a sampler that uses them."""

import numpy as np
import pytest
import tensorflow as tf

from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.model import parameters
from akita_bayes.regulation.posterior import laplace, mode_posterior, nuts, ridges
from akita_bayes.regulation.posterior.sampling_options import SamplingOptions
from tests.regulation.coordinate_checks import assert_slopes_of_the_conversion
from tests.regulation.known_density import KnownDensity

MECHANISM = {
    "kind": "thermodynamic",
    "name": "toy",
    "sequence_length": 9,
    "wild_type": "ACGTACGTA",
    "energies": {"a": {"site": [0, 2]}, "b": {"site": [4, 6]}, "ab": {}},
    "states": {
        "free": {},
        "a": {"energies": ["a"]},
        "b": {"energies": ["b"], "activity": 1},
        "ab": {"energies": ["a", "b", "ab"], "activity": 1},
    },
    "measurement": {"kind": "gaussian"},
}


def layout(columns=("one",), **changes):
    return parameters.Parameters(
        mechanism_spec.parse({**MECHANISM, **changes}),
        MECHANISM["wild_type"],
        tuple((library, 1) for library in columns),
    )


def entries(own):
    names = ("a", "ab")
    return tuple(own.find(name, "constant").start for name in names)


def test_the_factor_that_does_not_change_the_activity_is_recognised():
    own = layout()
    factor, interaction = entries(own)
    assert ridges.declared(own) == (ridges.Ridge((factor,), interaction),)


@pytest.mark.parametrize("activity", [0, 0.5])
def test_states_of_different_activities_make_no_ridge(activity):
    states = {**MECHANISM["states"], "ab": {"energies": ["a", "b", "ab"], "activity": activity}}
    assert ridges.declared(layout(states=states)) == ()


def test_a_factor_with_an_energy_for_each_library_counts_by_its_mean():
    per_library = {**MECHANISM["energies"], "a": {"site": [0, 2], "per_library": True}}
    own = layout(("one", "two"), energies=per_library, libraries=["one", "two"])
    (ridge,) = ridges.declared(own)
    assert ridge.factor == tuple(own.find("a", "constant", name).start for name in ("one", "two"))
    assert ridge.interaction == own.find("ab", "constant").start


RIDGES = (ridges.Ridge((0,), 2), ridges.Ridge((1, 3), 4))
"""Of theta with five entries."""


def thetas(count=50):
    return np.random.default_rng(0).normal(0, [4.0, 2.0, 5.0, 2.0, 5.0], (count, 5))


def test_theta_comes_back():
    coordinates = ridges.Coordinates(RIDGES)
    theta = thetas()
    back, _ = coordinates.theta(tf.constant(coordinates.straighten(theta)))
    np.testing.assert_allclose(back, theta, rtol=1e-9, atol=1e-9)


def test_a_ridge_has_one_value_of_y():
    """Energies of the factor, each with the interaction that gives the same weight."""
    energy = np.linspace(-3, 6, 10)
    share = 1 / (1 + np.exp(energy))
    theta = np.zeros((10, 5))
    theta[:, 0], theta[:, 2] = energy, -np.log(1 + 1.5 / share)
    phi = ridges.Coordinates(RIDGES[:1]).straighten(theta)
    np.testing.assert_allclose(phi[:, 2], np.log(2.5))
    np.testing.assert_array_equal(phi[:, 0], energy)


def test_slopes_and_jacobian_are_those_of_the_conversion():
    assert_slopes_of_the_conversion(ridges.Coordinates(RIDGES), thetas(20), atol=1e-8)


def test_an_effect_that_may_be_zero_keeps_its_coordinates():
    likelihood = Measured(layout())
    size = likelihood.parameters.size
    mode = np.zeros(size)
    mode[likelihood.interaction] = -3.0
    narrow, wide = 0.1 * np.eye(size), 5.0 * np.eye(size)
    assert len(ridges.Coordinates.at(likelihood, mode, narrow).ridges) == 1
    assert ridges.Coordinates.at(likelihood, mode, wide).ridges == ()
    mode[likelihood.interaction] = 3.0
    assert ridges.Coordinates.at(likelihood, mode, narrow).ridges == ()


def test_ridges_on_which_draws_spread_far_are_widened():
    root = np.diag([0.5, 3.0, 20.0, 5.0])
    z = np.random.default_rng(1).normal(size=(20_000, 4)) @ root
    wide = nuts.stretch(z, np.array([[1.0, 0, 0], [0, 2.0, 0], [0, 1.0, 3.0], [0, 0, 0]]))
    # The fourth direction is no ridge, and the first is already wide enough.
    np.testing.assert_allclose(wide, np.diag([1.0, 3.0, nuts.LONGEST, 1.0]), atol=0.1)


WEIGHT, PRECISE = 0.9, 0.05
"""Value and standard deviation of the only number that is measured, w."""


class Measured(KnownDensity):
    """A likelihood whose posterior is a curved ridge; all other entries are N(0, 1)."""

    def __init__(self, own):
        self.parameters = own
        self.factor, self.interaction = entries(own)

    def log_density(self, theta):
        energy, interaction = theta[:, self.factor], theta[:, self.interaction]
        w = tf.math.softplus(-energy - interaction) - tf.math.softplus(-energy)
        prior = -0.5 * tf.reduce_sum(theta**2, axis=1)
        prior += 0.5 * energy**2 * (1 - 1 / 2.0**2) + 0.5 * interaction**2 * (1 - 1 / 3.0**2)
        return prior - 0.5 * ((w - WEIGHT) / PRECISE) ** 2


def exact():
    """Moments and quantiles of energy and interaction on a fine grid."""
    energy = np.linspace(-9, 9, 1201)[:, None]
    interaction = np.linspace(-13, 6, 2401)[None]
    w = np.logaddexp(0, -energy - interaction) - np.logaddexp(0, -energy)
    log_density = -0.5 * ((w - WEIGHT) / PRECISE) ** 2 - energy**2 / 8 - interaction**2 / 18
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    moments = {}
    for name, axis, values in (("a", 1, energy[:, 0]), ("ab", 0, interaction[0])):
        marginal = density.sum(axis=axis)
        mean = (marginal * values).sum()
        sd = np.sqrt((marginal * (values - mean) ** 2).sum())
        moments[name] = mean, sd, values[np.searchsorted(marginal.cumsum(), 0.025)]
    return moments


def test_the_sampler_finds_the_moments_of_a_curved_ridge():
    likelihood = Measured(layout())
    factor, interaction = likelihood.factor, likelihood.interaction
    size = likelihood.parameters.size
    mode = np.zeros(size)
    mode[interaction] = -np.log(1 + 2 * np.expm1(WEIGHT))
    covariance = np.eye(size)
    covariance[interaction, interaction] = 0.01
    gaussian = laplace.Laplace(mode, covariance, np.sqrt(covariance), 0.0)
    options = SamplingOptions(burn_in=300, most_draws=2000, effective=400, seed=0)
    settled = mode_posterior.settle(likelihood, [gaussian], options)
    draws = mode_posterior.sample(settled, options)
    assert draws.converged
    assert draws.divergent == 0
    table = draws.table().set_index("name")
    for name, (mean, sd, low) in exact().items():
        row = table.loc[name]
        assert abs(row["mean"] - mean) < 4 * sd / np.sqrt(row["ess"])
        assert abs(row["sd"] / sd - 1) < 4 / np.sqrt(2 * row["ess"])
        # The error of a quantile; its density is at least that of a Gaussian's 2.5 % quantile.
        assert abs(row["lower"] - low) < 5 * sd * np.sqrt(0.025 / row["ess"]) / 0.058
    theta = draws.theta.reshape(-1, size)
    direct = likelihood.log_posterior_unknown_scale(tf.constant(theta))
    np.testing.assert_allclose(draws.log_density.reshape(-1), direct, atol=1e-6)
    assert theta[:, [factor, interaction]].std(0).min() > 0.5
