"""Stores a symmetric map in pieces, from which any rectangle can be read.

Rows and columns are bins; a rectangle is half open. A pixel (i, j) that no piece holds is read as
pixel (j, i).
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf


class Rectangle(NamedTuple):
    """Describes rows [top, bottom) and columns [left, right) of a map."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> int:
        """Returns the number of pixels; 0 for an empty rectangle."""
        return max(self.bottom - self.top, 0) * max(self.right - self.left, 0)

    @property
    def mirrored(self) -> "Rectangle":
        """Returns the rectangle with rows and columns exchanged."""
        return Rectangle(self.left, self.right, self.top, self.bottom)

    def within(self, outer: "Rectangle") -> "Rectangle":
        """Returns the intersection of both rectangles; its area is 0 when they do not overlap."""
        return Rectangle(
            max(self.top, outer.top),
            min(self.bottom, outer.bottom),
            max(self.left, outer.left),
            min(self.right, outer.right),
        )

    def grown(self, by: int) -> "Rectangle":
        """Returns the rectangle with `by` more bins on every side."""
        return Rectangle(self.top - by, self.bottom + by, self.left - by, self.right + by)


class Piece(NamedTuple):
    """Holds the values of a rectangle. [1, R, C, F]."""

    rectangle: Rectangle
    values: tf.Tensor

    def read(self, rectangle: Rectangle) -> tf.Tensor:
        """Returns the values of a rectangle inside this one. [1, R, C, F]."""
        if rectangle == self.rectangle:
            return self.values
        top, left = self.rectangle.top, self.rectangle.left
        rows = slice(rectangle.top - top, rectangle.bottom - top)
        columns = slice(rectangle.left - left, rectangle.right - left)
        return self.values[:, rows, columns]


class SymmetricMap:
    """Holds a map [1, N, N, F] that equals its transpose, as pieces.

    Args:
        layers: Lists of pieces; an earlier list overrides later ones where they overlap.
    """

    def __init__(self, *layers: Sequence[Piece]) -> None:
        self._layers = layers

    def read(self, rectangle: Rectangle) -> tf.Tensor:
        """Returns the values of a rectangle. [1, R, C, F].

        Raises:
            KeyError: No piece holds a part of the rectangle.
        """
        piece, mirrored = self._largest(rectangle)
        source = piece.rectangle.mirrored if mirrored else piece.rectangle
        core = rectangle.within(source)
        x = piece.read(core.mirrored if mirrored else core)
        x = tf.transpose(x, (0, 2, 1, 3)) if mirrored else x
        # One piece gives the core. Four rectangles around it are read in turn: left and right of
        # the core first, then the full width above and below.
        left = rectangle._replace(top=core.top, bottom=core.bottom, right=core.left)
        right = rectangle._replace(top=core.top, bottom=core.bottom, left=core.right)
        x = self._with_neighbours(left, x, right, axis=2)
        above = rectangle._replace(bottom=core.top)
        below = rectangle._replace(top=core.bottom)
        return self._with_neighbours(above, x, below, axis=1)

    def _with_neighbours(
        self, before: Rectangle, x: tf.Tensor, after: Rectangle, axis: int
    ) -> tf.Tensor:
        parts = [self.read(before)] if before.area else []
        parts.append(x)
        if after.area:
            parts.append(self.read(after))
        return tf.concat(parts, axis) if len(parts) > 1 else x

    def _largest(self, rectangle: Rectangle) -> tuple[Piece, bool]:
        """Returns the piece with the largest part of a rectangle, and True when it is mirrored."""
        for pieces in self._layers:
            # Of equal areas the piece that needs no transpose wins: (12, True) > (12, False).
            candidates = [
                (rectangle.within(source).area, not mirrored, piece)
                for piece in pieces
                for mirrored, source in (
                    (False, piece.rectangle),
                    (True, piece.rectangle.mirrored),
                )
            ]
            area, straight, piece = max(
                candidates, key=lambda candidate: candidate[:2], default=(0, True, None)
            )
            if area and piece is not None:
                return piece, not straight
        raise KeyError(rectangle)


def cross(
    start: int, end: int, lo: int, hi: int, *, height: int, overlap: int = 0
) -> list[Rectangle]:
    """Returns rectangles that cover the changed pixels of the upper triangle.

    A change of bins [lo, hi) changes their rows and columns, a cross. Its upper triangle is the
    columns lo to hi above row lo, and the rows lo to hi from the diagonal to the right end.

    Args:
        start: First bin of the required part of the map.
        end: One past the last required bin.
        lo: First changed bin.
        hi: One past the last changed bin.
        height: Largest number of rows of a rectangle.
        overlap: Columns below the diagonal that rectangles hold as well, so that a rectangle grown
            by as many bins is read from few pieces.
    """
    lo, hi = max(lo, start), min(hi, end)
    if lo >= hi:
        return []
    above = [Rectangle(top, bottom, lo, hi) for top, bottom in _bands(start, lo, height)]
    beside = [
        Rectangle(top, bottom, max(top - overlap, start), end)
        for top, bottom in _bands(lo, hi, height)
    ]
    return above + beside


def _bands(start: int, end: int, height: int) -> list[tuple[int, int]]:
    """Splits rows [start, end) into nearly equal bands of at most `height` rows."""
    count = -(-(end - start) // height)  # rounded up: 200 rows of height 96 make 3 bands
    edges = [start + (end - start) * k // count for k in range(count + 1)] if count else [start]
    return list(itertools.pairwise(edges))
