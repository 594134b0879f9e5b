"""Chooses the windows of both alleles that are predicted, so that their flanks align.

When an event changes the length of an allele, one window of each allele cannot align both left and
right of the event. So the longer allele is predicted in one window and the shorter in two: one
anchored at the left end of that window, one at its right end (the shift compensation that
Baskerville does in 1-D; `alignment` stitches the maps in both axes). For a breakend the reference
counts as the shorter allele: one window continues the near piece, the other the far piece.
"""

from collections.abc import Mapping
from typing import NamedTuple

from akita_bayes.specs.geometry import Geometry
from akita_bayes.variants.alleles import breakend_events, derivative, reasons, records

LARGEST = 2 / 3  # share of a window; a larger event leaves too little flank to compare


class Window(NamedTuple):
    """Describes L bases of an allele, from `start` in the allele's own coordinates."""

    allele: derivative.Segments
    start: int
    length: int

    @property
    def segments(self) -> derivative.Segments:
        """Returns the stretches of the window, padding included."""
        return derivative.cut(self.allele, self.start, self.start + self.length)


class Pair(NamedTuple):
    """Holds the windows of one variant.

    Attributes:
        reference: Windows of the reference: one, or the left- and the right-anchored one.
        alternative: Windows of the alternative: one, or the left- and the right-anchored one.
        longer: "reference" or "alternative": the side whose only window is the frame.
        site: Bases of the event in the frame's window, as [start, end).
        aligned: False for Basenji's comparison of equal pixels, whichever bases they show.
    """

    reference: tuple[Window, ...]
    alternative: tuple[Window, ...]
    longer: str
    site: tuple[int, int]
    aligned: bool = True

    @property
    def frame(self) -> Window:
        """Returns the window whose bins are the axes of the comparison."""
        return (self.reference if self.longer == "reference" else self.alternative)[0]

    @property
    def span(self) -> tuple[str, int, int]:
        """Returns chromosome, start and end of the bases of the first reference window."""
        window = self.reference[0]
        segment = window.allele[0]
        start = segment.start + window.start
        if segment.strand == -1:
            # Bases 10..15 of the turned chromosome 0..100 are bases 85..90 of the genome.
            start = segment.start + segment.length - window.start - window.length
        return segment.chrom, start, start + window.length

    def padded(self) -> bool:
        """Returns True when a window leaves its chromosome."""
        return any(
            window.start < 0 or window.start + window.length > derivative.length(window.allele)
            for window in (*self.reference, *self.alternative)
        )


