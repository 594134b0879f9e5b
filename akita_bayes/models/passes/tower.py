"""Finds the convolution tower of a network, and computes stretches of it.

The tower is the chain of local layers from the sequence to the last pooling. A position of its
output sees only a few thousand bases, so a stretch of the output is computed from a stretch of the
sequence. The first layers of the tower hold the largest arrays and reach least far: a whole window
is computed in tiles up to a coarse resolution, and from there in one piece.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.layers import augmentation
from akita_bayes.models.passes import folding

TILE_BASES = 2**15  # bases of a tile, whose arrays fit in the cache of a processor
SMALL_BASES = 2**12  # bases of a window; shorter windows are computed together
COARSE = 16  # bases per position from which on a window is computed in one piece
NOTHING = 5  # a position beyond the sequence, of zeros


def rows(unknown: float) -> NDArray[np.float32]:
    """Returns the one-hot rows of bases 0..3, of an unknown base and of NOTHING. [6, 4]."""
    return np.vstack([np.eye(4), np.full((1, 4), unknown), np.zeros((1, 4))]).astype(np.float32)


class Convolution(NamedTuple):
    """Holds a stride-1, same-padded convolution with the normalisation that follows it."""

    kernel: tf.Tensor
    bias: tf.Tensor
    dilation: int

    @property
    def reach(self) -> tuple[int, int]:
        """Returns how many positions the convolution sees to the left and to the right."""
        # A kernel of even width sees one position more to the right, as Keras pads.
        span = (int(self.kernel.shape[0]) - 1) * self.dilation
        return span // 2, span - span // 2


class Pool(NamedTuple):
    """Describes a maximum, or with `average` a mean, over adjacent windows of `size` positions."""

    size: int
    average: bool = False


Step = Convolution | Pool | Callable[[Any], Any]
Encoder = Callable[[tf.Tensor], tf.Tensor]


class Piece(NamedTuple):
    """Describes the stretch of sequence that a tile sees, and the zero padding of each step."""

    start: int
    end: int
    padding: tuple[tuple[int, int], ...]


def visible_piece(steps: Sequence[Step], first: int, last: int, length: int) -> Piece:
    """Returns the stretch of the input that positions [first, last) of the output see.

    Args:
        steps: Steps from input to output.
        first: First position of the output.
        last: One past the last position of the output.
        length: Positions of the whole output.
    """
    padding = []
    for step in reversed(steps):
        if isinstance(step, Pool):
            first, last, length = first * step.size, last * step.size, length * step.size
        elif isinstance(step, Convolution):
            left, right = step.reach
            first, last = first - left, last + right
            # Positions before 0 or beyond the end are zeros: first = -3 needs 3 of them.
            padding.append((max(-first, 0), max(last - length, 0)))
            first, last = max(first, 0), min(last, length)
    return Piece(first, last, tuple(reversed(padding)))


def run(steps: Sequence[Step], x: tf.Tensor, padding: Sequence[tuple[int, int]]) -> tf.Tensor:
    """Computes a stretch of the output in the precision of `x`. [B, L, C] -> [B, N, C].

    Args:
        steps: Steps from input to output.
        x: Input of the stretch.
        padding: Zeros before and after the input of every convolution.
    """
    ends = iter(padding)
    for step in steps:
        if isinstance(step, Convolution):
            x = _convolve(x, step, next(ends))
        elif isinstance(step, Pool):
            pool = tf.nn.avg_pool1d if step.average else tf.nn.max_pool1d
            x = pool(x, step.size, step.size, "VALID")
        else:
            x = folding.apply(step, x)
    return x


def whole(steps: Sequence[Step], sequence: tf.Tensor, encode: Encoder) -> tf.Tensor:
    """Computes the tower of whole windows, long ones one after another. -> [B, N, C], float32.

    Args:
        steps: Steps of the tower.
        sequence: Windows. [B, L, ...].
        encode: Function from stretches of the windows to one-hot rows [B, L, 4].
    """
    fine, coarse = _split(steps)
    positions = int(sequence.shape[1]) // _width(steps)
    padding = visible_piece(coarse, 0, positions, positions).padding

    def compute(windows: tf.Tensor) -> tf.Tensor:
        x = _in_tiles(fine, windows, encode) if fine else encode(windows)
        return tf.cast(run(coarse, x, padding), tf.float32)

    return compute(sequence) if sequence.shape[1] <= SMALL_BASES else one_by_one(compute, sequence)


def one_by_one(function: Callable[[tf.Tensor], tf.Tensor], x: tf.Tensor) -> tf.Tensor:
    """Applies a function of batches to a batch, with one example at a time in memory."""
    return tf.map_fn(
        lambda example: function(example[None])[0],
        x,
        parallel_iterations=1,
        fn_output_signature=tf.float32,
    )


def _split(steps: Sequence[Step]) -> tuple[Sequence[Step], Sequence[Step]]:
    """Splits a tower behind the last pooling to at most COARSE bases per position."""
    pools = [number for number, step in enumerate(steps, 1) if isinstance(step, Pool)]
    ends = [number for number in pools if _width(steps[:number]) <= COARSE]
    end = max(ends, default=min(pools, default=0))
    return steps[:end], steps[end:]


def _width(steps: Sequence[Step]) -> int:
    """Returns the bases per position of the output."""
    return math.prod(step.size for step in steps if isinstance(step, Pool))


def _in_tiles(steps: Sequence[Step], sequence: tf.Tensor, encode: Encoder) -> tf.Tensor:
    """Computes steps in tiles of TILE_BASES. [B, L, ...] -> [B, N, C]."""
    width = _width(steps)
    count = int(sequence.shape[1]) // width
    edges = [*range(0, count, max(1, TILE_BASES // width)), count]
    pieces = [visible_piece(steps, *edge, count) for edge in itertools.pairwise(edges)]

    def tile(start: Any, size: int, padding: tuple[tuple[int, int], ...]) -> tf.Tensor:
        return run(steps, encode(sequence[:, start : start + size]), padding)

    parts = []
    # Tiles inside a window are alike: one graph computes all of them in turn.
    for (size, padding), group in itertools.groupby(
        pieces, lambda piece: (piece.end - piece.start, piece.padding)
    ):
        compute = functools.partial(tile, size=size, padding=padding)
        starts = [piece.start for piece in group]
        if len(starts) == 1:
            parts.append(compute(starts[0]))
            continue
        stack = tf.map_fn(
            compute,
            tf.constant(starts),
            parallel_iterations=1,
            fn_output_signature=encode(sequence[:, :1]).dtype,
        )
        joined = tf.transpose(stack, (1, 0, 2, 3))  # [K, B, N, C] -> [B, K, N, C]
        parts.append(tf.reshape(joined, (tf.shape(joined)[0], -1, joined.shape[-1])))
    return tf.concat(parts, axis=1) if len(parts) > 1 else parts[0]


def _convolve(x: tf.Tensor, step: Convolution, ends: tuple[int, int]) -> tf.Tensor:
    if any(ends):
        x = tf.pad(x, [[0, 0], ends, [0, 0]])
    x = tf.nn.conv1d(x, tf.cast(step.kernel, x.dtype), 1, "VALID", dilations=step.dilation)
    return tf.nn.bias_add(x, tf.cast(step.bias, x.dtype))


def prefix(model: keras.Model) -> tuple[list[Step], Any]:
    """Returns the longest chain of local layers from the input to a pooling, and its output."""
    chain: list[Step] = []
    tensor = model.inputs[0]
    prefix: tuple[list[Step], Any] = ([], tensor)
    readers = folding.readers(model)
    while len(readers.get(id(tensor), ())) == 1:
        (layer,) = readers[id(tensor)]
        if isinstance(layer, augmentation.StochasticReverseComplement):
            tensor = layer.output[0]
            continue
        if isinstance(layer, augmentation.StochasticShift):
            tensor = layer.output
            continue
        if isinstance(layer, keras.layers.MaxPooling1D | keras.layers.AveragePooling1D):
            size = layer.pool_size[0]
            if layer.strides[0] != size or tensor.shape[1] % size:
                break
            chain.append(Pool(size, isinstance(layer, keras.layers.AveragePooling1D)))
            prefix = (list(chain), layer.output)
        elif folding.pointwise(layer):
            chain.append(layer)
        elif isinstance(layer, keras.layers.Conv1D) and folding.same_convolution(layer):
            kernel, bias, layer = folding.folded(layer, readers)
            chain.append(Convolution(kernel, bias, _dilation(readers, tensor)))
        else:
            break
        tensor = layer.output
    return prefix


def _dilation(readers: dict[int, list[Any]], tensor: Any) -> int:
    return readers[id(tensor)][0].dilation_rate[0]
