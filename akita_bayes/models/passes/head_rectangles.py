"""Computes the head of an Akita in rectangles: the upper triangle, or the pixels of an edit.

The head is a row of blocks on symmetric maps: pointwise layers, a spatial convolution, further
pointwise layers, in residual blocks the sum with the input, and symmetrisation. One convolution
computes a rectangle with the kernel and with the transposed kernel. Their mean is the symmetrised
map, so pixels below the diagonal are not computed. Pixels are also skipped when the crop behind the
last block removes them and no later block sees them. When bins [lo, hi) of the track change, every
map changes in a cross of rows and columns, which each convolution widens by its reach; the other
pixels equal those of the base.
"""

import collections
import functools
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from akita_bayes import triangle
from akita_bayes.models.passes import folding, rectangles

HEIGHT = 96  # largest number of rows of a rectangle
GRID = 16  # bins; a graph serves all edits that reach the same bins of this grid
GRAPHS = 32  # largest number of stored graphs of edits
PATIENCE = 4  # edits of the same bins that are computed whole before a graph is compiled

Values = tuple[tuple[tf.Tensor, ...], ...]


class Block(NamedTuple):
    """Describes one block of the head.

    Attributes:
        before: Pointwise functions before the convolution.
        kernel: Kernel of the spatial convolution, normalisation folded in. [k, k, C, F].
        bias: Bias of the spatial convolution. [F].
        dilation: Dilation of both axes.
        after: Pointwise functions after the convolution.
        mix: Kernel and bias of a last 1 x 1 convolution, or None. It is linear, so it also computes
            the mean over both kernels.
        residual: True when the block's input is added.
        precision: Precision of the convolutions.
    """

    before: tuple[Any, ...]
    kernel: tf.Tensor
    bias: tf.Tensor
    dilation: int
    after: tuple[Any, ...]
    mix: tuple[tf.Tensor, tf.Tensor] | None
    residual: bool
    precision: str = "float32"

    @property
    def reach(self) -> int:
        """Returns how many bins the convolution sees to each side."""
        return (int(self.kernel.shape[0]) - 1) // 2 * self.dilation


class Computed(NamedTuple):
    """Holds the head's output, and the maps that edits of the track reuse.

    Attributes:
        values: Values of every rectangle, block by block.
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
        precision: Precision of the convolutions; sums of residual blocks stay float32.
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
        self._first = (_SeparableFirst if separable else _First)(blocks[0], bins, distance)
        # First and last required bins of each map, from the last map to the first: a map with a
        # margin of 5, read by a block of reach 2, needs a margin of 3.
        self._spans = [(margin, bins - margin)]
        for block in blocks[:0:-1]:
            start = max(self._spans[0][0] - block.reach, 0)
            self._spans.insert(0, (start, bins - start))
        self._pixels = None if offset is None else _pixel_positions(*self._spans[-1], offset)
        self._whole = tf.function(self._compute_whole)
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
        are computed whole.
        """
        # Edits on one grid share a graph: with GRID 16, bins [18, 21) and [30, 31) give (16, 32).
        bins = lo // GRID * GRID, -(-hi // GRID) * GRID
        if bins not in self._graphs:
            self._requests[bins] += 1
            if self._requests[bins] <= PATIENCE:
                return self._whole(track).output
            del self._requests[bins]
            self._graphs[bins] = tf.function(functools.partial(self._compute_edit, bins))
            if len(self._graphs) > GRAPHS:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(bins)
        return self._graphs[bins](base, track)

    def _compute_whole(self, track: tf.Tensor) -> Computed:
        maps = self._maps(track, 0, self._bins, None)
        values = tuple(tuple(piece.values for piece in pieces) for pieces in maps)
        return Computed(values, self._output(rectangles.SymmetricMap(maps[-1])))

    def _compute_edit(self, bins: tuple[int, int], base: Values, track: tf.Tensor) -> tf.Tensor:
        base_maps = [
            [
                rectangles.Piece(rectangle, x)
                for rectangle, x in zip(self._rectangles(number), values, strict=True)
            ]
            for number, values in enumerate(base)
        ]
        maps = self._maps(track, *bins, base_maps)
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
                compute = functools.partial(_rectangle, block, below, self._bins)
            maps.append([rectangles.Piece(r, compute(r)) for r in self._rectangles(number, lo, hi)])
        return maps

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


