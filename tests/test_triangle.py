import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from akita_bayes import triangle

SIZE = st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1)))


def naive_pixels(bins: int, offset: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(bins) for j in range(bins) if j - i >= offset]


@given(SIZE)
def test_pixels_are_row_major_above_the_offset(size: tuple[int, int]):
    bins, offset = size
    pixels = naive_pixels(bins, offset)
    rows, columns = triangle.indices(bins, offset)
    assert list(zip(rows, columns, strict=True)) == pixels
    assert triangle.length(bins, offset) == len(pixels)
    assert triangle.bins(len(pixels), offset) == bins
    assert triangle.distances(bins, offset).tolist() == [j - i for i, j in pixels]


@given(SIZE)
def test_reverse_order_sends_each_pixel_to_its_mirror_and_back(size: tuple[int, int]):
    bins, offset = size
    pixels = naive_pixels(bins, offset)
    order = triangle.reverse_order(bins, offset)
    assert [pixels[k] for k in order] == [(bins - 1 - j, bins - 1 - i) for i, j in pixels]
    assert np.array_equal(order[order], np.arange(len(pixels)))


@given(SIZE, st.integers(0, 9))
def test_matrix_and_vector_are_the_same_map(size: tuple[int, int], seed: int):
    bins, offset = size
    vector = np.random.default_rng(seed).normal(size=(3, triangle.length(bins, offset), 2))
    matrix = triangle.to_matrix(vector, diagonal_offset=offset)
    assert np.array_equal(triangle.to_vector(matrix, diagonal_offset=offset), vector)
    assert np.array_equal(matrix, matrix.swapaxes(1, 2), equal_nan=True)
    measured = np.abs(np.subtract.outer(np.arange(bins), np.arange(bins))) >= offset
    assert np.array_equal(np.isfinite(matrix[0, ..., 0]), measured)


def test_diagonals_below_the_offset_hold_the_fill():
    matrix = triangle.to_matrix(np.ones((1, 1), np.float32), diagonal_offset=2, fill=-1)
    assert matrix[..., 0].tolist() == [[-1, -1, 1], [-1, -1, -1], [1, -1, -1]]
    assert matrix.dtype == np.float32


def test_published_models_have_their_pixels():
    assert triangle.length(448, 2) == 99_681
    assert triangle.length(512, 2) == 130_305


@pytest.mark.parametrize("pixels", [2, 4, 99_680])
def test_a_number_that_is_no_triangle_is_refused(pixels: int):
    with pytest.raises(ValueError, match=f"{pixels} pixels do not form a triangle"):
        triangle.bins(pixels, 2)


def test_shared_indices_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        triangle.indices(5, 1)[0][0] = 9
