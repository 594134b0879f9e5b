"""Computes the head of an Akita in rectangles: the upper triangle, or the pixels of an edit.

The head is a row of blocks on symmetric maps: pointwise layers, a spatial convolution, further
pointwise layers, in residual blocks the sum with the input, and symmetrisation. One convolution
computes a rectangle with the kernel and with the transposed kernel. Their mean is the symmetrised
map, so pixels below the diagonal are not computed. Pixels are also skipped when the crop behind the
last block removes them and no later block sees them. When bins [lo, hi) of the track change, every
map changes in a cross of rows and columns, which each convolution widens by its reach; the other
pixels equal those of the base. In half precision an edit propagates changes (`head_blocks`).
"""

import collections
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from akita_bayes import triangle
from akita_bayes.models.passes import head_blocks, rectangles
from akita_bayes.models.passes.head_blocks import Block

HEIGHT = 96  # largest number of rows of a rectangle
GRID = 16  # bins; a graph serves all edits that reach the same bins of this grid
GRAPHS = 32  # largest number of stored graphs of edits
PATIENCE = 4  # edits of the same bins that are computed whole before a graph is compiled

Values = tuple[tuple[tf.Tensor, ...], ...]
Read = Callable[[rectangles.Rectangle], tf.Tensor]


class Computed(NamedTuple):
    """Holds the head's output, and the maps that edits of the track reuse.

    Attributes:
        values: Values of every rectangle, block by block, and the track last.
        output: Output of the head, [1, P, F], or [1, M, M, F] without a diagonal offset.
    """

    values: Values
    output: tf.Tensor


