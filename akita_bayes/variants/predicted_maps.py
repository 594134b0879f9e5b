"""Predicted maps of variants: every window computed once, read in the frame of each variant."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna
from akita_bayes.data.genome import Genome
from akita_bayes.models.incremental import predictor
from akita_bayes.variants.alleles import alignment, derivative, window_pairs

Places = tuple[list[int], list[int]]


class Drawn:
    """REF and ALT maps of several variants by one draw.

    Args:
        number: Of the draw.
        maps: Of all windows. [B, P, T].
        aligned: How each variant's maps are read.
        places: Of each variant, which windows are the pair's reference and its alternative.

    Attributes:
        number: Of the draw.
    """

    def __init__(
        self,
        number: int,
        maps: NDArray,
        aligned: Sequence[alignment.Alignment],
        places: Sequence[Places],
    ) -> None:
        self.number = number
        self._maps, self._aligned = maps, aligned
        self._places = [
            both[::-1] if made.turned else both for made, both in zip(aligned, places, strict=True)
        ]

    def references(self) -> list[NDArray]:
        """REF of every variant, one array for all that read it alike. [P, T] each."""
        seen: dict[tuple[int, ...], NDArray] = {}
        found = []
        for made, (places, _) in zip(self._aligned, self._places, strict=True):
            key = (id(made.reference), *places)
            if key not in seen:
                seen[key] = self._read(made.reference, places)
            found.append(seen[key])
        return found

    def alternative(self, which: int) -> NDArray:
        """ALT of one variant. [P, T]."""
        return self._read(self._aligned[which].alternative, self._places[which][1])

    def _read(self, stitch: alignment.Stitch, places: list[int]) -> NDArray[np.float32]:
        return stitch([self._maps[place] for place in places])


class Predictor:
    """Predicts the windows of variants.

    Args:
        through: The model.
        genome: Reference.
        bin_width: Bases of a bin, the grid that windows share.
        targets: Numbers of the targets to keep; None for all.
        zeros: Shifted windows bring in zeros, as Basenji's do, and not the genome's bases.
    """

    def __init__(
        self,
        through: predictor.Passes,
        genome: Genome,
        bin_width: int,
        *,
        targets: Sequence[int] | None = None,
        zeros: bool = False,
    ) -> None:
        self._passes, self._genome, self._bin_width = through, genome, bin_width
        self._targets, self._zeros = None if targets is None else list(targets), zeros

    def __call__(
        self, pairs: Sequence[window_pairs.Pair], aligned: Sequence[alignment.Alignment]
    ) -> Iterator[Drawn]:
        """Yields the maps of all variants, a draw at a time."""
        requests, places = self._requests(pairs)
        for number, maps in enumerate(self._passes(requests)):
            chosen = maps if self._targets is None else maps[..., self._targets]
            yield Drawn(number, chosen, aligned, places)

    def _requests(
        self, pairs: Sequence[window_pairs.Pair]
    ) -> tuple[list[predictor.Request], list[Places]]:
        """The distinct windows of all pairs, and where each pair's lie among them."""
        requests: list[predictor.Request] = []
        seen: dict[tuple[derivative.Segments, int], int] = {}
        places = []
        for pair in pairs:
            phase = pair.frame.start // self._bin_width
            base = None
            both: Places = ([], [])
            ordered = [(0, w) for w in pair.reference] + [(1, w) for w in pair.alternative]
            for side, window in ordered:
                key = (window.segments, phase)
                if key not in seen:
                    seen[key] = len(requests)
                    requests.append(predictor.Request(self._letters(window), phase, base))
                both[side].append(seen[key])
                base = both[0][0]
            places.append(both)
        return requests, places

    def _letters(self, window: window_pairs.Window) -> Callable[[int], predictor.Index]:
        def letters(shift: int) -> predictor.Index:
            start = window.start if self._zeros else window.start - shift
            segments = derivative.cut(window.allele, start, start + window.length)
            index = dna.to_index(derivative.letters(segments, self._genome.padded))
            return _shifted(index, shift) if self._zeros and shift else index

        return letters


def _shifted(index: predictor.Index, shift: int) -> predictor.Index:
    """Moves bases right as Basenji does; rows that enter are zeros."""
    moved = np.full_like(index, predictor.NOTHING)
    if shift > 0:
        moved[shift:] = index[:-shift]
    else:
        moved[:shift] = index[-shift:]
    return moved
