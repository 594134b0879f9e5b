"""Integrals over the weights of a curve, beside quadrature and differences."""

import itertools

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from akita_bayes.regulation.layers import bins
from akita_bayes.regulation.marginal import curve_evidence, curve_grid

LINE = (0.5, 2.0)
"""Mean and standard deviation of the weights of the line."""


@pytest.fixture(autouse=True)
def knots(monkeypatch):
    """Keeps the bends of a spline, whose density the layer computes too."""
    monkeypatch.setattr(curve_grid, "FINE_KNOTS", 1)


def spline(overdispersed, *, hidden=6, columns=4):
    return bins.SplineBins(
        columns=columns, hidden=hidden, read_out="log_activity", overdispersed=overdispersed
    )


def counts(sequences, columns, seed=0):
    """Overdispersed reads with empty sequences among them, and positions partly beyond 1."""
    rng = np.random.default_rng(seed)
    observed = rng.poisson(rng.gamma(0.4, 2.0, (sequences, columns)))
    return observed.astype(float), 1.3 * rng.random(sequences)


def log_density(process, observed, u, weights, log_roughness, log_concentration):
    """log p(reads | weights) + log p(weights), from the layer itself."""
    activity = np.expm1(u * np.log1p(np.exp(2.0))) * np.exp(-2.0)  # u of a background of e^-2
    values = {
        "line": weights[:2],
        "bend": weights[2:],
        "log_background": np.float64(-2.0),
        "log_concentration": np.float64(log_concentration),
    }
    values = {name: tf.constant(value) for name, value in values.items()}
    by_sequence = process.log_prob(
        values, tf.constant(activity), tf.constant(observed.T), tf.ones(len(u), tf.float64)
    )
    prior = scipy.stats.norm(*LINE).logpdf(weights[:2]).sum()
    prior += scipy.stats.norm(0, np.exp(log_roughness)).logpdf(weights[2:]).sum()
    return float(tf.reduce_sum(by_sequence)) + prior


@pytest.mark.parametrize("overdispersed", [False, True])
def test_the_integral_over_three_weights_is_that_of_quadrature(overdispersed):
    process = spline(overdispersed, hidden=3, columns=2)
    observed, u = counts(200, 2)
    roughness, concentration = -1.0, 0.7 if overdispersed else 0.0
    evidence = curve_evidence.CurveEvidence(process, observed, LINE)
    constants = [tf.constant(value, tf.float64) for value in (roughness, concentration)]
    start = tf.zeros(evidence.shape, tf.float64)
    value = float(evidence.log_evidence(tf.constant(u), *constants, start)[0])
    best = evidence.curve(tf.constant(u), *constants, start)
    # Gauss and Hermite's nodes in the coordinates that the curvature whitens.
    nodes, node_weights = np.polynomial.hermite_e.hermegauss(9)
    root = np.linalg.inv(best.root.numpy()).T
    logs = []
    for index in itertools.product(range(9), repeat=3):
        z = nodes[list(index)]
        weights = best.weights.numpy() + (root @ z)[:, None]
        log_weight = np.log(node_weights[list(index)]).sum() + 0.5 * (z**2).sum()
        logs.append(
            log_weight + log_density(process, observed, u, weights, roughness, concentration)
        )
    integral = scipy.special.logsumexp(logs) + np.linalg.slogdet(root)[1]
    assert value == pytest.approx(integral, abs=0.05)


@pytest.mark.parametrize("overdispersed", [False, True])
def test_the_gradient_is_that_of_differences(overdispersed):
    observed, u = counts(300, 4)
    evidence = curve_evidence.CurveEvidence(spline(overdispersed), observed, LINE)
    start = tf.zeros(evidence.shape, tf.float64)
    arguments = [tf.constant(u), tf.constant(0.3, tf.float64)]
    arguments.append(tf.constant(-0.5 if overdispersed else 0.0, tf.float64))
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value, _ = evidence.log_evidence(*arguments, start)
    gradients = tape.gradient(value, arguments)
    rng = np.random.default_rng(1)
    for number, gradient in enumerate(gradients):
        if number == 2 and not overdispersed:
            assert float(gradient) == 0.0
            continue
        direction = rng.normal(size=gradient.shape)
        sides = []
        for size in (1e-5, -1e-5):
            moved = list(arguments)
            moved[number] = moved[number] + size * direction
            sides.append(float(evidence.log_evidence(*moved, start)[0]))
        along = float(tf.reduce_sum(gradient * direction))
        assert along == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("overdispersed", [False, True])
def test_the_best_weights_do_not_depend_on_the_start(overdispersed):
    observed, u = counts(300, 4)
    evidence = curve_evidence.CurveEvidence(spline(overdispersed), observed, LINE)
    constants = [tf.constant(value, tf.float64) for value in (0.3, 0.2 if overdispersed else 0.0)]
    far = tf.constant(3.0 * np.random.default_rng(2).normal(size=evidence.shape))
    near, distant = (
        evidence.curve(tf.constant(u), *constants, start)
        for start in (tf.zeros(evidence.shape, tf.float64), far)
    )
    np.testing.assert_allclose(near.weights, distant.weights, atol=1e-4)
    weights = near.weights.numpy()
    best = log_density(spline(overdispersed), observed, u, weights, *map(float, constants))
    for seed in range(5):
        z = np.random.default_rng(seed).normal(size=weights.size)
        step = np.linalg.solve(near.root.numpy().T, z).reshape(weights.T.shape).T
        moved = log_density(
            spline(overdispersed), observed, u, weights + step, *map(float, constants)
        )
        # Half the squared distance in standard deviations, as for a Gaussian.
        assert best - moved == pytest.approx(0.5 * (z**2).sum(), rel=0.35)


@pytest.mark.parametrize(("fine_knots", "largest"), [(1, np.inf), (128, 0.1)])
def test_modes_make_no_waves_when_positions_move(fine_knots, largest, monkeypatch):
    """A step of the curve moves across several knots; the evidence should change smoothly."""
    monkeypatch.setattr(curve_grid, "FINE_KNOTS", fine_knots)
    rng = np.random.default_rng(0)
    u = rng.uniform(0.1, 0.8, 20_000)
    in_second = rng.random(len(u)) < scipy.special.expit(120 * (u - 0.45))
    observed = np.stack([~in_second, in_second], axis=1).astype(float)
    evidence = curve_evidence.CurveEvidence(spline(False, hidden=16, columns=2), observed, LINE)
    zero, start = tf.constant(0.0, tf.float64), tf.zeros(evidence.shape, tf.float64)
    shifts = np.linspace(0.0, 0.15, 31)
    values = [
        float(evidence.log_evidence(tf.constant(u + shift), zero, zero, start)[0])
        for shift in shifts
    ]
    smooth = np.polynomial.Polynomial.fit(shifts, values, 3)(shifts)
    waves = np.std(values - smooth)
    assert waves < largest
    if fine_knots == 1:
        assert waves > 0.3
