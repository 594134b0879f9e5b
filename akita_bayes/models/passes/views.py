"""Views of a window: its predictions on both strands and shifted by some bases, and their mean."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, triangle
from akita_bayes.specs.spec import Spec


class View(NamedTuple):
    """Describes a window that is moved and read on one of its strands.

    Attributes:
        shift: Bases by which the sequence moves, to the right for positive ones.
        reverse: True for the reverse complement.
    """

    shift: int = 0
    reverse: bool = False

    def apply(self, one_hot: NDArray[Any]) -> NDArray[Any]:
        """Moves sequences and reads them on the strand of the view. [..., L, 4]."""
        return self.switch_strand(dna.shift_one_hot(one_hot, self.shift))

    def apply_index(self, index: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Moves and turns bases as `apply`: 0..3, and 4 for an unknown base. [..., L]."""
        return self.switch_index(dna.shift_index(index, self.shift))

    def switch_strand(self, one_hot: NDArray[Any]) -> NDArray[Any]:
        """Returns rows of the forward strand on the strand of the view, or the reverse.

        One function does both, because the reverse complement is its own inverse. [..., L, 4].
        """
        return dna.reverse_complement_one_hot(one_hot) if self.reverse else one_hot

    def switch_index(self, index: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Returns bases as `switch_strand`: 0..3, larger numbers for other positions. [..., L]."""
        return dna.reverse_complement_index(index) if self.reverse else index

    def undo(self, prediction: NDArray[Any], spec: Spec, head: str) -> NDArray[Any]:
        """Returns a prediction of the view in the forward direction; the shift remains.

        Args:
            prediction: Prediction of this head. [B, P or N, T], or [B, N, N, T] for whole maps.
            spec: Spec of the model.
            head: Name of the head.
        """
        if not self.reverse:
            return prediction
        geometry = spec.geometry(head)
        if geometry.diagonal_offset is not None:
            return prediction[:, triangle.reverse_order(geometry.bins, geometry.diagonal_offset)]
        if geometry.pairwise:
            return prediction[:, ::-1, ::-1]
        # A track of one strand becomes the track of the other: `pairs` swaps the two targets.
        pairs = (
            spec.model.strand_pair[spec.head_names.index(head)] if spec.model.strand_pair else ()
        )
        return prediction[:, ::-1, list(pairs) or slice(None)]


def list_views(shifts: Sequence[int], *, rc: bool) -> list[View]:
    """Returns the views of all shifts on the forward strand, or with `rc` on both strands."""
    strands = (False, True) if rc else (False,)
    return [View(shift, reverse) for shift in shifts for reverse in strands]


class Mean:
    """Averages arrays that come one by one; holds their sum in their own precision."""

    def __init__(self) -> None:
        self._sum: Any = None
        self._count = 0

    def add(self, part: NDArray[Any]) -> None:
        """Adds an array of the same shape as the others."""
        self._sum = part if self._sum is None else self._sum + part
        self._count += 1

    def value(self) -> NDArray[Any]:
        """Returns the mean of the arrays; a single array is returned as it is."""
        if self._count == 1:
            return self._sum
        return self._sum / self._sum.dtype.type(self._count)


def mean(parts: Iterable[NDArray[Any]]) -> NDArray[Any]:
    """Averages arrays with one of them and their sum in memory."""
    average = Mean()
    for part in parts:
        average.add(part)
    return average.value()
