"""Computes rectangles of the maps of a head, block by block.

A block computes its rectangle from the map below, or only the change of a rectangle from the map
below and that of a base. In half precision an edit propagates changes, because maps of an edit and
of its base that are rounded one by one differ by more than most edits change. A convolution is
linear, so

    f(W (x + d)) = f(W x) + [f(W x + W d) - f(W x)],

the rounding of W d is small beside d, and that of W x is the same on both sides.
"""

import functools
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from akita_bayes.models.passes import folding, rectangles


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


class First:
    """Computes the first block: pairs of bins, pointwise functions, convolution.

    Args:
        block: The block.
        bins: Bins of the track.
        distance: True when |i - j| is the last channel of the pairs.
    """

    def __init__(self, block: Block, bins: int, distance: bool) -> None:
        self.block = block
        self.bins = bins
        self.distance = distance

    def reader(self, track: tf.Tensor) -> Any:
        """Returns a function from a rectangle to its values. [1, R, C, F]."""

        def read(rectangle: rectangles.Rectangle) -> tf.Tensor:
            wide = field_of_view(self.block, rectangle, self.bins)
            x = pairs(track, wide, distance=self.distance)
            return _convolved(self.block, x, rectangle, self.bins)

        return read


def pairs(track: tf.Tensor, wide: rectangles.Rectangle, *, distance: bool) -> tf.Tensor:
    """Returns (x_i + x_j) / 2 of a rectangle, and |i - j| with `distance`. [1, R, C, F]."""
    rows, columns = track[:, wide.top : wide.bottom], track[:, wide.left : wide.right]
    x = (rows[:, :, None] + columns[:, None]) / 2
    return tf.concat([x, _distances(wide)], axis=-1) if distance else x


class SeparableFirst:
    """Computes the first block when its convolution acts on (x_i + x_j) / 2 and |i - j| directly.

    The convolution of a sum of rows and columns is a sum of convolutions along the track, one for
    every offset along the other axis; offsets beyond the map count as zero. The convolution of
    |i - j| is a constant map. When only symmetrisation follows, both are symmetrised beforehand.

    Args:
        block: The block.
        bins: Bins of the track.
        distance: True when |i - j| is the last channel of the pairs.
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
        apart = _distances(field_of_view(self.block, rectangle, self.bins))
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


def computed(
    block: Block, below: rectangles.SymmetricMap, bins: int, rectangle: rectangles.Rectangle
) -> tf.Tensor:
    """Computes a rectangle of a block's map from the map below. [1, R, C, F]."""
    y = _convolved(block, below.read(field_of_view(block, rectangle, bins)), rectangle, bins)
    return below.read(rectangle) + y if block.residual else y


def field_of_view(block: Block, rectangle: rectangles.Rectangle, bins: int) -> rectangles.Rectangle:
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


def change(
    block: Block, new: tf.Tensor, old: tf.Tensor, rectangle: rectangles.Rectangle, bins: int
) -> tf.Tensor:
    """Computes how much a block's output differs between two maps, without its inputs.

    Args:
        block: The block.
        new: Values of the field of view. [1, R, C, F].
        old: Values of the base in the same pixels. [1, R, C, F].
        rectangle: Pixels of the output.
        bins: Bins of a map.
    """
    base = _chain(block.before, old)
    x = tf.concat([base, _chain(block.before, new) - base], axis=0)
    y = _padded(block, tf.cast(x, block.precision), rectangle, bins)
    kernels = tf.cast(_both_kernels(block.kernel), y.dtype)
    y = tf.cast(tf.nn.conv2d(y, kernels, 1, "VALID", dilations=block.dilation), tf.float32)
    base = y[:1] + tf.tile(block.bias, (2,))
    difference = _activated(block, base + y[1:]) - _activated(block, base)
    return _mixed(block, tf.cast(difference, block.precision), bias=False)


def _padded(block: Block, x: tf.Tensor, rectangle: rectangles.Rectangle, bins: int) -> tf.Tensor:
    """Adds the zeros beyond the map that the convolution sees to its field of view."""
    wide, inside = rectangle.grown(block.reach), field_of_view(block, rectangle, bins)
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
    return _mixed(block, _activated(block, both), bias=True)


def _activated(block: Block, both: tf.Tensor) -> tf.Tensor:
    """Applies the functions behind the convolution to both kernels' halves. [..., 2 C]."""
    # Activations act on each channel alone; other functions see the channels of one kernel only.
    activations = (keras.layers.Activation, keras.layers.ReLU)
    if all(isinstance(function, activations) for function in block.after):
        return _chain(block.after, both)
    halves = [_chain(block.after, half) for half in tf.split(both, 2, axis=-1)]
    return tf.concat(halves, axis=-1)


def _mixed(block: Block, both: tf.Tensor, *, bias: bool) -> tf.Tensor:
    """Averages both kernels' halves, by the last convolution of the block if it has one."""
    if block.mix is None:
        return tf.cast(tf.add_n(tf.split(both, 2, axis=-1)) / 2, tf.float32)
    kernel, shift = block.mix
    y = tf.nn.conv2d(both, tf.cast(tf.concat([kernel, kernel], axis=2) / 2, both.dtype), 1, "SAME")
    y = tf.nn.bias_add(y, tf.cast(shift, y.dtype)) if bias else y
    return tf.cast(y, tf.float32)


def _chain(functions: tuple[Any, ...], x: tf.Tensor) -> tf.Tensor:
    return functools.reduce(lambda y, function: folding.apply(function, y), functions, x)
