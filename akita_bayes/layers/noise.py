"""The observation noise of a Gaussian likelihood, learned together with the mean."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from akita_bayes import triangle
from akita_bayes.layers.shapes import Shape

DEPENDENCES = ("target", "target_distance")


@keras.saving.register_keras_serializable("akita_bayes")
class ObservationNoise(keras.layers.Layer):
    """Passes predictions unchanged and holds the standard deviation of measurements around them.

    y ~ N(x, sd^2), with log sd a float32 weight per target, or per target and genomic distance.
    [B, P, T] -> [B, P, T].

    Args:
        per: 'target', or 'target_distance' for a map.
        initial: Initial standard deviation, in units of the target.
        diagonal_offset: First diagonal of the map's triangle; only for 'target_distance'.
    """

    def __init__(
        self,
        per: str = "target",
        initial: float = 1.0,
        diagonal_offset: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if per not in DEPENDENCES:
            raise ValueError(f"ObservationNoise knows {' and '.join(DEPENDENCES)}; got {per!r}.")
        if per == "target_distance" and diagonal_offset is None:
            raise ValueError(
                "ObservationNoise per target_distance needs a map: give its diagonal_offset."
            )
        self.per = per
        self.initial = initial
        self.diagonal_offset = diagonal_offset

    def build(self, input_shape: Shape) -> None:
        _, pixels, targets = input_shape
        # Row of log_sd for each pixel: its distance above the offset, or 0 for all of a target.
        row = np.zeros(1, np.int32)
        if self.per == "target_distance" and self.diagonal_offset is not None:
            bins = triangle.bins(pixels, self.diagonal_offset)
            distance = triangle.distances(bins, self.diagonal_offset)
            row = (distance - self.diagonal_offset).astype(np.int32)
        self._row = row
        self.log_sd = self.add_weight(
            name="log_sd",
            shape=(int(row.max()) + 1, targets),
            initializer=keras.initializers.Constant(math.log(self.initial)),
            dtype="float32",
            autocast=False,
        )

    def call(self, x: Any) -> Any:
        return x

    def sd(self) -> Any:
        """Computes the standard deviation of a measurement, float32. [P, T] or [1, T]."""
        return ops.exp(ops.take(ops.convert_to_tensor(self.log_sd), self._row, axis=0))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "per": self.per,
            "initial": self.initial,
            "diagonal_offset": self.diagonal_offset,
        }
