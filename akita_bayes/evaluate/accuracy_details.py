"""Collects the accuracy of windows in detail: intervals, strata, baselines, and a ceiling of noise.

The ceiling is the correlation of a perfect prediction of the underlying map with the measurement,
sqrt(1 - v / V), with the variance v of the noise (`noise.tsv`) and V of the measured pixels.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import triangle
from akita_bayes.data import noise_table
from akita_bayes.evaluate import insulation, strata
from akita_bayes.numerics import block_bootstrap, window_sums
from akita_bayes.numerics.block_bootstrap import Interval

BASELINES = ("zero", "distance_only", "training_mean")
"""Simpler predictions: 0; the training mean at each distance; the training mean of each pixel."""


FEW = 10
"""Number of blocks below which a message says that intervals are rough."""

_log = logging.getLogger(__name__)


class Estimate(NamedTuple):
    """Holds a score of every target with its interval.

    Attributes:
        value: Score. [T], or [D, T] by stratum.
        interval: Its interval; None for fewer than two blocks of windows.
    """

    value: NDArray[np.float64]
    interval: Interval | None


@dataclasses.dataclass(frozen=True)
class Details:
    """Holds scores with intervals, for maps and tracks.

    Attributes:
        blocks: Number of blocks of windows, which the bootstrap draws.
        scores: Name -> score over all windows: `pearsonr`, `mse`, `r2`, and for maps
            `stratum_adjusted` and `insulation_pearsonr`.
        gains: Baseline -> mean squared error of the baseline minus that of the model.
        baselines: Baseline -> name -> score: `pearsonr`, `mse`, `r2`.
        by_distance: Name -> score of each stratum: `pearsonr`, `mse`. [D, T].
        by_window: Name -> score of each window: `mse`, and for maps `stratum_adjusted`. [W, T].
        ceiling: Correlation that the noise allows; None where it is not known. [T].
        ceiling_by_distance: The same within each stratum. [D, T].
    """

    blocks: int
    scores: Mapping[str, Estimate]
    gains: Mapping[str, Estimate]
    baselines: Mapping[str, Mapping[str, NDArray[np.float64]]]
    by_distance: Mapping[str, Estimate]
    by_window: Mapping[str, NDArray[np.float64]]
    ceiling: NDArray[np.float64] | None
    ceiling_by_distance: NDArray[np.float64] | None


class DetailCollector:
    """Adds up windows one after another.

    Args:
        bins: Bins of the output.
        diagonal_offset: First diagonal of the triangle; None for tracks.
        groups: Strata of distance; None for tracks.
    """

    def __init__(
        self, bins: int, diagonal_offset: int | None, groups: strata.Strata | None
    ) -> None:
        self._bins, self._offset, self._groups = bins, diagonal_offset, groups
        self._distances = 1 if diagonal_offset is None else bins - diagonal_offset
        self._index: NDArray[np.intp] | None = None
        if diagonal_offset is not None:
            self._index = triangle.distances(bins, diagonal_offset) - diagonal_offset
        self._sums: list[NDArray[np.float64]] = []
        self._baselines: dict[str, list[NDArray[np.float64]]] = {name: [] for name in BASELINES}
        self._insulation: list[NDArray[np.float64]] = []

    def add(
        self,
        measured: NDArray[Any],
        prediction: NDArray[Any],
        mask: NDArray[Any],
        baselines: Mapping[str, NDArray[Any]],
    ) -> None:
        """Adds one window. [P, T] each.

        Args:
            measured: Targets.
            prediction: Predictions.
            mask: True where measured.
            baselines: Name -> prediction of a baseline; `zero` needs none.
        """
        index = np.zeros(len(measured), np.intp) if self._index is None else self._index
        self._sums.append(
            window_sums.by_distance(measured, prediction, mask, index, self._distances)
        )
        first = np.zeros(len(measured), np.intp)
        for name, sums in self._baselines.items():
            simple = baselines.get(name, np.zeros_like(measured))
            sums.append(window_sums.by_distance(measured, simple, mask, first, 1)[:, 0])
        if self._offset is not None:
            width = insulation.default_width(self._bins)
            (y, valid), (p, _) = (
                insulation.profile(values, mask, diagonal_offset=self._offset, width=width)
                for values in (measured, prediction)
            )
            bins = np.zeros(len(y), np.intp)
            self._insulation.append(window_sums.by_distance(y, p, valid, bins, 1)[:, 0])

    def details(
        self, locations: Sequence[str], noise: noise_table.NoiseTable | None, seed: int
    ) -> Details:
        """Returns the scores of all windows.

        Args:
            locations: Location of each window.
            noise: Noise of the targets that were added; None where it is not known.
            seed: Seed of the bootstrap.
        """
        draws = block_bootstrap.Resamples(block_bootstrap.blocks(locations), seed)
        if draws.blocks < FEW:
            _log.warning(
                "The windows form %d blocks that do not overlap; intervals of accuracies from "
                "fewer than %d blocks are rough, and mostly too narrow.",
                *(draws.blocks, FEW),
            )
        sums = np.stack(self._sums)  # [W, 6, D, T]
        whole = sums.sum(axis=2)

        def estimate(score: Any, *arrays: NDArray[np.float64]) -> Estimate:
            value = score(*(array.sum(axis=0) for array in arrays))
            return Estimate(value, draws.interval(arrays, score))

        simple = {name: np.stack(values) for name, values in self._baselines.items()}
        scores = {
            "pearsonr": estimate(window_sums.pearson, whole),
            "mse": estimate(window_sums.mse, whole),
            "r2": estimate(window_sums.r2, whole),
        }
        by_window = {"mse": window_sums.mse(whole)}
        by_distance = {}
        if self._groups is not None:
            scores["stratum_adjusted"] = estimate(window_sums.stratum_adjusted, sums)
            scores["insulation_pearsonr"] = estimate(
                window_sums.pearson, np.stack(self._insulation)
            )
            by_window["stratum_adjusted"] = window_sums.stratum_adjusted(sums)
            of_strata = self._of_strata(sums)
            by_distance = {
                "pearsonr": estimate(window_sums.pearson, of_strata),
                "mse": estimate(window_sums.mse, of_strata),
            }
        ceilings = self._ceilings(sums.sum(axis=0), noise)
        return Details(
            draws.blocks,
            scores,
            {name: estimate(_gain, simple[name], whole) for name in BASELINES},
            {name: _scores(values.sum(axis=0)) for name, values in simple.items()},
            by_distance,
            by_window,
            *ceilings,
        )

    def _of_strata(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Adds up the distances of each stratum. [..., 6, D, T] -> [..., strata, 6, T]."""
        assert self._groups is not None
        assert self._offset is not None
        first = self._groups.edges[:-1] - self._offset
        return np.moveaxis(np.add.reduceat(sums, first, axis=-2), -2, -3)

    def _ceilings(
        self, sums: NDArray[np.float64], noise: noise_table.NoiseTable | None
    ) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
        """Returns the ceiling of all pixels, and that within each stratum."""
        if noise is None or self._groups is None:
            return None, None
        estimated = noise.pixels.T > 0  # [D, T]
        # Distances without an estimate of the noise do not count.
        sums = np.where(estimated, sums, 0)
        squares = np.where(estimated, sums[0] * noise.variance.T, 0)
        strata_sums = self._of_strata(sums)
        assert self._offset is not None
        first = self._groups.edges[:-1] - self._offset
        strata_squares = np.add.reduceat(squares, first, axis=0)
        return (
            _ceiling(sums.sum(axis=1), squares.sum(axis=0)),
            _ceiling(strata_sums, strata_squares),
        )


def _ceiling(sums: NDArray[np.float64], squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the best correlation from sums and the summed variance of noise. [..., T]."""
    count, variance = sums[..., 0, :], window_sums.variance(sums)
    noise = squares / np.maximum(count, 1)
    share = np.divide(noise, variance, out=np.ones_like(noise), where=variance > 0)
    return np.asarray(np.sqrt(np.clip(1 - share, 0, 1)))


def _gain(simple: NDArray[np.float64], model: NDArray[np.float64]) -> NDArray[np.float64]:
    return window_sums.mse(simple) - window_sums.mse(model)


def _scores(sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return {
        "pearsonr": window_sums.pearson(sums),
        "mse": window_sums.mse(sums),
        "r2": window_sums.r2(sums),
    }
