"""Layers that weight channels by a summary of the whole track or map."""

from typing import Any

import keras
from keras import ops

from akita_bayes.layers import Shape, normalization


@keras.saving.register_keras_serializable("akita_bayes")
class SqueezeExcite(keras.layers.Layer):
    """Averages positions, then adds to or gates channels: squeeze-and-excitation (Hu et al. 2018).

    e = norm(W_2 relu(W_1 mean(x))); x + e when additive, x sigmoid(e) otherwise.
    [B, N, C] -> [B, N, C] or [B, N, N, C] -> [B, N, N, C].

    Args:
        bottleneck_ratio: C divided by the width of the hidden layer.
        additive: True to add the excitation, False to gate with it.
        norm_type: Normalisation of the excitation, starting from gamma = 0: 'batch', 'batch-sync'
            or 'layer'; None for none.
        bn_momentum: Momentum of batch normalisation.
    """

    def __init__(
        self,
        *,
        bottleneck_ratio: int = 8,
        additive: bool = False,
        norm_type: str | None = None,
        bn_momentum: float = 0.9,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.bottleneck_ratio = bottleneck_ratio
        self.additive = additive
        self.norm_type = norm_type
        self.bn_momentum = bn_momentum

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        self.squeeze = keras.layers.Dense(
            max(1, channels // self.bottleneck_ratio), activation="relu", dtype=self.dtype_policy
        )
        self.excite = keras.layers.Dense(channels, dtype=self.dtype_policy)
        self.norm = normalization.normalization(
            self.norm_type, momentum=self.bn_momentum, gamma="zeros", dtype=self.dtype_policy
        )
        self.squeeze.build((input_shape[0], channels))
        self.excite.build((input_shape[0], self.squeeze.units))
        if self.norm is not None:
            self.norm.build((input_shape[0], channels))

    def call(self, x: Any, training: bool | None = None) -> Any:
        positions = tuple(range(1, len(x.shape) - 1))
        # A sum over 640 x 640 pixels does not fit in float16.
        summary = ops.mean(ops.cast(x, "float32"), axis=positions)
        excitation = self.excite(self.squeeze(ops.cast(summary, x.dtype)))
        if self.norm is not None:
            excitation = self.norm(excitation, training=training)
        excitation = ops.expand_dims(excitation, positions)
        return x + excitation if self.additive else x * ops.sigmoid(excitation)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "bottleneck_ratio": self.bottleneck_ratio,
            "additive": self.additive,
            "norm_type": self.norm_type,
            "bn_momentum": self.bn_momentum,
        }


@keras.saving.register_keras_serializable("akita_bayes")
class GlobalContext(keras.layers.Layer):
    """Adds a transform of the attention-pooled positions: global context (Cao et al. 2019).

    c = sum_l softmax_l(k . x_l) x_l;  x + W_2 relu(LN(W_1 c)).  [B, L, C] -> [B, L, C].

    Args:
        bottleneck_ratio: C divided by the width of the hidden layer.
    """

    def __init__(self, *, bottleneck_ratio: int = 4, **kwargs: Any):
        super().__init__(**kwargs)
        self.bottleneck_ratio = bottleneck_ratio

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[-1]
        width = max(1, channels // self.bottleneck_ratio)
        self.key = keras.layers.Dense(1, dtype=self.dtype_policy)
        self.squeeze = keras.layers.Dense(width, dtype=self.dtype_policy)
        self.norm = keras.layers.LayerNormalization(dtype=self.dtype_policy)
        self.expand = keras.layers.Dense(channels, dtype=self.dtype_policy)
        self.key.build(input_shape)
        self.squeeze.build((input_shape[0], 1, channels))
        self.norm.build((input_shape[0], 1, width))
        self.expand.build((input_shape[0], 1, width))

    def call(self, x: Any) -> Any:
        # Thousands of positions share the attention, too many for a softmax in half precision.
        attention = ops.softmax(ops.cast(self.key(x), "float32"), axis=1)
        context = ops.sum(x * ops.cast(attention, x.dtype), axis=1, keepdims=True)
        return x + self.expand(ops.relu(self.norm(self.squeeze(context))))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "bottleneck_ratio": self.bottleneck_ratio}
