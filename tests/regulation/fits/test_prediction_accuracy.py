"""Accuracy on sequences that a fit did not use, against numbers computed by hand."""

import dataclasses

import numpy as np
import pytest

from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.fits import prediction_accuracy


def held_out(fit):
    return fit.likelihood.table.take(np.flatnonzero(fit.side == 2)).libraries[0]


def test_a_read_out_is_judged_on_sequences_that_were_not_fitted(
    two_sites, experiment, arbitrary_fit
):
    mechanism = two_sites(measurement={"kind": "gaussian"})
    fit = arbitrary_fit(mechanism, experiment(mechanism, sequences=600).table)
    (library,) = fit.likelihood.table.libraries
    accuracy = prediction_accuracy.assess(fit, library)
    unseen = held_out(fit)
    assert (accuracy.sequences, accuracy.fitted) == (60, 540)
    np.testing.assert_array_equal(accuracy.measured, unseen.observed[:, 0])
    expected = fit.predict(unseen.sequences).measurement[:, 0]
    np.testing.assert_array_equal(accuracy.expected, expected)
    assert accuracy.r == pytest.approx(np.corrcoef(expected, accuracy.measured)[0, 1])
    error = np.mean((accuracy.measured - expected) ** 2)
    assert accuracy.r2 == pytest.approx(1 - error / accuracy.measured.var())
    assert accuracy.r2 <= accuracy.r**2


def test_reads_in_bins_weigh_their_sequence(two_sites, experiment, arbitrary_fit):
    fit = arbitrary_fit(two_sites(), experiment(two_sites(), sequences=400, reads=4000).table)
    accuracy = prediction_accuracy.assess(fit, fit.likelihood.table.libraries[0])
    unseen = held_out(fit)
    np.testing.assert_array_equal(accuracy.weight, unseen.observed.sum(1))
    reads = np.repeat(np.arange(len(unseen.index)), accuracy.weight.astype(int))
    assert accuracy.r == pytest.approx(
        np.corrcoef(accuracy.expected[reads], accuracy.measured[reads])[0, 1]
    )
    probabilities = fit.predict(unseen.sequences).measurement
    np.testing.assert_allclose(accuracy.expected, probabilities @ np.arange(probabilities.shape[1]))


def test_the_expected_read_out_of_skewed_noise_is_the_mean_of_draws(two_sites):
    from akita_bayes.regulation.layers import read_outs

    layer = read_outs.SkewedNoise()
    outputs = np.array([[1.0], [0.5], [2.0]])
    draws = layer._noisy(np.repeat(outputs, 100_000, 1), np.ones(100_000), np.random.default_rng(0))
    expected = prediction_accuracy.expected_read_out("skewed", outputs.T)
    assert expected[0] == pytest.approx(draws.mean(), abs=0.03)


def test_counts_are_compared_per_exposure(two_sites, experiment, arbitrary_fit):
    mechanism = two_sites(measurement={"kind": "poisson"})
    table = experiment(mechanism, sequences=400).table
    fit = arbitrary_fit(mechanism, table)
    (library,) = table.libraries
    doubled = dataclasses.replace(library, observed=2 * library.observed, weight=2 * library.weight)
    once, twice = (prediction_accuracy.assess(fit, counts) for counts in (library, doubled))
    np.testing.assert_allclose(twice.measured, once.measured)
    assert twice.r2 == pytest.approx(once.r2)


def test_sequences_that_were_fitted_are_not_judged(two_sites, experiment, arbitrary_fit):
    mechanism = two_sites(measurement={"kind": "gaussian"})
    fit = arbitrary_fit(mechanism, experiment(mechanism, sequences=200).table)
    fitted = fit.likelihood.table.take(np.flatnonzero(fit.side < 2)).libraries[0]
    assert prediction_accuracy.assess(fit, fitted) is None
    few = assay_table.Library(
        "", fitted.index[:50], fitted.observed[:50], fitted.columns, fitted.weight[:50]
    )
    assert fit.was_fitted(few.index).all()
