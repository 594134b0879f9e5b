r"""A scale a target and distance that makes stated intervals true on data the model never fitted.

The standardised residuals r = (y - m) / s of a calibrated Gaussian prediction have |r| quantiles
z_c = Phi^-1((1 + c) / 2). For each target and distance stratum the scale

    a = sum_c z_c q_c / sum_c z_c^2

regresses the observed quantiles q_c of |r| on z_c through the origin, over the levels that are
reported (`calibration.LEVELS`); s is then multiplied by a. One number a stratum cannot overfit,
and, unlike a maximum-likelihood scale, it is not moved by a few outliers. Rescaling on held-out
data: Kuleshov, Fenner & Ermon 2018; scaling of variances: Levi et al. 2022.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes import errors, files, triangle
from akita_bayes.evaluate import calibration
from akita_bayes.evaluate import strata as strata_

FILE = "recalibration.json"

# |r| is binned finely instead of kept: quantiles to 0.005, memory independent of the pixels.
_GRID = np.concatenate([np.linspace(0, 10, 2001), [np.inf]])


@dataclasses.dataclass(frozen=True)
class Recalibration:
    """Factors on the predictive standard deviation, per target and distance stratum.

    Attributes:
        edges: Distances in bins at which strata begin, and the end of the last. [D + 1].
        scale: Factors. [T, D].
        diagonal_offset: First diagonal of the triangle.
    """

    edges: tuple[int, ...]
    scale: tuple[tuple[float, ...], ...]
    diagonal_offset: int

    def factors(self, pixels: int) -> NDArray[np.float32]:
        """The factor of every pixel and target. [P, T]."""
        bins = triangle.bins(pixels, self.diagonal_offset)
        distance = triangle.distances(bins, self.diagonal_offset)
        stratum = np.clip(
            np.searchsorted(self.edges, distance, side="right") - 1, 0, len(self.edges) - 2
        )
        return np.asarray(self.scale, np.float32)[:, stratum].T

    def save(self, run: str | Path) -> None:
        """Writes the factors into a run directory; `load_model` applies them from then on."""
        files.write_json(Path(run) / FILE, dataclasses.asdict(self))

    @classmethod
    def load(cls, run: str | Path) -> "Recalibration | None":
        """Reads the factors of a run directory; None when it has none."""
        path = Path(run) / FILE
        if not path.is_file():
            return None
        value: dict[str, Any] = files.read_json(path)
        try:
            return cls(
                tuple(int(edge) for edge in value["edges"]),
                tuple(tuple(float(factor) for factor in row) for row in value["scale"]),
                int(value["diagonal_offset"]),
            )
        except (KeyError, TypeError, ValueError):
            raise errors.DataError(
                f"{path}: not a recalibration; remove it and run akita_calibrate.py again."
            ) from None


class Recalibrator:
    """Collects standardised residuals window by window and fits a `Recalibration`.

    Args:
        strata: Distance strata.
        targets: Number of targets T.
        diagonal_offset: First diagonal of the triangle.
    """

    def __init__(self, strata: strata_.Strata, targets: int, diagonal_offset: int) -> None:
        self.strata = strata
        self.diagonal_offset = diagonal_offset
        self._histogram = np.zeros((targets, strata.count, len(_GRID) - 1))

    def update(self, target: NDArray, mean: NDArray, sd: NDArray, mask: NDArray) -> None:
        """Adds one window. Every argument is [P, T]."""
        residual = np.abs(np.asarray(target, np.float64) - mean) / np.maximum(sd, 1e-12)
        mask = np.broadcast_to(mask, residual.shape)
        cell = np.searchsorted(_GRID, residual, side="right") - 1
        cell = np.minimum(cell, len(_GRID) - 2)
        for t, seen in enumerate(mask.T):
            np.add.at(self._histogram[t], (self.strata.index[seen], cell[seen, t]), 1)

    def fit(self) -> Recalibration:
        """The scales; a stratum without a measured pixel takes that of its target as a whole."""
        whole = self._histogram.sum(1)
        if not whole.sum():
            raise errors.DataError(
                "no measured pixel to recalibrate on; give a split that has measured targets."
            )
        scale = tuple(
            tuple(
                _scale(stratum if stratum.sum() else (whole[t] if whole[t].sum() else whole.sum(0)))
                for stratum in histogram
            )
            for t, histogram in enumerate(self._histogram)
        )
        return Recalibration(
            tuple(int(edge) for edge in self.strata.edges), scale, self.diagonal_offset
        )


def _scale(histogram: NDArray) -> float:
    """Regression of the observed on the normal quantiles of |r|, through the origin."""
    cumulative = np.concatenate([[0.0], np.cumsum(histogram)]) / histogram.sum()
    level = np.asarray(calibration.LEVELS)
    upper = np.minimum(np.searchsorted(cumulative, level), len(_GRID) - 2)
    low, high = cumulative[upper - 1], cumulative[upper]
    share = np.where(high > low, (level - low) / np.maximum(high - low, 1e-300), 0.0)
    observed = _GRID[upper - 1] + share * (_GRID[upper] - _GRID[upper - 1])
    expected = scipy.stats.norm.ppf((1 + level) / 2)
    return float(expected @ observed / (expected @ expected))
