import numpy as np
import pytest
import scipy.interpolate

from akita_bayes.layers import measurement


def log_odds(layer, weights, activity):
    held = {name: np.asarray(value)[None] for name, value in weights.items()}
    p = np.asarray(layer.outputs(held, activity[None]))[0]
    np.testing.assert_allclose(p.sum(0), 1, rtol=1e-12)
    return np.log(p[1:] / p[0])


def test_weightare_the_natural_cubic_spline_through_their_knots():
    rng = np.random.default_rng(0)
    layer = measurement.SplineBins(columns=4, hidden=6)
    weights = {"centre": -5.0, "log_background": -60.0, "log_odds": rng.normal(size=(6, 3))}
    knots = np.linspace(-4, 4, 6)
    through = log_odds(layer, weights, np.exp(knots - 5.0))
    z = np.linspace(-4, 4, 101)
    spline = scipy.interpolate.CubicSpline(knots, through.T, bc_type="natural")
    np.testing.assert_allclose(log_odds(layer, weights, np.exp(z - 5.0)), spline(z).T, atol=1e-9)
    # Beyond the last knots the odds go on in a straight line, from where they were.
    outer = log_odds(layer, weights, np.exp(np.array([4.0, 5.0, 6.0]) - 5.0))
    np.testing.assert_allclose(np.diff(outer, 2), 0, atol=1e-9)
    np.testing.assert_allclose(np.diff(outer[:, :2])[:, 0], spline(4.0, 1), rtol=1e-6)


def test_basis_is_orthonormal_where_activities_are():
    layer = measurement.SplineBins(columns=2, hidden=5)
    z = np.linspace(-6, 6, 4001)
    basis = np.stack([log_odds(layer, _unit(unit), np.exp(z))[0] for unit in np.eye(5)])
    density = np.exp(-0.5 * (z / 2) ** 2)
    gram = (basis * density / density.sum()) @ basis.T
    np.testing.assert_allclose(gram, np.eye(5), atol=2e-3)


def _unit(unit):
    return {"centre": 0.0, "log_background": -60.0, "log_odds": unit[:, None]}


def test_below_the_background_activities_look_alike():
    layer = measurement.SplineBins(columns=3, hidden=4)
    weight = np.random.default_rng(0).normal(size=(4, 2))
    weights = {"centre": -3.0, "log_background": -1.0, "log_odds": weight}
    off, lower, at = log_odds(layer, weights, np.array([0.0, 1e-9, np.exp(-4.0)])).T
    np.testing.assert_allclose(off, lower, atol=1e-7)
    # An activity equal to the background doubles the signal: z = log(2) - 1.
    free = {**weights, "log_background": -60.0}
    doubled = log_odds(layer, free, np.array([2 * np.exp(-4.0)]))[:, 0]
    np.testing.assert_allclose(at, doubled, rtol=1e-12)


def test_two_knots_are_too_few():
    with pytest.raises(ValueError, match="at least 3 knots"):
        measurement.SplineBins(columns=2, hidden=2)