class _First:
    """Computes the first block: pairs of bins, pointwise functions, convolution."""

    def __init__(self, block: Block, bins: int, distance: bool) -> None:
        self.block = block
        self.bins = bins
        self.distance = distance

    def reader(self, track: tf.Tensor) -> Any:
        """Returns a function from a rectangle to its values. [1, R, C, F]."""

        def read(rectangle: rectangles.Rectangle) -> tf.Tensor:
            wide = _field_of_view(self.block, rectangle, self.bins)
            rows, columns = track[:, wide.top : wide.bottom], track[:, wide.left : wide.right]
            x = (rows[:, :, None] + columns[:, None]) / 2
            if self.distance:
                x = tf.concat([x, _distances(wide)], axis=-1)
            return _convolved(self.block, x, rectangle, self.bins)

        return read


class _SeparableFirst:
    """Computes the first block when its convolution acts on (x_i + x_j) / 2 and |i - j| directly.

    The convolution of a sum of rows and columns is a sum of convolutions along the track, one for
    every offset along the other axis; offsets beyond the map count as zero. The convolution of
    |i - j| is a constant map. When only symmetrisation follows, both are symmetrised beforehand.
    """

    def __init__(self, block: Block, bins: int, distance: bool) -> None:
        self.block = block
        self.bins = bins
        # 1 where the kernel at a bin sees a bin of the map, 0 beyond its ends. [N, k].
        position = tf.range(bins)[:, None] + tf.range(-block.reach, block.reach + 1)[None]
        self.inside = tf.cast((position >= 0) & (position < bins), tf.float32)
        kernel = block.kernel
        self.distance = kernel[:, :, -1:] if distance else None
        kernel = kernel[:, :, :-1] if distance else kernel
        size, _, channels, filters = kernel.shape
        flat = (size, channels, size * filters)
        self.down = tf.reshape(tf.transpose(kernel, (0, 2, 1, 3)) / 2, flat)
        self.across = tf.reshape(tf.transpose(kernel, (1, 2, 0, 3)) / 2, flat)
        self.linear = not block.after and block.mix is None
        if self.linear:
            self.down = self.across = (self.down + self.across) / 2
            if self.distance is not None:
                self.distance = (self.distance + tf.transpose(self.distance, (1, 0, 2, 3))) / 2

    def reader(self, track: tf.Tensor) -> Any:
        """Returns a function from a rectangle to its values. [1, R, C, F]."""
        down = self._sums(track, self.down)
        across = down if self.linear else self._sums(track, self.across)

        def read(rectangle: rectangles.Rectangle) -> tf.Tensor:
            rows = slice(rectangle.top, rectangle.bottom)
            columns = slice(rectangle.left, rectangle.right)
            plain = self._sum(down, across, rows, columns)
            if self.linear:
                return (plain + self._constant(rectangle))[None]
            transposed = self._sum(across, down, rows, columns)
            both = tf.concat([plain, transposed], axis=-1) + self._constant(rectangle)
            return _mean(self.block, both[None])

        return read

    def _constant(self, rectangle: rectangles.Rectangle) -> tf.Tensor:
        """Computes the bias and the convolution of |i - j|. [R, C, F], 2 F for both kernels."""
        bias = self.block.bias if self.linear else tf.tile(self.block.bias, (2,))
        if self.distance is None:
            return bias
        apart = _distances(_field_of_view(self.block, rectangle, self.bins))
        apart = _padded(self.block, apart, rectangle, self.bins)
        kernel = self.distance if self.linear else _both_kernels(self.distance)
        return tf.nn.conv2d(apart, kernel, 1, "VALID")[0] + bias

    def _sums(self, track: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Computes sums over one axis of the kernel, for each offset along the other. [N, k, F]."""
        y = tf.nn.conv1d(track, kernel, 1, "SAME")[0]
        return tf.reshape(y, (self.bins, self.inside.shape[1], -1))

    def _sum(self, down: tf.Tensor, across: tf.Tensor, rows: slice, columns: slice) -> tf.Tensor:
        """Adds [N, k, F] of rows and of columns into a rectangle. -> [R, C, F]."""
        y = tf.einsum("jk,iko->ijo", self.inside[columns], down[rows])
        return y + tf.einsum("ik,jko->ijo", self.inside[rows], across[columns])


def _rectangle(
    block: Block, below: rectangles.SymmetricMap, bins: int, rectangle: rectangles.Rectangle
) -> tf.Tensor:
    """Computes a rectangle of a block's map from the map below. [1, R, C, F]."""
    y = _convolved(block, below.read(_field_of_view(block, rectangle, bins)), rectangle, bins)
    return below.read(rectangle) + y if block.residual else y


def _field_of_view(
    block: Block, rectangle: rectangles.Rectangle, bins: int
) -> rectangles.Rectangle:
    """Returns the pixels of the map below that a block needs for a rectangle."""
    return rectangle.grown(block.reach).within(rectangles.Rectangle(0, bins, 0, bins))


def _convolved(block: Block, x: tf.Tensor, rectangle: rectangles.Rectangle, bins: int) -> tf.Tensor:
    """Computes a block on its field of view, without adding its input. -> [1, R, C, F].

    Beyond the map the convolution sees zeros; the pointwise functions before it do not see them.
    """
    y = tf.cast(_chain(block.before, x), block.precision)
    y = _padded(block, y, rectangle, bins)
    kernels = tf.cast(_both_kernels(block.kernel), y.dtype)
    y = tf.nn.conv2d(y, kernels, 1, "VALID", dilations=block.dilation)
    return _mean(block, tf.nn.bias_add(y, tf.cast(tf.tile(block.bias, (2,)), y.dtype)))


def _padded(block: Block, x: tf.Tensor, rectangle: rectangles.Rectangle, bins: int) -> tf.Tensor:
    """Adds the zeros beyond the map that the convolution sees to its field of view."""
    wide, inside = rectangle.grown(block.reach), _field_of_view(block, rectangle, bins)
    ends = [
        [0, 0],
        [inside.top - wide.top, wide.bottom - inside.bottom],
        [inside.left - wide.left, wide.right - inside.right],
        [0, 0],
    ]
    return tf.pad(x, ends) if any(map(any, ends)) else x


def _both_kernels(kernel: tf.Tensor) -> tf.Tensor:
    """Joins a kernel and its transpose along the filters. [k, k, C, F] -> [k, k, C, 2 F]."""
    return tf.concat([kernel, tf.transpose(kernel, (1, 0, 2, 3))], axis=-1)


def _distances(rectangle: rectangles.Rectangle) -> tf.Tensor:
    """Returns |i - j| of the pixels of a rectangle. [1, R, C, 1]."""
    rows = range(rectangle.top, rectangle.bottom)
    columns = range(rectangle.left, rectangle.right)
    apart = np.abs(np.subtract.outer(rows, columns))
    return tf.constant(apart[None, :, :, None], tf.float32)


def _mean(block: Block, both: tf.Tensor) -> tf.Tensor:
    """Applies the layers behind the convolution, averages kernels. [..., 2 C] -> [..., F]."""
    # Activations act on each channel alone; other functions see the channels of one kernel only.
    activations = (keras.layers.Activation, keras.layers.ReLU)
    if all(isinstance(function, activations) for function in block.after):
        both = _chain(block.after, both)
    else:
        halves = [_chain(block.after, half) for half in tf.split(both, 2, axis=-1)]
        both = tf.concat(halves, axis=-1)
    if block.mix is None:
        return tf.cast(tf.add_n(tf.split(both, 2, axis=-1)) / 2, tf.float32)
    kernel, bias = block.mix
    y = tf.nn.conv2d(both, tf.cast(tf.concat([kernel, kernel], axis=2) / 2, both.dtype), 1, "SAME")
    return tf.cast(tf.nn.bias_add(y, tf.cast(bias, y.dtype)), tf.float32)


def _chain(functions: tuple[Any, ...], x: tf.Tensor) -> tf.Tensor:
    return functools.reduce(lambda y, function: folding.apply(function, y), functions, x)
