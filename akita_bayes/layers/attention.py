"""Attention along the sequence, and encodings of position."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from akita_bayes.layers import Shape


@keras.saving.register_keras_serializable("akita_bayes")
class RelativeAttention(keras.layers.Layer):
    """Attends by content and relative position, with several heads (Avsec et al. 2021).

    logits[i, j] = (q_i + u) . k_j + (q_i + v) . r_(j - i),  q scaled by key_size^-1/2, r a linear
    map of the central-mask features of the distance. [B, L, C] -> [B, L, C].

    Args:
        heads: Number of attention heads; C must be a multiple of it.
        key_size: Width of queries and keys per head; None takes C / heads.
        num_position_features: Number of position features, even; None takes C / heads, made even.
        attention_dropout: Dropout of the attention weights.
        position_dropout: Dropout of the position features.
        initializer: Initializer of all kernels except the output's, which is zero, so that a
            residual block starts as identity.
        l2_scale: L2 penalty of the kernels.
    """

    def __init__(
        self,
        *,
        heads: int = 1,
        key_size: int | None = None,
        num_position_features: int | None = None,
        attention_dropout: float = 0.05,
        position_dropout: float = 0.01,
        initializer: str = "he_normal",
        l2_scale: float = 0.0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if num_position_features is not None and (
            num_position_features < 2 or num_position_features % 2
        ):
            raise ValueError(
                f"RelativeAttention: {num_position_features} position features cannot be halved "
                "into masks and signed masks. Choose an even num_position_features of at least 2."
            )
        self.heads = heads
        self.key_size = key_size
        self.num_position_features = num_position_features
        self.attention_dropout = attention_dropout
        self.position_dropout = position_dropout
        self.initializer = initializer
        self.l2_scale = l2_scale

    def build(self, input_shape: Shape) -> None:
        _, length, channels = input_shape
        if channels % self.heads:
            raise ValueError(
                f"RelativeAttention: {channels} channels cannot be divided among {self.heads} "
                "heads. Choose a number of heads that divides the channels."
            )
        self._value_size = channels // self.heads
        self._key_size = self.key_size or self._value_size
        features = self.num_position_features or max(2, self._value_size // 2 * 2)
        bias_shape = (1, self.heads, 1, self._key_size)
        self.content_bias = self.add_weight(
            name="r_w_bias", shape=bias_shape, initializer=self.initializer
        )
        self.position_bias = self.add_weight(
            name="r_r_bias", shape=bias_shape, initializer=self.initializer
        )
        keys = self.heads * self._key_size
        self.query = self._projection(keys, input_shape)
        self.key = self._projection(keys, input_shape)
        self.value = self._projection(channels, input_shape)
        self.output_projection = self._projection(
            channels, input_shape, initializer="zeros", use_bias=True
        )
        self.position_key = self._projection(keys, (1, 2 * length - 1, features))
        self._features = central_mask_features(length, features)
        self.drop_attention = keras.layers.Dropout(self.attention_dropout, dtype=self.dtype_policy)
        self.drop_position = keras.layers.Dropout(self.position_dropout, dtype=self.dtype_policy)

    def _projection(
        self, units: int, shape: Shape, *, initializer: str | None = None, use_bias: bool = False
    ) -> keras.layers.Dense:
        layer = keras.layers.Dense(
            units,
            use_bias=use_bias,
            kernel_initializer=initializer or self.initializer,
            kernel_regularizer=keras.regularizers.L2(self.l2_scale) if self.l2_scale else None,
            dtype=self.dtype_policy,
        )
        layer.build(shape)
        return layer

    def call(self, x: Any, training: bool | None = None) -> Any:
        query = self._split(self.query(x)) * self._key_size**-0.5
        key, value = self._split(self.key(x)), self._split(self.value(x))
        features = ops.cast(ops.convert_to_tensor(self._features), x.dtype)
        features = self.drop_position(features, training=training)
        position_key = self._split(self.position_key(features))
        logits = ops.matmul(query + self.content_bias, ops.swapaxes(key, -1, -2))
        # [B, H, L, 2L - 1]: one logit for each query and distance -(L-1) .. L-1.
        by_distance = ops.matmul(query + self.position_bias, ops.swapaxes(position_key, -1, -2))
        # A softmax in half precision would lose small attention weights.
        logits = ops.cast(logits + relative_shift(by_distance), "float32")
        attention = ops.cast(ops.softmax(logits, axis=-1), x.dtype)
        attention = self.drop_attention(attention, training=training)
        heads = ops.transpose(ops.matmul(attention, value), (0, 2, 1, 3))
        return self.output_projection(ops.reshape(heads, (-1, *x.shape[1:])))

    def _split(self, x: Any) -> Any:
        x = ops.reshape(x, (-1, x.shape[1], self.heads, x.shape[-1] // self.heads))
        return ops.transpose(x, (0, 2, 1, 3))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "heads": self.heads,
            "key_size": self.key_size,
            "num_position_features": self.num_position_features,
            "attention_dropout": self.attention_dropout,
            "position_dropout": self.position_dropout,
            "initializer": self.initializer,
            "l2_scale": self.l2_scale,
        }


def central_mask_features(length: int, features: int) -> NDArray[np.float32]:
    """Computes features of the distances -(L-1) .. L-1: nested central masks, then signed ones.

    Mask f of F = features / 2 is 1 within |d| < (L + 1)^(f / F) - 1. [1, 2L - 1, features].
    """
    distances = np.arange(-length + 1, length)
    masks = features // 2
    base = np.exp(np.log(length + 1) / masks).astype(np.float32)
    widths = np.power(base, np.arange(1, masks + 1, dtype=np.float32)) - 1
    inside = (widths > np.abs(distances)[:, None]).astype(np.float32)
    return np.concatenate([inside, np.sign(distances)[:, None] * inside], -1)[None].astype(
        "float32"
    )


def relative_shift(by_distance: Any) -> Any:
    """Reads, for every query i and key j, column L - 1 + j - i. [B, H, L, 2L - 1] -> [B, H, L, L].

    Padding by one column and a reshape replace a gather (Dai et al. 2019).
    """
    _, heads, length, distances = by_distance.shape
    # For L = 2: [0 a b c], [0 d e f] without the first L elements, in rows of 2L - 1, is
    # [b c 0], [d e f], of which the first L columns are the result.
    padded = ops.pad(by_distance, [[0, 0], [0, 0], [0, 0], [1, 0]])
    shifted = ops.reshape(padded, (-1, heads, distances + 1, length))[:, :, 1:]
    return ops.reshape(shifted, (-1, heads, length, distances))[..., :length]


@keras.saving.register_keras_serializable("akita_bayes")
class SinusoidalPositions(keras.layers.Layer):
    """Adds sines and cosines of the position (Vaswani et al. 2017). [B, L, C] -> [B, L, C].

    Channel 2c holds sin(l / w^(2c / C)), channel 2c + 1 the cosine.

    Args:
        max_wavelength: Longest wavelength w divided by 2 pi, in positions.
    """

    def __init__(self, *, max_wavelength: float = 10000.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.max_wavelength = max_wavelength

    def call(self, x: Any) -> Any:
        table = sinusoids(x.shape[1], x.shape[2], self.max_wavelength)
        return x + ops.cast(ops.convert_to_tensor(table), x.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_wavelength": self.max_wavelength}


def sinusoids(length: int, channels: int, max_wavelength: float = 10000.0) -> NDArray[np.float32]:
    """Computes the table that SinusoidalPositions adds. [1, L, C]."""
    pairs = np.arange(0, channels, 2)
    angles = np.arange(length)[:, None] * np.exp(-math.log(max_wavelength) * pairs / channels)
    # Interleaves sines and cosines; an odd number of channels drops the last cosine.
    table = np.stack([np.sin(angles), np.cos(angles)], -1).reshape(length, -1)
    return table[None, :, :channels].astype(np.float32)


@keras.saving.register_keras_serializable("akita_bayes")
class LearnedPositions(keras.layers.Layer):
    """Adds a learned vector to every position. [B, L, C] -> [B, L, C].

    Args:
        initializer: Initializer of the vectors.
    """

    def __init__(self, *, initializer: Any = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(
            initializer or keras.initializers.RandomNormal(stddev=0.02)
        )

    def build(self, input_shape: Shape) -> None:
        self.positions = self.add_weight(
            name="positions", shape=tuple(input_shape[1:]), initializer=self.initializer
        )

    def call(self, x: Any) -> Any:
        return x + self.positions

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "initializer": initializer}
