import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors, workers
from akita_bayes.cli import console
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import simulated_assay as simulator
from akita_bayes.regulation.compare import ranking
from akita_bayes.regulation.fits import information
from akita_bayes.regulation.model import likelihood

WILD = "ACGTACGT"
STATES = {
    "free": {},
    "a": {"energies": ["a"]},
    "b": {"energies": ["b"], "activity": 1},
    "ab": {"energies": ["a", "b", "ab"], "activity": 1},
}


def mechanism(name, energies, spec_states, **extra):
    return mechanism_spec.parse(
        {
            "kind": "thermodynamic",
            "name": name,
            "sequence_length": 8,
            "wild_type": WILD,
            "energies": energies,
            "states": spec_states,
            "measurement": {"kind": "spline_bins", "hidden": 5, "weight_prior": {"sd": 3}},
            **extra,
        }
    )


TWO = mechanism(
    "two_sites",
    {"a": {"site": [0, 4]}, "b": {"site": [4, 8]}, "ab": {}},
    STATES,
    truth={"a": {"constant": -1.0}, "b": {"constant": 1.0}, "ab": {"constant": -4.0}},
)
ADDITIVE = mechanism(
    "additive",
    {"all": {"site": [0, 8]}},
    {"off": {}, "on": {"energies": ["all"], "activity": 1}},
)
BLIND = mechanism(
    "blind", {"all": {"site": [0, 4]}}, {"off": {}, "on": {"energies": ["all"], "activity": 1}}
)


@pytest.fixture(scope="module")
def ranked():
    design = simulator.Design(sequences=4000, mutation_rate=0.35, reads=60_000, bins=4, noise=0.3)
    table = simulator.simulate(TWO, design, seed=1).table
    told = []
    found = ranking.compare(
        [BLIND, ADDITIVE, TWO],
        table,
        starts=2,
        seed=0,
        advance=lambda steps, note: told.append(note),
    )
    assert told == ["blind", "additive", "two_sites"]
    return found


def test_the_mechanism_that_made_the_data_is_ahead_beyond_chance(ranked):
    table, judged = ranked
    assert list(table["name"]) == ["two_sites", "additive", "blind"]
    assert table["behind"][0] == 0
    assert (table["behind_lower"][1:] > 0).all()
    assert (np.diff(table["predictive_bits"]) < 0).all()
    assert (np.diff(table["variational_bits"]) < 0).all()
    # The likelihood cannot hold more than the prediction does, up to noise.
    slack = 3 * (table["predictive_error"] + table["variational_error"]) + 0.02
    assert (table["variational_bits"] < table["predictive_bits"] + slack).all()
    np.testing.assert_array_equal(judged[0].fit.side, judged[2].fit.side)


@pytest.mark.slow
def test_workers_find_the_same():
    design = simulator.Design(sequences=300, mutation_rate=0.35, reads=6000, bins=4, noise=0.3)
    table = simulator.simulate(TWO, design, seed=1).table
    options = {"starts": 1, "seed": 0}
    here, _ = ranking.compare([BLIND, ADDITIVE], table, **options)
    cluster = workers.Cluster(2, start=console.quiet)
    there, judged = ranking.compare([BLIND, ADDITIVE], table, cluster=cluster, **options)
    columns = [name for name in here if name != "seconds"]
    pd.testing.assert_frame_equal(there[columns], here[columns], check_exact=True)
    assert judged[0].fit.likelihood.rows == 300


def test_log_likelihood_is_that_of_the_held_out_sequences(ranked):
    table, judged = ranked
    for row, one in zip(table.to_dict("records"), judged, strict=True):
        np.testing.assert_allclose(row["log_likelihood"], one.fit.held_out.log_likelihood)
        assert len(one.log_likelihood) == (one.fit.side == 2).sum()
        behind = judged[0].log_likelihood.sum() - one.log_likelihood.sum()
        np.testing.assert_allclose(row["behind"], behind)


def test_information_is_that_of_the_held_out_sequences(ranked):
    table, judged = ranked
    for row, one in zip(table.to_dict("records"), judged, strict=True):
        unseen = one.fit.likelihood.table.take(np.flatnonzero(one.fit.side == 2))
        (library,) = unseen.libraries
        held = likelihood.Likelihood(
            one.fit.mechanism, unseen, parameters=one.fit.parameters, dtype="float64"
        )
        activity = np.asarray(held.activity(one.fit.theta[None]))[0]
        found = information.predictive(activity, library.observed)
        np.testing.assert_allclose(row["predictive_bits"], found.bits)
        np.testing.assert_allclose(row["predictive_error"], found.standard_error)


def test_pairing_removes_what_is_hard_for_all():
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 100, 5000)
    one, other = hard + rng.normal(0.1, 1, 5000), hard + rng.normal(0, 1, 5000)
    difference, lower, upper = ranking.paired_bootstrap(one, other)
    np.testing.assert_allclose(difference, (one - other).sum())
    expected = 2 * 1.96 * np.sqrt(2 * 5000)
    assert abs((upper - lower) / expected - 1) < 0.1
    assert lower < 500 < upper


def test_only_what_fits_the_same_data_can_be_compared():
    with pytest.raises(errors.SpecError, match="have the same name"):
        ranking.compare([TWO, TWO], None)
    other = BLIND.model_copy(update={"libraries": ("x",)})
    with pytest.raises(errors.SpecError, match='"blind" fits other data than "two_sites"'):
        ranking.compare([TWO, other], None)
    measurement = BLIND.measurement.model_copy(update={"leave_out": ("0",)})
    other = BLIND.model_copy(update={"measurement": measurement})
    with pytest.raises(errors.SpecError, match='"blind" fits other data than "two_sites"'):
        ranking.compare([TWO, other], None)


def test_a_table_that_suits_only_some_is_refused_before_the_first_fit(monkeypatch):
    design = simulator.Design(sequences=50, mutation_rate=0.35, reads=500, bins=4, noise=0.3)
    table = simulator.simulate(TWO, design, seed=1).table
    spec = ADDITIVE.model_copy(update={"name": "longer", "sequence_length": 9})
    monkeypatch.setattr(ranking.fitting, "fit", None)  # calling it is a TypeError
    with pytest.raises(errors.DataError, match='have 8 bases, but the mechanism "longer"'):
        ranking.compare([TWO, spec], table)
