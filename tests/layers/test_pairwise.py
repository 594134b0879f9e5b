import keras
import numpy as np
import pytest

from akita_bayes.blocks import two_dimensional as blocks
from akita_bayes.layers import pairwise

X = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")


@pytest.mark.parametrize(
    ("operation", "join"),
    [
        ("mean", lambda a, b: (a + b) / 2),
        ("max", np.maximum),
        ("concat", lambda a, b: np.concatenate([b, a])),
        ("multiply", lambda a, b: a * b),
        ("multiply1", lambda a, b: (a + 1) * (b + 1) - 1),
    ],
)
def test_one_to_two_joins_every_pair(operation, join):
    y = np.asarray(pairwise.OneToTwo(operation)(X))
    for b in range(2):
        for i in range(5):
            for j in range(5):
                np.testing.assert_allclose(y[b, i, j], join(X[b, i], X[b, j]), rtol=1e-6)


def test_one_to_two_names_the_operations_it_knows():
    with pytest.raises(ValueError, match="mean, max, concat, multiply, multiply1; got 'multipy'"):
        pairwise.OneToTwo("multipy")


def test_distance_is_the_last_channel():
    maps = np.random.default_rng(1).normal(size=(2, 4, 4, 3)).astype("float32")
    y = np.asarray(pairwise.ConcatDist2D()(maps))
    np.testing.assert_array_equal(y[..., :3], maps)
    for i in range(4):
        for j in range(4):
            assert (y[:, i, j, 3] == abs(i - j)).all()


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_distance_in_half_precision(policy):
    # v2's 640 bins: exact in float16, to 2 bins of 640 in bfloat16.
    maps = keras.ops.zeros((1, 640, 640, 1), policy.removeprefix("mixed_"))
    y = np.asarray(keras.ops.cast(pairwise.ConcatDist2D(dtype=policy)(maps), "float32"))[0, 0, :, 1]
    tolerance = 0 if policy == "mixed_float16" else 2
    assert np.abs(y - np.arange(640)).max() <= tolerance


def test_symmetrize_averages_with_the_transpose():
    maps = np.random.default_rng(1).normal(size=(2, 4, 4, 3)).astype("float32")
    y = np.asarray(pairwise.Symmetrize2D()(maps))
    np.testing.assert_allclose(y, (maps + maps.swapaxes(1, 2)) / 2, rtol=1e-6)


@pytest.mark.parametrize("diagonal_offset", [0, 1, 2, 5])
def test_upper_tri_reads_above_the_diagonal_row_by_row(diagonal_offset):
    maps = np.arange(36.0, dtype="float32").reshape(1, 6, 6, 1)
    pixels = [maps[0, i, j, 0] for i in range(6) for j in range(6) if j - i >= diagonal_offset]
    y = np.asarray(pairwise.UpperTri(diagonal_offset)(maps))
    np.testing.assert_array_equal(y[0, :, 0], pixels)


def test_upper_tri_drops_self_and_neighbour_contacts_unless_told():
    maps = np.arange(36.0, dtype="float32").reshape(1, 6, 6, 1)
    apart = [maps[0, i, j, 0] for i in range(6) for j in range(i + 2, 6)]
    for read in (pairwise.UpperTri(), blocks.upper_tri):
        np.testing.assert_array_equal(read(maps)[0, :, 0], apart)


def test_upper_tri_refuses_what_is_not_square_and_what_leaves_nothing():
    with pytest.raises(ValueError, match="square map; got 4 x 5"):
        pairwise.UpperTri(2)(np.zeros((1, 4, 5, 1), "float32"))
    with pytest.raises(ValueError, match="diagonal_offset 4 leaves nothing of a map of 4 bins"):
        pairwise.UpperTri(4)(np.zeros((1, 4, 4, 1), "float32"))
