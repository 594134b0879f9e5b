import dataclasses
import logging
import types

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.fits import (
    fitted_mechanism,
    fitting,
    identify,
    initial,
    quasi_newton,
)
from akita_bayes.regulation.model import curvature, gauge, likelihood


@pytest.fixture(scope="module")
def simulated(two_sites, experiment):
    return experiment(two_sites(measurement={"kind": "gaussian"}), noise=0.3)


@pytest.fixture(scope="module")
def fit(simulated, two_sites):
    return fitting.fit(two_sites(measurement={"kind": "gaussian"}), simulated.table, starts=3)


def test_the_truth_is_recovered_within_its_interval(fit, simulated):
    assert fit.converged
    assert fit.gain < quasi_newton.ARRIVED
    truth = simulated.truth
    for name in ("a", "b"):
        matrix = fit.term(name).matrix
        assert np.corrcoef(matrix.ravel(), truth.matrices[name].ravel())[0, 1] > 0.99
    for name, interval in {**fit.energies, **fit.wild_type}.items():
        sd = (interval.upper - interval.mean) / fitted_mechanism.Z95
        # Four standard deviations: the fit has a mechanism and noise of its own to learn.
        assert abs(interval.mean - truth.constants[name][""]) < 4 * sd, name
    assert fit.energies["ab"].upper < 0


@pytest.mark.slow
def test_the_seed_decides_the_split_and_not_the_optimum(fit, simulated):
    again = fitting.fit(fit.mechanism, simulated.table, starts=2, seed=0)
    np.testing.assert_array_equal(again.side, fit.side)
    physical = slice(0, fit.parameters.physical)
    sd = np.sqrt(np.diag(fit.covariance))
    assert (np.abs(again.theta - fit.theta) / sd)[physical].max() < 0.2


@pytest.mark.slow
def test_a_mirrored_optimum_is_turned_over(simulated, monkeypatch, fit):
    """Whatever image the ascent finds, the wild type binds in the one that is reported."""
    mirror = gauge.mirrors(fit.mechanism)[1]
    original = quasi_newton.maximise

    def mirrored(*arguments, **keywords):
        optimum = original(*arguments, **keywords)
        return optimum._replace(theta=gauge.apply(mirror, fit.parameters, optimum.theta))

    monkeypatch.setattr(quasi_newton, "maximise", mirrored)
    turned = fitting.fit(fit.mechanism, simulated.table, starts=1)
    assert turned.mirrored
    assert not fit.mirrored
    assert min(gauge.binding(turned.parameters, turned.theta).values()) > 0
    assert turned.energies["ab"].mean == pytest.approx(fit.energies["ab"].mean, abs=0.1)


def test_a_summary_has_both_units_and_the_correlations(fit, simulated):
    references = {"a": simulated.truth.matrices["a"] + 3.0, "b": -simulated.truth.matrices["b"]}
    summary = fitting.summary(fit, references)
    energy = summary["energies"]["ab"]
    assert energy["kcal_per_mol"]["lower"] == pytest.approx(energy["lower"] * 0.61633, rel=1e-4)
    assert energy["lower"] < energy["mean"] < energy["upper"]
    assert summary["correlation"]["a"] > 0.99
    assert summary["correlation"]["b"] < -0.99
    smaller = {"a": simulated.truth.matrices["a"] * 0.61633}
    slope, in_kcal = (
        fitting.summary(fit, matrices)["slope"]["a"] for matrices in (references, smaller)
    )
    # The optimum shrinks scales.
    assert 0.7 < slope["kT"] < 1.1
    assert in_kcal["kcal_per_mol"] == pytest.approx(slope["kT"], rel=1e-4)
    assert fit.slopes({"a": 2 * fit.term("a").matrix + 1}) == {"a": pytest.approx(0.5)}
    assert summary["convergence"]["converged"]
    assert summary["rate_law"].startswith("t = ")
    bits = summary["held_out"]["information_bits"]
    assert bits["per"] == "read-out"
    # The signal explains most of the variance, so that 0.5 log2(1 / (1 - R2)) is above 1.
    assert 0.8 < bits["bits"] < 4
    assert summary["held_out"]["sequences"] == (fit.side == 2).sum()


