"""Computes the convolution tower in tiles, so that sequences share the tiles of equal stretches.

A bin of the tower's output sees only a few thousand bases around it. So the output is computed in
tiles of several bins, each from the stretch of sequence that it sees, and cached by the letters of
that stretch. An edit changes the tiles that see it; the other tiles come from the cache, also in
overlapping windows and beside an indel. When the output for a nearly equal sequence is available,
only the bins that see the difference are computed.
"""

import collections
import hashlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.models.passes import tower

TILE_BASES = 2**15  # much longer than the overlap that neighbouring tiles both compute
KEPT_BYTES = 2**28  # largest size of the cache


class Tower:
    """Computes the first layers of a network, up to its last pooling.

    Args:
        model: A functional network on one-hot sequences.
        unknown: Value of the four columns of an unknown base.
        precision: Precision of the convolutions, "float32" or "bfloat16". The change of an edit of
            few bases is computed in float32 and added, so that it is not lost in rounding.

    Attributes:
        cut: Keras tensor that the tower ends with, [B, N, C]; the input of a network without
            local layers.
        bin_width: Bases per position of `cut`.
        computed: Bins computed so far, without those from the cache.
    """

    def __init__(
        self, model: keras.Model, *, unknown: float = 0.0, precision: str = "float32"
    ) -> None:
        self._precision = precision
        self._steps, self.cut = tower.prefix(model)
        self._length = int(model.inputs[0].shape[1])
        self.bin_width = self._length // int(self.cut.shape[1])
        self._bins = max(1, TILE_BASES // self.bin_width)
        self._table = tf.constant(tower.rows(unknown))
        self._compiled: dict[tuple[tuple[tuple[int, int], ...], str], Any] = {}
        self._kept: collections.OrderedDict[bytes, NDArray[np.float32]] = collections.OrderedDict()
        self._bytes = 0
        self.computed = 0

    def __call__(self, index: NDArray[np.uint8], phase: int = 0) -> NDArray[np.float32]:
        """Computes the tower's output for one sequence. [L] -> [N, C].

        Args:
            index: Bases as 0..3, 4 for unknown.
            phase: Number of the first bin on a grid of tiles. Overlapping windows share tiles when
                their phases differ by the bins between their starts.
        """
        # Tiles of 8 bins and phase 5: the first tile holds 3 bins, the others begin at 3, 11, ...
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
        base_output: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Computes the output for a sequence from the output for the sequence `base`.

        Computes only the bins that see a difference when they are no more than the bins of a tile.
        """
        positions = np.flatnonzero(index != base)
        if not len(positions):
            return base_output
        first, last = self._affected_bins(int(positions[0]), int(positions[-1]) + 1)
        if last - first > self._bins:
            return self(index, phase)
        piece = self._visible_piece(first, last)
        letters, base_letters = (
            tf.constant(letters[None, piece.start : piece.end]) for letters in (index, base)
        )
        run = self._run(piece.padding, "float32")
        values = run(letters)[0].numpy()
        if self._precision != "float32":
            values = base_output[first:last] + (values - run(base_letters)[0].numpy())
        self.computed += last - first
        return np.concatenate([base_output[:first], values, base_output[last:]])

    def _tile(self, index: NDArray[np.uint8], first: int, last: int) -> NDArray[np.float32]:
        piece = self._visible_piece(first, last)
        letters = index[piece.start : piece.end]
        key = repr(piece.padding).encode() + letters.tobytes()
        name = hashlib.blake2b(key, digest_size=16).digest()
        if name in self._kept:
            self._kept.move_to_end(name)
            return self._kept[name]
        run = self._run(piece.padding, self._precision)
        values = run(tf.constant(letters[None]))[0].numpy()
        self.computed += last - first
        self._kept[name] = values
        self._bytes += values.nbytes
        while self._bytes > KEPT_BYTES:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return values

    def _visible_piece(self, first: int, last: int) -> tower.Piece:
        return tower.visible_piece(self._steps, first, last, self._length // self.bin_width)

    def _affected_bins(self, first: int, last: int) -> tuple[int, int]:
        """Returns the bins of the output that see any of the bases [first, last)."""
        length = self._length
        for step in self._steps:
            if isinstance(step, tower.Pool):
                first, last, length = first // step.size, -(-last // step.size), length // step.size
            elif isinstance(step, tower.Convolution):
                left, right = step.reach
                # A position sees `right` bases to its right, so a base affects positions as far
                # as `right` to its left.
                first, last = max(first - right, 0), min(last + left, length)
        return first, last

    def _run(self, padding: tuple[tuple[int, int], ...], precision: str) -> Any:
        key = (padding, precision)
        if key not in self._compiled:
            signature = [tf.TensorSpec((None, None), tf.uint8)]

            @tf.function(input_signature=signature, autograph=False)
            def run(letters: tf.Tensor) -> tf.Tensor:
                x = tf.gather(tf.cast(self._table, precision), tf.cast(letters, tf.int32))
                return tf.cast(tower.run(self._steps, x, padding), tf.float32)

            self._compiled[key] = run
        return self._compiled[key]
