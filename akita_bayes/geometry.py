"""Where a model's outputs lie on its input: bin width, crop and triangle, read off the blocks.

No Keras: the walk needs only names and resolved arguments, so that a spec can be compared with a
data directory before TensorFlow is imported.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from akita_bayes import triangle


class Geometry(NamedTuple):
    """One head's output, placed on its window.

    Attributes:
        seq_length: Bases of the window.
        bin_width: Bases per output bin.
        bins: Output bins after cropping: N of an N x N map, or the length of a track.
        crop_bp: Bases cut from each side of the window.
        diagonal_offset: First diagonal of a map's triangle; None for a track or a whole map.
        pairwise: True for a map, False for a track.
        units: Targets T.
    """

    seq_length: int
    bin_width: int = 1
    bins: int = 0
    crop_bp: int = 0
    diagonal_offset: int | None = None
    pairwise: bool = False
    units: int = 4

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


def walk(seq_length: int, blocks: Iterable[tuple[str, Mapping[str, Any]]]) -> Geometry:
    """Follows a window through blocks given as (name, resolved arguments).

    Raises:
        ValueError: A crop or an offset leaves nothing; says which numbers.
    """
    place = Geometry(seq_length, bins=seq_length)
    for name, arguments in blocks:
        place = _step(place, name, arguments)
    return place


def _step(place: Geometry, name: str, arguments: Mapping[str, Any]) -> Geometry:
    if name in ("cropping_2d", "Cropping1D", "Cropping2D"):
        return _cropped(place, name, arguments["cropping"])
    if name in ("one_to_two", "upper_tri") and (name == "upper_tri") != place.pairwise:
        needs = "a map; put one_to_two before it" if name == "upper_tri" else "a track, not a map"
        raise ValueError(f"{name} needs {needs}")
    if name == "one_to_two":
        return place._replace(pairwise=True)
    if name == "upper_tri":
        offset = arguments["diagonal_offset"]
        if offset >= place.bins:
            raise ValueError(f"diagonal_offset {offset} leaves nothing of {place.bins} bins")
        return place._replace(diagonal_offset=offset)
    if name in ("final", "dense", "dense_block", "Dense"):
        place = place._replace(units=arguments["units"] or place.units)
    if arguments.get("flatten") or name == "Flatten":
        place = place._replace(bins=1, bin_width=place.bin_width * place.bins)
    return _pooled(place, arguments)


def _cropped(place: Geometry, name: str, cropping: Any) -> Geometry:
    while isinstance(cropping, tuple) and len(set(cropping)) == 1:
        cropping = cropping[0]
    if not isinstance(cropping, int):
        raise ValueError(f"{name} must crop all sides alike; got {cropping}")
    bins = place.bins - 2 * cropping
    if bins < 1:
        raise ValueError(f"cropping {cropping} on each side leaves nothing of {place.bins} bins")
    return place._replace(bins=bins, crop_bp=place.crop_bp + cropping * place.bin_width)


def _pooled(place: Geometry, arguments: Mapping[str, Any]) -> Geometry:
    bins, bin_width = place.bins, place.bin_width
    pool, same = arguments.get("pool_size") or 1, arguments.get("padding", "same") != "valid"
    for _ in range(arguments.get("repeat", 1)):
        stride = arguments.get("stride") or arguments.get("strides") or 1
        bins = -(-bins // stride)
        bins = -(-bins // pool) if same else bins // pool
        bin_width *= stride * pool
    return place._replace(bins=bins, bin_width=bin_width)
