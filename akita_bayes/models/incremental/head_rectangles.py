"""The head of an Akita in rectangles of its maps: their upper triangle, and what an edit changed.

The head is a row of blocks on symmetric maps: pointwise layers, a spatial convolution, further
pointwise layers, perhaps the block's input added, and symmetrisation. A rectangle is computed once
with the kernel and once with the transposed one, in one convolution; their mean is the symmetrised
map, so what lies below the diagonal need not be computed. Nor what is cropped behind the last block
and no later block sees. When bins [lo, hi) of the track change, every map changes in a cross of
rows and columns, which each convolution widens by its reach; the rest is the base's.
"""

import collections
import functools
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from akita_bayes import triangle
from akita_bayes.models.incremental import rectangles

HEIGHT = 96  # rows of a rectangle, at most
GRID = 16  # bins; a graph serves all edits that reach the same bins of this grid
GRAPHS = 32  # of edits, kept
PATIENCE = 4  # edits that reach the same bins before a graph is made, slow as that is

Values = tuple[tuple[tf.Tensor, ...], ...]


class Block(NamedTuple):
    """One block of the head.

    Attributes:
        before: Pointwise functions before the convolution.
        kernel: Of the spatial convolution, normalisation folded in. [k, k, C, F].
        bias: [F].
        dilation: Of both axes.
        after: Pointwise functions after it.
        mix: Kernel and bias of a last 1 x 1 convolution, or None. Being linear, it takes the mean
            of both kernels' results as well.
        residual: True when the block's input is added.
    """

    before: tuple[Any, ...]
    kernel: tf.Tensor
    bias: tf.Tensor
    dilation: int
    after: tuple[Any, ...]
    mix: tuple[tf.Tensor, tf.Tensor] | None
    residual: bool

    @property
    def reach(self) -> int:
        """Bins that the convolution sees to each side."""
        return (int(self.kernel.shape[0]) - 1) // 2 * self.dilation


class Computed(NamedTuple):
    """The head's result, and what edits of the track need of the way to it.

    Attributes:
        values: Of the rectangles of every block's map.
        output: [1, P, F], or [1, M, M, F] without a diagonal offset.
    """

    values: Values
    output: tf.Tensor


class Head:
    """From a track [1, N, C] to the last symmetric map, cropped to M bins, or its triangle.

    Args:
        blocks: The blocks in order; the first reads pairs of the track's bins.
        bins: N.
        distance: True when |i - j| is the last channel of the pairs.
        separable: True when nothing acts on the pairs before the first convolution.
        margin: Bins that are cropped from each side of the last map.
        offset: First diagonal of the triangle of P pixels; None for the square map.
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
    ) -> None:
        self._bins = bins
        self._blocks = blocks
        self._first = (_SeparableFirst if separable else _First)(blocks[0], bins, distance)
        self._spans = [(margin, bins - margin)]  # bins of each map that are wanted
        for block in blocks[:0:-1]:
            start = max(self._spans[0][0] - block.reach, 0)
            self._spans.insert(0, (start, bins - start))
        self._pixels = None if offset is None else _positions(*self._spans[-1], offset)
        self._whole = tf.function(self._all)
        self._seen: collections.Counter[tuple[int, int]] = collections.Counter()
        self._graphs: collections.OrderedDict[tuple[int, int], Any] = collections.OrderedDict()

    def whole(self, track: tf.Tensor) -> Computed:
        """The head on a whole track."""
        return self._whole(track)

    def edited(self, base: Values, track: tf.Tensor, lo: int, hi: int) -> tf.Tensor:
        """The output for a track that differs from the base's in bins [lo, hi) only.

        Making a graph takes as long as some whole maps, so the first edits that reach the same bins
        are computed whole.
        """
        reached = lo // GRID * GRID, -(-hi // GRID) * GRID
        if reached not in self._graphs:
            self._seen[reached] += 1
            if self._seen[reached] <= PATIENCE:
                return self._whole(track).output
            del self._seen[reached]
            self._graphs[reached] = tf.function(functools.partial(self._cross, reached))
            if len(self._graphs) > GRAPHS:
                self._graphs.popitem(last=False)
        self._graphs.move_to_end(reached)
        return self._graphs[reached](base, track)

    def _all(self, track: tf.Tensor) -> Computed:
        maps = self._maps(track, 0, self._bins, None)
        values = tuple(tuple(piece.values for piece in each) for each in maps)
        return Computed(values, self._output(rectangles.SymmetricMap(maps[-1])))

    def _cross(self, reached: tuple[int, int], base: Values, track: tf.Tensor) -> tf.Tensor:
        held = [
            [rectangles.Piece(*each) for each in zip(self._places(number), values, strict=True)]
            for number, values in enumerate(base)
        ]
        maps = self._maps(track, *reached, held)
        return self._output(rectangles.SymmetricMap(maps[-1], held[-1]))

    def _places(
        self, number: int, lo: int = 0, hi: int | None = None
    ) -> list[rectangles.Rectangle]:
        """What bins [lo, hi) change of a block's map, as far as it is wanted."""
        overlap = self._blocks[number + 1].reach if number + 1 < len(self._blocks) else 0
        hi = self._bins if hi is None else hi
        return rectangles.cross(*self._spans[number], lo, hi, height=HEIGHT, overlap=overlap)

    def _maps(
        self, track: tf.Tensor, lo: int, hi: int, base: list[list[rectangles.Piece]] | None
    ) -> list[list[rectangles.Piece]]:
        maps: list[list[rectangles.Piece]] = []
        compute = self._first.reader(track)
        for number, block in enumerate(self._blocks):
            lo, hi = lo - block.reach, hi + block.reach
            if number:
                below = rectangles.SymmetricMap(
                    maps[-1], *(base[number - 1 : number] if base else ())
                )
                compute = functools.partial(_rectangle, block, below, self._bins)
            maps.append([rectangles.Piece(p, compute(p)) for p in self._places(number, lo, hi)])
        return maps

    def _output(self, last: rectangles.SymmetricMap) -> tf.Tensor:
        start, end = self._spans[-1]
        if self._pixels is None:
            return last.read(rectangles.Rectangle(start, end, start, end))
        rows = [last.read(place) for place in self._places(len(self._blocks) - 1)]
        flat = tf.concat([tf.reshape(x, (-1, x.shape[-1])) for x in rows], axis=0)
        return tf.gather(flat, self._pixels)[None]


