import keras
import numpy as np
import pytest
import tensorflow as tf

from akita_bayes import layers
from akita_bayes.layers import normalization


def test_every_name_is_a_layer_with_the_asked_gamma():
    kinds = {
        "batch": normalization.BatchNormalization,
        "batch-sync": normalization.BatchNormalization,
        "layer": keras.layers.LayerNormalization,
    }
    for name in normalization.NORM_TYPES:
        layer = normalization.normalization(name, momentum=0.7, gamma="zeros")
        assert type(layer) is kinds[name]
        layer.build((None, 3))
        np.testing.assert_array_equal(layer.gamma, [0, 0, 0])
        assert layer.epsilon == 1e-3
        assert getattr(layer, "momentum", 0.7) == 0.7
    assert normalization.normalization(None) is None


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(ValueError, match="batch, batch-sync, layer or null; got 'group'"):
        normalization.normalization("group")


@pytest.mark.parametrize("synchronized", [False, True])
@pytest.mark.parametrize("shape", [(3, 7, 4), (2, 56, 4), (3, 5, 5, 4)])
def test_batch_moments_normalise_and_enter_the_averages_as_in_keras_2(
    shape, synchronized, monkeypatch
):
    """The fused kernel, plain operations and NumPy agree; only a map's variance is unbiased."""
    monkeypatch.setattr(layers, "LONG_TRACK", 50)
    x = np.random.default_rng(0).normal(2, 3, size=shape).astype("float32")
    layer = normalization.BatchNormalization(momentum=0.75, synchronized=synchronized)
    layer.build(shape)
    gamma, beta = np.float32([1, 2, -1, 0.5]), np.float32([0, 1, 2, 3])
    layer.set_weights([gamma, beta, np.float32([1] * 4), np.float32([2] * 4)])
    axes = tuple(range(len(shape) - 1))
    mean, variance = x.mean(axes), x.var(axes)
    y = gamma * (x - mean) / np.sqrt(variance + layer.epsilon) + beta
    np.testing.assert_allclose(layer(x, training=True), y, atol=2e-5)
    np.testing.assert_allclose(layer.moving_mean, 0.75 + 0.25 * mean, rtol=1e-5)
    averaged = x.var(axes, ddof=1) if len(shape) == 4 else variance
    np.testing.assert_allclose(layer.moving_variance, 1.5 + 0.25 * averaged, rtol=1e-5)
    moments = np.asarray(layer.moving_mean), np.asarray(layer.moving_variance)
    expected = gamma * (x - moments[0]) / np.sqrt(moments[1] + layer.epsilon) + beta
    np.testing.assert_allclose(layer(x, training=False), expected, atol=2e-5)


@pytest.mark.parametrize(
    ("length", "kernels"), [(layers.LONG_TRACK, 1), (layers.LONG_TRACK - 1, 0)]
)
def test_long_tracks_use_the_fused_kernel(length, kernels):
    layer = normalization.BatchNormalization()
    graph = tf.function(lambda x: layer(x, training=True)).get_concrete_function(
        tf.TensorSpec((None, length, 3))
    )
    operations = [operation.type for operation in graph.graph.get_operations()]
    assert operations.count("FusedBatchNormV3") == kernels


def test_channels_may_lie_on_another_axis():
    x = np.random.default_rng(0).normal(2, 3, size=(3, 4, 5, 6)).astype("float32")
    last, first = (normalization.BatchNormalization(axis=axis) for axis in (-1, 1))
    y = np.asarray(first(x.transpose(0, 3, 1, 2), training=True))
    np.testing.assert_allclose(y.transpose(0, 2, 3, 1), last(x, training=True), atol=1e-5)
    for name in ("moving_mean", "moving_variance"):
        np.testing.assert_allclose(getattr(first, name), getattr(last, name), rtol=1e-5)


def test_a_frozen_normalisation_neither_reads_nor_changes_by_the_batch():
    x = np.random.default_rng(0).normal(2, 3, size=(2, 4, 4, 3)).astype("float32")
    layer = normalization.BatchNormalization(trainable=False)
    np.testing.assert_allclose(layer(x, training=True), x / np.sqrt(1.001), rtol=1e-6)
    np.testing.assert_array_equal(layer.moving_mean, [0, 0, 0])


def test_scale_multiplies_channels_and_starts_at_zero():
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    layer = normalization.Scale()
    assert not np.asarray(layer(x)).any()
    layer.set_weights([np.float32([1, 2, 3, 4])])
    np.testing.assert_allclose(layer(x), x * [1, 2, 3, 4], rtol=1e-6)
