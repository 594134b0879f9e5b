"""Errors of predicted scores are estimated from measured squares with noise."""

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.variants.intervals import deconvolution
from akita_bayes.variants.scores import conformal


def world(seed, count=400, noise=20.0, error=0.6):
    """Predicted scores, their true scores, and measured squares of the true scores."""
    random = np.random.default_rng(seed)
    mean = random.gamma(1.5, 2.0, count) + 0.05
    truth = mean * random.lognormal(0, error, count)
    variance, slope = np.full(count, noise**2), np.full(count, 0.3)
    square = truth**2 + random.normal(0, np.sqrt(variance + slope * truth**2))
    return mean, truth, deconvolution.Measured(square, variance, slope)


def fitted(mean, measured, level=0.9):
    zeros, variants = np.zeros_like(mean), np.arange(len(mean))
    return deconvolution.fit(measured, mean, zeros, variants=variants, level=level)


def covered(interval, values):
    return np.mean((interval[0] <= values) & (values <= interval[1]))


@pytest.mark.parametrize("noise", [1.0, 10.0, 20.0])
def test_intervals_hold_the_truth_behind_the_noise(noise):
    shares, widths, naive_widths = [], [], []
    for seed in range(4):
        mean, _, measured = world(seed, noise=noise)
        model = fitted(mean, measured)
        new_mean, new_truth, new = world(100 + seed, noise=noise)
        zeros = np.zeros_like(new_mean)
        low, high = model.widening.interval(new_mean, zeros)
        shares.append(covered((low, high), new_truth))
        widths.append(np.mean(high - low))
        size = np.sqrt(np.maximum(measured.square, 0))
        low, high = conformal.fit(size, mean, np.zeros_like(mean)).interval(new_mean, zeros)
        naive_widths.append(np.mean(high - low))
        assert covered(model.measured_interval(new_mean, zeros, new), new.square) > 0.85
    assert 0.86 < np.mean(shares) < 0.98
    if noise == 20.0:  # sizes of noisy squares differ more than true ones
        assert np.mean(widths) < 0.93 * np.mean(naive_widths)


def test_without_noise_the_ends_are_those_of_the_errors():
    mean, truth, measured = world(5, count=2000, noise=0.05)
    widening = fitted(mean, measured._replace(slope=np.full(len(mean), 1e-3))).widening
    expected = conformal.fit(truth, mean, np.zeros_like(mean))
    assert widening.starts == expected.starts
    scores, zeros = np.array([2.0, 4.0, 8.0]), np.zeros(3)
    for own, of_errors in zip(
        widening.interval(scores, zeros), expected.interval(scores, zeros), strict=True
    ):
        np.testing.assert_allclose(own, of_errors, rtol=0.3, atol=0.1)


def test_draws_widen_the_intervals_of_their_scores():
    mean, _, measured = world(6)
    sd = np.where(np.arange(len(mean)) % 2, 1.0, 0.0)
    model = deconvolution.fit(measured, mean, sd, variants=np.arange(len(mean)))
    assert model.widening.of_draws
    low, high = model.widening.interval(np.array([3.0, 3.0]), np.array([0.0, 1.0]))
    assert high[1] - low[1] > high[0] - low[0]


def test_squares_below_zero_show_the_noise():
    square = np.random.default_rng(0).normal(0, 7.0, 500)
    assert deconvolution.noise_variance(square) == pytest.approx(49, rel=0.15)
    assert deconvolution.noise_variance(np.abs(square)) == 0.0


def test_too_few_windows_and_negative_predictions_are_refused():
    mean, _, measured = world(7, count=15)
    with pytest.raises(errors.VariantError, match="20 variants with known scores are needed"):
        fitted(mean, measured)
    mean, _, measured = world(8)
    with pytest.raises(errors.VariantError, match="predicted scores must be finite"):
        fitted(mean - 1, measured)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"square": np.nan}, "measured squares must be finite numbers"),
        ({"variance": 0.0}, "their noise must be above 0"),
        ({"variance": np.inf}, "measured squares must be finite numbers"),
    ],
)
def test_squares_without_a_noise_are_refused(changes, says):
    mean, _, measured = world(9)
    for name, value in changes.items():
        measured = measured._replace(**{name: np.full(len(mean), value)})
    with pytest.raises(errors.VariantError, match=says):
        fitted(mean, measured)


def test_predictions_of_zero_have_finite_intervals_and_many_are_refused():
    mean, _, measured = world(10)
    zeros = np.zeros_like(mean)
    few = np.where(np.arange(len(mean)) % 20, mean, 0.0)
    low, high = fitted(few, measured).measured_interval(few, zeros, measured)
    assert covered((low, high), measured.square) > 0.8
    with pytest.raises(errors.VariantError, match="50% of the predicted scores are 0"):
        fitted(np.where(np.arange(len(mean)) % 2, mean, 0.0), measured)


def test_noise_that_is_stated_too_large_makes_intervals_too_narrow():
    """The docstring of the module says so; maps that are all equal would be refused."""
    mean, _, measured = world(12, count=1000)
    shares = []
    for shift in (0.0, 20.0):  # 20 is the standard deviation of the noise
        shifted = measured._replace(square=measured.square - shift)
        new_mean, new_truth, _ = world(13, count=1000)
        interval = fitted(mean, shifted).widening.interval(new_mean, np.zeros_like(new_mean))
        shares.append(covered(interval, new_truth))
    assert shares[1] < 0.8 < 0.9 < shares[0]


def test_maps_that_differ_by_less_than_their_noise_are_refused():
    square = np.random.default_rng(1).normal(0, 5.0, 400)
    deconvolution.check_noise(square, "HFF")
    with pytest.raises(errors.VariantError, match="HFF: the maps of 91% of the windows differ"):
        deconvolution.check_noise(square - 5, "HFF")


def test_strong_errors_of_weak_scores_are_held():
    """The unit of errors is their median; those of some scores are many times larger."""
    random = np.random.default_rng(2)
    mean = random.gamma(1.5, 2.0, 1000) + 0.05
    truth = mean * random.lognormal(0, np.where(mean < 1.5, 1.6, 0.2))
    ones = np.ones(len(mean))
    measured = deconvolution.Measured(
        truth**2 + random.normal(0, 0.5, 1000), 0.25 * ones, 0.01 * ones
    )
    interval = fitted(mean, measured).widening.interval(mean, 0 * ones)
    assert covered([end[mean < 1.5] for end in interval], truth[mean < 1.5]) > 0.85
