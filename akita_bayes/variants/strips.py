"""The head of an Akita on whole maps, and again only where an edit changed them.

The head is a row of blocks on symmetric maps: pointwise layers, a spatial convolution, further
pointwise layers, perhaps the block's input added, and symmetrisation. When bins [lo, hi) of the
track change, every map changes in a cross of rows and columns, which each convolution widens by
its reach. Maps are symmetric, so rows tell the columns: a block is computed on a strip of rows,
once with its kernel and once with the transposed one; their mean is the symmetrised map.
"""

import functools
from typing import Any, NamedTuple

import tensorflow as tf

MOST = 0.45  # of the rows; a wider strip saves nothing


class Block(NamedTuple):
    """One block of the head.

    Attributes:
        before: Pointwise functions before the convolution.
        kernel: Of the spatial convolution, normalisation folded in. [k, k, C, F].
        bias: [F].
        dilation: Of both axes.
        after: Pointwise functions after it.
        mix: Kernel and bias of a last 1 x 1 convolution, or None. Being linear, it is applied to
            the symmetrised map.
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


class Head:
    """From a track [1, N, C] to the last symmetric map [1, N, N, F].

    Args:
        blocks: The blocks in order; the first reads pairs of the track's bins.
        bins: N.
        distance: True when |i - j| is the last channel of the pairs.
        separable: True when nothing acts on the pairs before the first convolution.
    """

    def __init__(
        self, blocks: tuple[Block, ...], bins: int, *, distance: bool, separable: bool
    ) -> None:
        self._bins = bins
        self._blocks = blocks[1:]
        self._first = (_SeparableFirst if separable else _First)(blocks[0], bins, distance)
        self._reach = sum(block.reach for block in blocks)
        self._whole = tf.function(self._all)
        self._part = tf.function(self._cross)

    def maps(self, track: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Every block's map. [1, N, N, F] each; the last is the head's."""
        return self._whole(track)

    def edited(
        self, base: tuple[tf.Tensor, ...], track: tf.Tensor, lo: int, hi: int
    ) -> tf.Tensor | None:
        """The last map of a track that differs from the base's in bins [lo, hi) only.

        None when the cross is too wide to save anything.
        """
        if hi - lo + 2 * self._reach > MOST * self._bins:
            return None
        return self._part(base, track, tf.constant(lo), tf.constant(hi))

    def _all(self, track: tf.Tensor) -> tuple[tf.Tensor, ...]:
        maps = [self._first.whole(track)]
        for block in self._blocks:
            x = maps[-1]
            y = _chain(block.before, x)
            y = _symmetrised(block, _convolved(block, y))
            maps.append(x + y if block.residual else y)
        return tuple(maps)

    def _cross(
        self, base: tuple[tf.Tensor, ...], track: tf.Tensor, lo: tf.Tensor, hi: tf.Tensor
    ) -> tf.Tensor:
        lo, hi = self._widened(lo, hi, self._first.block.reach)
        strip = self._first.rows(track, lo, hi)
        for block, whole in zip(self._blocks, base[:-1], strict=True):
            reach = block.reach
            low, high = self._widened(lo, hi, reach)
            x = self._spliced(whole, strip, lo, hi, low - reach, high + reach)
            y = _rows(block, _chain(block.before, x), low - reach, high + reach, self._bins)
            strip = x[:, reach : reach + high - low] + y if block.residual else y
            lo, hi = low, high
        return self._spliced(base[-1], strip, lo, hi, tf.constant(0), tf.constant(self._bins))

    def _widened(self, lo: tf.Tensor, hi: tf.Tensor, by: int) -> tuple[tf.Tensor, tf.Tensor]:
        return tf.maximum(lo - by, 0), tf.minimum(hi + by, self._bins)

    def _spliced(
        self,
        whole: tf.Tensor,
        strip: tf.Tensor,
        lo: tf.Tensor,
        hi: tf.Tensor,
        low: tf.Tensor,
        high: tf.Tensor,
    ) -> tf.Tensor:
        """Rows [low, high) of a map whose cross [lo, hi) is replaced; zeros beyond the map."""
        top, bottom = tf.maximum(low, 0), tf.minimum(high, self._bins)
        columns = tf.transpose(strip, (0, 2, 1, 3))
        sides = []
        for start, end in ((top, lo), (hi, bottom)):
            rows = whole[:, start:end]
            inner = [rows[:, :, :lo], columns[:, start:end], rows[:, :, hi:]]
            sides.append(tf.concat(inner, axis=2))
        x = tf.concat([sides[0], strip, sides[1]], axis=1)
        return tf.pad(x, [[0, 0], [top - low, high - bottom], [0, 0], [0, 0]])


