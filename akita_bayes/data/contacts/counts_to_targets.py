"""Computes training targets from Hi-C counts by Akita's procedure, with a mask of measured pixels.

For one window of N bins, counts C and balancing weights w (NaN for filtered bins):

    V = C w w'                                       balanced frequencies
    V = min(V, median of V's k-th diagonal)          k the diagonal offset; nearer ones set to it
    S = coarsegrain(V, C)                            sparse pixels from their surroundings
    Y = ln(S / mean of S at the same distance)       `as_obsexp`; clipped to +-clip
    Y = interpolated linearly over filtered bins, smoothed by a Gaussian, cropped, upper triangle

The order of steps and every constant are Basenji's (Fudenberg, Kelley and Pollard 2020).
`reference_target` computes the same numbers step by step with cooltools. Here bins are filtered as
whole rows, and only the upper triangle is computed, packed into a vector (`packed`).
"""

import dataclasses
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from akita_bayes import errors, triangle
from akita_bayes.data.contacts import coarsegrain, packed

FREQUENCY_SCALE = 1e5
MOST_FILTERED = 0.5


class Unusable(Exception):
    """Reports a window that has no usable target.

    Attributes:
        reason: A short phrase, the same for all such windows.
        detail: The numbers of this window.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class Target(NamedTuple):
    """Holds values and their mask, both [P]; a False mask marks an interpolated pixel."""

    values: NDArray[np.float64]
    mask: NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Transform:
    """Describes how a window of contacts becomes a target; lengths are in bases unless stated.

    Attributes:
        seq_length: Length of a window.
        pool_width: Length of a bin.
        crop: Length cropped off each side of the map.
        diagonal_offset: First diagonal of the triangle.
        as_obsexp: True to divide by the mean of the window at the same distance.
        global_obsexp: True to divide by the genome-wide mean of a table instead; implies
            `as_obsexp`.
        no_log: True to keep the ratio instead of its logarithm.
        kernel_sigma: Standard deviation of the Gaussian smoothing in bins; 0 for none.
        kernel_width: Width of its kernel in bins, odd; by default 8 sigma, as in astropy.

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
        for name, least in (("seq_length", 1), ("pool_width", 1), ("crop", 0)):
            if getattr(self, name) < least:
                raise errors.DataError(
                    f"{name} {getattr(self, name)}: expected at least {least} bases."
                )
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
                "no_log applies to observed over expected only; add as_obsexp or global_obsexp."
            )
        if not 0 <= self.kernel_sigma < np.inf:
            raise errors.DataError(
                f"kernel_sigma {self.kernel_sigma} must be finite and not be negative."
            )
        if self.kernel_width is not None and self.kernel_width % 2 == 0:
            raise errors.DataError(f"kernel_width {self.kernel_width} must be odd.")

    @property
    def window_bins(self) -> int:
        """Returns the number of bins of a window before cropping."""
        return self.seq_length // self.pool_width

    @property
    def crop_bins(self) -> int:
        """Returns the number of bins cropped off each side."""
        return self.crop // self.pool_width

    @property
    def map_bins(self) -> int:
        """Returns the number of bins of the cropped map."""
        return self.window_bins - 2 * self.crop_bins

    @property
    def pixels(self) -> int:
        """Returns the number of pixels P of the triangle."""
        return triangle.length(self.map_bins, self.diagonal_offset)

    @property
    def kernel_radius(self) -> int:
        """Returns the number of bins of the Gaussian kernel on each side of its centre."""
        # The width is 8 sigma, rounded up to an odd number: sigma 1.75 gives 15, a radius of 7.
        return (self.kernel_width or int(np.ceil(8 * self.kernel_sigma)) // 2 * 2 + 1) // 2


def target(
    counts: NDArray[Any],
    weights: NDArray[np.float64],
    transform: Transform,
    *,
    clip: float | None = None,
    expected: NDArray[np.float64] | None = None,
) -> Target:
    """Returns the target of one window.

    Args:
        counts: Raw counts; only the upper triangle is read. [N, N].
        weights: Balancing weights; not finite for filtered and blacklisted bins. [N].
        transform: How contacts become targets.
        clip: Largest absolute value of a log ratio, or largest ratio without logarithm.
        expected: Expected frequency of each distance in bins, which replaces the means of the
            window. [N].

    Raises:
        Unusable: More than half of the bins are filtered, the median of the first diagonal of the
            triangle is 0, or no pixel of the target was measured.
    """
    valid = np.isfinite(weights)
    filtered = 1 - valid.mean()
    if filtered > MOST_FILTERED:
        raise Unusable("more than half of the bins filtered", f"{filtered:.0%}")
    bins, offset = len(valid), transform.diagonal_offset
    values = _smooth(counts, np.where(valid, weights, 0.0), valid, offset)
    if transform.as_obsexp:
        _ratio(values, valid, transform, clip, expected)
    else:
        packed.interpolate(values, valid)
        values *= FREQUENCY_SCALE
        cap = np.median(packed.diagonal(values, bins, offset))
        packed.near_diagonal(values, bins, cap, offset)
        np.clip(values, 0, cap, out=values)
    missing = ~np.isfinite(values)
    measured = packed.pairs(valid, transform.crop_bins, offset)
    measured &= ~packed.cut(missing, bins, transform.crop_bins, offset)
    if not measured.any():
        raise Unusable("no pixel was measured", f"of {len(measured):,}")
    if missing.any():
        values[missing] = values[~missing].min()
    if transform.kernel_sigma > 0:
        smooth = ndimage.gaussian_filter(
            packed.unpack(values, bins),
            transform.kernel_sigma,
            mode="constant",
            radius=transform.kernel_radius,
        )
        values = packed.pack(smooth, bins)
    return Target(packed.cut(values, bins, transform.crop_bins, offset), measured)


def _smooth(
    counts: NDArray[Any], weights: NDArray[np.float64], valid: NDArray[np.bool_], offset: int
) -> NDArray[np.float64]:
    """Returns the balanced, capped and coarse-grained map, packed. [N (N + 1) / 2].

    The cap is the median of the first diagonal of the triangle.
    """
    length = len(valid) - offset
    diagonal = np.diagonal(counts, offset) * weights[:length] * weights[offset:]
    diagonal = diagonal[valid[:length] & valid[offset:]]
    cap = np.median(diagonal) if diagonal.size else 0.0
    if cap == 0:
        raise Unusable("too sparse", f"median of diagonal {offset} is 0")
    levels = coarsegrain.prepare(valid)
    packed.balance(
        np.ascontiguousarray(counts), weights, cap, offset, levels.values[0], levels.counts[0]
    )
    coarsegrain.fill(levels)
    return packed.pack(levels.values[0], len(valid))


def _ratio(
    values: NDArray[np.float64],
    valid: NDArray[np.bool_],
    transform: Transform,
    clip: float | None,
    expected: NDArray[Any] | None,
) -> None:
    """Turns values into observed over expected, by default its logarithm, in place.

    Filtered bins are interpolated. Values are packed. [N (N + 1) / 2].
    """
    bins, offset = len(valid), transform.diagonal_offset
    if expected is None:
        packed.divide(values, packed.expected(values, valid, packed.distance_groups(bins)))
    else:
        packed.divide(values, np.asarray(expected, np.float64))
        packed.near_diagonal(values, bins, 1.0, offset)
    if transform.no_log:
        np.clip(values, 0, clip, out=values)
        neutral = 1.0
    else:
        with np.errstate(divide="ignore"):
            np.log(values, out=values)
        if clip is not None:
            np.clip(values, -clip, clip, out=values)
        neutral = 0.0
    packed.interpolate(values, valid)
    packed.near_diagonal(values, bins, neutral, offset)
