"""Tests the test of calibration on predictions whose calibration is known."""

import numpy as np
import pytest

from akita_bayes.numerics import pit

PIXELS, TARGETS = 60, 2


def windows(random, count, *, factor=1.0, bias=0.0, correlation=0.6):
    """Counts of windows of correlated pixels with the true sd 1; `factor` of it is stated."""
    tables = []
    for _ in range(count):
        shared = random.normal(size=(1, TARGETS))
        own = random.normal(size=(PIXELS, TARGETS))
        noise = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
        mean = random.normal(size=(PIXELS, TARGETS))
        mask = random.random((PIXELS, TARGETS)) > 0.1
        sd = np.full((PIXELS, TARGETS), factor)
        tables.append(pit.counts(mean + bias + noise, mean, sd, mask))
    return tables


def test_counts_are_those_of_measured_pixels():
    target, mask = np.array([[-9.0], [0.0], [9.0], [9.0]]), np.array([[1], [1], [1], [0]], bool)
    table = pit.counts(target, np.zeros((4, 1)), np.ones((4, 1)), mask)
    assert table.sum() == 3
    assert table[[0, pit.BINS // 2, -1]].tolist() == [1, 1, 1]


@pytest.mark.parametrize("count", [10, 30, 100])
def test_calibrated_predictions_are_seldom_called_wrong(count):
    """Of 400 splits with strongly correlated pixels; 1 % is the level, 2.5 % its upper limit."""
    random = np.random.default_rng(count)
    wrong = sum(not pit.uniformity(windows(random, count)).holds for _ in range(400))
    assert wrong <= 10


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"factor": 0.6}, "standard deviations are too small"),
        ({"factor": 2.0}, "standard deviations are too large"),
        ({"bias": 1.0}, "predictions are too low"),
        ({"bias": -1.0}, "predictions are too high"),
    ],
)
def test_wrong_predictions_are_found(options, words):
    random = np.random.default_rng(5)
    tested = [pit.uniformity(windows(random, 60, **options)) for _ in range(40)]
    assert sum(not test.holds for test in tested) >= 38
    assert words in tested[0].in_words("test")


def test_a_deviation_that_does_not_matter_is_not_told():
    random = np.random.default_rng(6)
    test = pit.uniformity(windows(random, 4000, factor=0.98, correlation=0.0))
    assert test.p_value < pit.LEVEL
    assert test.holds


def test_few_windows_are_not_tested():
    random = np.random.default_rng(7)
    assert pit.uniformity(windows(random, pit.LEAST - 1)) is None
    assert pit.uniformity([]) is None
