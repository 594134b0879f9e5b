import numpy as np
import pytest

from akita_bayes.numerics import block_bootstrap, window_sums


def test_overlapping_windows_are_one_block():
    locations = [
        "chr1:0-100",
        "chr2:0-100",
        "chr1:150-250",
        "chr1:50-150",  # overlaps the first window, and only touches the third
        "file#3",
        "chr1:200-300",
        "file#4",
    ]
    numbers = block_bootstrap.blocks(locations)
    groups = {}
    for number, location in zip(numbers.tolist(), locations, strict=True):
        groups.setdefault(number, set()).add(location)
    assert sorted(map(sorted, groups.values())) == [
        ["chr1:0-100", "chr1:50-150"],
        ["chr1:150-250", "chr1:200-300"],
        ["chr2:0-100"],
        ["file#3"],
        ["file#4"],
    ]


def test_the_interval_of_a_mean_is_that_of_normal_theory():
    """With 200 blocks of 5 equal windows, the mean has the sd of 200 values, not of 1,000."""
    random = np.random.default_rng(0)
    values = np.repeat(random.normal(size=(200, 1)), 5, axis=0)
    draws = block_bootstrap.Resamples(np.repeat(np.arange(200), 5), seed=0)
    assert draws.blocks == 200
    interval = draws.interval([values, np.ones((1000, 1))], lambda total, count: total / count)
    half = 1.645 * values[::5].std() / np.sqrt(200)
    np.testing.assert_allclose(interval.low, values.mean() - half, atol=0.15 * half)
    np.testing.assert_allclose(interval.high, values.mean() + half, atol=0.15 * half)


def test_intervals_of_correlations_cover_the_truth():
    """Of 200 simulated splits, 90 % of the intervals should hold r = 0.6: 0.81 to 0.97 at 4 sd."""
    random = np.random.default_rng(1)
    windows, pixels, covered = 60, 30, 0
    for trial in range(200):
        y = random.normal(size=(windows, pixels, 1))
        p = 0.6 * y + 0.8 * random.normal(size=y.shape)
        index = np.zeros(pixels, np.intp)
        sums = [
            window_sums.by_distance(a, b, np.ones_like(a), index, 1)[:, 0]
            for a, b in zip(y, p, strict=True)
        ]
        draws = block_bootstrap.Resamples(np.arange(windows), seed=trial)
        interval = draws.interval([np.stack(sums)], window_sums.pearson)
        covered += interval.low[0] <= 0.6 <= interval.high[0]
    assert 162 <= covered <= 194


@pytest.mark.parametrize("windows", [0, 3])
def test_one_block_has_no_interval(windows):
    draws = block_bootstrap.Resamples(np.zeros(windows, np.intp), seed=0)
    assert draws.blocks == min(windows, 1)
    assert draws.interval([np.ones((windows, 1))], lambda total: total) is None
