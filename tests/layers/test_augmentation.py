import keras
import numpy as np
import pytest
import tensorflow as tf

from akita_bayes import dna, triangle
from akita_bayes.layers import augmentation

SEQUENCE = "ACGTTGCANNACCGTA"


def one_hot(batch):
    return np.repeat(dna.to_one_hot(SEQUENCE)[None].astype("float32"), batch, axis=0)


def letters(x):
    return [dna.from_one_hot(sequence) for sequence in np.asarray(x)]


def test_reverse_complement_is_that_of_the_letters_and_flags_say_which():
    layer = augmentation.StochasticReverseComplement(per_example=True, seed=3)
    x, turned = layer(one_hot(64), training=True)
    turned = np.asarray(turned)
    complement = dna.reverse_complement(SEQUENCE)
    assert letters(x) == [complement if flag else SEQUENCE for flag in turned]
    # 64 fair coins: 15 to 49 heads with probability 1 - 1e-5.
    assert 15 < turned.sum() < 49


def test_one_strand_for_the_whole_batch_unless_per_example():
    layer = augmentation.StochasticReverseComplement(seed=1)
    flags = [np.asarray(layer(one_hot(4), training=True)[1]) for _ in range(40)]
    assert all(len(set(batch)) == 1 for batch in flags)
    assert 5 < sum(batch[0] for batch in flags) < 35


@pytest.mark.parametrize("per_example", [False, True])
def test_shift_moves_right_for_positive_and_fills_zeros(per_example):
    layer = augmentation.StochasticShift(3, per_example=per_example, seed=5)
    x = one_hot(60)
    moved = np.asarray(layer(x, training=True))
    possible = {s: dna.shift_one_hot(x[0], s) for s in range(-3, 4)}
    shifts = [
        next(s for s, expected in possible.items() if np.array_equal(sequence, expected))
        for sequence in moved
    ]
    # A value of seven is missed by all of 60 draws with probability 7e-4.
    assert set(shifts) == set(range(-3, 4)) if per_example else len(set(shifts)) == 1


def test_per_batch_shift_draws_every_value():
    layer = augmentation.StochasticShift(1, seed=2)
    x = one_hot(1)
    starts = {letters(layer(x, training=True))[0] for _ in range(40)}
    expected = {dna.from_one_hot(dna.shift_one_hot(x[0], s)) for s in (-1, 0, 1)}
    assert starts == expected


@pytest.mark.parametrize("bases", [-16, -4, 0, 4, 15])
def test_shift_equals_the_string_shift(bases):
    x = one_hot(2)
    expected = dna.shift_one_hot(x, bases)
    np.testing.assert_array_equal(augmentation.shift(x, np.int32(bases), shift_max=16), expected)
    np.testing.assert_array_equal(
        augmentation.shift(x, np.int32([bases] * 2), shift_max=16), expected
    )


@pytest.mark.parametrize("per_example", [False, True])
def test_batches_of_unknown_size_keep_their_shape(per_example):
    strand = augmentation.StochasticReverseComplement(per_example=per_example)
    offset = augmentation.StochasticShift(3, per_example=per_example)

    @tf.function(input_signature=[tf.TensorSpec([None, 16, 4])])
    def augmented(x):
        x, turned = strand(x, training=True)
        x = offset(x, training=True)
        assert x.shape.as_list() == [None, 16, 4]
        return x, turned

    x, turned = augmented(one_hot(5))
    assert (x.shape, turned.shape) == ((5, 16, 4), (5,))


def test_inference_changes_nothing():
    x = one_hot(3)
    same, turned = augmentation.StochasticReverseComplement(seed=0)(x)
    np.testing.assert_array_equal(same, x)
    assert not np.asarray(turned).any()
    np.testing.assert_array_equal(augmentation.StochasticShift(4, seed=0)(x), x)


def test_switch_reverse_restores_tracks_and_swaps_strand_pairs():
    y = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    flags = keras.ops.convert_to_tensor([True, False])
    restored = np.asarray(augmentation.SwitchReverse([1, 0, 2])([y, flags]))
    np.testing.assert_array_equal(restored[0], y[0, ::-1][:, [1, 0, 2]])
    np.testing.assert_array_equal(restored[1], y[1])


def test_switch_reverse_restores_maps_and_takes_one_flag_for_all():
    y = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    restored = augmentation.SwitchReverse()([y, keras.ops.convert_to_tensor(True)])
    np.testing.assert_array_equal(restored, y[:, ::-1, ::-1])


def test_switch_reverse_triu_rotates_the_map_by_half_a_turn():
    y = np.random.default_rng(0).normal(size=(2, 15, 3)).astype("float32")
    flags = keras.ops.convert_to_tensor([False, True])
    restored = np.asarray(augmentation.SwitchReverseTriu(2)([y, flags]))
    np.testing.assert_array_equal(restored[0], y[0])
    rotated = triangle.to_matrix(y, diagonal_offset=2)[1, ::-1, ::-1]
    np.testing.assert_array_equal(restored[1], triangle.to_vector(rotated, diagonal_offset=2))
