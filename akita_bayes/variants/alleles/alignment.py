"""Aligns two maps: finds the pixels that show the contact of the same two loci.

The axes of a comparison are the bins of one window, the frame. Every window is aligned to the frame
by the reference bases of its bins. A pixel of a stitched map is read from the window in which its
two bins share most bases with the frame; windows that share equally many are averaged.

A contact of the alternative allele has a counterpart in the reference when its two loci keep their
order and relative orientation. If the allele holds a locus twice, the contact must also be the copy
that changes the distance least. Contacts without a counterpart are masked: those of deleted and
inserted bins, across the ends of an inversion, between copies of a duplication, and across a
junction of two chromosomes.

Masked pixels are counted. For the allele whose window is the frame, every pixel that shows bases is
either compared or counted as masked:

    frame of REF    compared + lost = pixels of REF's window that are not padding
    frame of ALT    compared + gained = pixels of ALT's window that are not padding

REF gives the frame unless ALT is longer or a junction. Both equations hold for alleles of one
length. Two windows show the other allele. Its pixels are counted when they have no counterpart and
are not compared: in the window with more such pixels, or, for a junction, whose two windows show
different bases, in both.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import triangle
from akita_bayes.specs.geometry import Geometry
from akita_bayes.variants.alleles import bin_loci, derivative, window_pairs


class Stitch(NamedTuple):
    """Reads a map in the frame from the maps of an allele's windows.

    Attributes:
        take: Number of the pixel in each window's map. [windows, P].
        weight: Weight of that pixel; columns sum to 1 where any window shows the frame's pixel.
            [windows, P].
    """

    take: NDArray[np.intp]
    weight: NDArray[np.float32]

    def __call__(self, maps: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        """Reads one map per window, [..., P, T] each -> [..., P, T]."""
        if len(self.take) == 1:
            return maps[0][..., self.take[0], :]
        parts = zip(maps, self.take, self.weight, strict=True)
        return sum(values[..., take, :] * weight[:, None] for values, take, weight in parts)

    def pixels(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Returns the pixels of each window's map that pixels of the mask read. [windows, P]."""
        read = np.zeros(self.take.shape, bool)
        for row, take, weight in zip(read, self.take, self.weight, strict=True):
            row[take[mask & (weight > 0)]] = True
        return read


class Alignment(NamedTuple):
    """Describes how two maps are compared.

    Attributes:
        reference: Reads the REF map in the frame.
        alternative: Reads the ALT map in the frame.
        mask: Pixels that show the same two loci in both maps. [P].
        lost: Number of reference pixels that are not compared.
        gained: Number of alternative pixels that are not compared.
        site: Bins of the frame that hold the event, as (first, one past the last).
        turned: True when ALT is the genome, so that REF is the alternative of the pair.
    """

    reference: Stitch
    alternative: Stitch
    mask: NDArray[np.bool_]
    lost: int
    gained: int
    site: tuple[int, int]
    turned: bool = False

    def turn(self) -> "Alignment":
        """Returns the same comparison with REF and ALT exchanged."""
        return Alignment(
            self.alternative,
            self.reference,
            self.mask,
            self.gained,
            self.lost,
            self.site,
            not self.turned,
        )


def align(pair: window_pairs.Pair, geometry: Geometry) -> Alignment:
    """Aligns the windows of a variant."""
    site = _site(pair, geometry)
    identity = _identity(geometry)
    if not pair.aligned:
        return Alignment(identity, identity, np.ones(geometry.target_length, bool), 0, 0, site)
    if _same_coordinates(pair):
        return Alignment(identity, identity, _unpadded(pair.frame, geometry), 0, 0, site)
    names: dict[str, int] = {}
    frame = bin_loci.pieces(pair.frame, geometry, names)
    reference = [bin_loci.pieces(window, geometry, names) for window in pair.reference]
    alternative = [bin_loci.pieces(window, geometry, names) for window in pair.alternative]
    paired = [
        _paired(view, window, geometry, names)
        for view, window in zip(alternative, pair.alternative, strict=True)
    ]
    all_pixels = [np.ones(geometry.target_length, bool)] * len(reference)
    read_reference, in_reference = _stitch(frame, reference, all_pixels, geometry)
    read_alternative, in_alternative = _stitch(frame, alternative, paired, geometry)
    mask = in_reference & in_alternative
    allele = pair.alternative[0].allele
    joins = pair.reference[0].allele != pair.reference[-1].allele
    of_frame = int(np.sum(bin_loci.real(frame, geometry) & ~mask))
    if pair.longer == "reference":
        unpaired = [
            bin_loci.real(view, geometry) & ~pixels
            for view, pixels in zip(alternative, paired, strict=True)
        ]
        gained = of_frame if len(unpaired) == 1 else max(int(pixels.sum()) for pixels in unpaired)
        return Alignment(read_reference, read_alternative, mask, of_frame, gained, site)
    uncompared = [
        int(np.sum(_unpaired(view, allele, geometry, names, joins) & ~read))
        for view, read in zip(reference, read_reference.pixels(mask), strict=True)
    ]
    lost = sum(uncompared) if joins else max(uncompared)
    return Alignment(read_reference, read_alternative, mask, lost, of_frame, site)


