"""Mutated windows hold the bases of the window in other places, and a share of others."""

import numpy as np
import pytest

from akita_bayes.training.teachers import random_edits

WINDOW = np.random.default_rng(0).integers(0, 4, 4000).astype(np.uint8)


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("seed", range(5))
def test_moved_and_inverted_stretches_keep_the_pairs_of_bases(seed):
    edited = random_edits.mutate(WINDOW, rate=0.0, random=generator(seed))
    assert edited.dtype == np.uint8
    assert edited.shape == WINDOW.shape
    assert np.mean(edited != WINDOW) > 0
    for weak in (0, 1):  # A and T, C and G: an inverted stretch swaps the bases of a pair
        pair = (weak, 3 - weak)
        assert np.isin(edited, pair).sum() == np.isin(WINDOW, pair).sum()


def test_the_rate_is_the_share_of_replaced_bases():
    unedited = random_edits.mutate(WINDOW, rate=0.0, random=generator())
    edited = random_edits.mutate(WINDOW, rate=0.1, random=generator())
    # 4,000 bases with probability 0.1 are 400 +- 19.
    assert abs(np.sum(edited != unedited) - 400) < 5 * 19


def test_unknown_bases_stay_unknown():
    window = WINDOW.copy()
    window[1000:1100] = 4
    assert np.sum(random_edits.mutate(window, rate=1.0, random=generator()) == 4) == 100


def test_the_same_generator_gives_the_same_window_and_another_one_does_not():
    first, repeated, different = (
        random_edits.mutate(WINDOW, rate=0.1, random=generator(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, repeated)
    assert np.mean(first != different) > 0.1


@pytest.mark.parametrize("length", [1, 2, 5])
def test_short_windows_keep_their_length(length):
    for seed in range(20):
        edited = random_edits.mutate(WINDOW[:length], rate=0.5, random=generator(seed))
        assert edited.shape == (length,)
