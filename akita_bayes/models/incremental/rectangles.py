"""A symmetric map in pieces, of which any rectangle can be read.

Rows and columns are bins; a rectangle is half open. What no piece holds is read from the piece
that holds it mirrored.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf


class Rectangle(NamedTuple):
    """Rows [top, bottom) and columns [left, right) of a map."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def area(self) -> int:
        """Number of pixels; 0 when there is none."""
        return max(self.bottom - self.top, 0) * max(self.right - self.left, 0)

    @property
    def mirrored(self) -> "Rectangle":
        """The same with rows and columns exchanged."""
        return Rectangle(self.left, self.right, self.top, self.bottom)

    def within(self, other: "Rectangle") -> "Rectangle":
        """What both hold."""
        return Rectangle(
            max(self.top, other.top),
            min(self.bottom, other.bottom),
            max(self.left, other.left),
            min(self.right, other.right),
        )

    def grown(self, by: int) -> "Rectangle":
        """The same with `by` bins more on every side."""
        return Rectangle(self.top - by, self.bottom + by, self.left - by, self.right + by)


class Piece(NamedTuple):
    """Values of a rectangle. [1, R, C, F]."""

    place: Rectangle
    values: tf.Tensor

    def read(self, place: Rectangle) -> tf.Tensor:
        """A rectangle inside this one."""
        if place == self.place:
            return self.values
        rows = slice(place.top - self.place.top, place.bottom - self.place.top)
        columns = slice(place.left - self.place.left, place.right - self.place.left)
        return self.values[:, rows, columns]


class SymmetricMap:
    """A map [1, N, N, F] that equals its transpose.

    Args:
        layers: Lists of pieces; what a list holds hides what later ones hold.
    """

    def __init__(self, *layers: Sequence[Piece]) -> None:
        self._layers = layers

    def read(self, place: Rectangle) -> tf.Tensor:
        """A rectangle. [1, R, C, F].

        Raises:
            KeyError: No piece holds it.
        """
        piece, turned = self._largest(place)
        held = piece.place.mirrored if turned else piece.place
        core = place.within(held)
        x = piece.read(core.mirrored if turned else core)
        x = tf.transpose(x, (0, 2, 1, 3)) if turned else x
        row = [
            place._replace(top=core.top, bottom=core.bottom, right=core.left),
            place._replace(top=core.top, bottom=core.bottom, left=core.right),
        ]
        x = self._joined(row[0], x, row[1], axis=2)
        return self._joined(
            place._replace(bottom=core.top), x, place._replace(top=core.bottom), axis=1
        )

    def _joined(self, before: Rectangle, x: tf.Tensor, after: Rectangle, axis: int) -> tf.Tensor:
        parts = [self.read(before)] if before.area else []
        parts.append(x)
        if after.area:
            parts.append(self.read(after))
        return tf.concat(parts, axis) if len(parts) > 1 else x

    def _largest(self, place: Rectangle) -> tuple[Piece, bool]:
        """The piece that holds most of a rectangle, and whether it holds it mirrored."""
        for pieces in self._layers:
            found = [
                (place.within(held).area, not turned, piece)
                for piece in pieces
                for turned, held in ((False, piece.place), (True, piece.place.mirrored))
            ]
            area, straight, piece = max(found, key=lambda each: each[:2], default=(0, True, None))
            if area and piece is not None:
                return piece, not straight
        raise KeyError(place)


def cross(
    start: int, end: int, lo: int, hi: int, *, height: int, overlap: int = 0
) -> list[Rectangle]:
    """Rectangles that hold the upper triangle of what a change of bins [lo, hi) changes.

    Args:
        start: First bin of the map that is wanted.
        end: One past its last.
        lo: First changed bin.
        hi: One past the last.
        height: Most rows of a rectangle.
        overlap: Columns below the diagonal that rectangles hold as well, so that what grows from
            them by as much is read in few parts.
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
    count = -(-(end - start) // height)
    edges = [start + (end - start) * k // count for k in range(count + 1)] if count else [start]
    return list(itertools.pairwise(edges))