def test_a_term_is_in_the_gauge_that_is_asked_for(fit):
    np.testing.assert_allclose(fit.term("a").matrix.sum(1), 0, atol=1e-9)
    consensus = fit.term("a", "consensus").matrix
    np.testing.assert_allclose(consensus[range(4), [0, 1, 2, 3]], 0, atol=1e-9)


@pytest.fixture(scope="module")
def sorted_cells(two_sites, experiment):
    return experiment(two_sites(), sequences=2000)


@pytest.mark.parametrize("method", ["adam", "quasi-newton"])
@pytest.mark.slow
def test_bins_are_fitted_either_way_and_inform(sorted_cells, two_sites, method):
    fit = fitting.fit(two_sites(), sorted_cells.table, method=method, starts=2, epochs=60)
    truth = sorted_cells.truth
    good = 0.97 if method == "quasi-newton" else 0.9
    for name in ("a", "b"):
        matrix = fit.term(name).matrix
        assert np.corrcoef(matrix.ravel(), truth.matrices[name].ravel())[0, 1] > good
    estimate = fit.held_out.information
    assert estimate.bits > 0.2
    assert 0 < estimate.standard_error < estimate.bits / 3
    assert fit.method == method
    assert fit.converged == (method == "quasi-newton")


def test_what_cannot_be_fitted_is_refused(sorted_cells, two_sites, simulated):
    with pytest.raises(errors.SpecError, match='unknown "newton"\\. Did you mean "quasi-newton"'):
        fitting.fit(two_sites(), sorted_cells.table, method="newton")
    relative = two_sites(measurement={"relative": True})
    with pytest.raises(errors.SpecError, match="adam cannot follow the wild type's activity"):
        fitting.fit(relative, sorted_cells.table, method="adam")
    with pytest.raises(errors.DataError, match='no library "high"'):
        fitting.fit(two_sites(libraries=["high"]), sorted_cells.table)
    advice = r'as "bins", .* \(value\); declare "gaussian", "skewed" or "outliers"'
    with pytest.raises(errors.DataError, match=advice):
        fitting.fit(two_sites(), simulated.table)


@pytest.mark.parametrize(
    "measurement",
    [
        {"kind": "gaussian"},
        {"kind": "skewed"},
        {"kind": "poisson"},
        {"kind": "monotone_bins", "hidden": 4, "leave_out": ["0"]},
        {"kind": "spline_bins", "hidden": 5, "read_out": "log_activity"},
    ],
    ids=lambda measurement: measurement["kind"],
)
@pytest.mark.slow
def test_stochastic_steps_fit_every_measurement(two_sites, experiment, measurement):
    mechanism = two_sites(measurement=measurement)
    simulated = experiment(mechanism, sequences=2000, noise=0.3)
    fit = fitting.fit(mechanism, simulated.table, method="adam", starts=1, epochs=40)
    matrix, truth = fit.term("b").matrix, simulated.truth.matrices["b"]
    assert np.corrcoef(matrix.ravel(), truth.ravel())[0, 1] > 0.9


@pytest.mark.slow
def test_stochastic_steps_begin_without_the_test_sequences(two_sites, experiment, monkeypatch):
    mechanism = two_sites(measurement={"kind": "gaussian"})
    table = experiment(mechanism, sequences=200).table
    tables, additive = [], initial.additive

    def watched(parameters, table):
        tables.append(table)
        return additive(parameters, table)

    monkeypatch.setattr(initial, "additive", watched)
    fit = fitting.fit(mechanism, table, method="adam", epochs=1, starts=1)
    ((training,),) = (fitted_table.libraries for fitted_table in tables)
    np.testing.assert_array_equal(training.index, table.libraries[0].index[fit.side == 0])
    assert fit.held_out.reads == (fit.side == 2).sum()  # read-outs, not their sum


