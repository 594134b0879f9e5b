"""The sampler against densities known in closed form, and against simulated experiments."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from akita_bayes import errors
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import simulated_assay as simulator
from akita_bayes.regulation.compare import experiment_design
from akita_bayes.regulation.fits import quasi_newton
from akita_bayes.regulation.model import likelihood, parameters, smooth_bins
from akita_bayes.regulation.posterior import laplace, mode_posterior, physical_units
from akita_bayes.regulation.posterior.sampling_options import SamplingOptions
from tests.regulation.known_density import KnownDensity

TOY = {
    "kind": "thermodynamic",
    "name": "toy",
    "sequence_length": 9,
    "wild_type": "ACGTACGTA",
    "energies": {
        "a": {"site": [0, 4], "prior": {"sd": 2.0}},
        "b": {"site": [4, 9], "prior": {"sd": 2.0}},
        "ab": {"prior": {"sd": 2.0}},
    },
    "states": {
        "free": {},
        "a": {"energies": ["a"]},
        "b": {"energies": ["b"], "activity": 1},
        "ab": {"energies": ["a", "b", "ab"], "activity": 1},
    },
    "measurement": {"kind": "spline_bins", "hidden": 12, "read_out": "log_activity"},
    "truth": {"a": {"constant": 0.5}, "b": {"constant": 0.0}, "ab": {"constant": -2.5}},
}
"""The read-out is the simulator's: where it is not, as with splines of the activity itself, no
posterior holds the truth (31 % of 95 % intervals did)."""
DESIGN = simulator.Design(
    sequences=2500,
    mutation_rate=0.3,
    reads=60_000,
    bins=4,
    noise=0.4,
    cells=2000.0,
    contamination=0.0,
)
"""Far more cells than reads, so that reads are independent, and none from another bin."""


def experiment(seed, spec=TOY, setup=DESIGN):
    """A simulated experiment: its likelihood with splines, the truth as theta, a start nearby."""
    mechanism = mechanism_spec.parse(spec)
    simulated = simulator.simulate(mechanism, setup, seed=seed)
    data_likelihood = likelihood.Likelihood(mechanism, simulated.table)
    start = data_likelihood.parameters.start(np.random.default_rng(seed))
    truth = experiment_design.true_theta(data_likelihood.parameters, simulated.truth, start)
    return data_likelihood, experiment_design.fit_measurement(data_likelihood, truth)


def mode(data_likelihood, truth):
    """Laplace's approximation at the optimum nearest to the truth."""
    unit = np.eye(data_likelihood.parameters.size)
    return laplace.laplace(
        data_likelihood, quasi_newton.climb(data_likelihood.value_and_gradient, truth, unit).theta
    )


def posterior_of(layout, theta):
    """Chains of which nothing but the draws matters."""
    return mode_posterior.ModePosterior(
        layout,
        theta,
        theta[..., 0],
        accepted=1.0,
        divergent=0.0,
        leapfrogs=1.0,
        step_size=1.0,
        root=np.eye(layout.size),
        seconds=1.0,
    )


class Gaussian(KnownDensity):
    """A likelihood whose posterior is a correlated Gaussian of known moments."""

    def __init__(self, data_likelihood, mean, root):
        self.parameters = data_likelihood.parameters
        self.mean, self.root = tf.constant(mean), tf.constant(root)

    def log_density(self, theta):
        z = tf.linalg.triangular_solve(self.root, tf.transpose(theta - self.mean))
        return -0.5 * tf.reduce_sum(z**2, axis=0)


@pytest.fixture(scope="module")
def toy():
    return experiment(0)


@pytest.fixture(scope="module")
def gaussian(toy):
    data_likelihood, truth = toy
    return mode(data_likelihood, truth)


def test_sampler_finds_the_moments_of_a_gaussian_that_the_preconditioner_misjudges(toy):
    data_likelihood, _ = toy
    size = data_likelihood.parameters.size
    rng = np.random.default_rng(0)
    mean = rng.normal(size=size)
    root = np.tril(rng.normal(0, 0.1, (size, size)), -1) + np.diag(rng.uniform(0.5, 2, size))
    wrong = laplace.Laplace(np.zeros(size), np.eye(size), np.eye(size), 0.0)
    options = SamplingOptions(burn_in=200, most_draws=1000, effective=500, seed=1)
    settled = mode_posterior.settle(Gaussian(data_likelihood, mean, root), [wrong], options)
    draws = mode_posterior.sample(settled, options)
    assert draws.divergent == 0
    table = draws.table()
    assert (table["r_hat"] < 1.02).all()
    exact_mean = physical_units.physical(data_likelihood.parameters, mean[None])
    exact_sd = np.sqrt(np.diag(root @ root.T))
    for name in ("a", "b", "ab"):
        at = data_likelihood.parameters.find(name, "constant").start
        row = table.set_index("name").loc[name]
        error = exact_sd[at] / np.sqrt(row["ess"])
        assert abs(row["mean"] - exact_mean[name][0]) < 5 * error
        assert abs(row["sd"] / exact_sd[at] - 1) < 5 / np.sqrt(2 * row["ess"])


