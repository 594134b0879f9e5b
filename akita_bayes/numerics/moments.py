"""Joint second moments of truth and prediction, and the accuracies computed from them.

With n pixels, means m_t and m_p, and sums of squares about the means S_tt, S_pp, S_tp,

    Pearson r = S_tp / sqrt(S_tt S_pp)
    MSE       = (S_tt + S_pp - 2 S_tp) / n + (m_t - m_p)^2
    R2        = 1 - n MSE / S_tt

Sums are float64, taken about the means, and merged by Chan, Golub & LeVeque (1983, The American
Statistician 37:242). Neither many pixels nor a large mean then costs digits.
"""

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS = ("count", "truth_mean", "prediction_mean", "truth_square", "prediction_square", "product")

_CONSTANT = 1e-24  # of the squared mean, per pixel: the rounding of a float64 mean, squared


@dataclasses.dataclass(frozen=True)
class Moments:
    """Holds the moments of each target.

    Attributes:
        values: Rows as `ROWS` names them, float64 [6, T].
    """

    values: NDArray[np.float64]

    @classmethod
    def zeros(cls, num_targets: int) -> "Moments":
        """Returns the moments of no pixels."""
        return cls(np.zeros((len(ROWS), num_targets)))

    @classmethod
    def of(
        cls, truth: NDArray[Any], prediction: NDArray[Any], mask: NDArray[Any] | None = None
    ) -> "Moments":
        """Computes moments over all axes but the last, where `mask` is True. [..., T]."""
        weight = np.ones(truth.shape) if mask is None else mask.astype(np.float64)
        axes = tuple(range(truth.ndim - 1))
        count = weight.sum(axes)
        y, p = (
            np.where(weight > 0, values, 0).astype(np.float64) for values in (truth, prediction)
        )
        y_mean, p_mean = ((values * weight).sum(axes) / np.maximum(count, 1) for values in (y, p))
        y, p = (y - y_mean) * weight, (p - p_mean) * weight
        squares = ((y * y).sum(axes), (p * p).sum(axes), (y * p).sum(axes))
        return cls(np.stack([count, y_mean, p_mean, *squares]))

    def merge(self, addend: "Moments") -> "Moments":
        """Returns the moments of both sets of pixels together."""
        a, b = self.values, addend.values
        count = a[0] + b[0]
        share = b[0] / np.maximum(count, 1)
        # S = S_a + S_b + d_t d_p n_a n_b / (n_a + n_b), with d the difference of the means.
        shift = b[1:3] - a[1:3]
        means = a[1:3] + shift * share
        cross = np.stack([shift[0] ** 2, shift[1] ** 2, shift[0] * shift[1]])
        return Moments(np.vstack([count, means, a[3:] + b[3:] + cross * a[0] * share]))

    def pooled(self) -> "Moments":
        """Merges all targets into one. [6, T] -> [6, 1]."""
        total = Moments.zeros(1)
        for column in range(self.values.shape[1]):
            total = total.merge(Moments(self.values[:, column : column + 1]))
        return total

    @property
    def count(self) -> NDArray[np.float64]:
        """Returns the number of measured pixels. [T]."""
        return self.values[0]

    def mse(self) -> NDArray[np.float64]:
        """Computes the mean squared error; 0 without a pixel. [T]."""
        count, truth_mean, prediction_mean, truth, prediction, product = self.values
        bias = (truth_mean - prediction_mean) ** 2
        return np.maximum(truth + prediction - 2 * product, 0) / np.maximum(count, 1) + bias

    def pearson(self) -> NDArray[np.float64]:
        """Computes Pearson's r; 0, not NaN, where truth or prediction is constant. [T]."""
        varies = self._varies(1) & self._varies(2)
        scale = np.sqrt(self.values[3]) * np.sqrt(self.values[4])
        r = np.divide(self.values[5], scale, out=np.zeros_like(scale), where=varies)
        return np.clip(r, -1, 1)

    def r2(self) -> NDArray[np.float64]:
        """Computes the coefficient of determination; 0, not NaN, for a constant truth. [T]."""
        ratio = np.divide(
            self.count * self.mse(),
            self.values[3],
            out=np.ones_like(self.count),
            where=self._varies(1),
        )
        return 1 - ratio

    def _varies(self, mean_row: int) -> NDArray[np.bool_]:
        """Returns True where the squares of truth (1) or prediction (2) exceed rounding. [T]."""
        mean, square = self.values[mean_row], self.values[mean_row + 2]
        return square > _CONSTANT * self.count * mean**2