def _site(pair: window_pairs.Pair, geometry: Geometry) -> tuple[int, int]:
    """Returns the bins of the frame that hold the event; at least one, within the map."""
    first = (pair.site[0] - geometry.crop_bp) // geometry.bin_width
    # Negating twice rounds up: an end at base 2,049 needs 2 bins of 2,048 bases.
    last = -((geometry.crop_bp - pair.site[1]) // geometry.bin_width)
    first = min(max(first, 0), geometry.bins - 1)
    return first, min(max(last, first + 1), geometry.bins)


@functools.lru_cache(maxsize=4)
def _identity(geometry: Geometry) -> Stitch:
    """Returns the stitch of one window that is the frame."""
    shape = (1, geometry.target_length)
    return Stitch(np.arange(geometry.target_length)[None], np.ones(shape, np.float32))


@functools.lru_cache(maxsize=4)
def _unpadded(window: window_pairs.Window, geometry: Geometry) -> NDArray[np.bool_]:
    """Returns the pixels of a window that are not padding; read-only. [P]."""
    pixels = bin_loci.real(bin_loci.pieces(window, geometry, {}), geometry)
    pixels.flags.writeable = False
    return pixels


def _same_coordinates(pair: window_pairs.Pair) -> bool:
    """Returns True when both alleles have one window, with the same reference bases."""
    if len(pair.reference) > 1 or len(pair.alternative) > 1:
        return False
    first, second = (
        derivative.merged(
            segment._replace(letters="") if segment.chrom else segment
            for segment in window.segments
        )
        for window in (pair.reference[0], pair.alternative[0])
    )
    return first == second


class _Loci(NamedTuple):
    """Holds the two loci of every pixel as chromosome and twice the middle base. [P] each.

    Twice the middle is an integer: bases 10 to 12 (end left out) have their middle at 11, so 22.
    `segment` holds the numbers of the stretches of the two loci in their allele.
    """

    chrom: NDArray[np.intp]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    segment: tuple[NDArray[np.intp], NDArray[np.intp]]


def _loci(view: bin_loci.Pieces, geometry: Geometry, *, last: bool = False) -> _Loci:
    """Returns the loci of every pixel, which are the largest pieces of its two bins."""
    largest = bin_loci.largest(view, geometry, last=last)
    middle = 2 * largest.start + largest.length
    rows, columns = triangle.indices(geometry.bins, geometry.diagonal_offset)
    same_chrom = largest.chrom[rows] == largest.chrom[columns]
    chrom = np.where(same_chrom, largest.chrom[rows], bin_loci.NEW)
    segment = largest.segment[rows], largest.segment[columns]
    return _Loci(chrom, middle[rows], middle[columns], segment)


def _change(
    loci: _Loci, allele: derivative.Segments, first: int, second: int, names: dict[str, int]
) -> NDArray[np.float64]:
    """Returns by how much the distance of two loci changes on two stretches, in half bases. [P].

    Stretch `first` should hold the locus `loci.first`, `second` the locus `loci.second`. The change
    is infinite when a stretch does not hold its locus, when the stretches lie on different
    chromosomes or strands, or when the loci change their order.
    """
    change = np.full(len(loci.first), np.inf)
    left, right = allele[first], allele[second]
    if not left.chrom or left.chrom != right.chrom or left.strand != right.strand:
        return change
    offsets = np.cumsum([0, *(segment.length for segment in allele)])
    possible = _holds(left, loci.chrom, loci.first, names)
    possible &= _holds(right, loci.chrom, loci.second, names)
    positions = []
    for segment, offset, middle in (
        (left, offsets[first], loci.first),
        (right, offsets[second], loci.second),
    ):
        # Half bases from the segment's left end in the genome, then in the allele.
        inside = middle - 2 * segment.start
        inside = inside if segment.strand == 1 else 2 * segment.length - inside
        positions.append(2 * offset + inside)
    distance = (positions[1] - positions[0]) * left.strand
    original = loci.second - loci.first
    # Equal signs keep the order; on the other strand, `strand` has turned the distance.
    possible &= (distance * original > 0) | ((distance == 0) & (original == 0))
    change[possible] = np.abs(np.abs(distance) - np.abs(original))[possible]
    return change


def _least_change(
    loci: _Loci, allele: derivative.Segments, names: dict[str, int]
) -> NDArray[np.float64]:
    """Returns the least change of distance over all copies of the two loci. [P]."""
    least = np.full(len(loci.first), np.inf)
    for first in range(len(allele)):
        for second in range(len(allele)):
            np.minimum(least, _change(loci, allele, first, second, names), out=least)
    return least


def _paired(
    view: bin_loci.Pieces, window: window_pairs.Window, geometry: Geometry, names: dict[str, int]
) -> NDArray[np.bool_]:
    """Returns the contacts of an alternative window with a counterpart in the reference. [P].

    A bin with equal halves of two stretches counts as either of them.
    """
    paired = np.zeros(geometry.target_length, bool)
    for last in (False, True):
        loci = _loci(view, geometry, last=last)
        own_change = np.full(geometry.target_length, np.inf)
        for first in range(len(window.allele)):
            for second in range(first, len(window.allele)):
                pixels = (loci.segment[0] == first) & (loci.segment[1] == second)
                if pixels.any():
                    own_change[pixels] = _change(loci, window.allele, first, second, names)[pixels]
        # The other copy of a duplication may keep the distance better than the pixel's own.
        least_change = _least_change(loci, window.allele, names)
        paired |= np.isfinite(own_change) & (own_change <= least_change)
    return paired


def _unpaired(
    view: bin_loci.Pieces,
    allele: derivative.Segments,
    geometry: Geometry,
    names: dict[str, int],
    joins: bool,
) -> NDArray[np.bool_]:
    """Returns the contacts of a reference window that the allele does not have. [P].

    Where the allele joins pieces of two chromosomes, contacts of two loci beyond the junction are
    left out, since they belong to the other derivative chromosome.
    """
    loci = _loci(view, geometry)
    lost = np.isinf(_least_change(loci, allele, names)) & bin_loci.real(view, geometry)
    if not joins:
        return lost
    present = np.zeros(len(loci.first), bool)
    for segment in allele:
        for middle in (loci.first, loci.second):
            present |= _holds(segment, loci.chrom, middle, names)
    return lost & present


def _holds(
    segment: derivative.Segment,
    chrom: NDArray[np.intp],
    middle: NDArray[np.intp],
    names: dict[str, int],
) -> NDArray[np.bool_]:
    """Returns True where a stretch holds a locus; `middle` is in half bases. [P]."""
    if not segment.chrom:
        return np.zeros(len(middle), bool)
    right = 2 * (segment.start + segment.length)
    same_chrom = chrom == names.get(segment.chrom, bin_loci.NEW)
    return same_chrom & (middle >= 2 * segment.start) & (middle <= right)


def _stitch(
    frame: bin_loci.Pieces,
    views: Sequence[bin_loci.Pieces],
    allowed: Sequence[NDArray[np.bool_]],
    geometry: Geometry,
) -> tuple[Stitch, NDArray[np.bool_]]:
    """Returns the stitch of the windows, and the pixels of the frame that it can read. [P]."""
    rows, columns = triangle.indices(geometry.bins, geometry.diagonal_offset)
    number = _numbers(geometry)
    bins = np.arange(geometry.bins)
    distance = np.abs(bins[:, None] - bins)
    takes, qualities, displacements = [], [], []
    for view, pixels in zip(views, allowed, strict=True):
        shared = _overlap(frame, view, geometry.bins)
        # The bin that shares most bases; of equal ones the nearest. The distance is below the
        # number of bins, so it never outweighs one base: 3 bases at distance 5 of 10 bins give
        # 3 * 20 - 5 = 55, more than 2 bases at distance 0, which give 40.
        match = (shared * 2 * geometry.bins - distance).argmax(axis=1)
        bases = shared.max(axis=1)
        enough = 2 * bases >= geometry.bin_width
        first, second = match[rows], match[columns]
        take = number[np.minimum(first, second), np.maximum(first, second)]
        shown = enough[rows] & enough[columns] & (take >= 0) & pixels[take]
        takes.append(np.where(shown, take, 0))
        qualities.append(np.where(shown, bases[rows] * bases[columns], 0))
        displacements.append(np.abs(first - rows) + np.abs(second - columns))
    quality = np.array(qualities)
    best = (quality == quality.max(axis=0)) & (quality > 0)
    moved = np.where(best, np.array(displacements), np.iinfo(np.intp).max)
    nearest = best & (moved == moved.min(axis=0))
    weight = nearest / np.maximum(nearest.sum(axis=0), 1)
    return Stitch(np.array(takes), weight.astype(np.float32)), nearest.any(axis=0)


@functools.lru_cache(maxsize=4)
def _numbers(geometry: Geometry) -> NDArray[np.intp]:
    """Returns the pixel number of every (row, column), -1 outside the triangle. [N, N]."""
    number = np.full((geometry.bins, geometry.bins), -1)
    rows, columns = triangle.indices(geometry.bins, geometry.diagonal_offset)
    number[rows, columns] = np.arange(len(rows))
    return number


def _overlap(frame: bin_loci.Pieces, view: bin_loci.Pieces, bins: int) -> NDArray[np.intp]:
    """Returns the number of reference bases that bins of frame and window share. [N, N]."""
    left = np.maximum(frame.start[:, None], view.start[None])
    right = np.minimum((frame.start + frame.length)[:, None], (view.start + view.length)[None])
    same_chrom = (frame.chrom[:, None] == view.chrom[None]) & (view.chrom[None] >= 0)
    of_frame, of_view = np.nonzero(same_chrom & (right > left))
    shared = np.zeros((bins, bins), np.intp)
    # A pair of bins may share several pieces, which `add.at` sums; `+=` would keep the last.
    np.add.at(shared, (frame.bin[of_frame], view.bin[of_view]), (right - left)[of_frame, of_view])
    return shared
