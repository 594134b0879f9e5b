"""Predicts maps of variants: computes every window once, reads it in each variant's frame."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna
from akita_bayes.data.genome import Genome
from akita_bayes.models.incremental import predictor
from akita_bayes.variants.alleles import alignment, derivative, window_pairs

WindowNumbers = tuple[list[int], list[int]]  # of the reference and of the alternative


class DrawMaps:
    """Holds the REF and ALT maps of several variants by one draw.

    Args:
        number: Number of the draw.
        maps: Maps of all windows. [B, P, T].
        alignments: How the maps of each variant are read.
        windows: Numbers of the windows of each variant's reference and alternative.

    Attributes:
        number: Number of the draw.
    """

    def __init__(
        self,
        number: int,
        maps: NDArray[Any],
        alignments: Sequence[alignment.Alignment],
        windows: Sequence[WindowNumbers],
    ) -> None:
        self.number = number
        self._maps, self._alignments = maps, alignments
        self._windows = [
            sides[::-1] if aligned.turned else sides
            for aligned, sides in zip(alignments, windows, strict=True)
        ]

    def references(self) -> list[NDArray[Any]]:
        """Returns the REF map of every variant; equal maps are one array. [P, T] each."""
        maps: dict[tuple[int, ...], NDArray[Any]] = {}
        keys = []
        for aligned, (windows, _) in zip(self._alignments, self._windows, strict=True):
            key = (id(aligned.reference), *windows)
            if key not in maps:
                maps[key] = self._read(aligned.reference, windows)
            keys.append(key)
        return [maps[key] for key in keys]

    def alternative(self, number: int) -> NDArray[Any]:
        """Returns the ALT map of the variant of this number. [P, T]."""
        return self._read(self._alignments[number].alternative, self._windows[number][1])

    def _read(self, stitch: alignment.Stitch, windows: list[int]) -> NDArray[np.float32]:
        return stitch([self._maps[window] for window in windows])


class Predictor:
    """Predicts the windows of variants.

    Args:
        predict_windows: Predicts windows with the model.
        genome: Reference.
        bin_width: Bases of a bin, which are the grid that windows share.
        targets: Numbers of the targets to keep; None for all.
        zeros: True to fill shifted windows with zeros, as Basenji does; False to fill them with
            the genome's bases.
    """

    def __init__(
        self,
        predict_windows: predictor.WindowPredictor,
        genome: Genome,
        bin_width: int,
        *,
        targets: Sequence[int] | None = None,
        zeros: bool = False,
    ) -> None:
        self._predict_windows = predict_windows
        self._genome, self._bin_width = genome, bin_width
        self._targets, self._zeros = None if targets is None else list(targets), zeros

    def __call__(
        self,
        pairs: Sequence[window_pairs.Pair],
        alignments: Sequence[alignment.Alignment],
        members: Sequence[int] | None = None,
    ) -> Iterator[DrawMaps]:
        """Yields the maps of all variants, a draw at a time.

        Args:
            pairs: Windows of each variant.
            alignments: How the maps of each variant are read.
            members: Numbers of the members of an ensemble that predict; None for all.
        """
        requests, windows = self._requests(pairs)
        for number, all_maps in enumerate(self._predict_windows(requests, members)):
            maps = all_maps if self._targets is None else all_maps[..., self._targets]
            yield DrawMaps(number, maps, alignments, windows)

    def _requests(
        self, pairs: Sequence[window_pairs.Pair]
    ) -> tuple[list[predictor.Request], list[WindowNumbers]]:
        """Returns the distinct windows of all pairs, and the numbers of each pair's windows."""
        requests: list[predictor.Request] = []
        numbers: dict[tuple[derivative.Segments, int], int] = {}
        of_pairs = []
        for pair in pairs:
            phase = pair.frame.start // self._bin_width
            base = None
            sides: WindowNumbers = ([], [])
            ordered = [(0, w) for w in pair.reference] + [(1, w) for w in pair.alternative]
            for side, window in ordered:
                key = (window.segments, phase)
                if key not in numbers:
                    numbers[key] = len(requests)
                    requests.append(predictor.Request(self._letters(window), phase, base))
                sides[side].append(numbers[key])
                # Later windows of the pair differ little from its first reference window.
                base = sides[0][0]
            of_pairs.append(sides)
        return requests, of_pairs

    def _letters(self, window: window_pairs.Window) -> Callable[[int], predictor.Index]:
        """Returns a function from a shift to the bases of the shifted window."""

        def letters(shift: int) -> predictor.Index:
            start = window.start if self._zeros else window.start - shift
            segments = derivative.cut(window.allele, start, start + window.length)
            index = dna.to_index(derivative.letters(segments, self._genome.padded))
            return _shifted(index, shift) if self._zeros and shift else index

        return letters


def _shifted(index: predictor.Index, shift: int) -> predictor.Index:
    """Moves bases right by `shift`, as Basenji does; rows that enter are zeros."""
    moved = np.full_like(index, predictor.NOTHING)
    if shift > 0:
        moved[shift:] = index[:-shift]
    else:
        moved[:shift] = index[-shift:]
    return moved