class _First:
    """The first block: pairs of bins, pointwise functions, convolution."""

    def __init__(self, block: Block, bins: int, distance: bool) -> None:
        self.block = block
        self.bins = bins
        self.distance = distance

    def whole(self, track: tf.Tensor) -> tf.Tensor:
        """[1, N, C] -> [1, N, N, F]."""
        block = self.block
        y = _chain(block.before, self._pairs(track, tf.range(self.bins)))
        return _symmetrised(block, _convolved(block, y))

    def rows(self, track: tf.Tensor, lo: tf.Tensor, hi: tf.Tensor) -> tf.Tensor:
        """Rows [lo, hi) of the same. [1, R, N, F]."""
        low, high = lo - self.block.reach, hi + self.block.reach
        y = _chain(self.block.before, self._pairs(track, tf.range(low, high)))
        return _rows(self.block, y, low, high, self.bins)

    def _pairs(self, track: tf.Tensor, places: tf.Tensor) -> tf.Tensor:
        rows = tf.gather(track, tf.clip_by_value(places, 0, self.bins - 1), axis=1)
        x = (rows[:, :, None] + track[:, None]) / 2
        if not self.distance:
            return x
        apart = tf.cast(tf.abs(places[:, None] - tf.range(self.bins)[None]), x.dtype)
        return tf.concat([x, apart[None, :, :, None]], axis=-1)


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

    def whole(self, track: tf.Tensor) -> tf.Tensor:
        """[1, N, C] -> [1, N, N, F]."""
        if self.linear:
            y = tf.einsum("jk,iko->ijo", self.inside, self._sums(track, self.down))
            return tf.add_n([y, tf.transpose(y, (1, 0, 2)), self.constant])[None]
        y = self._sum(self._sums(track, self.down), self._sums(track, self.across))
        return _symmetrised(self.block, (y + self.constant)[None])

    def rows(self, track: tf.Tensor, lo: tf.Tensor, hi: tf.Tensor) -> tf.Tensor:
        """Rows [lo, hi) of the same. [1, R, N, F]."""
        down = self._sums(track, self.down)
        if self.linear:
            return (self._sum(down, down, lo, hi) + self.constant[lo:hi])[None]
        across = self._sums(track, self.across)
        plain = self._sum(down, across, lo, hi) + self.constant[lo:hi]
        turned = self._sum(across, down, lo, hi)
        turned += tf.transpose(self.constant[:, lo:hi], (1, 0, 2))
        return _mean(self.block, plain[None], turned[None])

    def _sums(self, track: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Sums over one axis of the kernel, for every offset along the other. [N, k, F]."""
        y = tf.nn.conv1d(track, kernel, 1, "SAME")[0]
        return tf.reshape(y, (self.bins, self.inside.shape[1], -1))

    def _sum(self, down: tf.Tensor, across: tf.Tensor, lo: Any = 0, hi: Any = None) -> tf.Tensor:
        """[N, k, F] of rows and of columns -> rows [lo, hi) of their sum. [R, N, F]."""
        y = tf.einsum("jk,iko->ijo", self.inside, down[lo:hi])
        return y + tf.einsum("ik,jko->ijo", self.inside[lo:hi], across)


def _rows(block: Block, y: tf.Tensor, low: tf.Tensor, high: tf.Tensor, bins: int) -> tf.Tensor:
    """A block's convolution and what follows, symmetrised, on rows of a symmetric map.

    [1, R + 2 reach, N, C] -> [1, R, N, F]. Rows outside the map are zeroed: there the convolution
    sees zeros, whatever pointwise functions made of them.
    """
    places = tf.range(low, high)
    inside = tf.cast((places >= 0) & (places < bins), y.dtype)
    y = tf.pad(y * inside[None, :, None, None], [[0, 0], [0, 0], [block.reach] * 2, [0, 0]])
    kernels = tf.concat([block.kernel, tf.transpose(block.kernel, (1, 0, 2, 3))], axis=-1)
    y = tf.nn.conv2d(y, kernels, 1, "VALID", dilations=block.dilation)
    y = tf.nn.bias_add(y, tf.concat([block.bias, block.bias], axis=0))
    return _mean(block, *tf.split(y, 2, axis=-1))


def _convolved(block: Block, y: tf.Tensor) -> tf.Tensor:
    y = tf.nn.conv2d(y, block.kernel, 1, "SAME", dilations=block.dilation)
    return tf.nn.bias_add(y, block.bias)


def _symmetrised(block: Block, y: tf.Tensor) -> tf.Tensor:
    """What follows a block's convolution, averaged with its transpose. [1, N, N, C] -> F."""
    y = _chain(block.after, y)
    return _mixed(block, y + tf.transpose(y, (0, 2, 1, 3)))


def _mean(block: Block, y: tf.Tensor, turned: tf.Tensor) -> tf.Tensor:
    """The same from a strip of the convolution and one of its transpose."""
    return _mixed(block, _chain(block.after, y) + _chain(block.after, turned))


def _mixed(block: Block, doubled: tf.Tensor) -> tf.Tensor:
    if block.mix is None:
        return doubled / 2
    kernel, bias = block.mix
    return tf.nn.bias_add(tf.nn.conv2d(doubled, kernel / 2, 1, "SAME"), bias)


def _chain(functions: tuple[Any, ...], x: tf.Tensor) -> tf.Tensor:
    return functools.reduce(lambda y, function: function(y), functions, x)
