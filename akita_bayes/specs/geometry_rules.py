"""Rules of geometry that blocks declare: how bins, crop, triangle and channels change in a block.

A rule takes the geometry before a block and the resolved arguments of the block. A block of one's
own may declare one of these rules, or any function like them.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from akita_bayes.specs.geometry import Geometry

Arguments = Mapping[str, Any]


def keep(geometry: Geometry, arguments: Arguments) -> Geometry:
    """Follows a block that keeps bins and channels."""
    return geometry


def widen(geometry: Geometry, arguments: Arguments) -> Geometry:
    """Follows a block that keeps bins and computes its own number of channels."""
    return geometry._replace(units=None)


def dense(geometry: Geometry, arguments: Arguments) -> Geometry:
    """Follows a dense layer with `units` channels, over the whole window when `flatten`."""
    if arguments.get("flatten"):
        geometry = whole(geometry, arguments)
    return geometry._replace(units=arguments["units"] or geometry.units)


def whole(geometry: Geometry, arguments: Arguments) -> Geometry:
    """Follows a block that leaves one bin of the whole window."""
    return geometry._replace(bins=1, bin_width=geometry.bin_width * geometry.bins)


def reshape(geometry: Geometry, arguments: Arguments) -> Geometry:
    """Follows a change of shape to `target_shape`, whose first axis are the bins."""
    shape = arguments["target_shape"]
    bins = shape[0] if len(shape) > 1 and shape[0] > 0 else 1
    return geometry._replace(bins=bins, bin_width=geometry.bin_width * geometry.bins // bins)


@dataclasses.dataclass(frozen=True)
class Convolution:
    """Follows convolutions and the pooling after each, `repeat` times if the block repeats them.

    Attributes:
        unpadded: Parts that have no padding when `padding` is "valid": "kernel", "pool".
        widens: True for a block that computes its own number of channels; otherwise `filters`.
    """

    unpadded: tuple[str, ...] = ("pool",)
    widens: bool = False

    def __call__(self, geometry: Geometry, arguments: Arguments) -> Geometry:
        """Returns the geometry after the block."""
        valid = arguments.get("padding", "same") == "valid"
        # A kernel of k at dilation d covers d (k - 1) + 1 bins: 3 at 4 covers 9.
        reach = side(arguments, "dilation_rate", 1) * (side(arguments, "kernel_size") - 1)
        stride = side(arguments, "strides" if "strides" in arguments else "stride", 1)
        pool = side(arguments, "pool_size", 1)
        for _ in range(arguments.get("repeat", 1)):
            geometry = geometry.after_window(
                reach + 1, stride, padded=not (valid and "kernel" in self.unpadded)
            )
            geometry = geometry.after_window(
                pool, pool, padded=not (valid and "pool" in self.unpadded)
            )
        units = None if self.widens else arguments["filters"] or geometry.units
        return geometry._replace(units=units)


def pool(geometry: Geometry, arguments: Arguments) -> Geometry:
    """Follows a pooling layer of Keras."""
    width = side(arguments, "pool_size")
    stride = side(arguments, "strides", width)
    return geometry.after_window(width, stride, padded=arguments["padding"] != "valid")


def crop(geometry: Geometry, arguments: Arguments) -> Geometry:
    """Follows a block that cuts `cropping` bins from each side."""
    return geometry.cropped(side(arguments, "cropping"))


def pad(geometry: Geometry, arguments: Arguments) -> Geometry:
    """Follows a block that adds `padding` bins to each side."""
    return geometry.cropped(-side(arguments, "padding"))


def upsample(geometry: Geometry, arguments: Arguments) -> Geometry:
    """Follows a block that divides each bin into `size` bins."""
    size = side(arguments, "size")
    if size < 1 or geometry.bin_width % size:
        raise ValueError(f"cannot divide bins of {geometry.bin_width} bp by {size}")
    return geometry._replace(bins=geometry.bins * size, bin_width=geometry.bin_width // size)


def pairs(geometry: Geometry, arguments: Arguments) -> Geometry:
    """Follows the step from a track to a map; `operation` "concat" doubles the channels."""
    if geometry.pairwise:
        raise ValueError("needs a track, but another block before it makes a map")
    units = None if arguments["operation"] == "concat" else geometry.units
    return geometry._replace(pairwise=True, units=units)


def upper_triangle(geometry: Geometry, arguments: Arguments) -> Geometry:
    """Follows the step from a map to its triangle from `diagonal_offset` on."""
    offset = arguments["diagonal_offset"]
    if not geometry.pairwise:
        raise ValueError("needs a map; put one_to_two before it")
    if offset >= geometry.bins:
        raise ValueError(f"diagonal_offset {offset} leaves nothing of {geometry.bins} bins")
    return geometry._replace(diagonal_offset=offset)


def side(arguments: Arguments, name: str, default: int | None = None) -> int:
    """Returns the number that holds for both sides and axes; Keras takes a number or a tuple.

    Raises:
        ValueError: The argument has different numbers.
    """
    value = arguments.get(name)
    value = default if value is None else value
    while isinstance(value, tuple) and len(set(value)) == 1:
        value = value[0]
    if not isinstance(value, int):
        raise ValueError(f"{name} must be one number for all sides; got {value}")
    return value
