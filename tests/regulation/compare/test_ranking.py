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
    notes = []
    comparison = ranking.compare(
        [BLIND, ADDITIVE, TWO],
        table,
        starts=2,
        seed=0,
        advance=lambda steps, note: notes.append(note),
    )
    assert notes == ["blind", "additive", "two_sites"]
    return comparison


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
    serial, _ = ranking.compare([BLIND, ADDITIVE], table, **options)
    cluster = workers.Cluster(2, start=console.quiet)
    parallel, judged = ranking.compare([BLIND, ADDITIVE], table, cluster=cluster, **options)
    columns = [name for name in serial if name != "seconds"]
    pd.testing.assert_frame_equal(parallel[columns], serial[columns], check_exact=True)
    assert judged[0].fit.likelihood.rows == 300


def test_log_likelihood_is_that_of_the_held_out_sequences(ranked):
    table, judged = ranked
    for row, judgement in zip(table.to_dict("records"), judged, strict=True):
        np.testing.assert_allclose(row["log_likelihood"], judgement.fit.held_out.log_likelihood)
        assert len(judgement.log_likelihood) == (judgement.fit.side == 2).sum()
        behind = judged[0].log_likelihood.sum() - judgement.log_likelihood.sum()
        np.testing.assert_allclose(row["behind"], behind)


def test_information_is_that_of_the_held_out_sequences(ranked):
    table, judged = ranked
    for row, judgement in zip(table.to_dict("records"), judged, strict=True):
        unseen = judgement.fit.likelihood.table.take(np.flatnonzero(judgement.fit.side == 2))
        (library,) = unseen.libraries
        data_likelihood = likelihood.Likelihood(
            judgement.fit.mechanism, unseen, parameters=judgement.fit.parameters, dtype="float64"
        )
        activity = np.asarray(data_likelihood.activity(judgement.fit.theta[None]))[0]
        estimate = information.predictive(activity, library.observed)
        np.testing.assert_allclose(row["predictive_bits"], estimate.bits)
        np.testing.assert_allclose(row["predictive_error"], estimate.standard_error)


def test_pairing_removes_what_is_hard_for_all():
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 100, 5000)
    first, second = hard + rng.normal(0.1, 1, 5000), hard + rng.normal(0, 1, 5000)
    difference, lower, upper = ranking.paired_bootstrap(first, second)
    np.testing.assert_allclose(difference, (first - second).sum())
    expected = 2 * 1.96 * np.sqrt(2 * 5000)
    assert abs((upper - lower) / expected - 1) < 0.1
    assert lower < 500 < upper


def test_only_what_fits_the_same_data_can_be_compared():
    with pytest.raises(errors.SpecError, match="have the same name"):
        ranking.compare([TWO, TWO], None)
    changed = BLIND.model_copy(update={"libraries": ("x",)})
    with pytest.raises(errors.SpecError, match='"blind" fits other data than "two_sites"'):
        ranking.compare([TWO, changed], None)
    measurement = BLIND.measurement.model_copy(update={"leave_out": ("0",)})
    changed = BLIND.model_copy(update={"measurement": measurement})
    with pytest.raises(errors.SpecError, match='"blind" fits other data than "two_sites"'):
        ranking.compare([TWO, changed], None)


def test_a_table_that_suits_only_some_is_refused_before_the_first_fit(monkeypatch):
    design = simulator.Design(sequences=50, mutation_rate=0.35, reads=500, bins=4, noise=0.3)
    table = simulator.simulate(TWO, design, seed=1).table
    spec = ADDITIVE.model_copy(update={"name": "longer", "sequence_length": 9})
    monkeypatch.setattr(ranking.fitting, "fit", None)  # calling it is a TypeError
    with pytest.raises(errors.DataError, match='have 8 bases, but the mechanism "longer"'):
        ranking.compare([TWO, spec], table)
