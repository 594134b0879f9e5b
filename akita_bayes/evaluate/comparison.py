"""Predictions against a reference: accuracy overall, by distance, window by window, by rank."""

import dataclasses

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes.evaluate import strata as strata_
from akita_bayes.moments import Moments


@dataclasses.dataclass(frozen=True)
class Scores:
    """Predictions against one reference.

    Attributes:
        moments: Over all measured pixels, by target.
        spearman: Rank correlation by target, and of all targets pooled last; None unless asked.
    """

    moments: Moments
    spearman: NDArray[np.float64] | None

    def table(self) -> dict[str, list[float]]:
        """Accuracy by name: a number for each target, and one for all pooled at the end."""
        columns = [self.moments, self.moments.pooled()]
        found = {
            "mse": np.concatenate([each.mse() for each in columns]),
            "pearsonr": np.concatenate([each.pearson() for each in columns]),
            "r2": np.concatenate([each.r2() for each in columns]),
        }
        if self.spearman is not None:
            found["spearmanr"] = self.spearman
        return {name: [float(value) for value in values] for name, values in found.items()}


class Contest:
    """Predictions against a reference, window by window.

    Args:
        targets: Number of targets T.
        rank: Keep every pixel, for the rank correlation.
        strata: Also keep moments within each.
    """

    def __init__(self, targets: int, *, rank: bool, strata: strata_.Strata | None = None) -> None:
        self.strata = strata
        self.windows: list[NDArray] = []
        self._moments = Moments.zeros(targets)
        self._within = [Moments.zeros(targets) for _ in range(strata.count if strata else 0)]
        self._pixels: list[list[tuple[NDArray, NDArray]]] | None = (
            [[] for _ in range(targets)] if rank else None
        )

    def update(self, reference: NDArray, prediction: NDArray, mask: NDArray) -> None:
        """Takes in one window. [P, T] each."""
        window = Moments.of(reference, prediction, mask)
        self._moments = self._moments.merge(window)
        self.windows.append(window.pearson())
        for number in range(len(self._within)):
            assert self.strata is not None
            inside = self.strata.index == number
            part = Moments.of(reference[inside], prediction[inside], mask[inside])
            self._within[number] = self._within[number].merge(part)
        for target, kept in enumerate(self._pixels or ()):
            chosen = mask[:, target]
            kept.append(
                (
                    reference[chosen, target].astype(np.float32),
                    prediction[chosen, target].astype(np.float32),
                )
            )

    def scores(self) -> Scores:
        """Accuracy over all windows."""
        if self._pixels is None:
            return Scores(self._moments, None)
        pairs = [tuple(map(np.concatenate, zip(*kept, strict=True))) for kept in self._pixels]
        pooled = tuple(map(np.concatenate, zip(*pairs, strict=True)))
        return Scores(self._moments, np.array([_spearman(*pair) for pair in (*pairs, pooled)]))

    def by_distance(self) -> NDArray[np.float64]:
        """Pearson r within each stratum. [D, T]."""
        return np.array([each.pearson() for each in self._within])


def _spearman(reference: NDArray, prediction: NDArray) -> float:
    """Pearson r of ranks, ties at their mean rank; 0 when one side is constant."""
    ranks = (scipy.stats.rankdata(each)[:, None] for each in (reference, prediction))
    return float(Moments.of(*ranks).pearson()[0])
