"""A mechanism whose weights of curves are integrated out."""

import dataclasses
import pickle

import numpy as np
import pytest
import tensorflow as tf

from akita_bayes.regulation.fits import quasi_newton
from akita_bayes.regulation.marginal import curve_grid, marginal_likelihood, marginal_mode
from akita_bayes.regulation.model import curvature, likelihood
from akita_bayes.regulation.posterior import laplace, mode_posterior, sampling_options

SPLINES = {"kind": "spline_bins", "hidden": 5, "read_out": "log_activity"}


@pytest.fixture(scope="module", autouse=True)
def few_weights():
    """Integrates curves out although they have few weights, and with the knots of the spline."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curve_grid, "FINE_KNOTS", 1)
        patch.setattr(marginal_likelihood, "FEWEST_WEIGHTS", 1)
        yield


@pytest.fixture(scope="module")
def make(two_sites, experiment):
    """Makes the likelihood of all parameters, and an optimum of its density."""

    def made(**measurement):
        mechanism = two_sites(measurement={**SPLINES, **measurement})
        table = experiment(mechanism, sequences=400, reads=3000).table
        return likelihood.Likelihood(mechanism, table)

    return made


@pytest.fixture(scope="module")
def whole(make):
    return make()


@pytest.fixture(scope="module")
def start(whole):
    theta = whole.parameters.start(np.random.default_rng(0))
    return marginal_mode.start(whole, theta)


def test_curves_leave_only_their_background_and_their_roughness(start):
    parts = [block.part for block in start.likelihood.parameters.blocks]
    curve = ["log_background", "log_roughness"]
    assert parts == ["bases", "constant", "bases", "constant", "constant", *curve]
    assert start.likelihood.parameters.size == len(start.theta)


def test_reduced_parameters_are_those_of_the_whole(whole):
    target = marginal_mode.sampled(whole)
    theta = np.random.default_rng(1).normal(size=whole.parameters.size)
    reduced = target.parameters.reduce(theta)
    for block in target.parameters.blocks[:-1]:
        same = whole.parameters.find(block.owner, block.part, block.library)
        np.testing.assert_array_equal(
            reduced[block.start : block.stop], theta[same.start : same.stop]
        )
    bend = whole.parameters.find("measurement", "bend", target.parameters.libraries[0])
    mean_square = np.mean(theta[bend.start : bend.stop] ** 2)
    assert reduced[-1] == pytest.approx(0.5 * np.log(mean_square))
    assert np.isfinite(target.parameters.reduce(np.zeros_like(theta))).all()


@pytest.mark.parametrize("measurement", [{}, {"overdispersed": True}, {"read_out": "activity"}])
def test_the_density_is_the_integral_of_that_of_all_parameters(make, measurement):
    """By Laplace's approximation of the likelihood of all parameters, with its own curvature."""
    whole = make(**measurement)
    target = marginal_mode.sampled(whole)
    rng = np.random.default_rng(3)
    theta = whole.parameters.start(rng)
    library = whole.parameters.libraries[0]
    line, bend = (whole.parameters.find("measurement", part, library) for part in ("line", "bend"))
    curve = np.r_[line.start : line.stop, bend.start : bend.stop]
    prior_sd = whole.parameters.prior_sd
    for _ in range(30):  # Newton steps of the weights alone; the prior of bends has sd `prior_sd`
        gradient = whole.value_and_gradient(theta[None]).gradient[0][curve]
        precision = -curvature.hessian_of(whole)(theta)[np.ix_(curve, curve)]
        step = np.linalg.solve(precision + 1e-3 * np.eye(len(curve)), gradient)
        theta[curve] += step / max(1.0, np.abs(step / prior_sd[curve]).max())
    reduced = target.parameters.reduce(theta)
    roughness = target.parameters.find("measurement", "log_roughness", library)
    reduced[roughness.start] = np.log(bend.prior.sd)
    value = target.value_and_gradient(reduced[None]).value[0]
    integral = whole.value_and_gradient(theta[None]).value[0]
    integral += len(curve) / 2 * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(precision)[1]
    # The prior of the log roughness at its mean.
    integral -= 0.5 * np.log(2 * np.pi)
    assert value == pytest.approx(integral, abs=0.05)


@pytest.mark.parametrize("prior", ["fixed", "unknown"])
def test_the_gradient_is_that_of_differences(start, prior):
    density = getattr(start.likelihood, f"log_posterior_{prior}_scale")
    theta = start.theta + 0.05
    with tf.GradientTape() as tape:
        point = tf.constant(theta[None])
        tape.watch(point)
        value = density(point)
    gradient = tape.gradient(value, point)[0].numpy()
    for seed in range(4):
        direction = np.random.default_rng(seed).normal(size=len(theta))
        above, below = (
            float(density(tf.constant((theta + size * direction)[None]))[0])
            for size in (2e-3, -2e-3)
        )
        assert gradient @ direction == pytest.approx((above - below) / 4e-3, rel=0.01, abs=0.3)


