"""Judges intervals of the underlying map, apart from intervals of a measurement.

The truth is known for simulated data only. For data of known noise, the error of the map by
moments, the square root of mean r^2 - mean n^2, can be compared with the stated one without it.
"""

from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes.evaluate import strata as strata_
from akita_bayes.evaluate.spread_factors import Prediction

LEVEL = 0.9
_SUMS = ("pixels", "residual", "error", "noise", "width", "measured", "truth", "true_error")


class MapIntervals:
    """Accumulates the coverage of intervals of the map, by stratum and by predicted value.

    Args:
        strata: Strata of distance.
        borders: Inner borders of groups of predicted values, such as deciles. [T, K - 1].
    """

    def __init__(self, strata: strata_.Strata, borders: NDArray[np.float64]) -> None:
        self.strata = strata
        self.borders = borders
        self._has_truth = True
        targets, groups = borders.shape[0], borders.shape[1] + 1
        self._sums = np.zeros((len(_SUMS), targets, strata.count, groups))

    def update(
        self, window: Prediction, half_width: NDArray[Any], truth: NDArray[Any] | None
    ) -> None:
        """Adds one window.

        Args:
            window: Window with the spread to judge; its epistemic sd is the error of the map.
            half_width: Half of the interval of the map at `LEVEL`. [P, T].
            truth: Noise-free target, or None where it is unknown. [P, T].
        """
        self._has_truth &= truth is not None
        quantile = scipy.stats.norm.ppf((1 + LEVEL) / 2)
        groups = self._sums.shape[-1]
        for target, measured in enumerate(window.mask.T):
            mean, y, sd, noise, half = (
                np.asarray(values[measured, target], np.float64)
                for values in (
                    *(window.mean, window.target, window.epistemic_sd, window.aleatoric_sd),
                    half_width,
                )
            )
            error = mean if truth is None else truth[measured, target] - mean
            residual = y - mean
            parts = (
                np.ones_like(mean),
                residual**2,
                sd**2,
                noise**2,
                2 * half,
                np.abs(residual) <= quantile * np.hypot(sd, noise),
                np.abs(error) <= half,
                error**2,
            )
            group = np.searchsorted(self.borders[target], mean, side="right")
            cell = self.strata.index[measured] * groups + group
            for row, part in enumerate(parts):
                counts = np.bincount(cell, part, self.strata.count * groups)
                self._sums[row, target] += counts.reshape(self.strata.count, groups)

    def summary(self, *, noise_known: bool) -> dict[str, Any]:
        """Returns the statistics of all pixels, and by target of every stratum and group of values.

        Args:
            noise_known: True when the noise of the windows is that of the data, so that the error
                of the map by moments can be computed.

        Returns:
            `overall`, `strata` [T][D] and `values` [T][K] of dictionaries: `pixels`; root mean
            squares `residual`, `stated_error`, `stated_noise`, `error_by_moments` and `true_error`
            in units of the target; `width`, the mean width of the interval of the map; the shares
            `measurement_coverage` and `truth_coverage`. None where unknown.
        """
        targets = range(self._sums.shape[1])

        def described(sums: NDArray[np.float64]) -> dict[str, float | None]:
            return self._described(sums, noise_known)

        return {
            "overall": described(self._sums.sum((1, 2, 3))),
            "strata": [
                [described(column) for column in self._sums[:, t].sum(2).T] for t in targets
            ],
            "values": [
                [described(column) for column in self._sums[:, t].sum(1).T] for t in targets
            ],
        }

    def _described(self, sums: NDArray[np.float64], noise_known: bool) -> dict[str, float | None]:
        pixels, residual, error, noise, width, measured, covered, true_error = map(float, sums)
        if pixels == 0:
            return {"pixels": 0.0}
        by_moments = max(residual - noise, 0.0) / pixels
        return {
            "pixels": pixels,
            "residual": (residual / pixels) ** 0.5,
            "stated_error": (error / pixels) ** 0.5,
            "stated_noise": (noise / pixels) ** 0.5,
            "error_by_moments": by_moments**0.5 if noise_known else None,
            "true_error": (true_error / pixels) ** 0.5 if self._has_truth else None,
            "width": width / pixels,
            "measurement_coverage": measured / pixels,
            "truth_coverage": covered / pixels if self._has_truth else None,
        }