def _positions(start: int, end: int, offset: int) -> np.ndarray:
    """Where the pixels of the triangle stand in the rectangles of a whole map, one by one. [P]."""
    rows, columns = (index + start for index in triangle.indices(end - start, offset))
    positions = np.zeros(len(rows), np.int32)
    begin = 0
    for place in rectangles.cross(start, end, start, end, height=HEIGHT):
        inside = (rows >= place.top) & (rows < place.bottom)
        row, column = rows[inside] - place.top, columns[inside] - place.left
        positions[inside] = begin + row * (place.right - place.left) + column
        begin += place.area
    return positions


class _First:
    """The first block: pairs of bins, pointwise functions, convolution."""

    def __init__(self, block: Block, bins: int, distance: bool) -> None:
        self.block = block
        self.bins = bins
        self.distance = distance

    def reader(self, track: tf.Tensor) -> Any:
        """A function from a rectangle to its values. [1, R, C, F]."""

        def read(place: rectangles.Rectangle) -> tf.Tensor:
            wide = _seen(self.block, place, self.bins)
            rows, columns = track[:, wide.top : wide.bottom], track[:, wide.left : wide.right]
            x = (rows[:, :, None] + columns[:, None]) / 2
            if self.distance:
                apart = np.subtract.outer(
                    range(wide.top, wide.bottom), range(wide.left, wide.right)
                )
                apart = tf.constant(np.abs(apart)[None, :, :, None], x.dtype)
                x = tf.concat([x, apart], axis=-1)
            return _convolved(self.block, x, place, self.bins)

        return read


