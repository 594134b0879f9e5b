"""Sums of windows against formulas on whole arrays."""

import numpy as np
import pytest
import scipy.stats

from akita_bayes import triangle
from akita_bayes.numerics import window_sums
from akita_bayes.variants.scores import structure

BINS, OFFSET, TARGETS = 12, 2, 2
PIXELS = triangle.length(BINS, OFFSET)
INDEX = triangle.distances(BINS, OFFSET) - OFFSET


@pytest.fixture(scope="module")
def window():
    random = np.random.default_rng(0)
    y = random.normal(3, 1, (PIXELS, TARGETS))
    p = 0.5 * y + random.normal(0, 1, y.shape)
    return y, p, random.random(y.shape) > 0.2


@pytest.fixture(scope="module")
def sums(window):
    return window_sums.by_distance(*window, INDEX, BINS - OFFSET)


def test_scores_are_those_of_the_pixels(window, sums):
    y, p, mask = window
    whole = sums.sum(axis=1)
    for target in range(TARGETS):
        a, b = (values[mask[:, target], target] for values in (y, p))
        r = scipy.stats.pearsonr(a, b).statistic
        assert window_sums.pearson(whole)[target] == pytest.approx(r)
        assert window_sums.mse(whole)[target] == pytest.approx(np.mean((a - b) ** 2))
        r2 = 1 - np.sum((a - b) ** 2) / np.sum((a - a.mean()) ** 2)
        assert window_sums.r2(whole)[target] == pytest.approx(r2)
        assert window_sums.variance(whole)[target] == pytest.approx(a.var())


def test_the_stratum_adjusted_correlation_is_that_of_hicrep(window, sums):
    y, p, mask = window
    mask[:, 1] = mask[:, 0]
    again = window_sums.by_distance(y, p, mask, INDEX, BINS - OFFSET)
    maps = [triangle.to_matrix(v, diagonal_offset=OFFSET, fill=0) for v in (y, p)]
    compared = triangle.to_matrix(mask[:, :1].astype(float), diagonal_offset=OFFSET, fill=0)
    expected = 1 - structure.scc(*maps, compared[..., 0] > 0)
    np.testing.assert_allclose(window_sums.stratum_adjusted(again), expected)


def test_a_constant_has_no_correlation_and_explains_nothing(window):
    y, _, mask = window
    zero = np.zeros_like(y)
    of_zero = window_sums.by_distance(y, zero, mask, INDEX, BINS - OFFSET).sum(axis=1)
    assert window_sums.pearson(of_zero).tolist() == [0, 0]
    assert (window_sums.r2(of_zero) < 0).all()
    constant = window_sums.by_distance(zero + 0.1, y, mask, INDEX, BINS - OFFSET).sum(axis=1)
    assert window_sums.r2(constant).tolist() == [0, 0]
    empty = np.zeros((len(window_sums.ROWS), TARGETS))
    for score in (window_sums.pearson, window_sums.mse, window_sums.r2):
        assert score(empty).tolist() == [0, 0]
