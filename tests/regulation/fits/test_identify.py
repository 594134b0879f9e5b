"""What is said of a fit; judgements, spectra and profiles themselves are in test_fitting."""

import dataclasses

import numpy as np
import pytest

from akita_bayes.regulation.fits import fitting, identify, summary_data


@pytest.fixture(scope="module")
def stopped(two_sites, experiment):
    """A fit by a single epoch of stochastic steps."""
    mechanism = two_sites()
    table = experiment(mechanism, sequences=400).table
    return fitting.fit(mechanism, table, method="adam", epochs=1, starts=1)


def test_of_a_fit_that_has_not_converged_nothing_is_called_identified(stopped):
    assert not stopped.converged
    first, *lines = identify.in_words(stopped).splitlines()
    away = np.sqrt(2 * stopped.gain)
    assert first.startswith(f"Not converged: constants may lie {away:.2g} of their standard")
    assert first.endswith("do not trust the intervals, and call nothing identified.")
    assert any(line.startswith("ab: ") for line in lines)
    assert not any("identified" in line or "determined" in line for line in lines)
    assert fitting.summary(stopped)["convergence"]["doubt"] == first
    assert "\nnot converged: a further step would gain" in summary_data.page(stopped).title


def test_the_distance_from_the_optimum_bounds_that_of_every_constant(stopped):
    """The Newton step of a quadratic density, against what is said of it."""
    random = np.random.default_rng(0)
    root = random.normal(size=(5, 5))
    step = random.normal(size=5)
    gain = step @ np.linalg.inv(root @ root.T) @ step / 2
    sd = np.sqrt(np.diag(root @ root.T))
    assert (np.abs(step) / sd).max() <= np.sqrt(2 * gain)
    short = dataclasses.replace(stopped, gain=gain)
    assert f"may lie {np.sqrt(2 * gain):.2g} of their" in str(short.doubt)
    assert dataclasses.replace(stopped, converged=True).doubt is None


@pytest.mark.parametrize("value", [None, 1.0])
def test_rates_of_which_none_is_given_are_known_up_to_a_factor(cycle, experiment, value):
    true_mechanism = cycle(measurement={"kind": "gaussian"}, truth={"k2": {"constant": 0.5}})
    mechanism = cycle(measurement={"kind": "gaussian"}, rates={"k3": {"value": value}})
    simulated = experiment(true_mechanism, sequences=400, noise=0.1)
    fit = fitting.fit(mechanism, simulated.table, starts=1)
    assert ("up to a factor common to all of them" in identify.in_words(fit)) == (value is None)


def test_a_profile_is_said_to_be_closed_and_a_narrow_posterior_identified(two_sites, experiment):
    """A profile may close on both sides and leave an interval as wide as the prior."""
    mechanism = two_sites(measurement={"kind": "gaussian"})
    fit = fitting.fit(mechanism, experiment(mechanism, sequences=400).table, starts=1)
    ends = {
        "identified": (-9.0, 9.0, "is closed on both sides; 95 % interval -9.00 to 9.00."),
        "weakly identified": (-9.0, None, "is closed on one side; 95 % interval -9.00 to open."),
        "not identified": (None, None, "is open on both sides; 95 % interval open to open."),
    }
    for verdict, (lower, upper, ending) in ends.items():
        profile = identify.Profile("ab", np.zeros(3), np.zeros(3), lower, upper, verdict, 0.0)
        (line,) = [
            line for line in identify.in_words(fit, (profile,)).splitlines() if "profile" in line
        ]
        assert line == f"ab: its profile likelihood {ending}"
