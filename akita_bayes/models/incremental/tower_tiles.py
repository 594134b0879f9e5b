"""The convolution tower in tiles: what two sequences share is computed once.

A bin of the tower's output sees only a few thousand bases around it. So the output is computed in
tiles of some bins, each from the stretch of sequence that it sees, and kept by the letters of that
stretch. An edit changes the tiles that see it; the others are found again, also those of an
overlapping window and of the flanks of an indel. Where the output for nearly the same sequence is
at hand, only the bins that see the difference are computed.
"""

import collections
import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.layers import augmentation
from akita_bayes.models.incremental import folding

TILE_BASES = 2**15  # large enough that what neighbours compute twice is small
KEPT_BYTES = 2**28
NOTHING = 5  # a position beyond the sequence, of zeros


def rows(unknown: float) -> NDArray[np.float32]:
    """What a network reads for bases 0..3, for an unknown base and for NOTHING. [6, 4]."""
    return np.vstack([np.eye(4), np.full((1, 4), unknown), np.zeros((1, 4))]).astype(np.float32)


class Convolution(NamedTuple):
    """A stride-1, same-padded convolution with the normalisation that follows it."""

    kernel: tf.Tensor
    bias: tf.Tensor
    dilation: int

    @property
    def reach(self) -> tuple[int, int]:
        """Positions that it sees left and right of its own."""
        span = (int(self.kernel.shape[0]) - 1) * self.dilation
        return span // 2, span - span // 2


class Pool(NamedTuple):
    """Maximum over windows that touch."""

    size: int


Step = Convolution | Pool | Callable[[Any], Any]


class Piece(NamedTuple):
    """The stretch of sequence that a tile sees, and the zeros every step adds at its ends."""

    start: int
    end: int
    padding: tuple[tuple[int, int], ...]


