r"""Judges predicted uncertainties: proper scores, coverage and sharpness of Gaussian predictions.

A prediction is a mean m and a standard deviation s for each pixel; r = (y - m) / s is its
standardised residual, phi and Phi are the standard normal density and distribution.

    negative log-likelihood   log s + r^2 / 2 + log(2 pi) / 2
    CRPS                      s (r (2 Phi(r) - 1) + 2 phi(r) - 1 / sqrt(pi))
    coverage at level c       share of pixels with |r| <= Phi^-1((1 + c) / 2)
    calibration error         mean over levels of |coverage - level|
    PIT                       histogram of Phi(r); flat when calibrated
    sharpness                 mean width of the central 90 % interval, 2 x 1.645 s
    AUSE                      area between the error left after dropping the pixels with the largest
                              s and that after dropping those with the largest error, both relative
                              to the error of all pixels; 0 is a perfect ranking

CRPS: Gneiting & Raftery 2007, eq. 21. AUSE: Ilg et al. 2018.

Pixels of a map are strongly correlated, so every interval on these numbers is a block bootstrap
over windows. `Calibration` therefore keeps sums per window, target and distance stratum, but no
pixels.

`MapIntervals` judges intervals of the underlying map, apart from intervals of a measurement. The
truth is known for simulated data only. For data of known noise, the error of the map by moments,
the square root of mean r^2 - mean n^2, can be compared with the stated one without the truth.
"""

from typing import Any, NamedTuple

import numpy as np
import scipy.integrate
import scipy.stats
from numpy.typing import NDArray

from akita_bayes.evaluate import strata as strata_
from akita_bayes.evaluate.intervals.spread_factors import LEVELS, Prediction
from akita_bayes.numerics import pit

PIT_BINS = pit.BINS
_SPARSIFICATION = np.linspace(0, 0.95, 20)
MAP_LEVEL = 0.9
"""Share of the intervals of the map."""

_MAP_SUMS = ("pixels", "residual", "error", "noise", "width", "measured", "truth", "true_error")
_SUMS = ("pixels", "nll", "crps", "squared_error", "variance", "width")


class Interval(NamedTuple):
    """Holds an estimate and the central interval of its block bootstrap."""

    estimate: float
    lower: float
    upper: float


def nll(residual: NDArray[Any], sd: NDArray[Any]) -> NDArray[Any]:
    """Returns the Gaussian negative log-likelihood in nats, from the standardised residual."""
    return np.asarray(np.log(sd) + residual**2 / 2 + np.log(2 * np.pi) / 2)


def crps(residual: NDArray[Any], sd: NDArray[Any]) -> NDArray[Any]:
    """Returns the continuous ranked probability score in the unit of the target; lower is better.

    Gneiting & Raftery 2007, for Gaussians: residual [...] is in units of sd [...].
    """
    density = np.exp(-(residual**2) / 2) / np.sqrt(2 * np.pi)
    distribution = scipy.stats.norm.cdf(residual)
    scaled = residual * (2 * distribution - 1) + 2 * density - 1 / np.sqrt(np.pi)
    return np.asarray(sd * scaled)


def sparsification_error(error: NDArray[Any], sd: NDArray[Any]) -> float:
    """Returns AUSE of pixels; 0 when sd ranks the absolute errors perfectly. [n], [n] -> []."""
    pixels_left = np.maximum(1, np.rint((1 - _SPARSIFICATION) * len(error)).astype(int))
    by_sd = np.cumsum(error[np.argsort(sd, kind="stable")]) / np.arange(1, len(error) + 1)
    by_error = np.cumsum(np.sort(error)) / np.arange(1, len(error) + 1)
    mean_error = by_error[-1]
    if mean_error == 0:
        return 0.0
    gap = (by_sd[pixels_left - 1] - by_error[pixels_left - 1]) / mean_error
    return float(scipy.integrate.trapezoid(gap, _SPARSIFICATION))


