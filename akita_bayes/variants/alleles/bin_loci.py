"""Finds the reference bases of the bins of a window."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import regions, triangle
from akita_bayes.specs.geometry import Geometry
from akita_bayes.variants.alleles import window_pairs

NEW, PADDING = -1, -2  # in place of the number of a chromosome


class Pieces(NamedTuple):
    """Holds the pieces of a window, each in one bin and one stretch of the allele.

    All arrays are [pieces], in the order of the window.

    Attributes:
        bin: Bin of the map.
        segment: Number of the stretch in the allele.
        chrom: Number of the chromosome, NEW or PADDING.
        start: Leftmost reference base.
        length: Number of bases.
    """

    bin: NDArray[np.intp]
    segment: NDArray[np.intp]
    chrom: NDArray[np.intp]
    start: NDArray[np.intp]
    length: NDArray[np.intp]


class Stretch(NamedTuple):
    """Describes bins of the frame that are one stretch of the genome.

    Attributes:
        first: Start in bins, with fractions.
        last: End in bins, with fractions.
        region: Reference bases of the stretch.
        strand: 1, or -1 when the bases run from right to left.
    """

    first: float
    last: float
    region: regions.Region
    strand: int


def pieces(window: window_pairs.Window, geometry: Geometry, names: dict[str, int]) -> Pieces:
    """Cuts the cropped window at the borders of bins and of stretches.

    Args:
        window: Window to cut.
        geometry: Geometry of the model.
        names: Name -> number of chromosomes; missing ones are added.
    """
    first = window.start + geometry.crop_bp
    edges = first + np.arange(geometry.bins + 1) * geometry.bin_width
    ends = np.cumsum([segment.length for segment in window.allele])
    joints = np.concatenate([[0], ends])
    inner = joints[(joints > edges[0]) & (joints < edges[-1])]
    cuts = np.unique(np.concatenate([edges, inner]))
    starts, lengths = cuts[:-1], np.diff(cuts)
    segment = np.searchsorted(ends, starts, side="right")
    is_padding = (starts < 0) | (starts >= ends[-1])
    segment = np.minimum(segment, len(ends) - 1)
    for part in window.allele:
        if part.chrom:
            names.setdefault(part.chrom, len(names))
    chrom = np.array([names[s.chrom] if s.chrom else NEW for s in window.allele])[segment]
    strand = np.array([s.strand for s in window.allele])[segment]
    base = np.array([s.start for s in window.allele])[segment]
    forward = starts - joints[segment]
    # On the other strand the leftmost reference base is the last of the piece.
    backward = ends[segment] - starts - lengths
    start = base + np.where(strand == 1, forward, backward)
    bin_ = (starts - first) // geometry.bin_width
    return Pieces(bin_, segment, np.where(is_padding, PADDING, chrom), start, lengths)


def stretches(view: Pieces, window: window_pairs.Window, geometry: Geometry) -> list[Stretch]:
    """Returns the stretches of the genome in a window, from left to right.

    Args:
        view: Pieces of the window.
        window: The window.
        geometry: Geometry of the model.
    """
    edges = np.concatenate([[0], np.cumsum(view.length)])
    result = []
    for number in np.unique(view.segment):
        parts = np.flatnonzero((view.segment == number) & (view.chrom >= 0))
        segment = window.allele[number]
        if len(parts):
            first, last = edges[parts[0]], edges[parts[-1] + 1]
            start = int(view.start[parts].min())
            region = regions.Region(segment.chrom, start, start + int(last - first))
            left, right = float(first) / geometry.bin_width, float(last) / geometry.bin_width
            result.append(Stretch(left, right, region, segment.strand))
    return result


def spans(region: regions.Region, parts: Iterable[Stretch]) -> list[tuple[float, float]]:
    """Returns where the bases of a region lie in a window, in bins, joined where they meet.

    A base that was duplicated lies there twice; one that was deleted not at all.

    Args:
        region: Bases of the genome.
        parts: Stretches of the window, from left to right, with the same names of chromosomes.
    """
    result: list[tuple[float, float]] = []
    for part in parts:
        left = max(part.region.start, region.start)
        right = min(part.region.end, region.end)
        if part.region.chrom != region.chrom or left >= right:
            continue
        width = (part.last - part.first) / part.region.width
        # A stretch on the reverse strand begins with its last base.
        skipped = left - part.region.start if part.strand == 1 else part.region.end - right
        first = part.first + skipped * width
        last = first + (right - left) * width
        if result and abs(result[-1][1] - first) < 1e-6:
            result[-1] = (result[-1][0], last)
        else:
            result.append((first, last))
    return result


def coverage(
    window: window_pairs.Window,
    geometry: Geometry,
    weighted: Iterable[tuple[regions.Region, float]],
) -> NDArray[np.float64]:
    """Computes the weight of every bin: weights of regions times the share that they cover. [N]."""
    names: dict[str, int] = {}
    view = pieces(window, geometry, names)
    weight = np.zeros(geometry.bins)
    for region, value in weighted:
        chrom = names.get(region.chrom)
        if chrom is not None:
            left = np.maximum(view.start, region.start)
            right = np.minimum(view.start + view.length, region.end)
            bases = np.where(view.chrom == chrom, np.maximum(right - left, 0), 0)
            np.add.at(weight, view.bin, value * bases / geometry.bin_width)
    return weight


def largest(view: Pieces, geometry: Geometry, *, last: bool = False) -> Pieces:
    """Returns the largest piece of every bin, the first or the last of equal ones. [N] each."""
    position = np.arange(len(view.bin))
    # Sorts by bin, then from the largest piece, then by position; `lexsort` takes keys backwards.
    order = np.lexsort((-position if last else position, -view.length, view.bin))
    first = order[np.searchsorted(view.bin[order], np.arange(geometry.bins))]
    return Pieces(*(column[first] for column in view))


def real(view: Pieces, geometry: Geometry) -> NDArray[np.bool_]:
    """Returns the pixels with two bins that are at most half padding. [P]."""
    bases = np.zeros(geometry.bins, np.intp)
    np.add.at(bases, view.bin, np.where(view.chrom == PADDING, 0, view.length))
    shows = 2 * bases >= geometry.bin_width
    rows, columns = triangle.indices(geometry.bins, geometry.diagonal_offset)
    return shows[rows] & shows[columns]
