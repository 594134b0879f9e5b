"""Reads a network's graph for inference: readers of tensors, pointwise layers, normalisations.

A batch normalisation that follows a convolution is a scale and a shift of its channels,

    gamma (W x + c - m) / sqrt(v + epsilon) + beta = (s W) x + (s (c - m) + beta),

s = gamma / sqrt(v + epsilon), so one convolution computes both.
"""

from typing import Any

import keras
import tensorflow as tf

from akita_bayes.layers import augmentation, normalization

_POINTWISE = (
    keras.layers.Activation,
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.ReLU,
    normalization.Scale,
)


def readers(model: keras.Model) -> dict[int, list[Any]]:
    """Returns the layers of a model that read each tensor, by the tensor's id."""
    readers_by_id: dict[int, list[Any]] = {}
    for layer in model.operations:
        if layer._inbound_nodes:
            for tensor in keras.tree.flatten(layer.input):
                readers_by_id.setdefault(id(tensor), []).append(layer)
    return readers_by_id


def forward_output(model: keras.Model) -> Any:
    """Returns a network's outputs before the layers that undo augmentation, as `model.output`."""
    return keras.tree.map_structure(_forward_tensor, model.output)


def _forward_tensor(tensor: Any) -> Any:
    while True:
        layer = tensor._keras_history.operation
        if not isinstance(layer, augmentation.SwitchReverse | augmentation.SwitchReverseTriu):
            return tensor
        tensor = layer.input[0]


def pointwise(layer: Any) -> bool:
    """Returns True for a layer that applies the same function to every position alone."""
    if isinstance(layer, keras.layers.LayerNormalization):
        return layer.axis in (-1, [-1])
    return isinstance(layer, _POINTWISE)


def same_convolution(layer: Any) -> bool:
    """Returns True for a convolution that keeps the positions: stride 1, zero padding."""
    return (
        set(layer.strides) == {1}
        and layer.padding == "same"
        and layer.groups == 1
        and layer.activation in (None, keras.activations.linear)
        and layer.compute_dtype == "float32"
    )


def folded(layer: Any, following: dict[int, list[Any]]) -> tuple[tf.Tensor, tf.Tensor, Any]:
    """Returns kernel and bias of a convolution with the normalisation after it, and the last layer.

    The last layer is the normalisation, or the convolution without one. The convolution must have
    no activation; blocks use separate layers for activations. Inside a `tf.function`, kernel and
    bias are computed from the variables at every call and follow new weights.
    """
    kernel = _tensor(layer.kernel)
    bias = _tensor(layer.bias) if layer.use_bias else tf.zeros(kernel.shape[-1])
    next_layers = following.get(id(layer.output), [])
    if len(next_layers) != 1 or not isinstance(next_layers[0], keras.layers.BatchNormalization):
        return kernel, bias, layer
    norm = next_layers[0]
    scale = 1 / tf.sqrt(_tensor(norm.moving_variance) + norm.epsilon)
    if norm.scale:
        scale *= _tensor(norm.gamma)
    bias = scale * (bias - _tensor(norm.moving_mean))
    if norm.center:
        bias += _tensor(norm.beta)
    return kernel * scale, bias, norm


def apply(function: Any, x: tf.Tensor) -> tf.Tensor:
    """Applies a pointwise layer or function in the precision of `x`."""
    if isinstance(function, keras.layers.Dropout):
        return x
    if isinstance(function, keras.layers.Activation):
        return function.activation(x)  # the layer itself would return its own precision
    return tf.cast(function(x), x.dtype)


def _tensor(variable: Any) -> tf.Tensor:
    return tf.convert_to_tensor(keras.ops.convert_to_tensor(variable))
