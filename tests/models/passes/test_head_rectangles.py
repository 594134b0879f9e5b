"""The head in rectangles against the same head written on whole square maps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from akita_bayes import triangle
from akita_bayes.models.passes import head_blocks, head_rectangles

BINS, CHANNELS, MARGIN, OFFSET = 64, 5, 6, 2


def kernel(random, *shape):
    values = random.normal(0, np.sqrt(1 / np.prod(shape[:-1])), shape)
    return tf.constant(values.astype(np.float32))


def bent(x):
    """Not an activation layer, and not 0 at 0, so zeros beyond the map must come after it."""
    return tf.nn.softplus(x)


def scaled(x):
    """Likewise, and of its own in every channel, as a normalisation is."""
    return tf.nn.softplus(x * tf.constant([0.5, 1.0, 1.5, 2.0]))


def blocks(*, first=(), after=()):
    """A first block, a residual one with a last 1 x 1 convolution, and a plain one."""
    random = np.random.default_rng(3)
    relu = keras.layers.Activation("relu")

    def bias():
        return tf.constant(random.normal(0, 0.3, 4).astype(np.float32))

    mix = (kernel(random, 1, 1, 4, 4), bias())
    return (
        head_blocks.Block(
            first, kernel(random, 3, 3, CHANNELS + 1, 4), bias(), 1, after, None, False
        ),
        head_blocks.Block((relu,), kernel(random, 3, 3, 4, 4), bias(), 4, (relu,), mix, True),
        head_blocks.Block((bent,), kernel(random, 3, 3, 4, 4), bias(), 2, (bent,), None, False),
    )


def plain(blocks, track):
    """The head as its definition says. [1, N, C] -> [1, N, N, F]."""
    apart = np.abs(np.subtract.outer(range(BINS), range(BINS)))[None, :, :, None]
    x = (track[:, :, None] + track[:, None]) / 2
    x = tf.concat([x, apart.astype(np.float32)], axis=-1)
    for block in blocks:
        y = head_blocks._chain(block.before, x)
        y = tf.nn.conv2d(y, block.kernel, 1, "SAME", dilations=block.dilation) + block.bias
        y = head_blocks._chain(block.after, y)
        if block.mix is not None:
            y = tf.nn.conv2d(y, block.mix[0], 1, "SAME") + block.mix[1]
        y = x + y if block.residual else y
        x = (y + tf.transpose(y, (0, 2, 1, 3))) / 2
    return x.numpy()


def cropped(whole, offset, margin=MARGIN):
    inside = whole[:, margin : BINS - margin, margin : BINS - margin]
    if offset is None:
        return inside
    rows, columns = triangle.indices(inside.shape[1], offset)
    return inside[:, rows, columns]


def tracks(lo, hi):
    random = np.random.default_rng(4)
    old = random.uniform(0, 1, (1, BINS, CHANNELS)).astype(np.float32)
    new = old.copy()
    new[:, lo:hi] = random.uniform(0, 1, (1, hi - lo, CHANNELS))
    return tf.constant(old), tf.constant(new)


HEADS = [
    (True, {}, OFFSET, MARGIN),
    (True, {}, None, 3),
    (True, {"after": (scaled,)}, OFFSET, MARGIN),
    (False, {"first": (bent,)}, OFFSET, MARGIN),
]


@pytest.mark.parametrize(("separable", "kinds", "offset", "margin"), HEADS)
def test_rectangles_add_up_to_the_head(separable, kinds, offset, margin, monkeypatch):
    """Also where a block sees beyond the map what a later one wants."""
    monkeypatch.setattr(head_rectangles, "HEIGHT", 10)
    monkeypatch.setattr(head_rectangles, "GRID", 4)
    monkeypatch.setattr(head_rectangles, "PATIENCE", 1)
    stack = blocks(**kinds)
    head = head_rectangles.Head(
        stack, BINS, distance=True, separable=separable, margin=margin, offset=offset
    )
    for lo, hi in ((30, 33), (0, 2), (50, BINS)):
        old, new = tracks(lo, hi)
        base = head.whole(old)
        expected = cropped(plain(stack, old), offset, margin)
        np.testing.assert_allclose(base.output, expected, atol=1e-5 * expected.std())
        expected = cropped(plain(stack, new), offset, margin)
        assert np.abs(expected - base.output).max() > 1e-3
        for _ in range(2):  # without a graph of its own, and with one
            edited_map = head.edited(base.values, new, lo, hi)
            np.testing.assert_allclose(edited_map, expected, atol=1e-5 * expected.std())
    assert list(head._graphs) == [(28, 36), (0, 4), (48, BINS)]  # the edits' bins on the grid


@pytest.mark.parametrize(
    ("separable", "kinds", "offset", "margin"),
    [*(pytest.param(*head, marks=pytest.mark.slow) for head in HEADS[:-1]), HEADS[-1]],
)
def test_a_small_change_survives_half_precision(separable, kinds, offset, margin, monkeypatch):
    """Maps that are rounded one by one differ by much more than a tenth of the change."""
    monkeypatch.setattr(head_rectangles, "HEIGHT", 10)
    monkeypatch.setattr(head_rectangles, "PATIENCE", 1)
    exact, half = (
        head_rectangles.Head(
            blocks(**kinds),
            BINS,
            distance=True,
            separable=separable,
            margin=margin,
            offset=offset,
            precision=precision,
        )
        for precision in ("float32", "bfloat16")
    )
    old, new = tracks(30, 33)
    new = old + 1e-2 * (new - old)
    base = {head: head.whole(old) for head in (exact, half)}
    expected = exact.whole(new).output - base[exact].output
    size = np.linalg.norm(expected)
    for _ in range(2):  # by the graph of all bins, and by one of its own
        change = half.edited(base[half].values, new, 30, 33) - base[half].output
        # Kernel, change and products are rounded to 8 bits, 0.2 to 0.4 % each, in the order of
        # the processor: 1.9 % on one, 2.1 % on another.
        assert np.linalg.norm(change - expected) < 0.04 * size
        np.testing.assert_allclose(np.linalg.norm(change), size, rtol=0.01)
    assert list(half._graphs) == [(0, BINS), (16, 48)]
    one_by_one = half.whole(new).output - base[half].output
    assert np.linalg.norm(one_by_one - expected) > 0.1 * size


@pytest.mark.parametrize("separable", [True, False])
def test_a_kernel_of_one_sees_its_own_pixel(separable, monkeypatch):
    """Its reach is 0: nothing but the edit's own rows and columns changes, also at the edge."""
    monkeypatch.setattr(head_rectangles, "PATIENCE", 0)
    monkeypatch.setattr(head_rectangles, "GRID", 1)
    random = np.random.default_rng(5)
    bias = tf.constant(random.normal(0, 0.3, 4).astype(np.float32))
    stack = (
        head_blocks.Block((), kernel(random, 1, 1, CHANNELS + 1, 4), bias, 1, (), None, False),
    )
    head = head_rectangles.Head(stack, BINS, distance=True, separable=separable)
    old, new = tracks(0, 1)
    base = head.whole(old)
    np.testing.assert_allclose(base.output, plain(stack, old), atol=1e-5)
    edited_map = head.edited(base.values, new, 0, 1)
    np.testing.assert_allclose(edited_map, plain(stack, new), atol=1e-5)


