"""Normalisation by name, and the learned scale that opens a residual branch gently."""

from typing import Any

import keras

from akita_bayes.layers import replicas

NORM_TYPES = ("batch", "batch-sync", "layer")


def normalization(
    norm_type: str | None, *, momentum: float = 0.99, gamma: str = "ones", **kwargs: Any
) -> keras.layers.Layer | None:
    """The layer that a spec calls `norm_type`, or None for None.

    Batch statistics are those of the global batch: a model built under a strategy of several
    replicas sums them over the replicas, so 'batch' and 'batch-sync' mean the same.

    Args:
        norm_type: One of NORM_TYPES, or None.
        momentum: Of the moving averages of batch normalisation.
        gamma: Initializer of the scale; 'zeros' lets a residual branch start as nothing.
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
    # One replica keeps Keras' plain moments: the synchronised ones copy the whole activation.
    return keras.layers.BatchNormalization(
        momentum=momentum, gamma_initializer=gamma, synchronized=replicas.count() > 1, **kwargs
    )


@keras.saving.register_keras_serializable("akita_bayes")
class Scale(keras.layers.Layer):
    """Multiplies every channel by a learned number. [..., C] -> [..., C].

    Args:
        initializer: Of the scale; 'zeros' lets a residual branch start as nothing.
    """

    def __init__(self, initializer: Any = "zeros", **kwargs: Any):
        super().__init__(**kwargs)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape: tuple) -> None:
        self.scale = self.add_weight(
            name="scale", shape=(input_shape[-1],), initializer=self.initializer
        )

    def call(self, x: Any) -> Any:
        return x * self.scale

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "initializer": initializer}
