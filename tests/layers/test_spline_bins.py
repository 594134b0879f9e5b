import numpy as np
import pytest
import scipy.interpolate

from akita_bayes.layers import measurement


def log_odds(layer, weights, z):
    """At z = log(1 + t / t0)."""
    held = {name: np.asarray(value)[None] for name, value in weights.items()}
    activity = np.exp(weights["log_background"]) * np.expm1(z)
    p = np.asarray(layer.outputs(held, activity[None]))[0]
    np.testing.assert_allclose(p.sum(0), 1, rtol=1e-12)
    return np.log(p[1:] / p[0])


def test_log_odds_are_the_natural_cubic_spline_through_their_knots():
    rng = np.random.default_rng(0)
    layer = measurement.SplineBins(columns=4, hidden=6)
    weights = {"log_background": -5.0, "log_odds": rng.normal(size=(6, 3))}
    knots = np.linspace(0, 6, 6)
    z = np.linspace(0, 6, 101)
    through = log_odds(layer, weights, knots)
    np.testing.assert_allclose(through, weights["log_odds"].T, atol=1e-9)
    spline = scipy.interpolate.CubicSpline(knots, through.T, bc_type="natural")
    np.testing.assert_allclose(log_odds(layer, weights, z), spline(z).T, atol=1e-9)
    # Beyond the last knot the odds go on in a straight line, from where they were.
    outer = log_odds(layer, weights, np.array([6.0, 7.0, 8.0]))
    np.testing.assert_allclose(np.diff(outer, 2), 0, atol=1e-9)
    np.testing.assert_allclose(np.diff(outer[:, :2])[:, 0], spline(6.0, 1), rtol=1e-6)


def test_a_common_factor_of_activity_and_background_cancels():
    layer = measurement.SplineBins(columns=3, hidden=4)
    weight = np.random.default_rng(0).normal(size=(4, 2))
    t = np.array([[0.0, 1e-4, 1e-2]])
    one = layer.outputs({"log_background": np.array([-6.0]), "log_odds": weight[None]}, t)
    two = layer.outputs({"log_background": np.array([-3.0]), "log_odds": weight[None]}, t * np.e**3)
    np.testing.assert_allclose(one, two, rtol=1e-9)


def test_two_knots_are_too_few():
    with pytest.raises(ValueError, match="at least 3 knots"):
        measurement.SplineBins(columns=2, hidden=2)
