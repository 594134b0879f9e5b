import numpy as np
import pytest
import scipy.interpolate

from akita_bayes.layers import measurement


def logarithmic(**arguments):
    return measurement.SplineBins(read_out="log_activity", **arguments)


def log_odds(layer, weights, u):
    """At u = log(1 + t / t0) / log(1 + 1 / t0)."""
    held = {name: np.asarray(value)[None] for name, value in weights.items()}
    background = np.exp(weights["log_background"])
    activity = background * np.expm1(u * np.log1p(1 / background))
    p = np.asarray(layer.outputs(held, activity[None]))[0]
    np.testing.assert_allclose(p.sum(0), 1, rtol=1e-12)
    return np.log(p[1:] / p[0])


def test_log_odds_are_the_natural_cubic_spline_through_their_knots():
    rng = np.random.default_rng(0)
    layer = logarithmic(columns=4, hidden=6)
    weights = {"log_background": -5.0, "log_odds": rng.normal(size=(6, 3))}
    knots = np.linspace(0, 1, 6)
    u = np.linspace(0, 1, 101)
    through = log_odds(layer, weights, knots)
    np.testing.assert_allclose(through, weights["log_odds"].T, atol=1e-9)
    spline = scipy.interpolate.CubicSpline(knots, through.T, bc_type="natural")
    np.testing.assert_allclose(log_odds(layer, weights, u), spline(u).T, atol=1e-9)
    # Beyond the last knot the odds go on in a straight line, from where they were.
    outer = log_odds(layer, weights, np.array([1.0, 1.2, 1.4]))
    np.testing.assert_allclose(np.diff(outer, 2), 0, atol=1e-9)
    np.testing.assert_allclose(np.diff(outer[:, :2])[:, 0] / 0.2, spline(1.0, 1), rtol=1e-6)


def test_no_and_full_transcription_are_the_first_and_last_knot_whatever_the_background():
    layer = logarithmic(columns=3, hidden=4)
    weight = np.random.default_rng(0).normal(size=(4, 2))
    for log_background in (-9.0, -2.0, 3.0):
        held = {"log_background": np.array([log_background]), "log_odds": weight[None]}
        p = np.asarray(layer.outputs(held, np.array([[0.0, 1.0]])))[0]
        np.testing.assert_allclose(np.log(p[1:] / p[0]), weight[[0, 3]].T, atol=1e-9)


def test_the_background_turns_a_logarithmic_read_out_into_a_linear_one():
    layer = logarithmic(columns=2, hidden=3)
    straight = np.array([[0.0], [0.5], [1.0]])  # log odds = u
    t = np.array([[1e-3, 1e-2, 0.1, 1.0]])
    found = []
    for log_background in (-20.0, 8.0):
        held = {"log_background": np.array([log_background]), "log_odds": straight[None]}
        p = np.asarray(layer.outputs(held, t))[0]
        found.append(np.log(p[1] / p[0]))
    np.testing.assert_allclose(np.diff(found[0]), np.log(10) / 20, rtol=1e-4)
    np.testing.assert_allclose(found[1], t[0], rtol=1e-3)


def test_a_linear_read_out_is_the_spline_of_the_activity():
    layer = measurement.SplineBins(columns=3, hidden=5)
    assert layer.shapes == {"log_odds": (5, 2)}
    weight = np.random.default_rng(0).normal(size=(5, 2))
    p = np.asarray(layer.outputs({"log_odds": weight[None]}, np.linspace(0, 1, 5)[None]))[0]
    np.testing.assert_allclose(np.log(p[1:] / p[0]), weight.T, atol=1e-9)


def test_two_knots_are_too_few():
    with pytest.raises(ValueError, match="at least 3 knots"):
        measurement.SplineBins(columns=2, hidden=2)