class Head:
    """Computes the last symmetric map of a track [1, N, C], cropped to M bins, or its triangle.

    Args:
        blocks: The blocks in order; the first reads pairs of the track's bins.
        bins: Bins N of the track.
        distance: True when |i - j| is the last channel of the pairs.
        separable: True when the first convolution acts on the pairs without a function between.
        margin: Bins that are cropped from each side of the last map.
        offset: First diagonal of the triangle of P pixels; None for the square map.
        precision: Precision of the convolutions; sums of residual blocks stay float32, and so does
            a separable first convolution.
    """

    def __init__(
        self,
        blocks: tuple[Block, ...],
        bins: int,
        *,
        distance: bool,
        separable: bool,
        margin: int = 0,
        offset: int | None = None,
        precision: str = "float32",
    ) -> None:
        blocks = tuple(block._replace(precision=precision) for block in blocks)
        self._bins = bins
        self._blocks = blocks
        self._exact = precision == "float32"
        self._separable = separable
        self._distance = distance
        first = head_blocks.SeparableFirst if separable else head_blocks.First
        self._first = first(blocks[0], bins, distance)
        # First and last required bins of each map, from the last map to the first: a map with a
        # margin of 5, read by a block of reach 2, needs a margin of 3.
        self._spans = [(margin, bins - margin)]
        for block in blocks[:0:-1]:
            start = max(self._spans[0][0] - block.reach, 0)
            self._spans.insert(0, (start, bins - start))
        self._pixels = None if offset is None else _pixel_positions(*self._spans[-1], offset)
        self._whole = tf.function(self._compute_whole, autograph=False)
        self._requests: collections.Counter[tuple[int, int]] = collections.Counter()
        self._graphs: collections.OrderedDict[tuple[int, int], Any] = collections.OrderedDict()

    def output(self, track: tf.Tensor) -> tf.Tensor:
        """Computes the output on a whole track, without the maps for edits; to be traced."""
        maps = self._maps(track, 0, self._bins, None)
        return self._output(rectangles.SymmetricMap(maps[-1]))

    def whole(self, track: tf.Tensor) -> Computed:
        """Computes the head on a whole track."""
        return self._whole(track)

    def edited(self, base: Values, track: tf.Tensor, lo: int, hi: int) -> tf.Tensor:
        """Returns the output for a track that differs from the base's in bins [lo, hi) only.

        Compiling a graph takes as long as several whole maps, so the first edits of the same bins
        are computed whole; in half precision, by one graph for changes of all bins.
        """
        # Edits on one grid share a graph: with GRID 16, bins [18, 21) and [30, 31) give (16, 32).
        bins = lo // GRID * GRID, -(-hi // GRID) * GRID
        if bins not in self._graphs:
            self._requests[bins] += 1
            if self._requests[bins] > PATIENCE:
                del self._requests[bins]
            elif self._exact:
                return self._whole(track).output
            else:
                bins = 0, self._bins
        if bins not in self._graphs:
            compute = functools.partial(self._compute_edit, bins)
            self._graphs[bins] = tf.function(compute, autograph=False)
            if len(self._graphs) > GRAPHS:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(bins)
        return self._graphs[bins](base, track)

    def _compute_whole(self, track: tf.Tensor) -> Computed:
        maps = self._maps(track, 0, self._bins, None)
        values = tuple(tuple(piece.values for piece in pieces) for pieces in maps)
        return Computed((*values, (track,)), self._output(rectangles.SymmetricMap(maps[-1])))

    def _compute_edit(self, bins: tuple[int, int], base: Values, track: tf.Tensor) -> tf.Tensor:
        *base_values, (base_track,) = base
        base_maps = [
            [
                rectangles.Piece(rectangle, x)
                for rectangle, x in zip(self._rectangles(number), values, strict=True)
            ]
            for number, values in enumerate(base_values)
        ]
        if self._exact:
            maps = self._maps(track, *bins, base_maps)
        else:
            maps = self._changed_maps(track, *bins, base_track, base_maps)
        return self._output(rectangles.SymmetricMap(maps[-1], base_maps[-1]))

    def _rectangles(
        self, number: int, lo: int = 0, hi: int | None = None
    ) -> list[rectangles.Rectangle]:
        """Returns the rectangles of a block's map that [lo, hi) changes and later steps read."""
        overlap = self._blocks[number + 1].reach if number + 1 < len(self._blocks) else 0
        hi = self._bins if hi is None else hi
        return rectangles.cross(*self._spans[number], lo, hi, height=HEIGHT, overlap=overlap)

    def _maps(
        self, track: tf.Tensor, lo: int, hi: int, base: list[list[rectangles.Piece]] | None
    ) -> list[list[rectangles.Piece]]:
        """Computes the pieces of every map that bins [lo, hi) of the track change."""
        maps: list[list[rectangles.Piece]] = []
        compute = self._first.reader(track)
        for number, block in enumerate(self._blocks):
            lo, hi = lo - block.reach, hi + block.reach
            if number:
                below = rectangles.SymmetricMap(
                    maps[-1], *(base[number - 1 : number] if base else ())
                )
                compute = functools.partial(head_blocks.computed, block, below, self._bins)
            maps.append([rectangles.Piece(r, compute(r)) for r in self._rectangles(number, lo, hi)])
        return maps

    def _changed_maps(
        self,
        track: tf.Tensor,
        lo: int,
        hi: int,
        base_track: tf.Tensor,
        base: list[list[rectangles.Piece]],
    ) -> list[list[rectangles.Piece]]:
        """Computes the same pieces as `_maps`, each as the base's plus its own change."""
        maps: list[list[rectangles.Piece]] = []
        read: Read = functools.partial(head_blocks.pairs, track, distance=self._distance)
        read_base: Read = functools.partial(head_blocks.pairs, base_track, distance=self._distance)
        # A separable first convolution has float32, so that its map needs no detour.
        first = self._first.reader(track) if self._separable else None
        for number, block in enumerate(self._blocks):
            lo, hi = lo - block.reach, hi + block.reach
            if number:
                read = rectangles.SymmetricMap(maps[-1], base[number - 1]).read
                read_base = rectangles.SymmetricMap(base[number - 1]).read
            compute = first or functools.partial(
                self._changed, block, read, read_base, rectangles.SymmetricMap(base[number])
            )
            first = None
            maps.append([rectangles.Piece(r, compute(r)) for r in self._rectangles(number, lo, hi)])
        return maps

    def _changed(
        self,
        block: Block,
        read: Read,
        read_base: Read,
        base: rectangles.SymmetricMap,
        rectangle: rectangles.Rectangle,
    ) -> tf.Tensor:
        """Computes a rectangle of a block's map as that of the base plus its change."""
        wide = head_blocks.field_of_view(block, rectangle, self._bins)
        change = head_blocks.change(block, read(wide), read_base(wide), rectangle, self._bins)
        if block.residual:
            change += read(rectangle) - read_base(rectangle)
        return base.read(rectangle) + change

    def _output(self, last: rectangles.SymmetricMap) -> tf.Tensor:
        start, end = self._spans[-1]
        if self._pixels is None:
            return last.read(rectangles.Rectangle(start, end, start, end))
        rows = [last.read(rectangle) for rectangle in self._rectangles(len(self._blocks) - 1)]
        flat = tf.concat([tf.reshape(x, (-1, x.shape[-1])) for x in rows], axis=0)
        return tf.gather(flat, self._pixels)[None]


def _pixel_positions(start: int, end: int, offset: int) -> np.ndarray:
    """Returns the position of each pixel of the triangle in the flattened rectangles. [P]."""
    rows, columns = (index + start for index in triangle.indices(end - start, offset))
    positions = np.zeros(len(rows), np.int32)
    first = 0  # position of the rectangle's first pixel
    for rectangle in rectangles.cross(start, end, start, end, height=HEIGHT):
        # Rectangles of a whole map lie one below the other, so rows alone select the pixels.
        inside = (rows >= rectangle.top) & (rows < rectangle.bottom)
        row, column = rows[inside] - rectangle.top, columns[inside] - rectangle.left
        positions[inside] = first + row * (rectangle.right - rectangle.left) + column
        first += rectangle.area
    return positions
