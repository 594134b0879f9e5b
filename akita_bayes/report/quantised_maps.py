"""Packs maps as small text: numbers of steps, compressed by DEFLATE, in base64.

A value v becomes the code 1 + round((v - lowest) / step), and a missing one 0. Codes are stored as
differences between neighbours of a row of pixels, modulo 65,536, the low bytes of all before the
high bytes; neighbouring pixels are similar, so both compress well. A reader adds the differences up
again. The error of a value is at most half a step.
"""

import base64
import math
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import triangle
from akita_bayes.numerics import colour_limits
from akita_bayes.report import contents

LEVELS = (65_000, 4_000, 250)
"""Numbers of steps between lowest and highest value, from the finest."""

SMALLEST = 64
"""Fewest bins to which a map is coarsened."""


class Packed(NamedTuple):
    """Holds a packed map.

    Attributes:
        bins: Bins of the packed map.
        factor: Bins of the prediction in one bin of the packed map.
        layers: For each layer a dictionary with `name`, `unit`, `palette`, `lowest`, `step`,
            `limit` (half width, or end, of the colour scale) and `codes`.
        size: Bytes of all codes.
    """

    bins: int
    factor: int
    layers: list[dict[str, Any]]
    size: int


def pack(view: contents.Map, budget: int) -> Packed | None:
    """Packs a map as finely as a budget allows; None when it does not fit.

    Fewer steps are tried first, then maps whose bins are means of 2 or 4 bins.

    Args:
        view: A map.
        budget: Largest number of bytes.
    """
    factor = 1
    while factor == 1 or view.bins // factor >= SMALLEST:
        coarse = [coarsened(layer.values, view, factor) for layer in view.layers]
        for levels in LEVELS:
            packed = _packed(view, coarse, factor, levels)
            if packed.size <= budget:
                return packed
        factor *= 2
    return None


def coarsened(values: NDArray[np.float32], view: contents.Map, factor: int) -> NDArray[np.float32]:
    """Returns the means of blocks of `factor` x `factor` pixels, as a triangle. [P] -> [P'].

    Pixels without a value do not count. The last bins are dropped when N is not a multiple.
    """
    if factor == 1:
        return values
    matrix = triangle.to_matrix(values[:, None], diagonal_offset=view.diagonal_offset)[..., 0]
    size = view.bins // factor
    blocks = matrix[: size * factor, : size * factor].reshape(size, factor, size, factor)
    finite = np.isfinite(blocks)
    count = finite.sum(axis=(1, 3))
    total = np.where(finite, blocks, 0).sum(axis=(1, 3))
    means = np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)
    return triangle.to_vector(means[..., None], diagonal_offset=0)[:, 0]


def _packed(
    view: contents.Map, values: Sequence[NDArray[np.float32]], factor: int, levels: int
) -> Packed:
    bins = view.bins // factor if factor > 1 else view.bins
    layers, size = [], 0
    map_limit = colour_limits.symmetric(
        [
            pixels
            for layer, pixels in zip(view.layers, values, strict=True)
            if layer.palette == "map"
        ]
    )
    for layer, pixels in zip(view.layers, values, strict=True):
        lowest, step = _scale(pixels, levels)
        codes = encoded(pixels, lowest, step, bins, 0 if factor > 1 else view.diagonal_offset)
        size += len(codes)
        layers.append(
            {
                "name": layer.name,
                "unit": layer.unit,
                "palette": layer.palette,
                "lowest": lowest,
                "step": step,
                "limit": _limit(pixels, layer.palette, map_limit),
                "codes": codes,
            }
        )
    return Packed(bins, factor, layers, size)


def _scale(values: NDArray[np.float32], levels: int) -> tuple[float, float]:
    """Returns the lowest value, and a step of 1, 2 or 5 times a power of ten."""
    finite = values[np.isfinite(values)].astype(np.float64)
    if not finite.size:
        return 0.0, 1.0
    width = float(finite.max() - finite.min())
    if width == 0:
        return float(finite.min()), 1.0
    decade = math.floor(math.log10(width / levels))
    # Read from text, since 10.0 ** -5 is 0.00001 only nearly.
    steps = (float(f"{factor}e{decade}") for factor in (1, 2, 5, 10))
    step = next(step for step in steps if step * levels >= width)
    # Multiples of the step keep 0 exact, which many differences are.
    return math.floor(float(finite.min()) / step) * step, step


def _limit(values: NDArray[np.float32], palette: contents.Palette, map_limit: float) -> float:
    """Returns the half width, or end, of a colour scale; `map_limit` is that of REF and ALT."""
    if palette == "difference":
        return colour_limits.difference(values, map_limit)
    return colour_limits.symmetric([values]) or 1.0


def encoded(
    values: NDArray[np.float32], lowest: float, step: float, bins: int, diagonal_offset: int
) -> str:
    """Returns the pixels of a triangle as base64.

    Args:
        values: Pixels. [P].
        lowest: Value of code 1.
        step: Difference of neighbouring codes.
        bins: Bins of the map.
        diagonal_offset: First diagonal of the map.
    """
    finite = np.isfinite(values)
    exact = (np.where(finite, values, lowest).astype(np.float64) - lowest) / step
    codes = np.where(finite, 1 + np.rint(exact), 0).astype(np.int64)
    differences = np.diff(codes, prepend=0)
    # Each row of the triangle begins anew: its first code is stored itself.
    rows, _ = triangle.indices(bins, diagonal_offset)
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    differences[first] = codes[first]
    words = (differences % 65_536).astype("<u2")
    planes = np.concatenate([(words & 255).astype(np.uint8), (words >> 8).astype(np.uint8)])
    return base64.b64encode(zlib.compress(planes.tobytes(), 9)).decode()


def decoded(
    codes: str, lowest: float, step: float, bins: int, diagonal_offset: int
) -> NDArray[np.float64]:
    """Returns the pixels of a packed layer, as the report's reader does. [P]."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(codes)), np.uint8)
    low, high = planes.reshape(2, -1).astype(np.int64)
    differences = low + 256 * high
    rows, _ = triangle.indices(bins, diagonal_offset)
    sums = np.cumsum(differences)
    first = np.flatnonzero(np.diff(rows, prepend=-1))
    before = np.where(first > 0, sums[first - 1], 0)
    codes_of_pixels = (sums - np.repeat(before, np.diff(first, append=len(rows)))) % 65_536
    return np.where(codes_of_pixels > 0, lowest + (codes_of_pixels - 1) * step, np.nan)
