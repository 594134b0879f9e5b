"""Loops against the same model as sums over every loading bin, and against chance itself."""

import numpy as np
import pytest

from akita_bayes.simulate import extrusion


def _naive(left_stall, right_stall, travel):
    """P[i, j] by the formula of the module, one product at a time."""
    bins = len(left_stall)
    left, right = (1 - (1 - stall) * np.exp(-1 / travel) for stall in (left_stall, right_stall))
    loops = np.zeros((bins, bins))
    for i in range(bins):
        for j in range(i, bins):
            for m in range(i, j + 1):
                passed = np.prod(1 - left[i + 1 : m + 1]) * np.prod(1 - right[m:j])
                loops[i, j] += left[i] * right[j] * passed
            loops[j, i] = loops[i, j]
    return loops


@pytest.fixture
def stalls():
    rng = np.random.default_rng(1)
    return [np.where(rng.random(14) < 0.3, rng.random(14), 0.0) for _ in range(2)]


def test_loops_are_sums_over_loading_bins(stalls):
    np.testing.assert_allclose(extrusion.loops(*stalls, 5.0), _naive(*stalls, 5.0), atol=1e-14)


def test_free_legs_follow_the_closed_form():
    travel, bins = 6.0, 20
    stay = 1 - np.exp(-1 / travel)
    distance = np.abs(np.subtract.outer(np.arange(bins), np.arange(bins)))
    expected = (distance + 1) * stay**2 * (1 - stay) ** distance
    zeros = np.zeros(bins)
    np.testing.assert_allclose(extrusion.loops(zeros, zeros, travel), expected, rtol=1e-12)


def test_loops_are_what_extruders_do(stalls):
    """Legs that walk and toss coins end where the formula says."""
    rng = np.random.default_rng(0)
    bins, travel, runs = 14, 5.0, 4000
    left, right = (extrusion.leg_stays(stall, travel) for stall in stalls)
    counts = np.zeros((bins, bins))
    for loading in range(bins):
        for _ in range(runs):
            i = j = loading
            while i >= 0 and rng.random() >= left[i]:
                i -= 1
            while j < bins and rng.random() >= right[j]:
                j += 1
            if i >= 0 and j < bins:
                counts[i, j] += 1 / runs
    expected = np.triu(extrusion.loops(*stalls, travel))
    spread = np.sqrt(np.maximum(expected, 1e-3) / runs)
    assert np.abs((counts - expected) / spread).max() < 5


def test_turning_the_chromosome_turns_the_loops(stalls):
    left, right = stalls
    turned = extrusion.loops(right[::-1], left[::-1], 5.0)[::-1, ::-1]
    np.testing.assert_allclose(turned, extrusion.loops(left, right, 5.0), atol=1e-15)


def test_loops_know_nothing_outside(stalls):
    left, right = stalls
    inner = extrusion.loops(left[3:10], right[3:10], 5.0)
    np.testing.assert_allclose(inner, extrusion.loops(left, right, 5.0)[3:10, 3:10], atol=1e-15)
