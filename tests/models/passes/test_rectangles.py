"""Rectangles read from a symmetric map in pieces, and the crosses of edits."""

import numpy as np
import pytest

from akita_bayes.models.passes import rectangles
from akita_bayes.models.passes.rectangles import Piece, Rectangle

BINS = 23


def symmetric(seed=0):
    x = np.random.default_rng(seed).normal(size=(1, BINS, BINS, 2)).astype(np.float32)
    return x + x.transpose(0, 2, 1, 3)


def cut(whole, areas):
    return [Piece(p, whole[:, p.top : p.bottom, p.left : p.right]) for p in areas]


@pytest.mark.parametrize("overlap", [0, 2])
@pytest.mark.parametrize(
    "rectangle",
    [
        Rectangle(0, BINS, 0, BINS),
        Rectangle(3, 9, 11, 20),
        Rectangle(14, 22, 1, 6),
        Rectangle(4, 16, 6, 13),
        Rectangle(22, 23, 0, 1),
    ],
)
def test_any_rectangle_is_read_from_the_upper_triangle(rectangle, overlap):
    whole = symmetric()
    pieces = cut(whole, rectangles.cross(0, BINS, 0, BINS, height=5, overlap=overlap))
    values = rectangles.SymmetricMap(pieces).read(rectangle)
    np.testing.assert_array_equal(values, cut(whole, [rectangle])[0].values)


@pytest.mark.parametrize(("lo", "hi"), [(0, 3), (8, 12), (20, BINS), (5, 19)])
def test_a_cross_over_a_base_is_the_changed_map(lo, hi):
    old, new = symmetric(1), symmetric(2)
    inside = (np.arange(BINS) >= lo) & (np.arange(BINS) < hi)
    affected = inside[:, None] | inside[None]
    changed = np.where(affected[None, :, :, None], new, old)
    base = cut(old, rectangles.cross(0, BINS, 0, BINS, height=6))
    over = cut(changed, rectangles.cross(0, BINS, lo, hi, height=4, overlap=1))
    everything = Rectangle(0, BINS, 0, BINS)
    composed = rectangles.SymmetricMap(over, base).read(everything)
    np.testing.assert_array_equal(composed, changed)


@pytest.mark.parametrize(
    ("start", "end", "lo", "hi"), [(0, 23, 0, 23), (3, 20, 1, 9), (4, 19, 12, 23)]
)
def test_a_cross_holds_every_changed_pixel_once(start, end, lo, hi):
    count = np.zeros((BINS, BINS), int)
    cross = rectangles.cross(start, end, lo, hi, height=4)
    for rectangle in cross:
        assert rectangle.bottom - rectangle.top <= 4
        count[rectangle.top : rectangle.bottom, rectangle.left : rectangle.right] += 1
    bins = np.arange(BINS)
    mapped, inside = (bins >= start) & (bins < end), (bins >= lo) & (bins < hi)
    upper = np.triu(np.outer(mapped, mapped)) & (inside[:, None] | inside[None])
    np.testing.assert_array_equal(count[upper], 1)
    assert count.max() == 1
    assert not count[~np.outer(mapped, mapped)].any()


def test_an_edit_outside_what_is_wanted_changes_nothing():
    assert rectangles.cross(5, 18, 0, 5, height=4) == []
    assert rectangles.cross(5, 18, 18, 23, height=4) == []


def test_what_no_piece_holds_is_an_error():
    pieces = cut(symmetric(), [Rectangle(0, 4, 4, 8)])
    with pytest.raises(KeyError):
        rectangles.SymmetricMap(pieces).read(Rectangle(0, 4, 0, 8))
