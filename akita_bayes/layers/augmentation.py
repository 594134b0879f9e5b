"""Random strand and random shift of the input, and their reversal on the output.

Reverse-complementing a sequence reverses a track and sends map pixel (i, j) to (N-1-j, N-1-i).
"""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from akita_bayes import triangle
from akita_bayes.layers import Shape, replicas


@keras.saving.register_keras_serializable("akita_bayes")
class StochasticReverseComplement(keras.layers.Layer):
    """Turns training sequences to the other strand with probability one half.

    [B, L, 4] -> [B, L, 4] and [B] bool, true where the strand was turned. In inference the
    sequences pass unchanged and every flag is false.

    Args:
        per_example: True to decide for each example; False for the whole batch, as in Basenji.
        seed: Seed of the generator; None draws a seed.
    """

    def __init__(self, *, per_example: bool = False, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.per_example = per_example
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x: Any, training: bool | None = None) -> tuple[Any, Any]:
        if not training:
            return x, ops.zeros((ops.shape(x)[0],), "bool")
        turned = self._draw(x) > 0.5
        # Reversing both axes is the reverse complement: channel 3 - c is the complement of c.
        return ops.where(turned[:, None, None], _flipped(x, (1, 2)), x), turned

    def _draw(self, x: Any) -> Any:
        def uniform(draws: Any) -> Any:
            return keras.random.uniform((draws,), dtype="float32", seed=self.seed_generator)

        if self.per_example:
            return replicas.share(uniform, x)
        # One decision for the batch; replicas with equal generators agree on it.
        return ops.broadcast_to(uniform(1), (ops.shape(x)[0],))

    def compute_output_spec(self, x: Any, training: bool | None = None) -> Any:
        return keras.KerasTensor(x.shape, x.dtype), keras.KerasTensor(x.shape[:1], "bool")

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        return tuple(input_shape), tuple(input_shape[:1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "per_example": self.per_example, "seed": self.seed}


@keras.saving.register_keras_serializable("akita_bayes")
class StochasticShift(keras.layers.Layer):
    """Moves training sequences by a uniform random number of bases in -shift_max .. shift_max.

    Positive shifts are to the right; zeros fill the gap. [B, L, C] -> [B, L, C].

    Args:
        shift_max: Largest shift, in bases.
        per_example: True to draw for each example; False for the whole batch, as in Basenji.
        seed: Seed of the generator; None draws a seed.
    """

    def __init__(
        self, shift_max: int, *, per_example: bool = False, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        self.shift_max = shift_max
        self.per_example = per_example
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, x: Any, training: bool | None = None) -> Any:
        if not training:
            return x
        if self.per_example:
            bases = replicas.share(lambda batch: self._draw((batch,)), x)
        else:
            bases = self._draw(())
        return shift(x, bases, shift_max=self.shift_max)

    def _draw(self, shape: Shape) -> Any:
        low, high = -self.shift_max, self.shift_max + 1
        return keras.random.randint(shape, low, high, dtype="int32", seed=self.seed_generator)

    def compute_output_spec(self, x: Any, training: bool | None = None) -> Any:
        return keras.KerasTensor(x.shape, x.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "shift_max": self.shift_max,
            "per_example": self.per_example,
            "seed": self.seed,
        }


def shift(x: Any, bases: Any, *, shift_max: int) -> Any:
    """Moves sequences right for positive `bases` and left for negative ones; zeros fill the gap.

    Args:
        x: Sequences. [B, L, C].
        bases: Shift, one int32 for all or one for each, within -shift_max .. shift_max. [] or [B].
        shift_max: Largest shift; the number of zeros padded on either side.
    """
    padded = ops.pad(x, [[0, 0], [shift_max, shift_max], [0, 0]])
    # Moving right by s reads from s bases further left; the sequence starts at shift_max.
    starts = shift_max - bases
    if not ops.ndim(bases):
        return ops.slice(padded, (0, starts, 0), ops.shape(x))
    window = tuple(x.shape[1:])

    def cut(example: tuple[Any, Any]) -> Any:
        sequence, start = example
        return ops.slice(sequence, (start, 0), window)

    return ops.map(cut, (padded, starts))


@keras.saving.register_keras_serializable("akita_bayes")
class SwitchReverse(keras.layers.Layer):
    """Restores the forward direction of tracks or whole maps of reverse-complemented sequences.

    [B, N, T] or [B, N, N, T], with flags [B] or one flag, -> the same shape.

    Args:
        strand_pair: Index of the target on the other strand, for every target; None for targets
            without a strand.
    """

    def __init__(self, strand_pair: Sequence[int] | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        self.strand_pair = None if strand_pair is None else [int(index) for index in strand_pair]

    def call(self, inputs: tuple[Any, Any]) -> Any:
        x, turned = inputs
        rank = len(x.shape)
        mirrored = _flipped(x, range(1, rank - 1))
        if self.strand_pair is not None:
            mirrored = ops.take(mirrored, np.array(self.strand_pair, np.int32), axis=-1)
        return _where_turned(turned, mirrored, x)

    def compute_output_spec(self, inputs: tuple[Any, Any]) -> Any:
        return keras.KerasTensor(inputs[0].shape, inputs[0].dtype)

    def compute_output_shape(self, input_shape: tuple[Shape, Shape]) -> Shape:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "strand_pair": self.strand_pair}


@keras.saving.register_keras_serializable("akita_bayes")
class SwitchReverseTriu(keras.layers.Layer):
    """Restores the forward direction of triangles of reverse-complemented sequences.

    [B, P, T], with flags [B] or one flag, -> [B, P, T]; pixel (i, j) takes (N-1-j, N-1-i).

    Args:
        diagonal_offset: First diagonal of the triangle.
    """

    def __init__(self, diagonal_offset: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.diagonal_offset = diagonal_offset

    def call(self, inputs: tuple[Any, Any]) -> Any:
        x, turned = inputs
        bins = triangle.bins(x.shape[1], self.diagonal_offset)
        order = triangle.reverse_order(bins, self.diagonal_offset).astype(np.int32)
        return _where_turned(turned, ops.take(x, order, axis=1), x)

    def compute_output_spec(self, inputs: tuple[Any, Any]) -> Any:
        return keras.KerasTensor(inputs[0].shape, inputs[0].dtype)

    def compute_output_shape(self, input_shape: tuple[Shape, Shape]) -> Shape:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "diagonal_offset": self.diagonal_offset}


def _where_turned(turned: Any, mirrored: Any, x: Any) -> Any:
    # [B] or [] -> [B, 1, ..., 1] or [1, ..., 1], which broadcast against x.
    flags = ops.reshape(ops.cast(turned, "bool"), (-1, *[1] * (len(x.shape) - 1)))
    return ops.where(flags, mirrored, x)


def _flipped(x: Any, axes: Iterable[int]) -> Any:
    """Reverses some axes, one after another: Keras 3.10 takes no tuple of axes."""
    for axis in axes:
        x = ops.flip(x, axis)
    return x