def anchored(
    variant: records.Variant,
    geometry: Geometry,
    sizes: Mapping[str, int],
    *,
    share: int = 0,
    start: int | None = None,
) -> Pair:
    """Returns windows whose flanks align exactly.

    Args:
        variant: A row without a reason not to score it.
        geometry: Geometry of the model.
        sizes: Bases of every chromosome.
        share: Bases of the grid on which windows start, rounded up to whole bins, so that
            neighbours share a window; 0 for a grid of one bin, which centres the event to within a
            bin.
        start: First base of the window, which need not centre the event; not for breakends. None
            centres it.
    """
    grid = max(-(-share // geometry.bin_width), 1) * geometry.bin_width
    seq_length = geometry.seq_length
    alternative = derivative.edited(variant, sizes)
    reference = derivative.unedited(variant, sizes)
    if variant.kind == "BND":
        return _junction(variant, alternative, seq_length, sizes)
    event, end, put = _event(variant)
    replaced = end - event
    longer = "reference" if replaced >= put else "alternative"
    width = max(replaced, put)
    first = variant.start if variant.kind == "DUP" else event
    middle = (first + event + width) // 2
    left = snapped(middle - seq_length // 2, grid) if start is None else start
    # Start of the window of the shorter allele whose right end shows the same bases as the frame:
    # a deletion of 10 bases moves it 10 to the left.
    right = left + min(replaced, put) - width
    once = (left,)
    twice = (left, right) if right != left else once
    if longer == "reference":
        windows = _windows(reference, once, seq_length), _windows(alternative, twice, seq_length)
    else:
        windows = _windows(reference, twice, seq_length), _windows(alternative, once, seq_length)
    return Pair(*windows, longer, (first - left, event + width - left))


def snapped(left: int, grid: int) -> int:
    """Returns the multiple of `grid` nearest to the start of a window."""
    return (left + grid // 2) // grid * grid


def _event(variant: records.Variant) -> tuple[int, int, int]:
    """Returns start and end of the replaced reference bases, and the number in their place."""
    start = variant.end if variant.kind == "DUP" else variant.start
    return start, variant.end, variant.put


def _windows(
    segments: derivative.Segments, starts: tuple[int, ...], seq_length: int
) -> tuple[Window, ...]:
    return tuple(Window(segments, start, seq_length) for start in starts)


def _junction(
    variant: records.Variant,
    alternative: derivative.Segments,
    seq_length: int,
    sizes: Mapping[str, int],
) -> Pair:
    """Returns the windows of a breakend, whose middle is the junction."""
    first, last = alternative[0], alternative[-1]
    total = derivative.length(alternative)
    inserted = len(variant.inserted)
    if variant.mate is not None and variant.mate.joined_after:
        junction = variant.end
    else:
        junction = total - inserted - (sizes[variant.chrom] - variant.start)
    left = junction + inserted // 2 - seq_length // 2
    before = derivative.reference(first.chrom, sizes[first.chrom], first.strand)
    after = derivative.reference(last.chrom, sizes[last.chrom], last.strand)
    # The last piece runs to the end of its chromosome, so bases count alike from there.
    right = left + sizes[last.chrom] - total
    reference = (
        Window(before, left, seq_length),
        Window(after, right, seq_length),
    )
    # The site holds both bases that meet, so that it is the same on either strand.
    site = (junction - left - 1, junction - left + inserted + 1)
    return Pair(reference, _windows(alternative, (left,), seq_length), "alternative", site)


def centred(variant: records.Variant, geometry: Geometry, sizes: Mapping[str, int]) -> Pair:
    """Returns Basenji's windows: the variant's first base at L/2 - 1, the longer allele trimmed.

    Alleles are read by their letters, also when they are a copy of the bases beside them. The
    window of the longer allele starts later by half the difference of lengths, so its flanks are
    shifted by that much against those of the other. Use it only to reproduce Basenji's scores.
    """
    if variant.kind in ("DUP", "INV"):
        letters = variant.ref if variant.swapped else variant.alt
        start, end = variant.position, variant.position + len(variant.ref)
        if variant.kind == "DUP" and variant.ref.upper() == "N":  # N is not a base here
            start, letters = end, letters[variant.start - variant.end :]
        variant = variant._replace(kind="INS", start=start, end=end, inserted=letters.upper())
    seq_length = geometry.seq_length
    start = variant.position - (seq_length // 2 - 1)
    # An insertion of 10 bases moves the alternative's window 5 right, a deletion the reference's.
    longer_by = len(variant.inserted) - (variant.end - variant.start)
    reference = derivative.unedited(variant, sizes)
    starts = (start + max(-longer_by, 0) // 2, start + max(longer_by, 0) // 2)
    return Pair(
        _windows(reference, starts[:1], seq_length),
        _windows(derivative.edited(variant, sizes), starts[1:], seq_length),
        "reference",
        (seq_length // 2 - 1, seq_length // 2 - 1 + max(variant.end - variant.start, 1)),
        aligned=False,
    )


def shown_by(variant: records.Variant, geometry: Geometry) -> records.Variant:
    """Returns a variant, or its junction where breakends describe an event that is too large.

    A window then holds only one end of the event, and the junction gives the bases beyond it.
    """
    large = variant.size > int(geometry.seq_length * LARGEST)
    return (
        breakend_events.as_junction(variant)
        if large and breakend_events.EVENT in variant.flags
        else variant
    )


def refusal(variant: records.Variant, pair: Pair, geometry: Geometry) -> str:
    """Returns the reason why the window cannot show the event; "" when it can."""
    limit = int(geometry.seq_length * LARGEST)
    if variant.kind != "BND" and variant.size > limit:
        return reasons.TOO_LARGE
    first, last = geometry.crop_bp, geometry.seq_length - geometry.crop_bp
    if pair.site[0] >= last or max(pair.site[1], pair.site[0] + 1) <= first:
        return reasons.CROPPED
    return ""
