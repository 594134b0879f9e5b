import numpy as np
import pytest
import scipy.interpolate

from akita_bayes.regulation.layers import measurement


def logarithmic(**arguments):
    return measurement.SplineBins(read_out="log_activity", **arguments)


def log_odds(layer, weights, u):
    """At u = log(1 + t / t0) / log(1 + 1 / t0)."""
    batched_weights = {name: np.asarray(value)[None] for name, value in weights.items()}
    background = np.exp(weights["log_background"])
    activity = background * np.expm1(u * np.log1p(1 / background))
    p = np.asarray(layer.outputs(batched_weights, activity[None]))[0]
    np.testing.assert_allclose(p.sum(0), 1, rtol=1e-12)
    return np.log(p[1:] / p[0])


def test_log_odds_are_the_natural_cubic_spline_through_their_knots():
    rng = np.random.default_rng(0)
    layer = logarithmic(columns=4, hidden=6)
    weights = {"log_background": -5.0, "line": rng.normal(size=(2, 3))}
    weights["bend"] = rng.normal(size=(4, 3))
    knots = np.linspace(0, 1, 6)
    u = np.linspace(0, 1, 101)
    through = log_odds(layer, weights, knots)
    spline = scipy.interpolate.CubicSpline(knots, through.T, bc_type="natural")
    np.testing.assert_allclose(log_odds(layer, weights, u), spline(u).T, atol=1e-9)
    # Beyond the last knot the odds go on in a straight line, from where they were.
    outer = log_odds(layer, weights, np.array([1.0, 1.2, 1.4]))
    np.testing.assert_allclose(np.diff(outer, 2), 0, atol=1e-9)
    np.testing.assert_allclose(np.diff(outer[:, :2])[:, 0] / 0.2, spline(1.0, 1), rtol=1e-6)


def test_many_knots_lose_no_digits_in_single_precision():
    rng = np.random.default_rng(0)
    u = np.linspace(0, 1, 1001)
    weights = {"line": rng.normal(size=(1, 2, 3)), "bend": rng.normal(size=(1, 62, 3))}
    log_probabilities = []
    for dtype in ("float32", "float64"):
        layer = measurement.SplineBins(columns=4, hidden=64, dtype=dtype)
        cast_weights = {name: value.astype(dtype) for name, value in weights.items()}
        log_probabilities.append(
            np.log(np.asarray(layer.outputs(cast_weights, u[None].astype(dtype)))[0])
        )
    np.testing.assert_allclose(log_probabilities[0], log_probabilities[1], atol=3e-5)


def test_bends_are_second_differences_and_leave_the_line_alone():
    rng = np.random.default_rng(0)
    layer = measurement.SplineBins(columns=3, hidden=7)
    assert layer.shapes == {"line": (2, 2), "bend": (5, 2)}
    weights = {"line": rng.normal(size=(2, 2)), "bend": rng.normal(size=(5, 2))}
    knots = np.linspace(0, 1, 7)
    p = np.asarray(layer.outputs({n: w[None] for n, w in weights.items()}, knots[None]))[0]
    through = np.log(p[1:] / p[0]).T
    second = weights["bend"] * layer.ROUGHNESS * 6**-1.5
    np.testing.assert_allclose(np.diff(through, 2, axis=0), second, atol=1e-9)
    line = np.stack([1 - knots, knots], axis=1)
    fitted = np.linalg.lstsq(line, through, rcond=None)[0]
    np.testing.assert_allclose(fitted, weights["line"], atol=1e-9)


def test_curves_of_the_prior_are_as_rough_with_few_knots_as_with_many():
    """So the number of knots is no opinion of how curves look."""
    spread = []
    for hidden in (8, 16, 32):
        layer = measurement.SplineBins(columns=2, hidden=hidden)
        weights = {"line": np.zeros((400, 2, 1))}
        prior, rng = layer.priors["bend"], np.random.default_rng(hidden)
        weights["bend"] = rng.normal(prior.mean, prior.sd, (400, hidden - 2, 1))
        p = np.asarray(layer.outputs(weights, np.tile(np.linspace(0, 1, 57), (400, 1))))
        spread.append(np.log(p[:, 1] / p[:, 0]).std())
        # The slope is a random walk that moves by ROUGHNESS over a unit of u.
        knots = np.linspace(0, 1, hidden)[[0, 1, -2, -1]]
        q = np.asarray(layer.outputs(weights, np.tile(knots, (400, 1))))
        steps = np.diff(np.log(q[:, 1] / q[:, 0]))[:, [0, 2]] * (hidden - 1)
        walked = (hidden - 2) / (hidden - 1)
        assert np.diff(steps).std() == pytest.approx(layer.ROUGHNESS * walked**0.5, rel=0.15)
    np.testing.assert_allclose(spread, np.mean(spread), rtol=0.25)


def test_no_and_full_transcription_are_the_ends_whatever_the_background():
    layer = logarithmic(columns=3, hidden=4)
    rng = np.random.default_rng(0)
    weights = {"line": rng.normal(size=(2, 2)), "bend": rng.normal(size=(2, 2))}
    log_ratios = []
    for log_background in (-9.0, -2.0, 3.0):
        batched_weights = {name: weight[None] for name, weight in weights.items()}
        batched_weights["log_background"] = np.array([log_background])
        p = np.asarray(layer.outputs(batched_weights, np.array([[0.0, 1.0]])))[0]
        log_ratios.append(np.log(p[1:] / p[0]))
    np.testing.assert_allclose(log_ratios, np.tile(log_ratios[0], (3, 1, 1)), atol=1e-9)


def test_the_background_turns_a_logarithmic_read_out_into_a_linear_one():
    layer = logarithmic(columns=2, hidden=3)
    straight = {"line": np.array([[[0.0], [1.0]]]), "bend": np.zeros((1, 1, 1))}  # log odds = u
    t = np.array([[1e-3, 1e-2, 0.1, 1.0]])
    log_ratios = []
    for log_background in (-20.0, 8.0):
        batched_weights = {"log_background": np.array([log_background]), **straight}
        p = np.asarray(layer.outputs(batched_weights, t))[0]
        log_ratios.append(np.log(p[1] / p[0]))
    np.testing.assert_allclose(np.diff(log_ratios[0]), np.log(10) / 20, rtol=1e-4)
    np.testing.assert_allclose(log_ratios[1], t[0], rtol=1e-3)


def test_two_knots_are_too_few():
    with pytest.raises(ValueError, match="at least 3 knots"):
        measurement.SplineBins(columns=2, hidden=2)
