import numpy as np
import pandas as pd
import pytest

from akita_bayes.regulation.compare import ranking
from akita_bayes.regulation.fits import fitting
from akita_bayes.regulation.model import smooth_bins
from akita_bayes.regulation.posterior import assumptions, laplace, modes


def names(mechanism):
    return [
        alternative.name.removeprefix(mechanism.name)
        for alternative in assumptions.alternatives(mechanism)
    ]


def test_bins_are_seen_otherwise_and_every_read_out_has_wide_priors_too(two_sites):
    declared = two_sites()
    alternatives = {
        alternative.name: alternative for alternative in assumptions.alternatives(declared)
    }
    assert list(alternatives) == [
        "two_sites",
        "two_sites, odds",
        "two_sites, log odds",
        "two_sites, wide priors",
        "two_sites, odds, wide priors",
        "two_sites, log odds, wide priors",
    ]
    assert alternatives["two_sites"] == declared
    for label, read_out in (("odds", "activity"), ("log odds", "log_activity")):
        measurement = alternatives[f"two_sites, {label}"].measurement
        assert (measurement.kind, measurement.relative) == ("spline_bins", True)
        assert measurement.read_out == read_out
        wide = alternatives[f"two_sites, {label}, wide priors"]
        assert wide.measurement == measurement
        assert [wide.energies[name].base_prior.sd for name in "ab"] == [5.0, 5.0]
        assert wide.energies["ab"].prior == declared.energies["ab"].prior


def test_what_is_declared_is_not_fitted_twice(two_sites):
    splines = {"kind": "spline_bins", "hidden": 5, "relative": True, "weight_prior": {"sd": 3}}
    assert names(two_sites(measurement=splines)) == [
        "",
        ", log odds",
        ", wide priors",
        ", log odds, wide priors",
    ]


def test_curves_have_the_knots_that_are_declared_or_few(two_sites):
    splines = {"kind": "spline_bins", "hidden": 5, "relative": True, "weight_prior": {"sd": 3}}
    declared = assumptions.alternatives(two_sites(measurement=splines))
    assert {alternative.measurement.hidden for alternative in declared} == {5}
    alternatives = assumptions.alternatives(two_sites())
    curves = [alternative for alternative in alternatives if "odds" in alternative.name]
    assert {alternative.measurement.hidden for alternative in curves} == {assumptions.KNOTS}
    assert assumptions.KNOTS < smooth_bins.KNOTS


@pytest.mark.parametrize(
    ("kind", "labels"), [("gaussian", [", skewed"]), ("skewed", [", gaussian"]), ("poisson", [])]
)
def test_read_outs_without_bins_change_their_noise(two_sites, kind, labels):
    declared = two_sites(measurement={"kind": kind})
    assert names(declared) == [*(every := ["", *labels]), *(f"{o}, wide priors" for o in every)]


def test_rates_have_wide_priors_and_no_odds(cycle):
    alternatives = assumptions.alternatives(cycle())
    assert names(cycle())[1:3] == [", activity", ", log activity"]
    assert not any(alternative.measurement.relative for alternative in alternatives)
    assert [alternatives[-1].rates[name].base_prior.sd for name in ("k1", "k-1")] == [5.0, 5.0]


def table(**columns):
    return pd.DataFrame(columns)


CONSTANTS = table(
    mechanism=["m", "m", "n", "n", "o"],
    name=["x", "y", "x", "y", "x"],
    unit=["kT"] * 5,
    mean=[0.0, 5.0, 2.0, 6.0, 9.0],
    lower=[-1.0, 4.5, 1.5, 5.0, 8.0],
    upper=[1.0, 5.5, 2.5, 7.0, 10.0],
)


@pytest.mark.parametrize(
    ("behind", "evidence"),
    [
        ([0.0, -1.0, 0.5], [np.nan] * 3),  # o is behind on sequences that no fit saw
        (
            [0.0, -1.0, -2.0],
            [-100.0, np.nan, -100.1 - assumptions.DOUBT],
        ),  # or by evidence; n has none
    ],
)
def test_ranges_unite_the_intervals_that_the_data_do_not_reject(behind, evidence):
    ranked = table(name=["m", "n", "o"], behind_lower=behind, log_evidence=evidence)
    supported = assumptions.supported(ranked)
    assert supported == ["m", "n"]
    ranges = assumptions.ranges(CONSTANTS, supported).set_index("name")
    assert ranges.loc["x"].to_dict() == {
        "unit": "kT",
        "lower": -1.0,
        "upper": 2.5,
        "widest": 2.0,
        "mechanisms": 2,
    }
    assert ranges.loc["y", ["lower", "upper"]].tolist() == [4.5, 7.0]


def test_ranges_are_of_constants_that_all_of_them_have():
    assert list(assumptions.ranges(CONSTANTS, ["m", "n", "o"])["name"]) == ["x"]


@pytest.fixture(scope="module")
def judged(two_sites, experiment):
    """The read-out that was simulated, log-normal, and its alternatives with declared priors."""
    table = experiment(two_sites(), sequences=1500, noise=0.8, bins=6).table
    three = assumptions.alternatives(two_sites())[:3]
    return [
        ranking.judge(fitting.fit(alternative, table, starts=2, seed=0)) for alternative in three
    ]


@pytest.mark.slow
def test_evidence_is_that_of_the_sampled_prior_and_of_no_hidden_unit(judged):
    hidden, odds, _ = judged
    assert hidden.log_evidence is None
    mode = laplace.laplace(odds.fit.likelihood, odds.fit.theta).mode  # of all sequences
    expected = modes.log_evidence(odds.fit.likelihood, mode)
    np.testing.assert_allclose(odds.log_evidence, expected, rtol=1e-6)


@pytest.mark.slow
def test_constants_are_those_of_every_fit_in_both_units(judged):
    constants = ranking.constants(judged)
    assert list(constants["name"]) == ["a", "b", "ab"] * 3
    for judgement, (_, rows) in zip(
        judged, constants.groupby("mechanism", sort=False), strict=True
    ):
        row = rows.set_index("name").loc["ab"]
        assert (row["mean"], row["lower"], row["upper"]) == judgement.fit.energies["ab"]
        np.testing.assert_allclose(row["lower_kcal"], 0.616331 * row["lower"], rtol=1e-5)


@pytest.mark.slow
def test_evidence_tells_the_scale_on_which_bins_were_cut_where_held_out_sequences_do_not(judged):
    _, odds, log_odds = judged
    assert log_odds.log_evidence > odds.log_evidence + modes.NEAR
    _, lower, upper = ranking.paired_bootstrap(log_odds.log_likelihood, odds.log_likelihood)
    assert lower < 0 < upper