def test_a_posterior_whose_chains_differ_in_width_has_not_converged(toy):
    data_likelihood, _ = toy
    alike = np.random.default_rng(0).normal(size=(4, 1000, data_likelihood.parameters.size))
    apart = alike * np.array([1.0, 1.0, 4.0, 4.0])[:, None, None]
    for theta, converged in ((alike, True), (apart, False)):
        posterior = posterior_of(data_likelihood.parameters, theta)
        assert posterior.converged == converged
        assert (posterior.table()["r_hat"].max() < 1.01) == converged


def test_chains_start_around_each_mode_in_turn_and_wider_than_the_posterior_is():
    root = np.array([[2.0, 0.0], [-1.0, 0.5]])
    around = [
        laplace.Laplace(np.full(2, mean), root @ root.T, root, 0.0) for mean in (0.0, 50.0, -50.0)
    ]
    starts = mode_posterior.begin(around, 12_000, seed=0)
    for number, gaussian in enumerate(around):
        own = starts[number::3] - gaussian.mode
        np.testing.assert_allclose(own.mean(0), 0, atol=0.2)
        np.testing.assert_allclose(np.cov(own.T), 4 * root @ root.T, atol=0.8)


@pytest.mark.slow
def test_posterior_of_an_experiment_converges_and_holds_the_truth():
    # The scale of the energies trades against the slope of the read-out along a curved ridge, which
    # is short where there is little noise.
    measured = dataclasses.replace(DESIGN, sequences=4000, noise=0.05)
    data_likelihood, truth = experiment(0, {**TOY, "measurement": {"kind": "gaussian"}}, measured)
    gaussian = mode(data_likelihood, truth)
    options = SamplingOptions(burn_in=400, most_draws=3000, effective=400, seed=2)
    settled = mode_posterior.settle(data_likelihood, [gaussian], options)
    assert not settled.apart
    draws = mode_posterior.sample(settled, options)
    table = draws.table().set_index("name")
    assert draws.converged
    assert draws.divergent < 0.01
    true = physical_units.physical(data_likelihood.parameters, truth[None])
    thetas = draws.theta.reshape(-1, data_likelihood.parameters.size)
    # Entries of the matrices move together, so the distance of the truth is judged as one.
    off = np.linalg.solve(np.cov(thetas.T), truth - thetas.mean(0)) @ (truth - thetas.mean(0))
    assert scipy.stats.chi2.sf(off, len(truth)) > 1e-3
    for name in ("a", "b", "ab"):
        assert abs(table.loc[name, "mean"] - true[name][0]) < 4 * table.loc[name, "sd"]
    kcal = table.loc["ab", "mean_kcal"] / table.loc["ab", "mean"]
    np.testing.assert_allclose(kcal, 0.61633, atol=1e-5)
    # Where data abound, the curvature at the mode tells much the same.
    sd = np.sqrt(np.diag(gaussian.covariance))[
        data_likelihood.parameters.find("ab", "constant").start
    ]
    assert 0.6 < table.loc["ab", "sd"] / sd < 1.7


@pytest.mark.slow
def test_bootstrap_spreads_as_the_curvature_says(toy, gaussian):
    data_likelihood, _ = toy
    refits, converged = laplace.bootstrap(data_likelihood, gaussian, replicates=40, seed=3)
    assert converged == 1
    assert refits.shape == (40, data_likelihood.parameters.size)
    # Resampling moves the data, not the prior: C (C^-1 - prior) C, and C where data decide.
    covariance = gaussian.covariance
    data = np.linalg.inv(covariance) - np.diag(data_likelihood.parameters.prior_sd**-2.0)
    expected = np.sqrt(np.diag(covariance @ data @ covariance))
    z = (refits - gaussian.mode)[:, : data_likelihood.parameters.physical]
    assert 0.6 < np.median(z.std(0) / expected[: data_likelihood.parameters.physical]) < 1.4
    deviation = np.sqrt(np.diag(covariance))[: data_likelihood.parameters.physical]
    assert np.abs(z.mean(0) / deviation).max() < 1.5


class Pulled(Gaussian):
    """The same with two sequences, the first of which pulls the mode away where it weighs much."""

    rows = 2

    def log_posterior_fixed_scale(self, theta, weight=None):
        far = 5.0 * tf.cast(weight[:, :1] > 1, tf.float64)
        return super().log_posterior_fixed_scale(theta - far)


def test_refits_that_did_not_converge_are_counted_and_left_out(toy):
    data_likelihood, _ = toy
    size = data_likelihood.parameters.size
    stiff = np.diag(np.geomspace(0.1, 1, size))
    pulled = Pulled(data_likelihood, np.zeros(size), stiff)
    unit = laplace.Laplace(np.zeros(size), np.eye(size), np.eye(size), 0.0)
    short = laplace.bootstrap(pulled, unit, replicates=40, seed=0, steps=2)
    assert 0.2 < short.converged < 0.8
    assert len(short.theta) == 40 * short.converged
    np.testing.assert_array_equal(short.theta, 0)
    enough = laplace.bootstrap(pulled, unit, replicates=40, seed=0)
    assert enough.converged == 1
    near = np.abs(enough.theta - 5).max(1) < 0.1
    assert near.mean() == pytest.approx(1 - short.converged)


