"""Scores that compare two maps by what they say of every bin or every distance.

Maps hold log(observed / expected), so contacts are exp(map). Maps, masks and shapes as in `pixels`.
"""

import numpy as np
from numpy.typing import NDArray

from akita_bayes.variants.pixels import Map, Mask, Values


def insulation(contacts: Map, mask: Mask, *, width: int) -> Values:
    """Insulation of every border between bins: log2 of the mean contact across it. [N, T].

    I_b = log2 mean of exp(map[i, j]) over the diamond b - w <= i < b <= j < b + w (Crane et al.
    2015). NaN where the diamond leaves the map or holds no compared pixel.

    Args:
        contacts: A map.
        mask: Compared pixels.
        width: w, in bins.
    """
    bins = len(contacts)
    values = np.where(mask[..., None], np.exp(contacts.astype(np.float64)), 0)
    total, count = _area(values), _area(mask[..., None].astype(np.float64))
    track = np.full((bins, contacts.shape[-1]), np.nan)
    border = np.arange(width, bins - width + 1)
    border = border[border < bins]
    low, high = border - width, border + width
    pixels = _block(count, low, border, border, high)
    mean = _block(total, low, border, border, high) / np.where(pixels > 0, pixels, np.nan)
    track[border] = np.log2(mean)
    return track


def insulation_change(ref: Map, alt: Map, mask: Mask, *, width: int) -> Values:
    """Mean squared change of insulation over borders: mean_b (I_b(B) - I_b(A))^2. [T].

    Args:
        ref: A.
        alt: B.
        mask: Compared pixels.
        width: Half diagonal of the diamond, in bins.
    """
    return _mean_square(insulation(alt, mask, width=width) - insulation(ref, mask, width=width))


def directionality(contacts: Map, mask: Mask, *, width: int = 20) -> Values:
    """Bias of every bin towards downstream contacts. [N, T].

    (b - a) |b - a| / (a + b) with a and b the mean contacts with the `width` bins up- and
    downstream: the directionality index of Dixon et al. 2012, whose two terms are equal. NaN
    where a side has no compared pixel.

    Args:
        contacts: A map.
        mask: Compared pixels.
        width: Bins on each side.
    """
    distance = np.subtract.outer(np.arange(len(mask)), np.arange(len(mask)))
    values = np.exp(contacts.astype(np.float64))
    upstream = _row_mean(values, mask & (distance > 0) & (distance <= width))
    downstream = _row_mean(values, mask & (distance < 0) & (distance >= -width))
    bias = downstream - upstream
    return bias * np.abs(bias) / (upstream + downstream)


def directionality_change(ref: Map, alt: Map, mask: Mask) -> Values:
    """Mean squared change of the directionality index over bins. [T]."""
    return _mean_square(directionality(alt, mask) - directionality(ref, mask))


def decay(contacts: Map, mask: Mask) -> Values:
    """Mean of the map at every distance, NaN without a compared pixel. [N, T]."""
    rows, columns = np.nonzero(np.triu(mask))
    distance = columns - rows
    pixels = np.bincount(distance, minlength=len(mask))
    values = contacts[rows, columns].astype(np.float64)
    sums = np.stack(
        [np.bincount(distance, column, minlength=len(mask)) for column in values.T], axis=-1
    )
    return sums / np.where(pixels > 0, pixels, np.nan)[:, None]


def decay_change(ref: Map, alt: Map, mask: Mask) -> Values:
    """Mean squared change of the mean at every distance: mean_d (P_d(B) - P_d(A))^2. [T]."""
    return _mean_square(decay(alt, mask) - decay(ref, mask))


def _area(values: Values) -> Values:
    """Summed-area table: entry (i, j) is the sum left of and above it. [N + 1, N + 1, T]."""
    table = np.zeros((len(values) + 1, len(values) + 1, values.shape[-1]))
    table[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    return table


def _block(table: Values, top: NDArray, bottom: NDArray, left: NDArray, right: NDArray) -> Values:
    return table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left]


def _row_mean(values: Values, mask: Mask) -> Values:
    pixels = mask.sum(axis=1)[:, None]
    total = np.einsum("ij,ijt->it", mask.astype(np.float64), values)
    return total / np.where(pixels > 0, pixels, np.nan)


def _mean_square(change: Values) -> Values:
    known = np.isfinite(change)
    total = np.where(known, change, 0) ** 2
    pixels = known.sum(axis=0)
    return total.sum(axis=0) / np.where(pixels > 0, pixels, np.nan)