class Tower:
    """The first layers of a network, up to its last pooling.

    Args:
        model: A functional network on one-hot sequences.
        unknown: What the rows of unknown bases hold.

    Attributes:
        cut: The Keras tensor that the tower ends with, [B, N, C]; the input when nothing is local.
        bin_width: Bases per position of `cut`.
    """

    def __init__(self, model: keras.Model, *, unknown: float = 0.0) -> None:
        self._steps, self.cut = _prefix(model)
        self._length = int(model.inputs[0].shape[1])
        self.bin_width = self._length // int(self.cut.shape[1])
        self._bins = max(1, TILE_BASES // self.bin_width)
        self._table = tf.constant(rows(unknown))
        self._compiled: dict[tuple[tuple[int, int], ...], Any] = {}
        self._kept: collections.OrderedDict[bytes, NDArray[np.float32]] = collections.OrderedDict()
        self._bytes = 0
        self.computed = 0

    def __call__(self, index: NDArray[np.uint8], phase: int = 0) -> NDArray[np.float32]:
        """The tower's output for one sequence. [L] -> [N, C].

        Args:
            index: Bases as 0..3, 4 for unknown.
            phase: Bins that the first tile lacks. Windows that overlap share tiles when their
                phases differ by the bins between their starts.
        """
        count = self._length // self.bin_width
        first = (-phase) % self._bins
        edges = [0, *range(first, count, self._bins), count]
        edges = sorted(set(edges))
        return np.concatenate(
            [self._tile(index, edges[i], edges[i + 1]) for i in range(len(edges) - 1)]
        )

    def edited(
        self,
        index: NDArray[np.uint8],
        phase: int,
        base: NDArray[np.uint8],
        known: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """The same, given the output `known` for the sequence `base`.

        Only the bins that see a difference are computed when they are fewer than a tile's.
        """
        places = np.flatnonzero(index != base)
        if not len(places):
            return known
        first, last = self._reached(int(places[0]), int(places[-1]) + 1)
        if last - first > self._bins:
            return self(index, phase)
        piece = self._seen(first, last)
        letters = tf.constant(index[None, piece.start : piece.end])
        values = self._run(piece.padding)(letters)[0].numpy()
        self.computed += last - first
        return np.concatenate([known[:first], values, known[last:]])

    def _tile(self, index: NDArray[np.uint8], first: int, last: int) -> NDArray[np.float32]:
        piece = self._seen(first, last)
        letters = index[piece.start : piece.end]
        key = repr(piece.padding).encode() + letters.tobytes()
        name = hashlib.blake2b(key, digest_size=16).digest()
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        values = self._run(piece.padding)(tf.constant(letters[None]))[0].numpy()
        self.computed += last - first
        self._kept[name] = values
        self._bytes += values.nbytes
        while self._bytes > KEPT_BYTES:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return values

    def _seen(self, first: int, last: int) -> Piece:
        """Walks from bins [first, last) of the output back to the sequence."""
        length = self._length // self.bin_width
        padding = []
        for step in reversed(self._steps):
            if isinstance(step, Pool):
                first, last, length = first * step.size, last * step.size, length * step.size
            elif isinstance(step, Convolution):
                left, right = step.reach
                first, last = first - left, last + right
                padding.append((max(-first, 0), max(last - length, 0)))
                first, last = max(first, 0), min(last, length)
        return Piece(first, last, tuple(reversed(padding)))

    def _reached(self, first: int, last: int) -> tuple[int, int]:
        """Bins of the output that see any of the bases [first, last)."""
        length = self._length
        for step in self._steps:
            if isinstance(step, Pool):
                first, last, length = first // step.size, -(-last // step.size), length // step.size
            elif isinstance(step, Convolution):
                left, right = step.reach
                first, last = max(first - right, 0), min(last + left, length)
        return first, last

    def _run(self, padding: tuple[tuple[int, int], ...]) -> Any:
        if padding not in self._compiled:
            signature = [tf.TensorSpec((None, None), tf.uint8)]

            @tf.function(input_signature=signature)
            def run(letters: tf.Tensor) -> tf.Tensor:
                x = tf.gather(self._table, tf.cast(letters, tf.int32))
                ends = iter(padding)
                for step in self._steps:
                    if isinstance(step, Convolution):
                        x = _convolve(x, step, next(ends))
                    elif isinstance(step, Pool):
                        x = tf.nn.max_pool1d(x, step.size, step.size, "VALID")
                    else:
                        x = step(x)
                return x

            self._compiled[padding] = run
        return self._compiled[padding]


def _convolve(x: tf.Tensor, step: Convolution, ends: tuple[int, int]) -> tf.Tensor:
    if any(ends):
        x = tf.pad(x, [[0, 0], ends, [0, 0]])
    x = tf.nn.conv1d(x, step.kernel, 1, "VALID", dilations=step.dilation)
    return tf.nn.bias_add(x, step.bias)


def _prefix(model: keras.Model) -> tuple[list[Step], Any]:
    """The longest chain of local layers from the input that ends with a pooling."""
    chain: list[Step] = []
    tensor = model.inputs[0]
    kept: tuple[list[Step], Any] = ([], tensor)
    readers = folding.readers(model)
    while len(readers.get(id(tensor), ())) == 1:
        (layer,) = readers[id(tensor)]
        if isinstance(layer, augmentation.StochasticReverseComplement):
            tensor = layer.output[0]
            continue
        if isinstance(layer, augmentation.StochasticShift):
            tensor = layer.output
            continue
        if isinstance(layer, keras.layers.MaxPooling1D):
            size = layer.pool_size[0]
            if layer.strides[0] != size or tensor.shape[1] % size:
                break
            chain.append(Pool(size))
            kept = (list(chain), layer.output)
        elif folding.pointwise(layer):
            chain.append(layer)
        elif isinstance(layer, keras.layers.Conv1D) and folding.same_convolution(layer):
            kernel, bias, layer = folding.folded(layer, readers)
            chain.append(Convolution(kernel, bias, _dilation(readers, tensor)))
        else:
            break
        tensor = layer.output
    return kept


def _dilation(readers: dict[int, list[Any]], tensor: Any) -> int:
    return readers[id(tensor)][0].dilation_rate[0]
