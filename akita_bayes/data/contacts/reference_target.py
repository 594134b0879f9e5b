"""Computes the reference target of one window, step by step with cooler and cooltools.

This is Akita's published procedure and the definition of a target. `counts_to_targets` computes the
same numbers several times faster; tests, `akita_data.py --check` and the benchmark compare the two.
"""

from typing import Any

import cooler
import numpy as np
from cooltools.lib import numutils
from numpy.typing import NDArray
from scipy import ndimage

from akita_bayes import regions, triangle
from akita_bayes.data.contacts import coarsegrain, counts_to_targets

_EMPTY = -1e300
"""Stands for the logarithm of an empty pixel, since interpolation turns 0 x infinity into NaN."""


def target(
    clr: cooler.Cooler,
    region: regions.Region,
    transform: counts_to_targets.Transform,
    *,
    clip: float | None = None,
    expected: NDArray[Any] | None = None,
    blacklisted: NDArray[np.bool_] | None = None,
) -> counts_to_targets.Target:
    """Returns the target of one window of a cooler and its mask of measured pixels.

    Args:
        clr: An open cooler, balanced by its column `weight`.
        region: The window, in the cooler's chromosome names, aligned to its bins.
        transform: How contacts become targets.
        clip: Largest absolute value of a log ratio, or largest ratio without logarithm.
        expected: Expected contact frequency of each distance in bins; used when
            `transform.global_obsexp`. [N].
        blacklisted: True for bins to leave out. [N].
    """
    interval = tuple(region)
    return from_maps(
        clr.matrix(balance=True).fetch(interval),
        clr.matrix(balance=False).fetch(interval),
        transform,
        clip=clip,
        expected=expected,
        blacklisted=blacklisted,
    )


def from_maps(
    balanced: NDArray[np.float64],
    counts: NDArray[Any],
    transform: counts_to_targets.Transform,
    *,
    clip: float | None = None,
    expected: NDArray[np.float64] | None = None,
    blacklisted: NDArray[np.bool_] | None = None,
) -> counts_to_targets.Target:
    """Returns the target of one window and its mask of measured pixels.

    Args:
        balanced: Balanced contacts, NaN for filtered bins; symmetric. [N, N].
        counts: Raw counts; symmetric. [N, N].
        transform: How contacts become targets.
        clip: As `target` takes it.
        expected: As `target` takes it. [N].
        blacklisted: As `target` takes it. [N].
    """
    balanced = balanced.copy()
    if blacklisted is not None:
        balanced[blacklisted] = balanced[:, blacklisted] = np.nan
    missing = np.isnan(balanced)
    offset = transform.diagonal_offset
    cap = np.nanmedian(np.diagonal(balanced, offset))
    _near_diagonal(balanced, cap, offset)
    balanced = np.clip(balanced, 0, cap)
    balanced[missing] = np.nan
    with np.errstate(invalid="ignore"):
        smooth = numutils.adaptive_coarsegrain(
            balanced,
            counts,
            cutoff=coarsegrain.CUTOFF,
            max_levels=coarsegrain.MAX_LEVELS,
            min_shape=coarsegrain.MIN_SHAPE,
        )
    if transform.as_obsexp:
        values = _ratio(smooth, transform, clip, expected)
    else:
        values = numutils.interp_nan(smooth) * counts_to_targets.FREQUENCY_SCALE
        cap = np.nanmedian(np.diagonal(values, offset))
        _near_diagonal(values, cap, offset)
        values = np.clip(values, 0, cap)
    finite = np.isfinite(values)
    values[~finite] = values[finite].min()
    if transform.kernel_sigma > 0:
        values = ndimage.gaussian_filter(
            values, transform.kernel_sigma, mode="constant", radius=transform.kernel_radius
        )
    inside = slice(transform.crop_bins, transform.window_bins - transform.crop_bins)
    cropped = np.stack([values, finite & ~missing], axis=-1)[inside, inside]
    vectors = triangle.to_vector(cropped, diagonal_offset=offset)
    return counts_to_targets.Target(vectors[:, 0], vectors[:, 1] > 0)


def _ratio(
    smooth: NDArray[Any],
    transform: counts_to_targets.Transform,
    clip: float | None,
    expected: NDArray[Any] | None,
) -> NDArray[Any]:
    """Returns observed over expected, by default its logarithm; filtered bins are interpolated."""
    valid = ~np.isnan(smooth)
    ratio: NDArray[Any]
    if expected is None:
        ratio = numutils.observed_over_expected(smooth, valid)[0]
    else:
        # Entry (i, j) is |i - j|.
        distance = np.abs(np.subtract.outer(*[np.arange(len(smooth))] * 2))
        ratio = smooth / expected[distance]
        _near_diagonal(ratio, 1.0, transform.diagonal_offset)
        ratio[~valid] = np.nan
    if transform.no_log:
        ratio = numutils.interp_nan(np.clip(ratio, 0, clip))
        _near_diagonal(ratio, 1.0, transform.diagonal_offset)
        return ratio
    with np.errstate(divide="ignore"):
        ratio = np.log(ratio)
    if clip is not None:
        ratio = np.clip(ratio, -clip, clip)
    ratio = numutils.interp_nan(np.maximum(ratio, _EMPTY))
    # Any weight of an empty pixel in the interpolation, however small, makes the result empty.
    ratio[ratio < _EMPTY / ratio.size] = -np.inf
    _near_diagonal(ratio, 0.0, transform.diagonal_offset)
    return ratio


def _near_diagonal(matrix: NDArray[Any], value: float, offset: int) -> None:
    for diagonal in range(-offset + 1, offset):
        numutils.set_diag(matrix, value, diagonal)
