"""Position of a model's outputs on its input: bin width, crop and triangle, read from the blocks.

This module needs no Keras, only names and resolved arguments of blocks. A spec can therefore be
compared with a data directory before TensorFlow is imported.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from akita_bayes import triangle

_UNPADDED = ("Conv1D", "Conv2D", "SeparableConv1D", "conv_nac", "conv_tower_nac", "res_tower")
"""Blocks whose `padding` applies to the convolution; in others it applies to the pooling only."""

_WIDENING = ("conv_tower", "conv_tower_nac", "res_tower", "dilated_dense", "concat_dist_2d")
"""Blocks that compute their own number of channels, which this module does not follow."""

_KEEPING = ("dilated_residual", "dilated_residual_2d")
"""Blocks whose output has the channels of their input, whatever their `filters`."""


class Geometry(NamedTuple):
    """Describes the output of one head and its position on the window.

    Attributes:
        seq_length: Bases of the window.
        bin_width: Bases per output bin.
        bins: Output bins after cropping: N of an N x N map, or the length of a track.
        crop_bp: Bases cut from each side of the window.
        diagonal_offset: First diagonal of the triangle; None for a track or a whole map.
        pairwise: True for a map, False for a track.
        units: Targets T; None when the last block does not determine them.
    """

    seq_length: int
    bin_width: int = 1
    bins: int = 0
    crop_bp: int = 0
    diagonal_offset: int | None = None
    pairwise: bool = False
    units: int | None = 4

    @property
    def crop(self) -> int:
        """Returns the number of bins cut from each side."""
        return self.crop_bp // self.bin_width

    @property
    def uncropped_bins(self) -> int:
        """Returns the number of bins before cropping."""
        return self.bins + 2 * self.crop

    @property
    def target_length(self) -> int:
        """Returns the number of rows of a target: pixels P of a triangle, or bins of a track."""
        if self.diagonal_offset is None:
            return self.bins
        return triangle.length(self.bins, self.diagonal_offset)


class _Window(NamedTuple):
    """Describes a sliding window in bins: the reach of a convolution, or a pool."""

    width: int
    stride: int
    padded: bool


def walk(seq_length: int, blocks: Iterable[tuple[str, Mapping[str, Any]]]) -> Geometry:
    """Follows a window through blocks, each given as (name, resolved arguments).

    Raises:
        ValueError: A block cannot follow the blocks before it; names the numbers.
    """
    geometry = Geometry(seq_length, bins=seq_length)
    for name, arguments in blocks:
        geometry = _step(geometry, name, arguments)
        if geometry.bins < 1:
            raise ValueError(f"{name} leaves nothing of the window")
    return geometry


def _step(geometry: Geometry, name: str, arguments: Mapping[str, Any]) -> Geometry:
    if name in ("one_to_two", "upper_tri"):
        return _pairs(geometry, name, arguments)
    if name in ("cropping_2d", "Cropping1D", "Cropping2D"):
        return _cropped(geometry, name, _single(name, arguments["cropping"]))
    if name == "ZeroPadding1D":
        return _cropped(geometry, name, -_single(name, arguments["padding"]))
    if name in ("UpSampling1D", "UpSampling2D"):
        size = _single(name, arguments["size"])
        if geometry.bin_width % size:
            raise ValueError(f"{name} cannot divide bins of {geometry.bin_width} bp by {size}")
        return geometry._replace(bins=geometry.bins * size, bin_width=geometry.bin_width // size)
    if name in ("Flatten", "Reshape") or name.startswith("Global") or arguments.get("flatten"):
        # These leave one bin of the whole window, or the first axis of the target shape.
        shape = arguments.get("target_shape", (1,))
        bins = shape[0] if len(shape) > 1 and shape[0] > 0 else 1
        geometry = geometry._replace(
            bins=bins, bin_width=geometry.bin_width * geometry.bins // bins
        )
    for window in _windows(name, arguments):
        geometry = _after_window(geometry, window)
    if name in _WIDENING:
        return geometry._replace(units=None)
    units = arguments.get("units") or (name not in _KEEPING and arguments.get("filters"))
    return geometry._replace(units=units or geometry.units)


def _pairs(geometry: Geometry, name: str, arguments: Mapping[str, Any]) -> Geometry:
    if name == "one_to_two":
        if geometry.pairwise:
            raise ValueError("one_to_two needs a track, but another one_to_two precedes it")
        units = None if arguments["operation"] == "concat" else geometry.units
        return geometry._replace(pairwise=True, units=units)
    offset = arguments["diagonal_offset"]
    if not geometry.pairwise:
        raise ValueError("upper_tri needs a map; put one_to_two before it")
    if offset >= geometry.bins:
        raise ValueError(f"diagonal_offset {offset} leaves nothing of {geometry.bins} bins")
    return geometry._replace(diagonal_offset=offset)


def _cropped(geometry: Geometry, name: str, cropping: int) -> Geometry:
    bins = geometry.bins - 2 * cropping
    if bins < 1:
        raise ValueError(f"cropping {cropping} on each side leaves nothing of {geometry.bins} bins")
    return geometry._replace(bins=bins, crop_bp=geometry.crop_bp + cropping * geometry.bin_width)


def _windows(name: str, arguments: Mapping[str, Any]) -> Iterator[_Window]:
    padded = arguments.get("padding", "same") != "valid"
    layer = "Pooling" in name
    for _ in range(arguments.get("repeat", 1)):
        if not layer and "kernel_size" in arguments:
            # A kernel of k at dilation d covers d (k - 1) + 1 bins: 3 at 4 covers 9.
            reach = _single(name, arguments.get("dilation_rate", 1)) * (
                _single(name, arguments["kernel_size"]) - 1
            )
            stride = _single(name, arguments.get("strides") or arguments.get("stride") or 1)
            yield _Window(reach + 1, stride, padded or name not in _UNPADDED)
        if "pool_size" in arguments:
            pool = _single(name, arguments["pool_size"])
            stride = _single(name, arguments.get("strides") or pool) if layer else pool
            yield _Window(pool, stride, padded or name == "res_tower")


def _after_window(geometry: Geometry, window: _Window) -> Geometry:
    width, stride, padded = window
    # -(-a // b) rounds up: with padding, the last bin may cover less than a stride.
    bins = -(-geometry.bins // stride) if padded else (geometry.bins - width) // stride + 1
    # Without padding, half the overlap of two windows is lost on each side.
    cut = 0 if padded else (width - stride) * geometry.bin_width // 2
    return geometry._replace(
        bins=bins, bin_width=geometry.bin_width * stride, crop_bp=geometry.crop_bp + cut
    )


def _single(name: str, value: Any) -> int:
    """Returns the number that holds for both sides and axes; Keras takes a number or a tuple."""
    while isinstance(value, tuple) and len(set(value)) == 1:
        value = value[0]
    if not isinstance(value, int):
        raise ValueError(f"{name} must have one number for all sides; got {value}")
    return value