def test_laplace_is_exact_where_the_data_say_nothing(toy):
    data_likelihood, _ = toy
    nothing = data_likelihood.table.libraries[0].take(np.arange(1))
    alone = likelihood.Likelihood(
        data_likelihood.mechanism, data_likelihood.table._replace(libraries=(nothing,))
    )
    prior = laplace.laplace(alone, alone.parameters.prior_mean)
    sd = np.sqrt(np.diag(prior.covariance)) / alone.parameters.prior_sd
    assert np.median(sd[: alone.parameters.physical]) > 0.999
    assert sd.max() < 1 + 1e-6


def test_matrices_are_reported_centred(toy):
    data_likelihood, _ = toy
    theta = np.random.default_rng(0).normal(size=(2, 3, data_likelihood.parameters.size))
    values = physical_units.physical(data_likelihood.parameters, theta)
    block = data_likelihood.parameters.find("b", "bases")
    matrix = theta[1, 2, block.start : block.stop].reshape(5, 3) @ parameters.CONTRASTS.T
    for position in range(5):
        row = np.array([values[f"b[{position},{base}]"][1, 2] for base in "ACGT"])
        np.testing.assert_allclose(row, matrix[position])
        np.testing.assert_allclose(row.sum(), 0, atol=1e-12)


def test_tables_of_adjacent_bases_are_reported_and_judged(two_sites, experiment):
    table = experiment(two_sites(), sequences=40, reads=800).table
    layout = parameters.Parameters.of(two_sites(energies={"b": {"neighbours": True}}), table)
    theta = np.random.default_rng(0).normal(size=(4, 500, layout.size))
    block = layout.find("b", "pairs")
    theta[:2, :, block.start] += 5  # chains that disagree on nothing but a pair
    posterior = posterior_of(layout, theta)
    rows = posterior.table().set_index("name")
    assert len(rows) == 4 * 4 + 5 * 4 + 4 * 16 + 3
    assert set(rows["unit"]) == {"kT"}
    expected = layout.term(theta.mean((0, 1)), "b").pairs
    pairs = np.array([[[f"b[{w},{x}{y}]" for y in "ACGT"] for x in "ACGT"] for w in range(4)])
    np.testing.assert_allclose(rows["mean"].loc[pairs.ravel()], expected.ravel(), atol=1e-12)
    assert rows["r_hat"].drop(pairs[0].ravel()).max() < 1.02
    assert rows["r_hat"].max() > 1.2


@pytest.mark.slow
@pytest.mark.parametrize("simulations", [12, 20])
def test_intervals_hold_the_truth_at_the_nominal_rate(simulations):
    inside = {0.5: [], 0.95: []}
    for seed in range(100, 100 + simulations):
        data_likelihood, truth = experiment(seed)
        gaussian = mode(data_likelihood, truth)
        draws = physical_units.physical(data_likelihood.parameters, gaussian.draws(2000, seed=seed))
        true = physical_units.physical(data_likelihood.parameters, truth[None])
        for name, values in draws.items():
            for level, covered in inside.items():
                lower, upper = np.quantile(values, [0.5 - level / 2, 0.5 + level / 2])
                covered.append(lower <= true[name][0] <= upper)
    # Entries of a matrix are correlated, so the count scatters more than a binomial one.
    assert 0.9 <= np.mean(inside[0.95]) <= 0.995, np.mean(inside[0.95])
    assert 0.35 <= np.mean(inside[0.5]) <= 0.65, np.mean(inside[0.5])


def test_bins_become_relative_splines_where_odds_exist(two_sites, cycle):
    sampled = smooth_bins.bins(two_sites(), knots=9).measurement
    assert (sampled.kind, sampled.hidden, sampled.relative) == ("spline_bins", 9, True)
    logarithmic = two_sites(measurement={"kind": "spline_bins", "read_out": "log_activity"})
    declared = smooth_bins.bins(logarithmic).measurement
    assert (declared.hidden, declared.read_out, declared.relative) == (4, "log_activity", True)
    assert smooth_bins.bins(logarithmic, knots=9).measurement.hidden == 9
    assert smooth_bins.bins(two_sites()).measurement.hidden == smooth_bins.KNOTS
    with pytest.raises(errors.SpecError, match="knots: 2 are too few for a spline"):
        smooth_bins.bins(two_sites(), knots=2)
    fitted = two_sites(activities={"on": {}}, states={"ab": {"activity": "on"}})
    for absolute in (fitted, cycle()):
        assert smooth_bins.bins(absolute).measurement.kind == "spline_bins"
        assert not smooth_bins.bins(absolute).measurement.relative
    gaussian = two_sites(measurement={"kind": "gaussian"})
    assert smooth_bins.bins(gaussian) == gaussian
    with pytest.raises(errors.SpecError, match="kind gaussian has no splines"):
        smooth_bins.bins(gaussian, knots=9)
