"""Judges intervals of means over pixels: insulation, domains and dots, beside independent errors.

The truth is known for simulated data. For other data, intervals are those of the measured mean:
they contain the noise too, which is taken to be independent between pixels.
"""

from typing import Any

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes.evaluate import insulation
from akita_bayes.evaluate.intervals import calibration
from akita_bayes.evaluate.intervals.spread_factors import Prediction
from akita_bayes.models.intervals import aggregates
from akita_bayes.models.intervals.map_error import Correlation

_PLACES = 14
"""Places of aggregates of one kind along a map, or fewer, 4 bins apart."""

_DOMAINS = (8, 16, 32)
"""Lengths of domains, in bins."""

_RADIUS = 1


class AggregateCoverage:
    """Accumulates coverage of the intervals of aggregates; memory does not grow with windows.

    Args:
        bins: Side N of the map.
        diagonal_offset: First diagonal of the triangle.
        correlation: Correlation of errors.
    """

    def __init__(self, bins: int, diagonal_offset: int, correlation: Correlation) -> None:
        self._kinds = {
            kind: [
                (pixels, aggregates.correlations(pixels, correlation, bins, diagonal_offset))
                for pixels in regions
            ]
            for kind, regions in places(bins, diagonal_offset).items()
        }
        self._sums = {kind: np.zeros(5) for kind in self._kinds}
        self._has_truth = True

    def update(
        self, window: Prediction, half_width: NDArray[Any], truth: NDArray[Any] | None
    ) -> None:
        """Adds one window; aggregates are means over its measured pixels.

        Args:
            window: Window with the fitted spread.
            half_width: Half of the interval of the map at `calibration.MAP_LEVEL`. [P, T].
            truth: Noise-free target, or None where it is unknown. [P, T].
        """
        self._has_truth &= truth is not None
        quantile = scipy.stats.norm.ppf((1 + calibration.MAP_LEVEL) / 2)
        values = window.target if truth is None else truth
        error = np.where(window.mask, values - window.mean, 0.0)
        noise = np.where(window.mask, window.aleatoric_sd, 0.0)
        for kind, regions in self._kinds.items():
            for pixels, matrices in regions:
                count = window.mask[pixels].sum(0)
                measured = count > 0
                total = np.maximum(count, 1)
                deviation = np.abs(error[pixels].sum(0)) / total
                added = np.zeros(len(total))
                if truth is None:
                    added = quantile * np.sqrt((noise[pixels] ** 2).sum(0)) / total
                row = [measured.sum()]
                for correlation in (matrices, None):
                    half = aggregates.half_width(half_width, pixels, correlation, window.mask)
                    half = np.hypot(half, added)
                    row += [(deviation <= half)[measured].sum(), 2 * half[measured].sum()]
                self._sums[kind] += row

    def summary(self) -> dict[str, Any]:
        """Returns the coverage of every kind.

        Returns:
            `of`, "truth" or "measurement", and for each kind `number` of aggregates, `coverage` and
            mean `width` of the intervals, and both for `independent` errors of pixels.
        """
        kinds = {}
        for kind, (number, *parts) in self._sums.items():
            names = ("coverage", "width", "independent_coverage", "independent_width")
            if number:
                shares = {
                    name: float(part / number) for name, part in zip(names, parts, strict=True)
                }
                kinds[kind] = {"number": int(number), **shares}
        return {"of": "truth" if self._has_truth else "measurement", "kinds": kinds}


def places(bins: int, diagonal_offset: int) -> dict[str, list[NDArray[np.intp]]]:
    """Returns the pixels of the judged aggregates by kind; kinds that a map is too small for lack.

    Args:
        bins: Side N of the map.
        diagonal_offset: First diagonal of the triangle.
    """
    step = max(4, bins // _PLACES)
    width = insulation.default_width(bins)
    kinds = {
        f"insulation, {width} bins": [
            aggregates.insulation(bins, diagonal_offset, at, width)
            for at in range(width, bins - width + 1, step)
        ]
    }
    for length in _DOMAINS:
        if diagonal_offset + 1 < length < bins:
            kinds[f"domain of {length} bins"] = [
                aggregates.domain(bins, diagonal_offset, first, first + length)
                for first in range(0, bins - length + 1, step)
            ]
    side = 2 * _RADIUS + 1
    kinds[f"dot of {side} x {side} bins"] = [
        aggregates.dot(bins, diagonal_offset, row, column, radius=_RADIUS)
        for row in range(_RADIUS, bins - _RADIUS, 2 * step)
        for column in range(row + diagonal_offset + side - 1, bins - _RADIUS, 2 * step)
    ]
    return {kind: regions for kind, regions in kinds.items() if regions}
