"""Intervals of means hold the truth when errors are correlated, and others do not."""

import numpy as np
import pytest
from scipy import ndimage

from akita_bayes import triangle
from akita_bayes.evaluate import strata
from akita_bayes.evaluate.intervals import aggregate_coverage, error_correlation
from akita_bayes.evaluate.intervals.spread_factors import Prediction
from akita_bayes.models.intervals import aggregates

BINS, OFFSET = 40, 2
STRATA = strata.log_spaced(BINS, OFFSET, 8)
ROWS, COLUMNS = triangle.indices(BINS, OFFSET)
PIXELS = len(ROWS)
SIGMA, SD, NOISE = 2.0, 0.3, 0.2
Z90 = 1.6449


def windows(count, seed):
    """Windows whose errors are a smooth field, of the same sd everywhere, and their truths."""
    generator = np.random.default_rng(seed)
    fields = ndimage.gaussian_filter(
        generator.normal(size=(count, BINS, BINS)), (0, SIGMA, SIGMA), mode="wrap"
    )
    # White noise filtered by a Gaussian of sigma has the sd 1 / (2 sigma sqrt(pi)).
    errors = (fields * 2 * SIGMA * np.sqrt(np.pi))[:, ROWS, COLUMNS, None] * SD
    mean = generator.normal(size=errors.shape)
    target = mean + errors + NOISE * generator.normal(size=errors.shape)
    mask = generator.random(errors.shape) > 0.05
    sd, noise = np.full((PIXELS, 1), SD), np.full((PIXELS, 1), NOISE)
    parts = zip(target, mask, mean, strict=True)
    return [Prediction(*part, sd, noise) for part in parts], mean + errors


@pytest.fixture(scope="module")
def correlation():
    return error_correlation.fit(windows(60, 1)[0], STRATA, OFFSET)


def test_the_correlation_is_that_of_the_field(correlation):
    matrix = correlation.matrix(ROWS, COLUMNS, 0)
    lag = np.hypot(ROWS[:, None] - ROWS, COLUMNS[:, None] - COLUMNS)
    expected = np.exp(-(lag**2) / (4 * SIGMA**2))
    # Lags between knots are interpolated, and 60 windows have some 60 errors that are independent.
    assert np.sqrt(np.mean((matrix - expected) ** 2)) < 0.06
    np.testing.assert_array_equal(np.diag(matrix), 1.0)


def test_intervals_of_means_hold_the_truth(correlation):
    judge = aggregate_coverage.AggregateCoverage(BINS, OFFSET, correlation)
    tested, truths = windows(60, 2)
    for window, truth in zip(tested, truths, strict=True):
        judge.update(window, np.full((PIXELS, 1), SD * Z90), truth)
    summary = judge.summary()
    assert summary["of"] == "truth"
    assert set(summary["kinds"]) == {
        *("insulation, 5 bins", "domain of 8 bins", "domain of 16 bins"),
        *("domain of 32 bins", "dot of 3 x 3 bins"),
    }
    for kind, row in summary["kinds"].items():
        assert 0.86 < row["coverage"] < 0.94, kind
        assert row["independent_coverage"] < 0.75, kind


def test_without_truth_intervals_are_those_of_the_measured_mean(correlation):
    judge = aggregate_coverage.AggregateCoverage(BINS, OFFSET, correlation)
    for window in windows(60, 3)[0]:
        judge.update(window, np.full((PIXELS, 1), SD * Z90), None)
    summary = judge.summary()
    assert summary["of"] == "measurement"
    for kind, row in summary["kinds"].items():
        assert 0.86 < row["coverage"] < 0.94, kind


def test_aggregates_are_the_pixels_of_their_places():
    def pairs(pixels):
        return set(zip(ROWS[pixels].tolist(), COLUMNS[pixels].tolist(), strict=True))

    assert pairs(aggregates.insulation(BINS, OFFSET, 10, 2)) == {(8, 10), (8, 11), (9, 11)}
    assert pairs(aggregates.domain(BINS, OFFSET, 3, 7)) == {(3, 5), (3, 6), (4, 6)}
    assert len(aggregates.dot(BINS, OFFSET, 10, 20)) == 9
    with pytest.raises(ValueError, match="the map has no such pixel"):
        aggregates.domain(BINS, OFFSET, 3, 4)


def test_equal_and_independent_errors_are_the_limits_of_a_mean():
    width = np.random.default_rng(0).uniform(1, 2, (3, PIXELS, 2))
    pixels = aggregates.dot(BINS, OFFSET, 10, 20)
    ones = np.ones((2, len(pixels), len(pixels)))
    equal = aggregates.half_width(width, pixels, ones)
    np.testing.assert_allclose(equal, width[:, pixels].mean(1))
    independent = aggregates.half_width(width, pixels, np.stack([np.eye(9)] * 2))
    np.testing.assert_allclose(independent, aggregates.half_width(width, pixels, None))
    mask = np.zeros(width.shape, bool)
    mask[:, pixels[:3]] = True
    np.testing.assert_allclose(
        aggregates.half_width(width, pixels, ones, mask), width[:, pixels[:3]].mean(1)
    )


def test_too_many_pixels_are_refused(correlation):
    with pytest.raises(ValueError, match=r"expected at most 2,000; take some of them"):
        aggregates.correlations(np.arange(2001), correlation, 80, OFFSET)
