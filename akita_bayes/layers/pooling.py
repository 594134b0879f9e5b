"""Pooling whose weights are learned."""

from typing import Any

import keras
from keras import ops

from akita_bayes.layers import Shape


@keras.saving.register_keras_serializable("akita_bayes")
class SoftmaxPool1D(keras.layers.Layer):
    """Averages each window with weights softmax(w . x), one logit per position.

    Starts between mean and maximum: w is 2 on the first channel. [B, L, C] -> [B, L / s, C].

    Args:
        pool_size: Positions s of a window; L must be a multiple of it.
        gain: Initial weight of the logit.
    """

    def __init__(self, pool_size: int = 2, *, gain: float = 2.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.pool_size = pool_size
        self.gain = gain

    def build(self, input_shape: Shape) -> None:
        _, length, channels = input_shape
        if length % self.pool_size:
            raise ValueError(
                f"SoftmaxPool1D needs a length that is a multiple of pool_size {self.pool_size}; "
                f"got {length}. Choose another pool_size or pool_type max."
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(channels, 1),
            initializer=keras.initializers.Identity(self.gain),
        )

    def call(self, x: Any) -> Any:
        _, length, channels = x.shape
        windows = ops.reshape(x, (-1, length // self.pool_size, self.pool_size, channels))
        weights = ops.softmax(ops.matmul(windows, self.kernel), axis=-2)
        return ops.sum(windows * weights, axis=-2)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, length, channels = input_shape
        return batch, length // self.pool_size, channels

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pool_size": self.pool_size, "gain": self.gain}