def test_differences_of_gradients_are_the_curvature(start):
    hessian = curvature.hessian_of(start.likelihood)(start.theta)
    np.testing.assert_array_equal(hessian, hessian.T)
    move = 0.02 * np.random.default_rng(0).normal(size=len(hessian))
    value, _ = start.likelihood.value_and_gradient(start.theta[None])
    above, below = (
        start.likelihood.value_and_gradient((start.theta + sign * move)[None]).value[0]
        for sign in (1, -1)
    )
    assert move @ hessian @ move == pytest.approx(above + below - 2 * value[0], rel=0.1, abs=0.02)


def test_a_start_climbs_to_the_mode(start):
    gradient = start.likelihood.value_and_gradient(start.theta[None]).gradient[0]
    hessian = curvature.hessian_of(start.likelihood)(start.theta)
    root = quasi_newton.root_of(-hessian, start.likelihood.parameters.prior_sd)
    assert 0.5 * np.sum((root.T @ gradient) ** 2) < quasi_newton.ARRIVED


def test_values_do_not_depend_on_where_the_search_for_weights_starts(start):
    thetas = start.theta + 0.1 * np.random.default_rng(0).normal(size=(3, len(start.theta)))
    before = start.likelihood.value_and_gradient(thetas)
    start.likelihood.centre_at(start.theta)
    after = start.likelihood.value_and_gradient(thetas)
    start.likelihood.centre_at(start.theta + 0.3, follow=False)
    far = start.likelihood.value_and_gradient(thetas)
    for results in (after, far):
        np.testing.assert_allclose(results.value, before.value, atol=1e-5)
        np.testing.assert_allclose(results.gradient, before.gradient, atol=2e-3)
    together = start.likelihood.log_posterior_fixed_scale(tf.constant(thetas))
    np.testing.assert_allclose(together, before.value, atol=1e-5)


def test_a_worker_receives_an_equal_likelihood(start):
    again = pickle.loads(pickle.dumps(start.likelihood))
    np.testing.assert_allclose(
        again.value_and_gradient(start.theta[None]).value,
        start.likelihood.value_and_gradient(start.theta[None]).value,
        atol=1e-5,
    )


def test_only_splines_of_whole_reads_are_integrated(make, monkeypatch):
    splines = make()
    assert marginal_likelihood.applies(splines)
    library = splines.table.libraries[0]
    monkeypatch.setattr(marginal_likelihood, "FEWEST_WEIGHTS", 5 * (len(library.columns) - 1))
    assert marginal_likelihood.applies(splines)
    monkeypatch.setattr(marginal_likelihood, "FEWEST_WEIGHTS", 5 * (len(library.columns) - 1) + 1)
    assert not marginal_likelihood.applies(splines)
    monkeypatch.undo()
    copies = make(overdispersed=True)
    assert marginal_likelihood.applies(copies)
    largest = max(library.observed.max() for library in copies.table.libraries)
    monkeypatch.setattr(marginal_likelihood, "MOST_READS", largest - 1)
    assert not marginal_likelihood.applies(copies)
    assert marginal_likelihood.applies(splines)
    part_of_a_read = dataclasses.replace(library, observed=library.observed + 0.5)
    table = splines.table.__class__((part_of_a_read,))
    assert not marginal_likelihood.applies(likelihood.Likelihood(splines.mechanism, table))
    hidden = make(kind="bins")
    assert not marginal_likelihood.applies(hidden)
    assert marginal_mode.start(hidden, np.zeros(3)).likelihood is hidden


def test_a_chain_has_the_density_of_all_chains(start):
    """Whatever weights a chain remembers of its last theta."""
    start.likelihood.centre_at(start.theta, follow=False)
    thetas = start.theta + 0.2 * np.random.default_rng(0).normal(size=(4, 1, len(start.theta)))
    for chain in (0, 1, 1, marginal_likelihood.MEMORIES):
        density = start.likelihood.chain_density(tf.constant(chain))
        for theta in tf.constant(thetas):
            np.testing.assert_allclose(
                density(theta), start.likelihood.log_posterior_unknown_scale(theta), atol=1e-4
            )


def test_a_chain_goes_on_from_a_theta_without_a_density(start):
    density = start.likelihood.chain_density(tf.constant(0))
    theta = tf.constant(start.theta[None])
    expected = density(theta)
    assert density(theta + np.inf) == -np.inf
    np.testing.assert_allclose(density(theta), expected, atol=1e-4)


@pytest.mark.slow
def test_chains_find_the_posterior_of_chains_over_all_parameters(whole, start):
    options = sampling_options.SamplingOptions(
        burn_in=300, most_draws=1500, effective=200, chains=4
    )
    theta = whole.parameters.start(np.random.default_rng(0))
    mode = quasi_newton.climb(whole.value_and_gradient, theta, np.eye(len(theta))).theta
    tables = []
    for target, point in ((whole, mode), (start.likelihood, start.theta)):
        settled = mode_posterior.settle(target, [laplace.laplace(target, point)], options)
        tables.append(mode_posterior.sample(settled, options).table())
    all_parameters, marginal = tables
    assert list(all_parameters["name"]) == list(marginal["name"])
    sd = all_parameters["sd"]
    error = np.sqrt(1 / all_parameters["ess"] + 1 / marginal["ess"])
    # Sixty energies: the largest of 60 standard normals is below 4 with p = 0.996.
    assert (((all_parameters["mean"] - marginal["mean"]).abs() / sd / error) < 4).all()
    np.testing.assert_allclose(marginal["sd"], sd, rtol=0.25)
