"""Views of a window, their inverse, and means over them."""

import tracemalloc

import numpy as np
import pytest

from akita_bayes import dna, triangle
from akita_bayes.models import zoo
from akita_bayes.models.passes import views
from tests import tiny

SPEC = zoo.parse_spec(tiny.spec_json())


def test_every_shift_is_viewed_on_one_strand_or_both():
    assert views.list_views((0, 3), rc=False) == [(0, False), (3, False)]
    assert views.list_views((0, 3), rc=True) == [(0, False), (0, True), (3, False), (3, True)]


def test_a_view_moves_the_sequence_and_then_reads_the_other_strand():
    x = dna.to_one_hot("AACGT")
    assert dna.from_one_hot(views.View().apply(x)) == "AACGT"
    assert dna.from_one_hot(views.View(2).apply(x)) == "NNAAC"
    assert dna.from_one_hot(views.View(2, True).apply(x)) == "GTTNN"
    assert dna.from_one_hot(views.View(-1, True).apply(x)) == "NACGT"


@pytest.mark.parametrize("reverse", [False, True])
def test_letters_switch_strand_as_rows_do_and_back(reverse):
    index = np.array([0, 0, 1, 2, 4, 3], np.uint8)
    view = views.View(7, reverse)
    switched = view.switch_index(index)
    np.testing.assert_array_equal(
        dna.index_to_one_hot(switched), view.switch_strand(dna.index_to_one_hot(index))
    )
    np.testing.assert_array_equal(view.switch_index(switched), index)
    beyond = np.array([5, 1], np.uint8)  # a position outside the sequence stays what it is
    assert sorted(view.switch_index(beyond).tolist()) == ([2, 5] if reverse else [1, 5])


def test_a_map_of_the_other_strand_is_read_from_its_far_corner():
    geometry = SPEC.geometry("hic")
    matrix = np.random.default_rng(0).normal(size=(2, geometry.bins, geometry.bins, 3))
    vector = triangle.to_vector(matrix + matrix.swapaxes(1, 2), diagonal_offset=tiny.OFFSET)
    undone = views.View(1, True).undo(vector, SPEC, "hic")
    expected = triangle.to_matrix(vector, diagonal_offset=tiny.OFFSET)[:, ::-1, ::-1]
    np.testing.assert_array_equal(undone, triangle.to_vector(expected, diagonal_offset=tiny.OFFSET))
    assert views.View(1).undo(vector, SPEC, "hic") is vector


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_mean_keeps_the_precision_of_its_parts(dtype):
    parts = np.random.default_rng(0).normal(size=(7, 4, 3)).astype(dtype)
    average = views.mean(iter(parts))
    assert average.dtype == dtype
    np.testing.assert_array_equal(average, parts.mean(axis=0, dtype=dtype))
    np.testing.assert_array_equal(views.mean([parts[0]]), parts[0])


def test_a_mean_holds_one_part_and_the_sum():
    size = 2**16
    tracemalloc.start()
    average = views.mean(np.full(size, number, np.float64) for number in range(20))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(average, np.full(size, 9.5))
    assert peak < 4 * 8 * size
