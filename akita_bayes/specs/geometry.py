"""Position of a model's outputs on its input: bin width, crop and triangle, read from the blocks.

Every block declares a rule, which follows a window through the block; `geometry_rules` has the
rules of the package. This module needs no Keras, so a spec can be compared with a data directory
before TensorFlow is imported.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from akita_bayes import triangle


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

    def after_window(self, width: int, stride: int, *, padded: bool) -> "Geometry":
        """Returns the geometry after a sliding window: the reach of a convolution, or a pool.

        Args:
            width: Bins that the window covers.
            stride: Bins from one window to the next.
            padded: True when windows may reach beyond the ends.

        Raises:
            ValueError: The width or the stride is less than 1.
        """
        if width < 1 or stride < 1:
            raise ValueError(f"a window of {width} bins with a stride of {stride}")
        # -(-a // b) rounds up: with padding, the last bin may cover less than a stride.
        bins = -(-self.bins // stride) if padded else (self.bins - width) // stride + 1
        # Without padding, half the overlap of two windows is lost on each side.
        cut = 0 if padded else (width - stride) * self.bin_width // 2
        return self._replace(
            bins=bins, bin_width=self.bin_width * stride, crop_bp=self.crop_bp + cut
        )

    def cropped(self, bins: int) -> "Geometry":
        """Returns the geometry without `bins` bins of each side; a negative number adds bins.

        Raises:
            ValueError: Nothing would be left.
        """
        left = self.bins - 2 * bins
        if left < 1:
            raise ValueError(f"cropping {bins} on each side leaves nothing of {self.bins} bins")
        return self._replace(bins=left, crop_bp=self.crop_bp + bins * self.bin_width)


Rule = Callable[[Geometry, Mapping[str, Any]], Geometry]
"""Computes the geometry after a block from the geometry before it and the resolved arguments.

It raises a ValueError when the block cannot follow the blocks before it.
"""


class Traits(NamedTuple):
    """Declares what a spec has to know of a block.

    Attributes:
        geometry: Rule by which the block changes the geometry.
        posterior: True for a block that holds a distribution over latents or weights, or the name
            of the argument that decides.
        output: True for a block that ends in its activation; the global activation is not its
            default.
        spread: True for an output that states its standard deviation.
    """

    geometry: Rule
    posterior: bool | str = False
    output: bool = False
    spread: bool = False

    def holds_posterior(self, arguments: Mapping[str, Any]) -> bool:
        """Returns True when the block holds a distribution with these arguments."""
        if isinstance(self.posterior, str):
            return bool(arguments[self.posterior])
        return self.posterior


def follow(
    seq_length: int, blocks: Iterable[tuple[str, Rule, Mapping[str, Any]]]
) -> Iterator[Geometry]:
    """Yields the geometry after each block, given as (name, rule, resolved arguments).

    Raises:
        ValueError: A block cannot follow the blocks before it; names the block and the numbers.
    """
    geometry = Geometry(seq_length, bins=seq_length)
    for name, rule, arguments in blocks:
        try:
            geometry = rule(geometry, arguments)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if geometry.bins < 1:
            raise ValueError(f"{name}: leaves nothing of the window")
        yield geometry
