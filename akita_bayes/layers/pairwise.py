"""Layers from a track of bins to a map of bin pairs, and from a map to its upper triangle."""

from typing import Any

import keras
import numpy as np
from keras import ops

from akita_bayes import triangle
from akita_bayes.layers import Shape

OPERATIONS = ("mean", "max", "concat", "multiply", "multiply1")


@keras.saving.register_keras_serializable("akita_bayes")
class OneToTwo(keras.layers.Layer):
    """Joins the features of every two bins i and j. [B, N, C] -> [B, N, N, C], 2C for 'concat'.

    Args:
        operation: 'mean' (x_i + x_j) / 2; 'max'; 'concat' [x_j, x_i], in Basenji's order;
            'multiply' x_i x_j; 'multiply1' (x_i + 1)(x_j + 1) - 1.
    """

    def __init__(self, operation: str = "mean", **kwargs: Any):
        super().__init__(**kwargs)
        if operation not in OPERATIONS:
            raise ValueError(
                f"OneToTwo knows {', '.join(OPERATIONS)}; got {operation!r}. Choose one of them."
            )
        self.operation = operation

    def call(self, x: Any) -> Any:
        rows, columns = x[:, :, None, :], x[:, None, :, :]
        if self.operation == "mean":
            return (rows + columns) / 2
        if self.operation == "max":
            return ops.maximum(rows, columns)
        if self.operation == "multiply":
            return rows * columns
        if self.operation == "multiply1":
            return (rows + 1) * (columns + 1) - 1
        # Adding zeros broadcasts rows and columns to [B, N, N, C].
        zeros = ops.zeros_like(rows + columns)
        return ops.concatenate([columns + zeros, rows + zeros], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, bins, channels = input_shape
        return batch, bins, bins, channels * 2 if self.operation == "concat" else channels

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "operation": self.operation}


@keras.saving.register_keras_serializable("akita_bayes")
class ConcatDist2D(keras.layers.Layer):
    """Appends the distance |i - j|, in bins, as the last channel.

    [B, N, N, C] -> [B, N, N, C + 1], in the compute dtype: exact up to 256 bins in bfloat16 and
    2,048 in float16.
    """

    def call(self, x: Any) -> Any:
        bins = np.arange(x.shape[1])
        distance = np.abs(bins[:, None] - bins[None, :])[None, :, :, None]
        distance = ops.cast(ops.convert_to_tensor(distance, "int32"), x.dtype)
        shape = (ops.shape(x)[0], *distance.shape[1:])
        return ops.concatenate([x, ops.broadcast_to(distance, shape)], axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return *input_shape[:-1], input_shape[-1] + 1


@keras.saving.register_keras_serializable("akita_bayes")
class Symmetrize2D(keras.layers.Layer):
    """Averages a map with its transpose. [B, N, N, C] -> [B, N, N, C]."""

    def call(self, x: Any) -> Any:
        return (x + ops.transpose(x, (0, 2, 1, 3))) / 2

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)


@keras.saving.register_keras_serializable("akita_bayes")
class UpperTri(keras.layers.Layer):
    """Reads the upper triangle of a symmetric map as a vector.

    Pixel order is row-major over i < j with j - i >= diagonal_offset, as in `triangle.indices`.
    [B, N, N, C] -> [B, P, C] with P = (N - k)(N - k + 1) / 2, k = diagonal_offset.

    Args:
        diagonal_offset: First diagonal of the triangle; 2 drops self- and neighbour contacts.
    """

    def __init__(self, diagonal_offset: int = 2, **kwargs: Any):
        super().__init__(**kwargs)
        self.diagonal_offset = diagonal_offset

    def build(self, input_shape: Shape) -> None:
        _, height, width, _ = input_shape
        if height != width:
            raise ValueError(
                f"UpperTri needs a square map; got {height} x {width}. Crop both axes alike."
            )
        if not 0 <= self.diagonal_offset < height:
            raise ValueError(
                f"UpperTri: diagonal_offset {self.diagonal_offset} leaves nothing of a map of "
                f"{height} bins. Choose 0 to {height - 1}."
            )

    def call(self, x: Any) -> Any:
        bins, channels = x.shape[1], x.shape[-1]
        rows, columns = triangle.indices(bins, self.diagonal_offset)
        # Pixel (i, j) is element i N + j of the flattened map.
        pixels = (rows * bins + columns).astype(np.int32)
        return ops.take(ops.reshape(x, (-1, bins * bins, channels)), pixels, axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        batch, bins, _, channels = input_shape
        return batch, triangle.length(bins, self.diagonal_offset), channels

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "diagonal_offset": self.diagonal_offset}
