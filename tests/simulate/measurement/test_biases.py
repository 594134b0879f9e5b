"""Biases have the mean, the spread, the length and the share that their keys say."""

import numpy as np
import pytest

from akita_bayes.simulate.measurement import biases
from akita_bayes.simulate.measurement.settings import Measurement

BINS, BIN = 20000, 512


def _coverage(seed=0, **keys):
    return np.log(biases.coverage(BINS, BIN, Measurement(**keys), np.random.default_rng(seed)))


def test_the_own_part_of_coverage_has_its_spread_and_no_neighbours():
    log = _coverage(coverage_bin=0.3)
    # The standard error of a standard deviation of n normal values is sd / sqrt(2 n).
    assert log.std() == pytest.approx(0.3, abs=4 * 0.3 / np.sqrt(2 * BINS))
    assert log.mean() == pytest.approx(-(0.3**2) / 2, abs=4 * 0.3 / np.sqrt(BINS))
    assert abs(np.corrcoef(log[1:], log[:-1])[0, 1]) < 4 / np.sqrt(BINS)


@pytest.mark.parametrize("length", [4096.0, 16384.0])
def test_the_smooth_part_of_coverage_has_its_spread_and_its_length(length):
    """Noise behind a Gaussian of sd s correlates by exp(-d^2 / (4 s^2)) over the distance d."""
    log = _coverage(coverage_smooth=0.4, coverage_length=length)
    sigma = length / BIN
    independent = BINS / (2 * np.sqrt(np.pi) * sigma)  # values in as many correlation lengths
    assert log.std() == pytest.approx(0.4, abs=4 * 0.4 / np.sqrt(2 * independent))
    lag = round(sigma)
    expected = np.exp(-(lag**2) / (4 * sigma**2))
    r = np.corrcoef(log[lag:], log[:-lag])[0, 1]
    assert r == pytest.approx(expected, abs=4 * (1 - expected**2) / np.sqrt(independent))


def test_both_parts_of_coverage_add_up_and_keep_the_mean():
    log = _coverage(coverage_smooth=0.3, coverage_bin=0.4, coverage_length=2048.0)
    assert log.std() == pytest.approx(0.5, abs=0.02)
    assert np.exp(log).mean() == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize(("share", "length"), [(0.02, 1024.0), (0.1, 2048.0), (0.3, 4096.0)])
def test_stretches_have_their_share_and_their_length(share, length):
    masks = [
        biases.stretches(
            BINS,
            BIN,
            Measurement(unmappable_stretches=share, unmappable_length=length),
            np.random.default_rng(seed),
        )
        for seed in range(8)
    ]
    mean = length / BIN
    # A stretch of l bins counts l at once, so the variance of a count is about 2 l times that of
    # independent bins (the second moment of a geometric length over its mean).
    error = np.sqrt(share * (1 - share) * 2 * mean / (BINS * len(masks)))
    assert np.mean(masks) == pytest.approx(share, abs=4 * error)
    runs = np.concatenate([_runs(mask) for mask in masks])
    assert runs.max() > 2 * mean
    # Overlaps make runs longer, by the inverse of the share that stays mappable at most.
    assert 0.85 * mean < runs.mean() < 1.1 * mean / (1 - share)


def _runs(mask):
    steps = np.diff(np.concatenate([[0], mask.astype(int), [0]]))
    return np.flatnonzero(steps == -1) - np.flatnonzero(steps == 1)


def test_without_a_share_there_are_no_stretches():
    rng = np.random.default_rng(0)
    before = rng.bit_generator.state
    assert not biases.stretches(100, BIN, Measurement(), rng).any()
    assert rng.bit_generator.state == before


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_a_field_is_smooth_along_rows_and_columns_alike(sigma):
    """Its variance is 1 at every distance, and it correlates by exp(-d^2 / (4 sigma^2))."""
    values = biases.field(4000, 64, sigma, np.random.default_rng(0))
    independent = values.size / (4 * np.pi * sigma**2)
    assert values.shape == (4000, 64)
    assert values.var() == pytest.approx(1, abs=4 * np.sqrt(2 / independent))
    by_distance = values.var(axis=0)
    assert np.abs(by_distance - 1).max() < 5 * np.sqrt(2 * 64 / independent)
    lag = 2
    expected = np.exp(-(lag**2) / (4 * sigma**2))
    limit = 5 / np.sqrt(independent)
    next_column = np.corrcoef(values[:, lag:].ravel(), values[:, :-lag].ravel())[0, 1]
    # Row i - 2 and the same column: the distance grows by 2.
    next_row = np.corrcoef(values[:-lag, lag:].ravel(), values[lag:, :-lag].ravel())[0, 1]
    # Both bins move: the distance stays, over sqrt(2) times the length.
    along = np.corrcoef(values[lag:].ravel(), values[:-lag].ravel())[0, 1]
    assert next_column == pytest.approx(expected, abs=limit)
    assert next_row == pytest.approx(expected, abs=limit)
    assert along == pytest.approx(expected**2, abs=limit)


def test_factors_have_mean_one_and_their_spread():
    factors = biases.factor((4000, 64), 0.5, 1.0, np.random.default_rng(1))
    independent = factors.size / (4 * np.pi)
    assert np.log(factors).std() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(2 * independent))
    assert factors.mean() == pytest.approx(1, abs=4 * factors.std() / np.sqrt(independent))
