"""Where a model's outputs lie on its input: bin width, crop and triangle, read off the blocks.

No Keras: the walk needs only names and resolved arguments, so that a spec can be compared with a
data directory before TensorFlow is imported.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from akita_bayes import triangle

_UNPADDED = ("Conv1D", "Conv2D", "SeparableConv1D", "conv_nac", "conv_tower_nac", "res_tower")
"""Words whose `padding` is that of the convolution; for others it is that of the pooling alone."""

_WIDENING = ("conv_tower", "conv_tower_nac", "res_tower", "dilated_dense", "concat_dist_2d")
"""Words that choose their number of channels in a way that is not followed here."""

_KEEPING = ("dilated_residual", "dilated_residual_2d")
"""Words whose `filters` are not those of their output."""


class Geometry(NamedTuple):
    """One head's output, placed on its window.

    Attributes:
        seq_length: Bases of the window.
        bin_width: Bases per output bin.
        bins: Output bins after cropping: N of an N x N map, or the length of a track.
        crop_bp: Bases cut from each side of the window.
        diagonal_offset: First diagonal of a map's triangle; None for a track or a whole map.
        pairwise: True for a map, False for a track.
        units: Targets T; None when the last block does not say.
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
        """Bins cut from each side."""
        return self.crop_bp // self.bin_width

    @property
    def uncropped_bins(self) -> int:
        """Bins before cropping."""
        return self.bins + 2 * self.crop

    @property
    def target_length(self) -> int:
        """Rows of a target: pixels P of a triangle, bins of a track."""
        if self.diagonal_offset is None:
            return self.bins
        return triangle.length(self.bins, self.diagonal_offset)


class _Window(NamedTuple):
    """A sliding window: a convolution's reach or a pool, in bins."""

    width: int
    stride: int
    padded: bool


def walk(seq_length: int, blocks: Iterable[tuple[str, Mapping[str, Any]]]) -> Geometry:
    """Follows a window through blocks given as (name, resolved arguments).

    Raises:
        ValueError: A block cannot stand where it does; says which numbers.
    """
    place = Geometry(seq_length, bins=seq_length)
    for name, arguments in blocks:
        place = _step(place, name, arguments)
        if place.bins < 1:
            raise ValueError(f"{name} leaves nothing of the window")
    return place


def _step(place: Geometry, name: str, arguments: Mapping[str, Any]) -> Geometry:
    if name in ("one_to_two", "upper_tri"):
        return _pairs(place, name, arguments)
    if name in ("cropping_2d", "Cropping1D", "Cropping2D"):
        return _cropped(place, name, _alike(name, arguments["cropping"]))
    if name == "ZeroPadding1D":
        return _cropped(place, name, -_alike(name, arguments["padding"]))
    if name in ("UpSampling1D", "UpSampling2D"):
        size = _alike(name, arguments["size"])
        if place.bin_width % size:
            raise ValueError(f"{name} cannot part bins of {place.bin_width} bp by {size}")
        return place._replace(bins=place.bins * size, bin_width=place.bin_width // size)
    if name in ("Flatten", "Reshape") or name.startswith("Global") or arguments.get("flatten"):
        shape = arguments.get("target_shape", (1,))
        bins = shape[0] if len(shape) > 1 and shape[0] > 0 else 1
        place = place._replace(bins=bins, bin_width=place.bin_width * place.bins // bins)
    for window in _windows(name, arguments):
        place = _slid(place, window)
    if name in _WIDENING:
        return place._replace(units=None)
    units = arguments.get("units") or (name not in _KEEPING and arguments.get("filters"))
    return place._replace(units=units or place.units)


def _pairs(place: Geometry, name: str, arguments: Mapping[str, Any]) -> Geometry:
    if name == "one_to_two":
        if place.pairwise:
            raise ValueError("one_to_two needs a track, and it stands behind another")
        units = None if arguments["operation"] == "concat" else place.units
        return place._replace(pairwise=True, units=units)
    offset = arguments["diagonal_offset"]
    if not place.pairwise:
        raise ValueError("upper_tri needs a map; put one_to_two before it")
    if offset >= place.bins:
        raise ValueError(f"diagonal_offset {offset} leaves nothing of {place.bins} bins")
    return place._replace(diagonal_offset=offset)


def _cropped(place: Geometry, name: str, cropping: int) -> Geometry:
    bins = place.bins - 2 * cropping
    if bins < 1:
        raise ValueError(f"cropping {cropping} on each side leaves nothing of {place.bins} bins")
    return place._replace(bins=bins, crop_bp=place.crop_bp + cropping * place.bin_width)


def _windows(name: str, arguments: Mapping[str, Any]) -> Iterator[_Window]:
    padded = arguments.get("padding", "same") != "valid"
    layer = "Pooling" in name
    for _ in range(arguments.get("repeat", 1)):
        if not layer and "kernel_size" in arguments:
            reach = _alike(name, arguments.get("dilation_rate", 1)) * (
                _alike(name, arguments["kernel_size"]) - 1
            )
            stride = _alike(name, arguments.get("strides") or arguments.get("stride") or 1)
            yield _Window(reach + 1, stride, padded or name not in _UNPADDED)
        if "pool_size" in arguments:
            pool = _alike(name, arguments["pool_size"])
            stride = _alike(name, arguments.get("strides") or pool) if layer else pool
            yield _Window(pool, stride, padded or name == "res_tower")


def _slid(place: Geometry, window: _Window) -> Geometry:
    width, stride, padded = window
    bins = -(-place.bins // stride) if padded else (place.bins - width) // stride + 1
    cut = 0 if padded else (width - stride) * place.bin_width // 2
    return place._replace(
        bins=bins, bin_width=place.bin_width * stride, crop_bp=place.crop_bp + cut
    )


def _alike(name: str, value: Any) -> int:
    """One number for both sides and axes, as Keras takes either a number or a tuple."""
    while isinstance(value, tuple) and len(set(value)) == 1:
        value = value[0]
    if not isinstance(value, int):
        raise ValueError(f"{name} must treat all sides alike; got {value}")
    return value