class Calibration:
    """Accumulates calibration statistics window by window; memory does not grow with pixels.

    Args:
        strata: Distance strata of the map's pixels.
        targets: Number of targets T.
    """

    def __init__(self, strata: strata_.Strata, targets: int) -> None:
        self.strata = strata
        self.targets = targets
        self._sums: list[NDArray[Any]] = []  # per window [len(_SUMS), T, D]
        self._covered: list[NDArray[Any]] = []  # per window [levels, T, D]
        self._pit: list[NDArray[Any]] = []  # per window [PIT_BINS, T, D]
        self._ranking: list[NDArray[Any]] = []  # per window [2, T, 1 + D]: the map, then its strata

    @property
    def windows(self) -> int:
        """Returns the number of windows added so far."""
        return len(self._sums)

    def update(
        self, target: NDArray[Any], mean: NDArray[Any], sd: NDArray[Any], mask: NDArray[Any]
    ) -> None:
        """Adds one window; pixels outside the mask are ignored. Every argument is [P, T]."""
        sd = np.maximum(np.asarray(sd, np.float64), 1e-12)
        mask = np.broadcast_to(mask, sd.shape)
        error = np.where(mask, np.asarray(target, np.float64) - mean, 0.0)
        residual = error / sd
        values = (
            np.ones_like(sd),
            nll(residual, sd),
            crps(residual, sd),
            error**2,
            sd**2,
            2 * scipy.stats.norm.ppf(0.95) * sd,
        )
        self._sums.append(np.stack([self.strata.sums(value * mask) for value in values]))
        self._covered.append(
            np.stack(
                [
                    self.strata.sums((np.abs(residual) <= _half_width(level)) & mask)
                    for level in LEVELS
                ]
            )
        )
        cell = np.minimum((scipy.stats.norm.cdf(residual) * PIT_BINS).astype(int), PIT_BINS - 1)
        self._pit.append(np.stack([self.strata.sums((cell == b) & mask) for b in range(PIT_BINS)]))
        self._ranking.append(self._rankings(np.abs(error), sd, mask))

    def pit_by_window(self) -> NDArray[np.float64]:
        """Returns the PIT histogram of each window, over all targets and strata. [W, PIT_BINS]."""
        return np.array([counts.sum(axis=(1, 2)) for counts in self._pit])

    def _rankings(
        self, error: NDArray[Any], sd: NDArray[Any], mask: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Returns Spearman and AUSE by target, over the map and in each stratum. [2, T, 1 + D]."""
        rankings = np.empty((2, self.targets, 1 + self.strata.count))
        for t, measured in enumerate(mask.T):
            selections = [
                measured,
                *(measured & (self.strata.index == d) for d in range(self.strata.count)),
            ]
            for column, pixels in enumerate(selections):
                rankings[:, t, column] = _ranking(error[pixels, t], sd[pixels, t])
        return rankings

    def summary(self, *, bootstrap: int = 200, seed: int = 0) -> dict[str, Any]:
        """Returns every statistic overall, per target, and per target and stratum.

        Returns:
            `overall`, `targets` [T] and `strata` [T][D] of dictionaries statistic ->
            {estimate, lower, upper} with 95 % block-bootstrap intervals over windows; and the
            relative frequencies of PIT histograms [PIT_BINS], `pit` over all pixels,
            `pit_by_target` [T] and `pit_by_stratum` [T][D]. None where nothing was measured.
        """
        if not self._sums:
            raise ValueError("no window was added; call update first.")
        generator = np.random.default_rng(seed)
        window_counts = generator.multinomial(
            self.windows, [1 / self.windows] * self.windows, bootstrap
        )
        weights = np.vstack([np.ones(self.windows), window_counts])  # row 0 is the data itself
        tables = {
            "sums": np.stack(self._sums),
            "covered": np.stack(self._covered),
        }
        ranking = np.stack(self._ranking)
        pit = np.sum(self._pit, axis=0)
        return {
            "windows": self.windows,
            "levels": list(LEVELS),
            "distance_edges": [int(edge) for edge in self.strata.edges],
            "overall": _describe(tables, _mean_over_targets(ranking[..., 0]), weights),
            "targets": [
                _describe(tables, ranking[:, :, t, 0], weights, slice(t, t + 1))
                for t in range(self.targets)
            ],
            "strata": [
                [
                    _describe(
                        tables,
                        ranking[:, :, t, 1 + d],
                        weights,
                        slice(t, t + 1),
                        slice(d, d + 1),
                    )
                    for d in range(self.strata.count)
                ]
                for t in range(self.targets)
            ],
            "pit": _frequencies(pit.sum((1, 2))),
            "pit_by_target": [_frequencies(counts) for counts in pit.sum(2).T],
            "pit_by_stratum": [
                [_frequencies(stratum) for stratum in target.T] for target in pit.swapaxes(0, 1)
            ],
        }


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
        self._sums = np.zeros((len(_MAP_SUMS), targets, strata.count, groups))

    def update(
        self, window: Prediction, half_width: NDArray[Any], truth: NDArray[Any] | None
    ) -> None:
        """Adds one window.

        Args:
            window: Window with the spread to judge; its epistemic sd is the error of the map.
            half_width: Half of the interval of the map at `MAP_LEVEL`. [P, T].
            truth: Noise-free target, or None where it is unknown. [P, T].
        """
        self._has_truth &= truth is not None
        quantile = scipy.stats.norm.ppf((1 + MAP_LEVEL) / 2)
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


def _mean_over_targets(ranking: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the mean over targets with a finite value, NaN without any. [W, 2, T] -> [W, 2]."""
    finite = np.isfinite(ranking)
    count = finite.sum(-1)
    mean = np.where(finite, ranking, 0.0).sum(-1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan)


def _frequencies(counts: NDArray[Any]) -> list[float] | None:
    return [float(value) for value in counts / counts.sum()] if counts.any() else None


def _half_width(level: float) -> float:
    return float(scipy.stats.norm.ppf((1 + level) / 2))


def _ranking(error: NDArray[Any], sd: NDArray[Any]) -> NDArray[Any]:
    """Returns Spearman of |error| with sd, and AUSE; NaN where sd or error is constant."""
    if len(error) < 3 or np.ptp(sd) <= 1e-9 * np.max(sd) or np.ptp(error) == 0:
        return np.array([np.nan, np.nan])
    return np.array([scipy.stats.spearmanr(error, sd).statistic, sparsification_error(error, sd)])


def _describe(
    tables: dict[str, NDArray[Any]],
    ranking: NDArray[Any],
    weights: NDArray[Any],
    targets: slice = slice(None),
    strata: slice = slice(None),
) -> dict[str, dict[str, float] | None]:
    """Returns every statistic with its interval, from window sums under bootstrap weights.

    Args:
        tables: Sums, and covered pixels, of every window. [W, ..., T, D] each.
        ranking: Spearman and AUSE of every window, NaN where undefined. [W, 2].
        weights: Weight of each window; row 0, of ones, gives the estimate. [1 + bootstrap, W].
        targets: Slice of the targets.
        strata: Slice of the strata.
    """
    sums = weights @ tables["sums"][..., targets, strata].sum((-2, -1))  # [1 + bootstrap, sums]
    covered = weights @ tables["covered"][..., targets, strata].sum((-2, -1))
    total = dict(zip(_SUMS, sums.T, strict=True))
    pixels = np.where(total["pixels"] > 0, total["pixels"], np.nan)
    coverage = covered / pixels[:, None]
    rows = {
        "nll": total["nll"] / pixels,
        "crps": total["crps"] / pixels,
        "rmse": np.sqrt(total["squared_error"] / pixels),
        "mean_sd": np.sqrt(total["variance"] / pixels),
        "sharpness": total["width"] / pixels,
        "calibration_error": np.abs(coverage - LEVELS).mean(1),
    }
    rows |= {f"coverage_{level:.0%}": coverage[:, i] for i, level in enumerate(LEVELS)}
    for name, column in zip(("error_sd_spearman", "ause"), ranking.T, strict=True):
        finite = np.isfinite(column)
        with np.errstate(invalid="ignore"):
            rows[name] = weights[:, finite] @ column[finite] / weights[:, finite].sum(1)
    return {name: _interval(values) for name, values in rows.items()}


def _interval(values: NDArray[Any]) -> dict[str, float] | None:
    """Returns row 0 with the 95 % interval of the other rows; None without measured pixels."""
    if not np.isfinite(values[0]):
        return None
    bootstrap = values[1:][np.isfinite(values[1:])]
    lower, upper = (
        np.quantile(bootstrap, [0.025, 0.975]) if len(bootstrap) else (values[0], values[0])
    )
    return Interval(float(values[0]), float(lower), float(upper))._asdict()
