"""Which pixels of two maps show the contact of the same two loci.

The axes of a comparison are the bins of one window, the frame. Every window is aligned to them by
the reference bases that its bins stand for, and a pixel of a stitched map is read from the window
where both its bins overlap the frame's most; windows that do equally well are averaged.

A contact of the alternative allele has a counterpart in the reference when its two loci keep their
order and relative orientation and, where a locus is there twice, when no other copy keeps their
distance better. Contacts without a counterpart are masked: deleted bins, inserted bins, contacts
across the ends of an inversion, between copies of a duplication, across a junction of two
chromosomes.

Masked pixels are counted. Of the allele whose window is the frame, every pixel that shows bases is
compared or counted as masked:

    frame of REF    compared + lost = pixels of REF's window that are not padding
    frame of ALT    compared + gained = pixels of ALT's window that are not padding

REF gives the frame unless ALT is longer or a junction; both hold where the alleles are of one
length. Pixels of the other allele, which two windows show, are counted where they have no
counterpart and are not compared, in the window that has more of them; of a junction, whose two
windows show different bases, in both.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import triangle
from akita_bayes.specs.geometry import Geometry
from akita_bayes.variants.alleles import bin_loci, derivative, window_pairs


class Stitch(NamedTuple):
    """How a map in the frame is read from the maps of an allele's windows.

    Attributes:
        take: Pixel of each window's map. [windows, P].
        weight: Its share; columns sum to 1 where any window shows the pixel. [windows, P].
    """

    take: NDArray[np.intp]
    weight: NDArray[np.float32]

    def __call__(self, maps: Sequence[NDArray]) -> NDArray[np.float32]:
        """One [..., P, T] per window -> [..., P, T]."""
        if len(self.take) == 1:
            return maps[0][..., self.take[0], :]
        parts = zip(maps, self.take, self.weight, strict=True)
        return sum(values[..., take, :] * weight[:, None] for values, take, weight in parts)

    def pixels(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Returns the pixels of each window's map that are read for the mask's. [windows, P]."""
        read = np.zeros(self.take.shape, bool)
        for row, take, weight in zip(read, self.take, self.weight, strict=True):
            row[take[mask & (weight > 0)]] = True
        return read


class Alignment(NamedTuple):
    """Two maps made comparable.

    Attributes:
        reference: Reads the REF map in the frame.
        alternative: Reads the ALT map in the frame.
        mask: Pixels that show the same two loci in both. [P].
        lost: Reference pixels that are not compared.
        gained: Alternative pixels that are not compared.
        site: Bins of the frame that hold the event, as (first, one past the last).
        turned: True when REF is what the pair calls alternative, and ALT is the genome.
    """

    reference: Stitch
    alternative: Stitch
    mask: NDArray[np.bool_]
    lost: int
    gained: int
    site: tuple[int, int]
    turned: bool = False

    def turn(self) -> "Alignment":
        """The same comparison with REF and ALT exchanged."""
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
    whole = _identity(geometry)
    if not pair.aligned:
        return Alignment(whole, whole, np.ones(geometry.target_length, bool), 0, 0, site)
    if _same_coordinates(pair):
        return Alignment(whole, whole, _shown(pair.frame, geometry), 0, 0, site)
    names: dict[str, int] = {}
    frame = bin_loci.pieces(pair.frame, geometry, names)
    reference = [bin_loci.pieces(window, geometry, names) for window in pair.reference]
    alternative = [bin_loci.pieces(window, geometry, names) for window in pair.alternative]
    kept = [
        _kept(v, w, geometry, names) for v, w in zip(alternative, pair.alternative, strict=True)
    ]
    known = [np.ones(geometry.target_length, bool)] * len(reference)
    read_reference, in_reference = _stitch(frame, reference, known, geometry)
    read_alternative, in_alternative = _stitch(frame, alternative, kept, geometry)
    mask = in_reference & in_alternative
    allele = pair.alternative[0].allele
    joins = pair.reference[0].allele != pair.reference[-1].allele
    own = int(np.sum(bin_loci.real(frame, geometry) & ~mask))
    if pair.longer == "reference":
        new = [bin_loci.real(v, geometry) & ~k for v, k in zip(alternative, kept, strict=True)]
        gained = own if len(new) == 1 else max(int(pixels.sum()) for pixels in new)
        return Alignment(read_reference, read_alternative, mask, own, gained, site)
    uncompared = [
        int(np.sum(_unpaired(view, allele, geometry, names, joins) & ~read))
        for view, read in zip(reference, read_reference.pixels(mask), strict=True)
    ]
    lost = sum(uncompared) if joins else max(uncompared)
    return Alignment(read_reference, read_alternative, mask, lost, own, site)


