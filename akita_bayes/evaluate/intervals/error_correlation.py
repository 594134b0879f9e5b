r"""Fits the correlation of the errors of two pixels of a map to held-out residuals.

With z = r / s the residual of a pixel in units of the sd of its error, and pixels i and j of the
classes of distance a and b at a lag l,

    correlation(a, b, l) = mean of z_i z_j over such pairs

The noise of two pixels is taken to be independent, so it adds nothing to the mean. Noise that a
target shares between neighbours, as by smoothing, counts as an error of the map, and intervals are
too wide rather than too narrow. Sums over all pairs are computed by Fourier transforms.
"""

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from akita_bayes import triangle
from akita_bayes.evaluate import strata as strata_
from akita_bayes.evaluate.intervals.spread_factors import Prediction
from akita_bayes.models.intervals.map_error import Correlation

_CLASSES = 4
"""Largest number of classes of distance; each pair of them has its own correlation."""


def fit(
    predictions: Iterable[Prediction], strata: strata_.Strata, diagonal_offset: int
) -> Correlation:
    """Fits the correlation of errors.

    Args:
        predictions: Held-out windows, with the fitted error of the map as `epistemic_sd`. The
            transforms of the largest maps take seconds each.
        strata: Strata of distance; neighbours form one class.
        diagonal_offset: First diagonal of the triangle.
    """
    bins = int(strata.edges[-1])
    rows, columns = triangle.indices(bins, diagonal_offset)
    edges = _edges(strata)
    count = len(edges) - 1
    classes = np.searchsorted(edges, columns - rows, side="right") - 1
    lags, group = _lags(bins)
    sums: list[NDArray[np.float64]] = []
    for prediction in predictions:
        sd = np.maximum(prediction.epistemic_sd.astype(np.float64), 1e-12)
        residual = np.where(prediction.mask, (prediction.target - prediction.mean) / sd, 0.0)
        window = np.zeros((2, prediction.mask.shape[1], count, count, len(lags)))
        for target in range(prediction.mask.shape[1]):
            maps = np.zeros((2, count, bins, bins))
            maps[0, classes, rows, columns] = residual[:, target]
            maps[1, classes, rows, columns] = prediction.mask[:, target]
            spectra = np.fft.rfft2(maps, (2 * bins, 2 * bins))
            for first, second in itertools.combinations_with_replacement(range(count), 2):
                pairs = np.fft.irfft2(
                    spectra[:, first].conj() * spectra[:, second], (2 * bins, 2 * bins)
                )
                for row, values in enumerate(pairs):
                    window[row, target, first, second] = np.bincount(
                        group.ravel(), values.ravel(), len(lags)
                    )
        sums.append(window)
    total = np.sum(sums, axis=0)
    products, numbers = total + total.swapaxes(2, 3)
    # Fourier transforms round: a number of pairs below a half is none.
    values = np.divide(products, numbers, out=np.zeros_like(products), where=numbers > 0.5)
    values = np.clip(values, -1.0, 1.0)
    values[..., 0] = 1.0
    tables = values.tolist()
    return Correlation(
        tuple(int(edge) for edge in edges),
        tuple(float(lag) for lag in lags),
        tuple(
            tuple(tuple(tuple(curve) for curve in row) for row in of_target) for of_target in tables
        ),
    )


def _edges(strata: strata_.Strata) -> NDArray[np.intp]:
    """Returns the borders of classes that join neighbouring strata. [C + 1]."""
    step = -(-strata.count // _CLASSES)
    return np.append(strata.edges[:-1:step], strata.edges[-1])


def _lags(bins: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Returns lags that grow by the root of 2, and the nearest one of every shift of a map.

    [K], and [2 N, 2 N] in the order of a Fourier transform.
    """
    lags = np.append(0.0, 2.0 ** (np.arange(int(2 * np.log2(bins)) + 2) / 2))
    shifts = np.fft.fftfreq(2 * bins, 1 / (2 * bins))
    lag = np.hypot(shifts[:, None], shifts)
    borders = np.append(0.5, np.sqrt(lags[1:-1] * lags[2:]))
    return lags, np.searchsorted(borders, lag)
