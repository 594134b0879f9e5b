"""Moments against formulas on whole arrays; scipy.stats is the judge of Pearson's r."""

import numpy as np
import pytest
import scipy.stats

from akita_bayes.numerics import moments


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    truth = random.normal(3, 2, (7, 50, 3))
    prediction = 0.5 * truth + random.normal(-1, 1, truth.shape)
    return truth, prediction, random.random(truth.shape) > 0.3


def test_accuracies_are_those_of_the_measured_pixels(arrays):
    truth, prediction, mask = arrays
    result = moments.Moments.of(truth, prediction, mask)
    for target in range(3):
        y, p = (a[..., target][mask[..., target]] for a in (truth, prediction))
        assert result.count[target] == len(y)
        assert result.pearson()[target] == pytest.approx(scipy.stats.pearsonr(y, p)[0], abs=1e-12)
        assert result.mse()[target] == pytest.approx(((y - p) ** 2).mean(), rel=1e-12)
        r2 = 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum()
        assert result.r2()[target] == pytest.approx(r2, abs=1e-12)


def test_merging_batches_equals_all_at_once(arrays):
    truth, prediction, mask = arrays
    merged = moments.Moments.zeros(3)
    for start in range(0, 7, 2):
        part = slice(start, start + 2)
        merged = merged.merge(moments.Moments.of(truth[part], prediction[part], mask[part]))
    whole = moments.Moments.of(truth, prediction, mask)
    np.testing.assert_allclose(merged.values, whole.values, rtol=1e-12)


def test_pooling_targets_equals_one_long_target(arrays):
    truth, prediction, mask = arrays
    pooled = moments.Moments.of(truth, prediction, mask).pooled()
    flat = moments.Moments.of(truth.reshape(-1, 1), prediction.reshape(-1, 1), mask.reshape(-1, 1))
    np.testing.assert_allclose(pooled.values, flat.values, rtol=1e-12)


def test_masked_nan_changes_nothing(arrays):
    truth, prediction, mask = arrays
    spoilt = np.where(mask, truth, np.nan)
    np.testing.assert_array_equal(
        moments.Moments.of(spoilt, prediction, mask).values,
        moments.Moments.of(truth, prediction, mask).values,
    )


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
@pytest.mark.parametrize("constant", ["truth", "prediction"])
def test_a_constant_is_uncorrelated_and_never_nan(value, constant):
    varied = np.random.default_rng(1).normal(size=(1000, 1))
    still = np.full_like(varied, value)
    truth, prediction = (still, varied) if constant == "truth" else (varied, still)
    result = moments.Moments.zeros(1)
    for part in np.split(np.arange(1000), 10):
        result = result.merge(moments.Moments.of(truth[part], prediction[part]))
    assert result.pearson()[0] == 0
    expected = (
        0
        if constant == "truth"
        else 1 - ((varied - value) ** 2).sum() / ((varied - varied.mean()) ** 2).sum()
    )
    assert result.r2()[0] == pytest.approx(expected, rel=1e-9)


def test_a_large_mean_costs_no_digits():
    random = np.random.default_rng(2)
    truth, noise = random.normal(size=(2, 4000, 1))
    small = moments.Moments.of(truth, truth + noise)
    large = moments.Moments.of(truth + 1e7, truth + noise + 1e7)
    assert large.pearson()[0] == pytest.approx(small.pearson()[0], abs=1e-8)


def test_no_pixel_is_no_accuracy():
    nothing = moments.Moments.zeros(2)
    for value in (nothing.pearson(), nothing.r2(), nothing.mse()):
        np.testing.assert_array_equal(value, 0)
