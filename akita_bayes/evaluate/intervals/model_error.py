r"""Fits the error of predicted maps, apart from the noise of measuring, to data of known noise.

With r = y - m the residual of a pixel and n^2 the variance of its noise, which `noise.tsv` states
for its distance and value, the squared error of the map is

    E (m - truth)^2 = E r^2 - E n^2

in any group of pixels. In every target and stratum of distance, the variance of the error is

    v = h^2 (a^2 (1 + 1/S) e^2 + c^2)        e the spread of S draws, h a function of the map

with a and c such that its sum over the pixels is that of r^2 - n^2. The share of the first term is
the one for which a normal distribution of variance v + n^2 gives the residuals the largest
likelihood. Without a spread of draws the share is 0. The function h is a product of functions of
features of the map (`map_features`); `error_shapes` fits them.

Intervals of errors with heavier tails than those of a normal distribution would be too wide;
`error_tails` corrects the variance.

All pixels enter sums by stratum, distance or value. Shapes and shares are fitted to a sample of
pixels, so memory does not depend on their number.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import triangle
from akita_bayes.data.noise_table import NoiseTable
from akita_bayes.evaluate import strata as strata_
from akita_bayes.evaluate.intervals import (
    error_correlation,
    error_shapes,
    error_tails,
    spread_factors,
)
from akita_bayes.evaluate.intervals.spread_factors import (
    Prediction,
    as_table,
    check_measured,
)
from akita_bayes.models.intervals.map_error import MapError, Shape, noise_shape
from akita_bayes.models.recalibration import Recalibration
from akita_bayes.numerics import map_features

_SHARES = np.linspace(0, 1, 41)
_LEAST_SHARE = 0.01
"""Least variance of the model error, as a share of that of the residuals."""

_CORRELATED_WINDOWS = 64
"""Windows from which the correlation of errors is computed."""

_SAMPLE = 10_000
"""Pixels of a target to which shapes are fitted."""


class _Noise(NamedTuple):
    """Holds the noise of all targets.

    Attributes:
        variance: Variance of every distance. [T, N - k].
        slope: Change of its logarithm per unit of the map, in every stratum. [T, D].
        offset: First distance k.
    """

    variance: NDArray[np.float64]
    slope: NDArray[np.float64]
    offset: int

    @property
    def distance(self) -> NDArray[np.intp]:
        """Returns the distance of every pixel, counted from the first diagonal. [P]."""
        bins = self.variance.shape[1] + self.offset
        return triangle.distances(bins, self.offset) - self.offset

    def stratum(self, strata: strata_.Strata) -> NDArray[np.intp]:
        """Returns the stratum of every distance. [N - k]."""
        distances = np.arange(self.variance.shape[1]) + self.offset
        return np.searchsorted(strata.edges, distances, side="right") - 1


class _Moments(NamedTuple):
    """Holds mean squares of the measured pixels of every target and stratum. [T, D] each."""

    error: NDArray[np.float64]
    spread: NDArray[np.float64]
    noise: NDArray[np.float64]


def fit(
    predictions: list[Prediction],
    strata: strata_.Strata,
    diagonal_offset: int,
    noise: NoiseTable,
    *,
    draws: int,
    constant: bool = False,
) -> Recalibration:
    """Fits the error of the map to held-out predictions of data with known noise.

    Args:
        predictions: Uncalibrated windows.
        strata: Strata of distance; each has its own parameters.
        diagonal_offset: First diagonal of the triangle.
        noise: Noise of the targets.
        draws: Number of draws S behind the epistemic sd.
        constant: True for the same error and noise in all pixels of a stratum, the baseline that
            every other fit must improve on.

    Returns:
        A recalibration with `map_error`. Its factors and its `noise` have the same mean variances,
        for programs that know only of factors.

    Raises:
        DataError: No pixel was measured.
    """
    check_measured(predictions)
    if constant:
        predictions = [
            prediction._replace(epistemic_sd=np.zeros_like(prediction.mean))
            for prediction in predictions
        ]
    moments, fitted_noise = _moments(predictions, strata, _stated_noise(noise, strata, constant))
    error, spread = moments.error, moments.spread
    samples = _samples(predictions, strata, fitted_noise)
    shares = np.stack([_shares(sample, error[t], spread[t]) for t, sample in enumerate(samples)])
    shown = np.divide(shares * error, spread, out=np.zeros_like(error), where=spread > 0)
    unseen = (1 - shares) * error
    shapes: tuple[Shape, ...] = ()
    if not constant:
        shapes = _shapes(samples, shown, unseen, error_tails.measurements(predictions, strata))
    map_error = MapError(
        as_table(np.sqrt(shown / (1 + 1 / draws))),
        as_table(np.sqrt(unseen)),
        as_table(np.sqrt(fitted_noise.variance)),
        as_table(fitted_noise.slope),
        shapes,
        draws,
    )
    factors = np.sqrt(np.divide(error, spread, out=np.ones_like(spread), where=spread > 0))
    fitted = Recalibration(
        tuple(int(edge) for edge in strata.edges),
        as_table(factors),
        as_table(np.ones(error.shape)),
        as_table(np.sqrt(moments.noise)),
        diagonal_offset,
        map_error,
    )
    fitted = error_tails.correct(fitted, predictions, strata, error, by_value=not constant)
    correlation = error_correlation.fit(
        error_tails.applied(fitted, predictions[:: -(-len(predictions) // _CORRELATED_WINDOWS)]),
        strata,
        diagonal_offset,
    )
    assert fitted.map_error is not None
    map_error = dataclasses.replace(fitted.map_error, correlation=correlation)
    return dataclasses.replace(fitted, map_error=map_error)


def _stated_noise(noise: NoiseTable, strata: strata_.Strata, constant: bool) -> _Noise:
    """Returns the mean variance of every distance, or of its stratum, and the slopes."""
    table = _Noise(noise.variance, noise.slope, noise.diagonal_offset)
    stratum = table.stratum(strata)
    # Distances without pixels count as little as possible, but count when nothing else does.
    weights = np.maximum(noise.pixels, 1e-9)
    averages = []
    for values in (noise.slope * noise.variance, noise.variance, np.ones_like(noise.variance)):
        columns = [np.bincount(stratum, row, strata.count) for row in values * weights]
        averages.append(np.stack(columns))
    weighted, variance, total = averages
    slope = np.divide(weighted, variance, out=np.zeros_like(weighted), where=variance > 0)
    of_stratum = (variance / total)[:, stratum]
    if constant:
        return table._replace(variance=of_stratum, slope=np.zeros_like(slope))
    of_distance = np.where(noise.pixels > 0, noise.variance, of_stratum)
    return table._replace(variance=of_distance, slope=slope)


def _moments(
    predictions: list[Prediction], strata: strata_.Strata, noise: _Noise
) -> tuple[_Moments, _Noise]:
    """Returns mean squares, and the noise with its variance where the map is 0."""
    targets, distances = noise.variance.shape
    sums = np.zeros((3, targets, strata.count))
    by_distance = np.zeros((2, targets, distances))
    for prediction in predictions:
        measured = prediction.mask
        mean = np.where(measured, prediction.mean, 0.0).astype(np.float64)
        residual = np.where(measured, prediction.target - mean, 0.0)
        spread = np.where(measured, prediction.epistemic_sd, 0.0).astype(np.float64)
        sums += [strata.sums(values) for values in (measured, residual**2, spread**2)]
        shape = np.where(measured, noise_shape(noise.slope[:, strata.index].T, mean), 0.0)
        for target in range(targets):
            by_distance[:, target] += [
                np.bincount(noise.distance, values[:, target], distances)
                for values in (measured, shape)
            ]
    pixels, shapes = by_distance
    stratum = noise.stratum(strata)
    total = np.stack([np.bincount(stratum, row, strata.count) for row in pixels * noise.variance])
    count, *squares = spread_factors.filled(np.concatenate([sums, total[None]]), sums[0])
    squared, shown, stated = (square / count for square in squares)
    # More noise than residuals have is not possible; the rest is the least error of the map.
    largest = (1 - _LEAST_SHARE) * squared
    share = np.minimum(1, np.divide(largest, stated, out=np.ones_like(stated), where=stated > 0))
    mean_shape = np.divide(shapes, pixels, out=np.ones_like(shapes), where=pixels > 0)
    variance = noise.variance * share[:, stratum] / mean_shape
    stated = share * stated
    error = np.maximum(squared - stated, _LEAST_SHARE * squared)
    return _Moments(error, shown, stated), noise._replace(variance=variance)


def _samples(
    predictions: list[Prediction], strata: strata_.Strata, noise: _Noise
) -> list[error_shapes.Sample]:
    """Returns a sample of the measured pixels of every target, with e^2 as `base`.

    A target without a measured pixel takes the pixels of all targets.
    """
    targets = predictions[0].mask.shape[-1]
    total = sum(prediction.mask.sum(0) for prediction in predictions)
    steps = np.maximum(1, -(-total // _SAMPLE))
    parts: list[list[error_shapes.Sample]] = [[] for _ in range(targets)]
    for number, prediction in enumerate(predictions):
        mean, spread = prediction.mean, prediction.epistemic_sd
        features = [
            map_features.compute(name, mean, spread, noise.offset) for name in map_features.NAMES
        ]
        for target, step in enumerate(steps):
            pixels = np.flatnonzero(prediction.mask[:, target])[number % step :: step]
            m = mean[pixels, target].astype(np.float64)
            stratum = strata.index[pixels]
            slope, variance = (
                noise.slope[target, stratum],
                noise.variance[target, noise.distance[pixels]],
            )
            part = error_shapes.Sample(
                stratum,
                np.full(len(pixels), number / len(predictions)),
                (prediction.target[pixels, target] - m) ** 2,
                spread[pixels, target].astype(np.float64) ** 2,
                variance * noise_shape(slope, m),
                np.stack([feature[pixels, target] for feature in features], axis=1),
            )
            parts[target].append(part)
    whole = [part for of_target in parts for part in of_target]
    return [
        error_shapes.Sample(
            *map(np.concatenate, zip(*(of_target if total[target] else whole), strict=True))
        )
        for target, of_target in enumerate(parts)
    ]


def _shares(
    sample: error_shapes.Sample, error: NDArray[np.float64], spread: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns the shares of the variance of draws in that of the error. [D].

    Args:
        sample: Pixels of one target, with e^2 as `base`.
        error: Mean squared error of the strata. [D].
        spread: Mean e^2 of the strata. [D].
    """
    shares = np.zeros(len(error))
    for d in np.flatnonzero(spread > 1e-9 * error):
        pixels = sample.stratum == d
        part = sample.select(pixels) if pixels.any() else sample
        relative = part.base / spread[d]
        variance = error[d] * (1 + _SHARES[:, None] * (relative - 1)) + part.noise
        variance = np.maximum(variance, 1e-150)
        loss = (np.log(variance) + part.squared / variance).mean(1)
        shares[d] = _SHARES[np.argmin(loss)]
    return shares


def _shapes(
    samples: list[error_shapes.Sample],
    shown: NDArray[np.float64],
    unseen: NDArray[np.float64],
    measurements: float,
) -> tuple[Shape, ...]:
    """Returns the functions of the features that help in at least one target."""
    splines = []
    for target, sample in enumerate(samples):
        d = sample.stratum
        base = shown[target, d] * sample.base + unseen[target, d]
        splines.append(error_shapes.fit(sample._replace(base=base), measurements))
    return tuple(
        Shape(
            name,
            tuple(tuple(map(float, spline.values)) for spline in of_feature),
            tuple(tuple(map(float, np.exp(spline.logarithms))) for spline in of_feature),
        )
        for name, of_feature in zip(map_features.NAMES, zip(*splines, strict=True), strict=True)
        if any(spline.logarithms.any() for spline in of_feature)
    )
