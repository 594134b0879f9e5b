import numpy as np
import pytest
from cooltools.lib import numutils

from akita_bayes import triangle
from akita_bayes.data.contacts import packed


@pytest.fixture(params=[5, 33, 70])
def symmetric(request):
    """A symmetric map and which of its bins are valid; both ends of the largest are not."""
    bins = request.param
    random = np.random.default_rng(bins)
    matrix = random.gamma(2.0, size=(bins, bins))
    matrix = np.triu(matrix) + np.triu(matrix, 1).T
    valid = random.random(bins) > 0.2
    valid[[1, 2]] = True, False
    if bins == 70:
        valid[[0, 1, -1]] = False
    return matrix, valid


def zeroed(matrix, valid):
    return np.where(valid[:, None] & valid, matrix, 0.0)


def test_pack_and_unpack(symmetric):
    matrix, _ = symmetric
    bins = len(matrix)
    vector = packed.pack(np.triu(matrix), bins)
    np.testing.assert_array_equal(vector, matrix[np.triu_indices(bins)])
    np.testing.assert_array_equal(packed.unpack(vector, bins), matrix)
    np.testing.assert_array_equal(packed.pack(np.pad(matrix, (0, 9)), bins), vector)
    for offset in range(4):
        np.testing.assert_array_equal(
            packed.diagonal(vector, bins, offset), np.diagonal(matrix, offset)
        )


@pytest.mark.parametrize(("crop", "offset"), [(0, 0), (0, 2), (1, 1), (1, 2)])
def test_cut_is_the_triangle_of_the_cropped_map(symmetric, crop, offset):
    matrix, valid = symmetric
    bins = len(matrix)
    rows, columns = triangle.indices(bins - 2 * crop, offset)
    expected = matrix[rows + crop, columns + crop]
    np.testing.assert_array_equal(
        packed.cut(packed.pack(matrix, bins), bins, crop, offset), expected
    )
    both = valid[rows + crop] & valid[columns + crop]
    np.testing.assert_array_equal(packed.pairs(valid, crop, offset), both)


@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_near_diagonals(symmetric, offset):
    matrix, _ = symmetric
    bins = len(matrix)
    vector = packed.pack(matrix, bins)
    packed.near_diagonal(vector, bins, -7.0, offset)
    for diagonal in range(-offset + 1, offset):
        numutils.set_diag(matrix, -7.0, diagonal)
    np.testing.assert_array_equal(packed.unpack(vector, bins), matrix)


@pytest.mark.parametrize("offset", [0, 2])
def test_balance(symmetric, offset):
    matrix, valid = symmetric
    bins, size = len(matrix), 128
    counts = np.triu(np.ceil(10 * matrix).astype(np.int32))
    weights = np.where(valid, np.random.default_rng(1).uniform(0.5, 2, bins), 0.0)
    balanced, raw = np.full((2, size, size), 99.0)
    packed.balance(counts, weights, 20.0, offset, balanced, raw)
    expected = np.minimum(counts * weights[:, None] * weights, 20.0)
    for diagonal in range(offset):
        numutils.set_diag(expected, 20.0, diagonal)
    padded = np.zeros((2, size, size))
    padded[:, :bins, :bins] = zeroed(expected, valid), zeroed(counts, valid)
    upper = np.triu_indices(size)
    np.testing.assert_array_equal(balanced[upper], padded[0][upper])
    np.testing.assert_array_equal(raw[upper], padded[1][upper])


def test_observed_over_expected_is_cooltools_to_the_last_bit(symmetric):
    matrix, valid = symmetric
    bins = len(matrix)
    matrix = zeroed(matrix, valid)
    expected, edges, _, _ = numutils.observed_over_expected(matrix, valid[:, None] & valid)
    np.testing.assert_array_equal(packed.distance_groups(bins), edges)
    vector = packed.pack(matrix, bins)
    packed.divide(vector, packed.expected(vector, valid, packed.distance_groups(bins)))
    np.testing.assert_array_equal(packed.unpack(vector, bins), expected)


def test_distance_groups_of_windows_of_every_usual_size_are_those_of_cooltools():
    """Windows have up to 1,024 bins; rounding would show at one of these sizes."""
    for bins in range(2, 1100):
        edges = numutils._logbins_numba(1, bins, 1.03, prepend_zero=True)
        np.testing.assert_array_equal(packed.distance_groups(bins), edges, err_msg=str(bins))


def test_a_distance_without_contacts_is_not_divided_by_zero():
    vector = np.zeros(21)
    means = packed.expected(vector, np.ones(6, bool), packed.distance_groups(6))
    np.testing.assert_array_equal(means, 1.0)


def test_interpolation_is_cooltools(symmetric):
    matrix, valid = symmetric
    bins = len(matrix)
    matrix[~valid] = np.nan
    matrix[:, ~valid] = np.nan
    vector = packed.pack(matrix, bins)
    packed.interpolate(vector, valid)
    np.testing.assert_allclose(
        packed.unpack(vector, bins), numutils.interp_nan(matrix), rtol=1e-12, atol=1e-14
    )


def test_nothing_missing_is_left_as_it_is():
    vector = np.arange(21.0)
    packed.interpolate(vector, np.ones(6, bool))
    np.testing.assert_array_equal(vector, np.arange(21.0))
