"""Predictions of new sequences, against the matrices, the definition of states, and the network."""

import numpy as np
import pytest
import scipy.special

from akita_bayes import dna, errors
from akita_bayes.regulation.fits import fitted_mechanism
from akita_bayes.regulation.model import network


def sequences(number, length=10):
    rng = np.random.default_rng(1)
    return ["".join(row) for row in rng.choice(list("ACGT"), (number, length))]


def one_hot(letters):
    return np.stack([dna.to_one_hot(row) for row in letters]).astype("float32")


@pytest.mark.parametrize("gauge", ["centred", "consensus", "empirical"])
def test_energies_are_those_of_the_matrices_and_activity_of_the_states(
    two_sites, experiment, arbitrary_fit, gauge
):
    mechanism = two_sites(energies={"b": {"neighbours": True}}, gauge=gauge)
    fit = arbitrary_fit(mechanism, experiment(two_sites(), sequences=60, reads=600).table)
    letters = sequences(7)
    prediction = fit.predict(letters)
    x = one_hot(letters)
    for name in ("a", "b"):
        term = fit.term(name)
        bases = x[:, mechanism.terms[name].bases]
        expected = term.potential[""] + np.einsum("nwb,wb->n", bases, term.matrix)
        if term.pairs is not None:
            expected += np.einsum("nwa,nwb,wab->n", bases[:, :-1], bases[:, 1:], term.pairs)
        np.testing.assert_allclose(prediction.energies[name], expected, atol=1e-10)
    energies = np.stack(list(prediction.energies.values()), axis=1)
    states = scipy.special.softmax(-energies @ mechanism.occupancy.T, axis=1)
    np.testing.assert_allclose(prediction.activity, states @ [0, 0, 1, 1], atol=1e-10)
    np.testing.assert_allclose(prediction.measurement.sum(1), 1)


@pytest.mark.parametrize("kind", ["bins", "gaussian", "skewed", "poisson", "kinetic"])
def test_measurements_are_those_of_the_network(two_sites, cycle, experiment, arbitrary_fit, kind):
    mechanism = cycle() if kind == "kinetic" else two_sites(measurement={"kind": kind})
    table = experiment(mechanism, sequences=60, reads=600).table
    fit = arbitrary_fit(mechanism, table)
    origin, unit = fit.parameters.read_outs[0] if fit.parameters.read_outs else (0.0, 1.0)
    bins = len(table.libraries[0].columns)
    model = network.build(mechanism, bins=bins, origin=origin, unit=unit)
    network.assign(model, fit.parameters, fit.theta)
    letters = sequences(5)
    expected = np.asarray(model(one_hot(letters)))
    np.testing.assert_allclose(fit.predict(letters).measurement, expected, rtol=2e-4, atol=1e-5)


def test_each_library_has_its_own_constants(two_sites, experiment, arbitrary_fit):
    mechanism = two_sites(libraries=["low", "high"], energies={"a": {"per_library": True}})
    fit = arbitrary_fit(mechanism, experiment(mechanism, sequences=60, reads=600).table)
    letters = sequences(4)
    low, high = (fit.predict(letters, library=name) for name in ("low", "high"))
    constant = fit.term("a").constant
    difference = high.energies["a"] - low.energies["a"]
    np.testing.assert_allclose(difference, constant["high"] - constant["low"], atol=1e-10)
    np.testing.assert_array_equal(high.energies["b"], low.energies["b"])
    np.testing.assert_array_equal(fit.predict(letters).activity, low.activity)
    with pytest.raises(errors.DataError, match='the fit has no "hihg"'):
        fit.predict(letters, library="hihg")


def test_batches_change_nothing_and_rna_is_read(two_sites, experiment, arbitrary_fit, monkeypatch):
    fit = arbitrary_fit(two_sites(), experiment(two_sites(), sequences=60, reads=600).table)
    letters = sequences(7)
    whole = fit.predict(letters)
    monkeypatch.setattr(fitted_mechanism, "BATCH", 3)
    parts = fit.predict([row.replace("T", "U") for row in letters])
    np.testing.assert_allclose(parts.measurement, whole.measurement, rtol=1e-12)
    np.testing.assert_allclose(parts.energies["b"], whole.energies["b"], rtol=1e-12)


def test_sequences_of_another_length_or_alphabet_are_refused(two_sites, experiment, arbitrary_fit):
    fit = arbitrary_fit(two_sites(), experiment(two_sites(), sequences=60, reads=600).table)
    with pytest.raises(
        errors.DataError, match='have 9 bases, but the mechanism "two_sites" has 10'
    ):
        fit.predict(["ACGTACGTA"])
    with pytest.raises(errors.DataError, match='row 2 has the letter "N"'):
        fit.predict(["ACGTACGTAC", "ACGTACGTAN"])
