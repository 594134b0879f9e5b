"""Reads a network's graph for inference: readers of tensors, pointwise layers, normalisations.

A batch normalisation that follows a convolution is a scale and a shift of its channels,

    gamma (W x + c - m) / sqrt(v + epsilon) + beta = (s W) x + (s (c - m) + beta),

s = gamma / sqrt(v + epsilon), so one convolution computes both.
"""

from typing import Any

import keras
import numpy as np
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
    """Returns a network's output before the layers that undo augmentation."""
    tensor = model.output
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
    no activation; blocks use separate layers for activations.
    """
    kernel = layer.kernel.numpy()
    bias = layer.bias.numpy() if layer.use_bias else np.zeros(kernel.shape[-1], np.float32)
    next_layers = following.get(id(layer.output), [])
    if len(next_layers) != 1 or not isinstance(next_layers[0], keras.layers.BatchNormalization):
        return tf.constant(kernel), tf.constant(bias), layer
    norm = next_layers[0]
    scale = 1 / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    if norm.scale:
        scale = scale * norm.gamma.numpy()
    shift = norm.beta.numpy() if norm.center else 0.0
    bias = scale * (bias - norm.moving_mean.numpy()) + shift
    return tf.constant(kernel * scale), tf.constant(bias.astype(np.float32)), norm