class _SeparableFirst:
    """The first block where its convolution acts on (x_i + x_j) / 2 and |i - j| themselves.

    The convolution of a sum of rows and columns is a sum of convolutions along the track, one for
    every offset along the other axis, where zeros beyond the map count; that of |i - j| is a
    constant map. When nothing follows but symmetrisation, both are symmetrised beforehand.
    """

    def __init__(self, block: Block, bins: int, distance: bool) -> None:
        self.block = block
        self.bins = bins
        place = tf.range(bins)[:, None] + tf.range(-block.reach, block.reach + 1)[None]
        self.inside = tf.cast((place >= 0) & (place < bins), tf.float32)  # [N, k]
        kernel = block.kernel
        self.constant = tf.zeros((bins, bins, 1)) + block.bias
        if distance:
            kernel, last = kernel[:, :, :-1], kernel[:, :, -1:]
            apart = tf.abs(tf.range(bins)[:, None] - tf.range(bins)[None])
            apart = tf.cast(apart, tf.float32)[None, :, :, None]
            self.constant += tf.nn.conv2d(apart, last, 1, "SAME")[0]
        size, _, channels, filters = kernel.shape
        flat = (size, channels, size * filters)
        self.down = tf.reshape(tf.transpose(kernel, (0, 2, 1, 3)) / 2, flat)
        self.across = tf.reshape(tf.transpose(kernel, (1, 2, 0, 3)) / 2, flat)
        self.linear = not block.after and block.mix is None
        if self.linear:
            self.down = self.across = (self.down + self.across) / 2
            self.constant = (self.constant + tf.transpose(self.constant, (1, 0, 2))) / 2

    def reader(self, track: tf.Tensor) -> Any:
        """A function from a rectangle to its values. [1, R, C, F]."""
        down = self._sums(track, self.down)
        across = down if self.linear else self._sums(track, self.across)

        def read(place: rectangles.Rectangle) -> tf.Tensor:
            rows, columns = slice(place.top, place.bottom), slice(place.left, place.right)
            plain = self._sum(down, across, rows, columns) + self.constant[rows, columns]
            if self.linear:
                return plain[None]
            turned = self._sum(across, down, rows, columns)
            turned += tf.transpose(self.constant[columns, rows], (1, 0, 2))
            return _mean(self.block, tf.concat([plain, turned], axis=-1)[None])

        return read

    def _sums(self, track: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Sums over one axis of the kernel, for every offset along the other. [N, k, F]."""
        y = tf.nn.conv1d(track, kernel, 1, "SAME")[0]
        return tf.reshape(y, (self.bins, self.inside.shape[1], -1))

    def _sum(self, down: tf.Tensor, across: tf.Tensor, rows: slice, columns: slice) -> tf.Tensor:
        """[N, k, F] of rows and of columns -> a rectangle of their sum. [R, C, F]."""
        y = tf.einsum("jk,iko->ijo", self.inside[columns], down[rows])
        return y + tf.einsum("ik,jko->ijo", self.inside[rows], across[columns])


def _rectangle(
    block: Block, below: rectangles.SymmetricMap, bins: int, place: rectangles.Rectangle
) -> tf.Tensor:
    """A rectangle of a block's map from the map below. [1, R, C, F]."""
    y = _convolved(block, below.read(_seen(block, place, bins)), place, bins)
    return below.read(place) + y if block.residual else y


def _seen(block: Block, place: rectangles.Rectangle, bins: int) -> rectangles.Rectangle:
    return place.grown(block.reach).within(rectangles.Rectangle(0, bins, 0, bins))


def _convolved(block: Block, x: tf.Tensor, place: rectangles.Rectangle, bins: int) -> tf.Tensor:
    """A block on what a rectangle sees of a symmetric map, without its input. -> [1, R, C, F].

    Beyond the map the convolution sees zeros, whatever pointwise functions make of them.
    """
    wide, seen = place.grown(block.reach), _seen(block, place, bins)
    ends = [
        [0, 0],
        [seen.top - wide.top, wide.bottom - seen.bottom],
        [seen.left - wide.left, wide.right - seen.right],
        [0, 0],
    ]
    y = _chain(block.before, x)
    y = tf.pad(y, ends) if any(map(any, ends)) else y
    kernels = tf.concat([block.kernel, tf.transpose(block.kernel, (1, 0, 2, 3))], axis=-1)
    y = tf.nn.conv2d(y, kernels, 1, "VALID", dilations=block.dilation)
    return _mean(block, tf.nn.bias_add(y, tf.concat([block.bias, block.bias], axis=0)))


def _mean(block: Block, both: tf.Tensor) -> tf.Tensor:
    """What follows both kernels' convolutions, averaged. [..., 2 C] -> [..., F]."""
    if all(isinstance(each, keras.layers.Activation | keras.layers.ReLU) for each in block.after):
        both = _chain(block.after, both)
    else:
        halves = [_chain(block.after, half) for half in tf.split(both, 2, axis=-1)]
        both = tf.concat(halves, axis=-1)
    if block.mix is None:
        return tf.add_n(tf.split(both, 2, axis=-1)) / 2
    kernel, bias = block.mix
    y = tf.nn.conv2d(both, tf.concat([kernel, kernel], axis=2) / 2, 1, "SAME")
    return tf.nn.bias_add(y, bias)


def _chain(functions: tuple[Any, ...], x: tf.Tensor) -> tf.Tensor:
    return functools.reduce(lambda y, function: function(y), functions, x)