def test_stochastic_steps_fit_one_library(two_sites, experiment):
    mechanism = two_sites(libraries=["low", "high"])
    table = experiment(mechanism, sequences=60, reads=600).table
    with pytest.raises(errors.SpecError, match="adam fits one library, and there are 2"):
        fitting.fit(mechanism, table, method="adam", epochs=1)


def test_judgements_tell_what_the_data_narrow(fit, caplog):
    caplog.set_level(logging.INFO)
    judged = {judgement.name: judgement for judgement in identify.judge(fit)}
    assert judged["ab"].verdict == "identified"
    assert judged["ab"].sd < identify.STRONG * judged["ab"].prior_sd
    words = identify.in_words(fit)
    assert "ab: identified" in words
    assert "a.bases: 12 of 12 contrasts identified" in words


def test_the_spectrum_is_of_information_beyond_the_prior(fit):
    spectrum = identify.spectrum(fit)
    assert len(spectrum.values) == len(spectrum.names) == fit.parameters.physical
    assert (np.diff(spectrum.values) <= 0).all()
    assert spectrum.values[-1] > 1  # every direction is known better than by the prior
    # The precision of the marginal posterior is that of the data and the prior together.
    count, sd = fit.parameters.physical, fit.parameters.prior_sd
    marginal = (fit.covariance / np.outer(sd, sd))[:count, :count]
    rebuilt = (spectrum.vectors * (spectrum.values + 1)) @ spectrum.vectors.T
    np.testing.assert_allclose(rebuilt @ marginal, np.eye(count), atol=1e-3)


def test_a_profile_ends_where_the_likelihood_excludes(fit, simulated):
    profile = identify.profile(fit, "ab")
    assert profile.verdict == "identified"
    assert profile.lower < fit.interval("ab").mean < profile.upper
    assert profile.lower < simulated.truth.constants["ab"][""] < profile.upper
    assert profile.drop.min() == 0
    assert profile.drop[[0, -1]].min() > identify.DROP95
    assert f"{profile.lower:.2f} to {profile.upper:.2f}" in identify.in_words(fit, (profile,))


def test_a_profile_is_the_curvature_where_the_likelihood_is_gaussian(fit):
    name = "b.bases[0,0]"
    profile, laplace = identify.profile(fit, name), fit.interval(name)
    assert profile.upper - profile.lower == pytest.approx(laplace.upper - laplace.lower, rel=0.3)


@pytest.mark.parametrize("short", [3.0, -3.0, 0.0])
def test_a_profile_is_measured_from_the_best_point_that_it_finds(short):
    """A fit that stopped short lies outside the interval; that of a Gaussian is +- 1.96 sd."""
    covariance = np.array([[4.0, 1.2], [1.2, 1.0]])
    precision = np.linalg.inv(covariance)

    def value_and_gradient(theta, weight):
        value = -0.5 * np.einsum("si,ij,sj->s", theta, precision, theta)
        return likelihood.ValueAndGradient(value, -theta @ precision)

    stopped = types.SimpleNamespace(
        parameters=types.SimpleNamespace(
            names=("x", "y"),
            index=("x", "y").index,
            prior_mean=np.zeros(2),
            prior_sd=np.full(2, 1e3),
            natural=lambda theta: theta,
        ),
        covariance=covariance,
        theta=short * covariance[0] / 2.0,
        fitted=None,
        likelihood=types.SimpleNamespace(value_and_gradient=value_and_gradient),
    )
    profile = identify.profile(stopped, "x")
    assert profile.lower == pytest.approx(-fitted_mechanism.Z95 * 2, abs=0.02)
    assert profile.upper == pytest.approx(fitted_mechanism.Z95 * 2, abs=0.02)
    assert profile.better == pytest.approx(short**2 / 2, abs=0.01)
    assert profile.verdict == "identified"


def test_a_lower_optimum_is_reported(fit):
    profile = identify.profile(fit, "ab")
    assert "nats above the fit's" not in identify.in_words(fit, (profile,))
    better = profile._replace(better=15.5)
    assert "found an optimum 15.5 nats above the fit's" in identify.in_words(fit, (better,))


