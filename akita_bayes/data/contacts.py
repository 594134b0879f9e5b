"""Hi-C counts to training targets: Akita's procedure, with a mask of what was measured.

Of one window of N bins, counts C and balancing weights w (NaN for filtered bins):

    V = C w w'                                       balanced frequencies
    V = min(V, median of V's k-th diagonal)          k the diagonal offset; near diagonals set to it
    S = coarsegrain(V, C)                            sparse pixels from their surroundings
    Y = ln(S / mean of S at the same distance)       `as_obsexp`; clipped to +-clip
    Y = interpolated linearly over filtered bins, smoothed by a Gaussian, cropped, upper triangle

The order of steps and every constant are Basenji's (Fudenberg, Kelley and Pollard 2020). The same
numbers, step by step with cooltools, are in `recipe`; here bins are filtered as whole rows, every
array is touched once, and interpolation is two passes of one-dimensional interpolation.
"""

import dataclasses
import functools
from typing import NamedTuple

import numba
import numpy as np
from cooltools.lib import numutils
from numpy.typing import NDArray
from scipy import ndimage

from akita_bayes import errors, triangle
from akita_bayes.data import coarsegrain

FREQUENCY_SCALE = 1e5
MOST_FILTERED = 0.5


class Unusable(Exception):
    """A window that cannot give a target.

    Attributes:
        reason: A short phrase, the same for all such windows.
        detail: The numbers of this one.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Target(NamedTuple):
    """Values and their mask, both [P]; a False mask marks an interpolated pixel."""

    values: NDArray[np.float64]
    mask: NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Transform:
    """How a window of contacts becomes a target; lengths in bases unless named otherwise.

    Attributes:
        seq_length: Length of a window.
        pool_width: Length of a bin.
        crop: Cropped off each side of the map.
        diagonal_offset: First diagonal of the triangle.
        as_obsexp: Divide by the mean at the same distance, within the window.
        global_obsexp: Divide by a table's genome-wide mean instead; implies `as_obsexp`.
        no_log: Leave the ratio as it is.
        kernel_sigma: Standard deviation of the Gaussian smoothing in bins; 0 for none.
        kernel_width: Width of its kernel in bins, odd; by default 8 sigma, as astropy's.

    Raises:
        DataError: Two lengths do not fit each other.
    """

    seq_length: int
    pool_width: int
    crop: int = 0
    diagonal_offset: int = 2
    as_obsexp: bool = False
    global_obsexp: bool = False
    no_log: bool = False
    kernel_sigma: float = 0.0
    kernel_width: int | None = None

    def __post_init__(self) -> None:
        if self.global_obsexp:
            object.__setattr__(self, "as_obsexp", True)
        for name in ("seq_length", "crop"):
            length = getattr(self, name)
            if length % self.pool_width:
                raise errors.DataError(
                    f"{name} {length} is not a multiple of the bin width {self.pool_width}; "
                    f"the nearest are {length - length % self.pool_width} and "
                    f"{length - length % self.pool_width + self.pool_width}."
                )
        if self.diagonal_offset < 0 or self.map_bins <= self.diagonal_offset:
            raise errors.DataError(
                f"seq_length {self.seq_length} with crop {self.crop} leaves {self.map_bins} bins "
                f"of {self.pool_width}, too few for diagonal_offset {self.diagonal_offset}."
            )
        if self.no_log and not self.as_obsexp:
            raise errors.DataError(
                "no_log speaks of observed over expected; add as_obsexp or global_obsexp."
            )
        if self.kernel_sigma < 0 or (self.kernel_width is not None and self.kernel_width % 2 == 0):
            raise errors.DataError(
                f"kernel_sigma {self.kernel_sigma} must not be negative and kernel_width "
                f"{self.kernel_width} must be odd."
            )

    @property
    def window_bins(self) -> int:
        """Bins of a window before cropping."""
        return self.seq_length // self.pool_width

    @property
    def crop_bins(self) -> int:
        """Bins cropped off each side."""
        return self.crop // self.pool_width

    @property
    def map_bins(self) -> int:
        """Bins of the cropped map."""
        return self.window_bins - 2 * self.crop_bins

    @property
    def pixels(self) -> int:
        """Pixels P of the triangle."""
        return triangle.length(self.map_bins, self.diagonal_offset)

    @property
    def kernel_radius(self) -> int:
        """Bins of the Gaussian kernel on each side of its centre."""
        return (self.kernel_width or int(np.ceil(8 * self.kernel_sigma)) // 2 * 2 + 1) // 2


def target(
    counts: NDArray,
    weights: NDArray[np.float64],
    transform: Transform,
    *,
    clip: float | None = None,
    expected: NDArray[np.float64] | None = None,
) -> Target:
    """The target of one window.

    Args:
        counts: Raw counts, symmetric. [N, N].
        weights: Balancing weights; not finite for filtered and blacklisted bins. [N].
        transform: How contacts become targets.
        clip: Largest absolute value of a log ratio, or largest ratio without logarithm.
        expected: Expected frequency of each distance in bins, instead of the window's own means.
            [N].

    Raises:
        Unusable: More than half of the bins are filtered, or there are no contacts at the first
            diagonal kept.
    """
    valid = np.isfinite(weights)
    filtered = 1 - valid.mean()
    if filtered > MOST_FILTERED:
        raise Unusable("more than half of the bins filtered", f"{filtered:.0%}")
    smooth = _smooth(counts, weights, valid, transform.diagonal_offset)
    if transform.as_obsexp:
        values = _ratio(smooth, valid, transform, clip, expected)
    else:
        values = _interpolate(smooth, valid) * FREQUENCY_SCALE
        cap = np.median(np.diagonal(values, transform.diagonal_offset))
        _near_diagonal(values, cap, transform.diagonal_offset)
        values = np.clip(values, 0, cap)
    infinite = ~np.isfinite(values)
    if infinite.any():
        values[infinite] = values[~infinite].min()
    if transform.kernel_sigma > 0:
        values = ndimage.gaussian_filter(
            values, transform.kernel_sigma, mode="constant", radius=transform.kernel_radius
        )
    pixels = _pixels(transform)
    measured = valid[:, None] & valid & ~infinite
    return Target(values.take(pixels), measured.take(pixels))


@functools.lru_cache(maxsize=4)
def _pixels(transform: Transform) -> NDArray[np.intp]:
    """Places of the cropped map's triangle in the flattened map. [P]."""
    rows, columns = triangle.indices(transform.map_bins, transform.diagonal_offset)
    crop = transform.crop_bins
    return (rows + crop) * transform.window_bins + columns + crop