def _site(pair: window_pairs.Pair, geometry: Geometry) -> tuple[int, int]:
    first = (pair.site[0] - geometry.crop_bp) // geometry.bin_width
    last = -((geometry.crop_bp - pair.site[1]) // geometry.bin_width)
    first = min(max(first, 0), geometry.bins - 1)
    return first, min(max(last, first + 1), geometry.bins)


@functools.lru_cache(maxsize=4)
def _identity(geometry: Geometry) -> Stitch:
    shape = (1, geometry.target_length)
    return Stitch(np.arange(geometry.target_length)[None], np.ones(shape, np.float32))


@functools.lru_cache(maxsize=4)
def _shown(window: window_pairs.Window, geometry: Geometry) -> NDArray[np.bool_]:
    """Pixels of a window that are not padding; read-only. [P]."""
    shown = bin_loci.real(bin_loci.pieces(window, geometry, {}), geometry)
    shown.flags.writeable = False
    return shown


def _same_coordinates(pair: window_pairs.Pair) -> bool:
    """True when both alleles have one window, whose bases stand for the same reference bases."""
    if len(pair.reference) > 1 or len(pair.alternative) > 1:
        return False
    first, second = (
        derivative.merged(s._replace(letters="") if s.chrom else s for s in window.segments)
        for window in (pair.reference[0], pair.alternative[0])
    )
    return first == second


class _Loci(NamedTuple):
    """The two loci of every pixel: chromosome and twice the middle base, an integer. [P] each."""

    chrom: NDArray[np.intp]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    segment: tuple[NDArray[np.intp], NDArray[np.intp]]


def _loci(view: bin_loci.Pieces, geometry: Geometry, *, last: bool = False) -> _Loci:
    largest = bin_loci.largest(view, geometry, last=last)
    middle = 2 * largest.start + largest.length
    rows, columns = triangle.indices(geometry.bins, geometry.diagonal_offset)
    together = largest.chrom[rows] == largest.chrom[columns]
    chrom = np.where(together, largest.chrom[rows], bin_loci.NEW)
    segment = largest.segment[rows], largest.segment[columns]
    return _Loci(chrom, middle[rows], middle[columns], segment)


def _change(
    loci: _Loci, allele: derivative.Segments, first: int, second: int, names: dict[str, int]
) -> NDArray[np.float64]:
    """How far two stretches of an allele change the distance of two loci; infinite if they cannot.

    Stretch `first` holds the locus `loci.first`, `second` holds `loci.second`. They cannot when one
    does not hold its locus, when the stretches lie on different chromosomes or strands, or when the
    loci change their order. In half bases. [P].
    """
    change = np.full(len(loci.first), np.inf)
    one, two = allele[first], allele[second]
    if not one.chrom or one.chrom != two.chrom or one.strand != two.strand:
        return change
    offsets = np.cumsum([0, *(segment.length for segment in allele)])
    held = _holds(one, loci.chrom, loci.first, names)
    held &= _holds(two, loci.chrom, loci.second, names)
    place = []
    for segment, offset, middle in (
        (one, offsets[first], loci.first),
        (two, offsets[second], loci.second),
    ):
        inside = middle - 2 * segment.start
        place.append(2 * offset + (inside if segment.strand == 1 else 2 * segment.length - inside))
    apart = (place[1] - place[0]) * one.strand
    original = loci.second - loci.first
    held &= (apart * original > 0) | ((apart == 0) & (original == 0))
    change[held] = np.abs(np.abs(apart) - np.abs(original))[held]
    return change


def _least_change(
    loci: _Loci, allele: derivative.Segments, names: dict[str, int]
) -> NDArray[np.float64]:
    """The least change of distance over all copies of the two loci. [P]."""
    least = np.full(len(loci.first), np.inf)
    for first in range(len(allele)):
        for second in range(len(allele)):
            np.minimum(least, _change(loci, allele, first, second, names), out=least)
    return least


def _kept(
    view: bin_loci.Pieces, window: window_pairs.Window, geometry: Geometry, names: dict[str, int]
) -> NDArray[np.bool_]:
    """Contacts of an alternative window that have a counterpart in the reference. [P].

    A bin half of which is one stretch and half another counts as either.
    """
    kept = np.zeros(geometry.target_length, bool)
    for last in (False, True):
        loci = _loci(view, geometry, last=last)
        own = np.full(geometry.target_length, np.inf)
        for first in range(len(window.allele)):
            for second in range(first, len(window.allele)):
                here = (loci.segment[0] == first) & (loci.segment[1] == second)
                if here.any():
                    own[here] = _change(loci, window.allele, first, second, names)[here]
        kept |= np.isfinite(own) & (own <= _least_change(loci, window.allele, names))
    return kept


def _unpaired(
    view: bin_loci.Pieces,
    allele: derivative.Segments,
    geometry: Geometry,
    names: dict[str, int],
    joins: bool,
) -> NDArray[np.bool_]:
    """Contacts of a reference window that the allele does not have. [P].

    Where the allele joins pieces of two chromosomes, contacts of two loci beyond the junction are
    left out: they are the other derivative's.
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
    """Where a stretch holds a locus; `middle` in half bases."""
    if not segment.chrom:
        return np.zeros(len(middle), bool)
    right = 2 * (segment.start + segment.length)
    here = chrom == names.get(segment.chrom, bin_loci.NEW)
    return here & (middle >= 2 * segment.start) & (middle <= right)


def _stitch(
    frame: bin_loci.Pieces,
    views: Sequence[bin_loci.Pieces],
    allowed: Sequence[NDArray[np.bool_]],
    geometry: Geometry,
) -> tuple[Stitch, NDArray[np.bool_]]:
    """How the frame's pixels are read from the windows, and which can be."""
    rows, columns = triangle.indices(geometry.bins, geometry.diagonal_offset)
    number = _numbers(geometry)
    places = np.arange(geometry.bins)
    near = np.abs(places[:, None] - places)
    takes, qualities, displacements = [], [], []
    for view, pixels in zip(views, allowed, strict=True):
        shared = _overlap(frame, view, geometry.bins)
        match = (shared * 2 * geometry.bins - near).argmax(axis=1)
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
    chosen = best & (moved == moved.min(axis=0))
    weight = chosen / np.maximum(chosen.sum(axis=0), 1)
    return Stitch(np.array(takes), weight.astype(np.float32)), chosen.any(axis=0)


@functools.lru_cache(maxsize=4)
def _numbers(geometry: Geometry) -> NDArray[np.intp]:
    """Pixel number of every (row, column), -1 where the triangle has none. [N, N]."""
    number = np.full((geometry.bins, geometry.bins), -1)
    rows, columns = triangle.indices(geometry.bins, geometry.diagonal_offset)
    number[rows, columns] = np.arange(len(rows))
    return number


def _overlap(frame: bin_loci.Pieces, view: bin_loci.Pieces, bins: int) -> NDArray[np.intp]:
    """Reference bases that bins of the frame and of a window share. [N, N]."""
    left = np.maximum(frame.start[:, None], view.start[None])
    right = np.minimum((frame.start + frame.length)[:, None], (view.start + view.length)[None])
    known = (frame.chrom[:, None] == view.chrom[None]) & (view.chrom[None] >= 0)
    one, two = np.nonzero(known & (right > left))
    shared = np.zeros((bins, bins), np.intp)
    np.add.at(shared, (frame.bin[one], view.bin[two]), (right - left)[one, two])
    return shared