def test_what_the_data_do_not_hold_is_said_to_be_open(experiment):
    """A site that no mutant of the library touches: its energy and its interaction are open."""
    spec = {
        "kind": "thermodynamic",
        "name": "blind",
        "sequence_length": 6,
        "wild_type": "ACGTAC",
        "energies": {"a": {"site": [0, 6]}, "hidden": {"prior": {"sd": 3.0}}},
        "states": {
            "free": {},
            "a": {"energies": ["a"], "activity": 1},
            "b": {"energies": ["hidden"], "activity": 0},
        },
        "measurement": {"kind": "gaussian"},
        "truth": {"a": {"constant": 3.0}, "hidden": {"constant": 4.0}},
    }
    mechanism = mechanism_spec.parse(spec)
    table = experiment(mechanism, sequences=300, noise=1.0).table
    fit = fitting.fit(mechanism, table, starts=1)
    verdicts = {judgement.name: judgement.verdict for judgement in identify.judge(fit)}
    assert verdicts["hidden"] != "identified"
    # However little the other state is populated, the affinity of the site makes up for it.
    assert identify.profile(fit, "hidden").upper is None
    assert f"hidden: {verdicts['hidden']}" in identify.in_words(fit)


@pytest.mark.slow
def test_libraries_share_energies_and_keep_constants_of_their_own(two_sites, experiment):
    shared = {"energies": {"b": {"per_library": True}}, "measurement": {"kind": "gaussian"}}
    simulated = experiment(
        two_sites(**shared, libraries=["low", "high"]), sequences=1500, noise=0.1
    )
    joint = fitting.fit(two_sites(**shared, libraries=["low", "high"]), simulated.table, starts=2)
    alone = fitting.fit(two_sites(**shared, libraries=["low"]), simulated.table, starts=2)
    assert joint.converged
    assert set(joint.wild_type) == {"a", "b[low]", "b[high]"}
    truth = simulated.truth
    for name in ("a", "b"):
        matrix = joint.term(name).matrix
        assert np.corrcoef(matrix.ravel(), truth.matrices[name].ravel())[0, 1] > 0.99
    for name, library in (("b[low]", "low"), ("b[high]", "high")):
        interval = joint.wild_type[name]
        sd = (interval.upper - interval.lower) / 2 / fitted_mechanism.Z95
        assert abs(interval.mean - truth.constants["b"][library]) < 4 * sd

    def width(fit):
        return fit.energies["ab"].upper - fit.energies["ab"].lower

    assert width(joint) < 0.75 * width(alone)


def test_energies_do_not_depend_on_the_unit_of_a_read_out(fit, simulated, two_sites):
    (library,) = simulated.table.libraries
    scaled = dataclasses.replace(library, observed=100 * library.observed + 7)
    table = simulated.table._replace(libraries=(scaled,))
    rescaled = fitting.fit(two_sites(measurement={"kind": "gaussian"}), table, starts=3)
    # The posterior is the same, up to the unit of a density.
    thetas = np.stack([fit.theta, rescaled.theta, fit.parameters.prior_mean])
    lost = np.log(100) * simulated.table.rows
    before, after = (
        np.asarray(fitted.likelihood.log_posterior_fixed_scale(thetas))
        for fitted in (fit, rescaled)
    )
    np.testing.assert_allclose(after, before - lost, rtol=1e-5)
    # An ascent ends within a fraction of a standard deviation of the optimum.
    for name, interval in {**fit.energies, **fit.wild_type}.items():
        sd = (interval.upper - interval.lower) / 2 / fitted_mechanism.Z95
        assert abs(rescaled.interval(name).mean - interval.mean) < 0.3 * sd
    offset, new_offset = (fitted.interval("measurement.offset").mean for fitted in (fit, rescaled))
    assert new_offset == pytest.approx(100 * offset + 7, abs=2)