def _smooth(
    counts: NDArray, weights: NDArray, valid: NDArray[np.bool_], offset: int
) -> NDArray[np.float64]:
    """Balanced, capped at the median of the first kept diagonal, and coarse-grained."""
    balanced = counts * weights[:, None]
    balanced *= weights
    diagonal = np.diagonal(balanced, offset)
    diagonal = diagonal[np.isfinite(diagonal)]
    cap = np.median(diagonal) if diagonal.size else 0.0
    if cap == 0:
        raise Unusable("too sparse", f"median of diagonal {offset} is 0")
    np.minimum(balanced, cap, out=balanced)
    _near_diagonal(balanced, cap, offset)
    return coarsegrain.coarsegrain(balanced, counts, valid)


def _ratio(
    smooth: NDArray,
    valid: NDArray[np.bool_],
    transform: Transform,
    clip: float | None,
    expected: NDArray | None,
) -> NDArray[np.float64]:
    """Observed over expected, by default its logarithm, with filtered bins interpolated."""
    if expected is None:
        ratio = _observed_over_expected(smooth, valid)
    else:
        bins = np.arange(len(valid))
        ratio = smooth / expected[np.abs(bins[:, None] - bins)]
        _near_diagonal(ratio, 1.0, transform.diagonal_offset)
    if transform.no_log:
        ratio = np.clip(ratio, 0, clip)
        neutral = 1.0
    else:
        with np.errstate(divide="ignore"):
            np.log(ratio, out=ratio)
        if clip is not None:
            np.clip(ratio, -clip, clip, out=ratio)
        neutral = 0.0
    ratio = _interpolate(ratio, valid)
    _near_diagonal(ratio, neutral, transform.diagonal_offset)
    return ratio


@numba.njit(cache=True)
def _observed_over_expected(
    matrix: NDArray, valid: NDArray
) -> NDArray:  # pragma: no cover - compiled
    """The function of cooltools, compiled once for all processes instead of once for each."""
    return numutils.observed_over_expected(matrix, valid)[0]


def _interpolate(matrix: NDArray, valid: NDArray[np.bool_]) -> NDArray:
    """Fills rows and columns of filtered bins linearly, with zeros beyond the edges; in place.

    Bilinear interpolation on a grid with missing rows and columns is linear interpolation of the
    columns and then of the rows, so this equals `cooltools.lib.numutils.interp_nan`.
    """
    missing = np.flatnonzero(~valid)
    if not missing.size:
        return matrix
    bins = len(valid)
    known = np.concatenate([[-1], np.flatnonzero(valid), [bins]])
    after = np.searchsorted(known, missing)
    left, right = known[after - 1], known[after]
    share = (missing - left) / (right - left)
    rows = (1 - share)[:, None] * np.where((left >= 0)[:, None], matrix[left], 0.0)
    rows += share[:, None] * np.where((right < bins)[:, None], matrix[right % bins], 0.0)
    matrix[missing] = rows
    columns = (1 - share) * np.where(left >= 0, matrix[:, left], 0.0)
    columns += share * np.where(right < bins, matrix[:, right % bins], 0.0)
    matrix[:, missing] = columns
    return matrix


def _near_diagonal(matrix: NDArray, value: float, offset: int) -> None:
    """Sets the diagonals below the offset, on both sides; in place."""
    for diagonal in range(-offset + 1, offset):
        numutils.set_diag(matrix, value, diagonal)
