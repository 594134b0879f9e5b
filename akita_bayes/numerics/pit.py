"""Tests whether stated standard deviations hold, by the probability integral transform (PIT).

The PIT of a value y with the predicted mean m and standard deviation s is Phi((y - m) / s). It is
uniform on [0, 1] when predictions are calibrated (Dawid 1984; Gneiting et al. 2007). Pixels of one
window are strongly correlated, so the unit of the test is the window: the mean of the PIT of each
window, and its mean squared distance from 1/2, are compared with 1/2 and 1/12 by t-tests over
windows, with Bonferroni's correction for the two. Overlapping windows make the p-value too small.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS = 20
LEAST = 8
"""Smallest number of windows for a test."""

LEVEL = 0.01
_SHIFT, _SPREAD = 0.02, 0.1
"""Deviations that matter: a mean of the PIT beyond 0.48 to 0.52, and a spread beyond 0.9 to 1.1."""


class Uniformity(NamedTuple):
    """Describes the PIT of a split.

    Attributes:
        windows: Number of windows with measured pixels.
        mean: Mean of the PIT; 0.5 when calibrated, more when predictions are too low.
        spread: Mean squared distance from 0.5 over that of a uniform variable, 1/12; more than 1
            when the stated standard deviations are too small.
        p_value: p-value of calibration, over windows.
    """

    windows: int
    mean: float
    spread: float
    p_value: float

    @property
    def holds(self) -> bool:
        """Returns False when a deviation matters and is not chance."""
        matters = abs(self.mean - 0.5) > _SHIFT or abs(self.spread - 1) > _SPREAD
        return not (matters and self.p_value < LEVEL)

    def in_words(self, split: str) -> str:
        """Returns a warning about a split whose intervals do not hold."""
        reasons = []
        if abs(self.spread - 1) > _SPREAD:
            size = "small" if self.spread > 1 else "large"
            reasons.append(f"the stated standard deviations are too {size}")
        if abs(self.mean - 0.5) > _SHIFT:
            reasons.append(f"predictions are too {'low' if self.mean > 0.5 else 'high'}")
        return (
            f"The calibration does not hold on split {split}: {' and '.join(reasons)} (PIT of "
            f"{self.windows} windows: mean {self.mean:.3f} instead of 0.5, spread "
            f"{self.spread:.2f} instead of 1, p = {self.p_value:.1g}). Do not rely on intervals on "
            "such data; calibrate on a split of them with akita_calibrate.py."
        )


def counts(
    target: NDArray[Any], mean: NDArray[Any], sd: NDArray[Any], mask: NDArray[Any]
) -> NDArray[np.int64]:
    """Counts the PIT of the measured pixels of one window in equal bins. [P, T] each -> [BINS]."""
    import scipy.stats

    residual = (np.asarray(target, np.float64) - mean) / np.maximum(sd, 1e-12)
    values = scipy.stats.norm.cdf(residual[np.broadcast_to(mask, residual.shape)])
    return np.bincount(np.minimum((values * BINS).astype(int), BINS - 1), minlength=BINS)


def uniformity(of_windows: Sequence[NDArray[Any]] | NDArray[Any]) -> Uniformity | None:
    """Tests the counts of windows, as `counts` returns them; None for too few. [W, BINS]."""
    import scipy.stats

    table = np.asarray(of_windows, np.float64).reshape(-1, BINS)
    table = table[table.sum(axis=1) > 0]
    if len(table) < LEAST:
        return None
    shares = table / table.sum(axis=1, keepdims=True)
    centres = (np.arange(BINS) + 0.5) / BINS
    means = shares @ centres
    # Centres of bins have a smaller variance than values inside the bins.
    spreads = shares @ (centres - 0.5) ** 2 * 12 / (1 - BINS**-2)
    p_values = [
        1.0
        if np.ptp(values) == 0 and values[0] == expected
        else float(scipy.stats.ttest_1samp(values, expected).pvalue)
        for values, expected in ((means, 0.5), (spreads, 1.0))
    ]
    p_value = min(1.0, 2 * min(p_values))
    return Uniformity(len(table), float(means.mean()), float(spreads.mean()), p_value)