def test_an_ascent_comes_back_from_a_step_that_overflows():
    def density(thetas):
        (x,) = thetas[0]
        beyond = abs(x) > 5
        value = np.nan if beyond else -((x - 3.0) ** 2) * 50
        gradient = np.inf if beyond else -100 * (x - 3.0)
        return likelihood.ValueAndGradient(np.array([value]), np.array([[gradient]]))

    optimum = quasi_newton.climb(density, np.array([-4.0]), np.array([[20.0]]))
    assert optimum.theta == pytest.approx([3.0], abs=0.01)


@pytest.mark.slow
def test_a_library_that_went_astray_alone_takes_the_constants_of_the_others(
    two_sites, experiment, monkeypatch
):
    """`a` at 40 kT is never bound in `high`, where no slope says so; its p(bin | t) makes up."""
    mechanism = two_sites(
        libraries=["low", "mid", "high"],
        energies={"a": {"per_library": True, "prior": {"mean": 40.0, "sd": 20.0}}},
        measurement={"kind": "spline_bins", "hidden": 8},
        truth={"a": {"constant": {"low": -2.0, "mid": 0.0, "high": 3.0}}},
    )
    data_likelihood = likelihood.Likelihood(mechanism, experiment(mechanism, sequences=800).table)
    everything = np.ones(data_likelihood.rows)
    astray = data_likelihood.parameters.start(np.random.default_rng(0))
    for library, energy in (("low", -2.0), ("mid", 0.0), ("high", 40.0)):
        astray[data_likelihood.parameters.find("a", "constant", library).start] = energy
    rough = curvature.hessian_of(data_likelihood)
    climbed = quasi_newton._climb_all(data_likelihood, everything, rough, astray, rounds=6)
    assert data_likelihood.parameters.term(climbed.theta, "a").constant["high"] > 20
    monkeypatch.setattr(quasi_newton, "_compete", lambda *_: [climbed])
    optimum = quasi_newton.maximise(data_likelihood, np.zeros(data_likelihood.rows, np.int64))
    constants = data_likelihood.parameters.term(optimum.theta, "a").constant
    for library, energy in (("low", -2.0), ("mid", 0.0), ("high", 3.0)):
        assert constants[library] == pytest.approx(energy, abs=0.5)
    log_posterior = data_likelihood.value_and_gradient(optimum.theta[None]).value[0]
    assert log_posterior > climbed.value + 100


def test_fewer_sequences_than_parameters_are_warned_of(two_sites, experiment, caplog, monkeypatch):
    monkeypatch.setattr(quasi_newton, "maximise", None)  # calling it is a TypeError
    mechanism = two_sites(measurement={"kind": "gaussian"})
    table = experiment(mechanism, sequences=400).table
    for rows, warned in ((20, True), (300, False)):
        caplog.clear()
        with caplog.at_level(logging.INFO, "akita_bayes"), pytest.raises(TypeError):
            fitting.fit(mechanism, table.take(np.arange(rows)))
        messages = [record.message for record in caplog.records if record.levelname == "WARNING"]
        assert any("fewer sequences than parameters" in line for line in messages) == warned


@pytest.mark.slow
def test_rates_of_a_kinetic_mechanism_are_recovered_within_their_intervals(cycle, experiment):
    """With sequence in both steps and one rate given, 1 / t has four terms for four unknowns."""
    changes = {
        "rates": {
            "k-1": {"site": None},
            "k2": {"site": [5, 10]},
        },
        "measurement": {"kind": "gaussian"},
        "truth": {name: {"constant": 1.0} for name in ("k1", "k-1", "k2")},
    }
    covered = []
    for seed in range(6):
        simulated = experiment(cycle(**changes), seed=seed, sequences=1000, noise=0.1)
        fit = fitting.fit(cycle(**changes), simulated.table, starts=1, seed=seed)
        assert fit.converged
        assert min(fit.correlations(simulated.truth.matrices).values()) > 0.95
        for name, interval in {**fit.wild_type, **fit.energies}.items():
            assert interval.upper - interval.lower < 1.0, name  # of a prior of +- 5
            covered.append(interval.lower < simulated.truth.constants[name][""] < interval.upper)
    # The three constants of an experiment miss together. At 95 % three of six experiments miss
    # once in 500 times.
    assert len(covered) == 18
    assert sum(covered) >= 12
