"""Scores that compare two maps by a track of every bin or every distance.

Maps hold log(observed / expected), so contacts are exp(map). Maps, masks and shapes are those of
`pixels`.
"""

import numpy as np

from akita_bayes.variants.scores.pixels import Map, Mask, Values


def insulation(contacts: Map, mask: Mask, *, width: int) -> Values:
    """Computes the insulation of every border between bins, log2 of the mean contact. [N, T].

    I_b = log2 mean of exp(map[i, j]) over the diamond b - w <= i < b <= j < b + w (Crane et al.
    2015). It is NaN where the diamond leaves the map or has no compared pixel.

    Args:
        contacts: A map.
        mask: Compared pixels.
        width: w, in bins.
    """
    bins, targets = len(contacts), contacts.shape[-1]
    border = np.arange(width, max(bins - width + 1, width))
    total, pixels = np.zeros((len(border), targets)), np.zeros((len(border), 1))
    values = np.where(mask[..., None], np.exp(contacts.astype(np.float64)), 0)
    # Adds the diamonds of all borders pixel by pixel: (b - 1, b), (b - 1, b + 1), ...
    for up in range(1, width + 1):
        for down in range(width):
            total += values[border - up, border + down]
            pixels += mask[border - up, border + down, None]
    track = np.full((bins, targets), np.nan)
    defined = (pixels > 0) & (total > 0)
    # Undefined borders get a mean of 1 or less first, so that log2 does not warn.
    mean = np.where(defined, total, 1) / np.maximum(pixels, 1)
    track[border] = np.where(defined, np.log2(mean), np.nan)
    return track


def insulation_change(ref: Map, alt: Map, mask: Mask, *, width: int) -> Values:
    """Computes the mean squared change of insulation, mean_b (I_b(B) - I_b(A))^2. [T].

    Args:
        ref: A.
        alt: B.
        mask: Compared pixels.
        width: Half diagonal of the diamond, in bins.
    """
    return _mean_square(insulation(alt, mask, width=width) - insulation(ref, mask, width=width))


def directionality(contacts: Map, mask: Mask, *, width: int = 20) -> Values:
    """Computes the bias of every bin towards downstream contacts. [N, T].

    It is (b - a) |b - a| / (a + b), where a and b are the mean contacts with the `width` bins up-
    and downstream: the directionality index of Dixon et al. 2012, whose two terms are equal. It is
    NaN where a side has no compared pixel.

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
    """Computes the mean squared change of the directionality index over bins. [T]."""
    return _mean_square(directionality(alt, mask) - directionality(ref, mask))


def decay(contacts: Map, mask: Mask) -> Values:
    """Computes the mean of the map at every distance, NaN without a compared pixel. [N, T]."""
    rows, columns = np.nonzero(np.triu(mask))
    distance = columns - rows
    pixels = np.bincount(distance, minlength=len(mask))
    values = contacts[rows, columns].astype(np.float64)
    sums = np.stack(
        [np.bincount(distance, column, minlength=len(mask)) for column in values.T], axis=-1
    )
    return sums / np.where(pixels > 0, pixels, np.nan)[:, None]


def decay_change(ref: Map, alt: Map, mask: Mask) -> Values:
    """Computes the mean squared change of the decay, mean_d (P_d(B) - P_d(A))^2. [T]."""
    return _mean_square(decay(alt, mask) - decay(ref, mask))


def _row_mean(values: Values, mask: Mask) -> Values:
    """Returns the mean of the compared pixels of every row; NaN without any. [N, T]."""
    pixels = mask.sum(axis=1)[:, None]
    total = np.einsum("ij,ijt->it", mask.astype(np.float64), values)
    return total / np.where(pixels > 0, pixels, np.nan)


def _mean_square(change: Values) -> Values:
    """Returns the mean square over finite entries of the first axis; NaN without any. [T]."""
    finite = np.isfinite(change)
    squares = np.where(finite, change, 0) ** 2
    count = finite.sum(axis=0)
    return squares.sum(axis=0) / np.where(count > 0, count, np.nan)
