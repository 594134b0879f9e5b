"""Gradients of long tracks in pieces: those of Keras, up to the order of sums."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from akita_bayes import layers
from akita_bayes.layers import convolution


@pytest.fixture
def short_pieces(monkeypatch):
    monkeypatch.setattr(layers, "LONG_TRACK", 40)
    monkeypatch.setattr(convolution, "PIECE", 16)


def layer_pair(**options):
    """Our layer and that of Keras with the same weights."""
    pair = [kind(6, **options) for kind in (convolution.Conv1D, keras.layers.Conv1D)]
    random = np.random.default_rng(0)
    for layer in pair:
        layer.build((None, None, 3))
    values = [random.normal(size=weight.shape) for weight in pair[0].weights]
    for layer in pair:
        layer.set_weights(values)
    return pair


def gradients(layer, x):
    """Output, and gradients of its weighted sum by the input and by the weights."""
    random = np.random.default_rng(1)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        total = tf.reduce_sum(tf.cast(y, "float32") * random.normal(size=y.shape).astype("float32"))
    sources = [x, *(variable.value for variable in layer.trainable_variables)]
    return y, tape.gradient(total, sources)


@pytest.mark.usefixtures("short_pieces")
@pytest.mark.parametrize("length", [48, 52, 60])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 5},
        {"kernel_size": 1, "use_bias": False},
        {"kernel_size": 15, "activation": "relu"},
        {"kernel_size": 12, "strides": 4},
        {"kernel_size": 2, "strides": 2},
    ],
)
def test_output_and_gradients_are_those_of_keras(length, options):
    x = tf.constant(np.random.default_rng(2).normal(size=(2, length, 3)), tf.float32)
    own, reference = layer_pair(padding="same", **options)
    assert own._divides(x)
    (y, values), (expected_y, expected) = gradients(own, x), gradients(reference, x)
    np.testing.assert_array_equal(y, expected_y)
    for value, goal in zip(values, expected, strict=True):
        # Sums of up to 1,254 float32 products in another order.
        np.testing.assert_allclose(value, goal, atol=1e-5 * float(tf.reduce_max(tf.abs(goal))))


@pytest.mark.usefixtures("short_pieces")
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 4},
        {"kernel_size": 5, "strides": 2},
        {"kernel_size": 15, "strides": 5},
        {"kernel_size": 8, "strides": 4},
        {"kernel_size": 17},
        {"kernel_size": 5, "dilation_rate": 2},
        {"kernel_size": 5, "padding": "valid"},
        {"kernel_size": 5, "groups": 3},
    ],
)
def test_other_convolutions_take_the_gradients_of_keras(options):
    x = tf.constant(np.random.default_rng(2).normal(size=(2, 48, 3)), tf.float32)
    own, reference = layer_pair(**{"padding": "same", **options})
    assert not own._divides(x)
    (y, values), (expected_y, expected) = gradients(own, x), gradients(reference, x)
    np.testing.assert_array_equal(y, expected_y)
    for value, goal in zip(values, expected, strict=True):
        np.testing.assert_array_equal(value, goal)


def gradient_operations(length):
    """Paddings of the operations that compute the gradient of a kernel in a compiled graph."""
    own, _ = layer_pair(kernel_size=5, padding="same")
    graph = tf.function(lambda x: gradients(own, x)[1][1], autograph=False)
    operations = graph.get_concrete_function(tf.zeros((1, length, 3))).graph.get_operations()
    return [
        operation.get_attr("padding").decode()
        for operation in operations
        if operation.type == "Conv2DBackpropFilter"
    ]


def test_long_tracks_are_divided_and_short_ones_are_not():
    """The kernels of the graph: "VALID" for pieces with their margins."""
    assert gradient_operations(layers.LONG_TRACK) == ["VALID"]
    assert gradient_operations(layers.LONG_TRACK - 1) == ["SAME"]


@pytest.mark.usefixtures("short_pieces")
def test_mixed_precision_differs_from_keras_by_its_rounding():
    x = tf.constant(np.random.default_rng(2).normal(size=(2, 48, 3)), tf.bfloat16)
    own, reference = layer_pair(kernel_size=5, padding="same", dtype="mixed_bfloat16")
    (y, values), (expected_y, expected) = gradients(own, x), gradients(reference, x)
    assert y.dtype == tf.bfloat16
    np.testing.assert_array_equal(y, expected_y)
    for value, goal in zip(values, expected, strict=True):
        assert value.dtype == goal.dtype
        value, goal = (np.asarray(tf.cast(array, tf.float32)) for array in (value, goal))
        np.testing.assert_allclose(value, goal, atol=2**-7 * np.abs(goal).max())


def test_a_saved_network_keeps_the_layer(tmp_path):
    inputs = keras.Input((8, 3))
    network = keras.Model(inputs, convolution.Conv1D(4, 3, padding="same")(inputs))
    network.save(tmp_path / "network.keras")
    loaded = keras.saving.load_model(tmp_path / "network.keras")
    assert isinstance(loaded.layers[-1], convolution.Conv1D)
    x = np.random.default_rng(0).normal(size=(2, 8, 3))
    np.testing.assert_array_equal(loaded(x), network(x))
