"""Compares predictions with a reference: accuracy overall, by distance, by window and by rank."""

import dataclasses
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes.evaluate import strata as strata_
from akita_bayes.numerics.moments import Moments


@dataclasses.dataclass(frozen=True)
class Scores:
    """Holds the accuracy of predictions against one reference.

    Attributes:
        moments: Moments over all measured pixels, by target.
        spearman: Rank correlation of every target, then of all targets pooled; None if not
            requested.
    """

    moments: Moments
    spearman: NDArray[np.float64] | None

    def table(self) -> dict[str, list[float]]:
        """Returns name -> accuracy of each target, and of all targets pooled at the end."""
        columns = [self.moments, self.moments.pooled()]
        scores = {
            "mse": np.concatenate([moments.mse() for moments in columns]),
            "pearsonr": np.concatenate([moments.pearson() for moments in columns]),
            "r2": np.concatenate([moments.r2() for moments in columns]),
        }
        if self.spearman is not None:
            scores["spearmanr"] = self.spearman
        return {name: [float(value) for value in values] for name, values in scores.items()}


class Comparison:
    """Compares predictions with a reference, window by window.

    Args:
        targets: Number of targets T.
        rank: True to keep every pixel, for the rank correlation.
        strata: Distance strata for which moments are kept too; None for none.
    """

    def __init__(self, targets: int, *, rank: bool, strata: strata_.Strata | None = None) -> None:
        self.strata = strata
        self.windows: list[NDArray[Any]] = []
        self._moments = Moments.zeros(targets)
        self._within = [Moments.zeros(targets) for _ in range(strata.count if strata else 0)]
        self._pixels: list[list[tuple[NDArray[Any], NDArray[Any]]]] | None = (
            [[] for _ in range(targets)] if rank else None
        )

    def update(self, reference: NDArray[Any], prediction: NDArray[Any], mask: NDArray[Any]) -> None:
        """Adds one window. [P, T] each."""
        window = Moments.of(reference, prediction, mask)
        self._moments = self._moments.merge(window)
        self.windows.append(window.pearson())
        for number in range(len(self._within)):
            assert self.strata is not None
            inside = self.strata.index == number
            part = Moments.of(reference[inside], prediction[inside], mask[inside])
            self._within[number] = self._within[number].merge(part)
        for target, target_pixels in enumerate(self._pixels or ()):
            measured = mask[:, target]
            target_pixels.append(
                (
                    reference[measured, target].astype(np.float32),
                    prediction[measured, target].astype(np.float32),
                )
            )

    def scores(self) -> Scores:
        """Returns the accuracy over all windows."""
        if self._pixels is None:
            return Scores(self._moments, None)
        pairs = [
            tuple(map(np.concatenate, zip(*target_pixels, strict=True)))
            for target_pixels in self._pixels
        ]
        pooled = tuple(map(np.concatenate, zip(*pairs, strict=True)))
        return Scores(self._moments, np.array([_spearman(*pair) for pair in (*pairs, pooled)]))

    def by_distance(self) -> NDArray[np.float64]:
        """Returns Pearson r within each stratum. [D, T]."""
        return np.array([moments.pearson() for moments in self._within])


def _spearman(reference: NDArray[Any], prediction: NDArray[Any]) -> float:
    """Returns Pearson r of ranks; ties take their mean rank; 0 when one side is constant."""
    ranks = (scipy.stats.rankdata(values)[:, None] for values in (reference, prediction))
    return float(Moments.of(*ranks).pearson()[0])
