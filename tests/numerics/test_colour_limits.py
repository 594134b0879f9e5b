"""Ends of colour scales cover the pixels, and a difference has a least one."""

import numpy as np
import pytest

from akita_bayes.numerics import colour_limits


def test_a_symmetric_scale_covers_all_but_extreme_pixels():
    values = np.random.default_rng(0).normal(size=(50, 50))
    assert 2 < colour_limits.symmetric([values, values * 0.1]) < 4
    assert colour_limits.symmetric([np.array([1.0, np.nan]), np.array([-3.0])], 1) == 3
    assert colour_limits.symmetric([np.full((3, 3), np.nan)]) == 1.0


def test_a_difference_without_effect_stays_near_the_middle_of_its_scale():
    change = np.full((9, 9), 1e-4)
    assert colour_limits.difference(change, 2.0) == pytest.approx(0.1)
    assert colour_limits.difference(change * 5_000, 2.0) == pytest.approx(0.5)
    assert colour_limits.difference(np.zeros(4), 0.0) > 0