def test_an_edit_computes_its_cross_only(monkeypatch):
    """One bin of 64: 12 pixels and more on either side of 1, none in the corners."""
    monkeypatch.setattr(head_rectangles, "HEIGHT", 10)
    monkeypatch.setattr(head_rectangles, "GRID", 1)
    monkeypatch.setattr(head_rectangles, "PATIENCE", 0)
    areas = []
    original = head_blocks.computed

    def record(block, below, bins, rectangle):
        areas.append((block.dilation, rectangle.area))
        return original(block, below, bins, rectangle)

    monkeypatch.setattr(head_blocks, "computed", record)
    head = head_rectangles.Head(
        blocks(), BINS, distance=True, separable=True, margin=MARGIN, offset=OFFSET
    )
    old, new = tracks(32, 33)
    base = head.whole(old)
    pixels = [sum(area for dilation, area in areas if dilation == rate) for rate in (4, 2)]
    sides = [BINS - 2 * (MARGIN - 2), BINS - 2 * MARGIN]
    assert all(
        n * (n + 1) // 2 <= p < n * (n + 14) // 2 for p, n in zip(pixels, sides, strict=True)
    )
    areas.clear()
    head.edited(base.values, new, 32, 33)
    narrow = [sum(area for dilation, area in areas if dilation == rate) for rate in (4, 2)]
    assert narrow[0] < 0.45 * pixels[0]
    assert narrow[1] < 0.55 * pixels[1]


@pytest.mark.parametrize("separable", [True, False])
def test_a_separable_first_block_makes_no_pairs(separable, monkeypatch):
    """Its convolution runs along the track; the maps of pairs, six channels here, are not made."""
    channels = []
    original = head_blocks._convolved

    def convolved(block, x, rectangle, bins):
        channels.append(x.shape[-1])
        return original(block, x, rectangle, bins)

    monkeypatch.setattr(head_blocks, "_convolved", convolved)
    head = head_rectangles.Head(blocks()[:1], BINS, distance=True, separable=separable)
    head.whole(tracks(0, 1)[0])
    assert set(channels) == (set() if separable else {CHANNELS + 1})


def test_few_graphs_are_kept_and_a_dropped_one_waits_again(monkeypatch):
    monkeypatch.setattr(head_rectangles, "PATIENCE", 1)
    monkeypatch.setattr(head_rectangles, "GRID", 1)
    monkeypatch.setattr(head_rectangles, "GRAPHS", 2)
    stack = blocks()
    head = head_rectangles.Head(
        stack, BINS, distance=True, separable=True, margin=MARGIN, offset=OFFSET
    )
    for lo in (20, 30, 40, 20):
        old, new = tracks(lo, lo + 1)
        base = head.whole(old)
        expected = cropped(plain(stack, new), OFFSET)
        for _ in range(2):
            edited_map = head.edited(base.values, new, lo, lo + 1)
            np.testing.assert_allclose(edited_map, expected, atol=1e-5 * expected.std())
    assert list(head._graphs) == [(40, 41), (20, 21)]
    assert not head._requests
    head.edited(base.values, new, 30, 31)
    assert (30, 31) not in head._graphs
    head.edited(base.values, new, 40, 41)  # used again, so the other one goes
    head.edited(base.values, new, 30, 31)
    assert list(head._graphs) == [(40, 41), (30, 31)]
