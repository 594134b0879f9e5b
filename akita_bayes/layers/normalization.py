"""Normalisation by name, and the learned scale of a residual branch."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from akita_bayes import layers
from akita_bayes.layers import Shape, replicas

NORM_TYPES = ("batch", "batch-sync", "layer")
MOST_ROWS = 512  # rows into which the fused kernel gets a track


def normalization(
    norm_type: str | None, *, momentum: float = 0.99, gamma: str = "ones", **kwargs: Any
) -> keras.layers.Layer | None:
    """Returns the layer that a spec calls `norm_type`, or None for None.

    Batch statistics are those of the global batch: a model built under a strategy of several
    replicas sums them over the replicas, so 'batch' and 'batch-sync' mean the same.

    Args:
        norm_type: One of NORM_TYPES, or None.
        momentum: Momentum of the moving averages of batch normalisation.
        gamma: Initializer of the scale; with 'zeros' a residual branch starts at zero.
        **kwargs: Further arguments of the layer.

    Raises:
        ValueError: The name is unknown.
    """
    if norm_type is None:
        return None
    if norm_type == "layer":
        return keras.layers.LayerNormalization(gamma_initializer=gamma, **kwargs)
    if norm_type not in NORM_TYPES:
        raise ValueError(f"norm_type is one of {', '.join(NORM_TYPES)} or null; got {norm_type!r}.")
    # One replica uses plain moments, because synchronised ones copy the whole activation.
    return BatchNormalization(
        momentum=momentum, gamma_initializer=gamma, synchronized=replicas.count() > 1, **kwargs
    )


@keras.saving.register_keras_serializable("akita_bayes")
class BatchNormalization(keras.layers.BatchNormalization):
    """Normalises batches; trains as Keras 2 does, with which Akita was trained.

    In training, y = gamma (x - m) / sqrt(v + epsilon) + beta with the batch's moments m and v of
    each channel. For a map, the moving average takes the unbiased variance v n / (n - 1), with n
    the pixels of the global batch; for a track it takes v. On TensorFlow, one replica computes maps
    and tracks of at least LONG_TRACK positions with the fused kernel, which stores fewer arrays and
    takes a third (maps) or a fifth (tracks) of the time of Keras 3. Maps and shorter tracks are
    rounded as in Keras 2. [B, ..., C] -> [B, ..., C].
    """

    def call(self, x: Any, training: bool | None = None, mask: Any = None) -> Any:
        compute = self._kernel(x.shape)
        if compute is None or not training or not self.trainable or mask is not None:
            return super().call(x, training=training, mask=mask)
        y, mean, variance = compute(x)
        for average, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            average.assign(average * self.momentum + value * (1.0 - self.momentum))
        return ops.cast(y, self.compute_dtype)

    def _kernel(self, shape: Shape) -> Callable[[Any], tuple[Any, Any, Any]] | None:
        """Returns the function from x to y, mean and variance, or None for that of Keras."""
        if len(shape) == 4:
            return self._fused if _fusible(self, 4) else self._plain
        long_track = len(shape) == 3 and (shape[1] or 0) >= layers.LONG_TRACK
        return self._fused_track if long_track and _fusible(self, 3) else None

    def _plain(self, x: Any) -> tuple[Any, Any, Any]:
        x = ops.cast(x, "float32")
        axes = [axis for axis in range(4) if axis != self.axis % 4]
        mean, variance = ops.moments(x, axes, synchronized=self.synchronized)
        y = ops.batch_normalization(
            x, mean, variance, self.axis, self.beta, self.gamma, epsilon=self.epsilon
        )
        pixels = ops.cast(ops.prod([ops.shape(x)[axis] for axis in axes]), "float32")
        pixels = replicas.total(pixels) if self.synchronized else pixels
        # Keras 2 averages the unbiased variance: 4 pixels scale the variance by 4 / 3.
        return y, mean, variance * (pixels / ops.maximum(pixels - 1, 1))

    def _fused(self, x: Any) -> tuple[Any, Any, Any]:
        import tensorflow as tf

        # The kernel returns the unbiased variance, as `_plain` does.
        y, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            x,
            ops.convert_to_tensor(self.gamma, "float32"),
            ops.convert_to_tensor(self.beta, "float32"),
            epsilon=self.epsilon,
            is_training=True,
        )
        return y, mean, variance

    def _fused_track(self, x: Any) -> tuple[Any, Any, Any]:
        # The kernel divides its work by rows: a track of 512 k positions becomes 512 rows.
        length, channels = x.shape[1:]
        rows = math.gcd(length, MOST_ROWS)
        y, mean, variance = self._fused(ops.reshape(x, (ops.shape(x)[0], rows, -1, channels)))
        positions = ops.cast(ops.size(x) // channels, "float32")
        return ops.reshape(y, ops.shape(x)), mean, variance * ((positions - 1) / positions)


def _fusible(layer: keras.layers.BatchNormalization, rank: int) -> bool:
    # The kernel needs scale and offset, channels last, and moments of one replica.
    plain = keras.backend.backend() == "tensorflow" and not layer.synchronized
    return plain and layer.center and layer.scale and layer.axis in (-1, rank - 1)


@keras.saving.register_keras_serializable("akita_bayes")
class Scale(keras.layers.Layer):
    """Multiplies every channel by a learned number. [..., C] -> [..., C].

    Args:
        initializer: Initializer of the scale; with 'zeros' a residual branch starts at zero.
    """

    def __init__(self, initializer: Any = "zeros", **kwargs: Any):
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape: Shape) -> None:
        self.scale = self.add_weight(
            name="scale", shape=(input_shape[-1],), initializer=self.initializer
        )

    def call(self, x: Any) -> Any:
        return x * self.scale

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "initializer": initializer}
