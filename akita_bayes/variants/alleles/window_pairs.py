"""Which windows of which alleles are predicted, so that their flanks align.

Both alleles of an event of unequal length cannot align left and right of it in one window. So the
longer allele is predicted once, and the shorter twice: anchored at the left end of that window and
at its right end (the shift compensation that Baskerville does in 1-D; `alignment` stitches the
maps in both axes). A breakend's "shorter" allele is the reference: once as the near piece
continues, once as the far piece does.
"""

from collections.abc import Mapping
from typing import NamedTuple

from akita_bayes.specs.geometry import Geometry
from akita_bayes.variants.alleles import breakend_events, derivative, reasons, records

LARGEST = 2 / 3  # of a window; a larger event leaves too little flank to compare


class Window(NamedTuple):
    """L bases of an allele, from `start` in the allele's own coordinates."""

    allele: derivative.Segments
    start: int
    length: int

    @property
    def segments(self) -> derivative.Segments:
        """What the window is made of, padding included."""
        return derivative.cut(self.allele, self.start, self.start + self.length)


class Pair(NamedTuple):
    """The windows of one variant.

    Attributes:
        reference: One window, or the left- and the right-anchored one.
        alternative: Likewise.
        longer: "reference" or "alternative": the side whose one window is the frame of comparison.
        site: First and last base of the event in the frame's window, as [start, end).
        aligned: False for Basenji's comparison, pixel by pixel whatever the pixels stand for.
    """

    reference: tuple[Window, ...]
    alternative: tuple[Window, ...]
    longer: str
    site: tuple[int, int]
    aligned: bool = True

    @property
    def frame(self) -> Window:
        """The window whose bins are the axes of the comparison."""
        return (self.reference if self.longer == "reference" else self.alternative)[0]

    def padded(self) -> bool:
        """True when a window leaves its chromosome."""
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
    """Windows whose flanks align exactly.

    Args:
        variant: A row without a reason not to score it.
        geometry: The model's.
        sizes: Bases of every chromosome.
        share: Windows start on a grid of this many bases, rounded up to whole bins, so that
            neighbours share one; 0 is a grid of one bin, which centres the event to within a bin.
        start: First base of the window, whatever lies in its middle; not for breakends.
    """
    grid = max(-(-share // geometry.bin_width), 1) * geometry.bin_width
    window = geometry.seq_length
    alternative = derivative.edited(variant, sizes)
    reference = derivative.unedited(variant, sizes)
    if variant.kind == "BND":
        return _junction(variant, alternative, window, sizes)
    event, end, put = _event(variant)
    lost = end - event
    longer = "reference" if lost >= put else "alternative"
    width = max(lost, put)
    first = variant.start if variant.kind == "DUP" else event
    left = snapped((first + event + width) // 2 - window // 2, grid) if start is None else start
    right = left + min(lost, put) - width
    once = (left,)
    twice = (left, right) if right != left else once
    if longer == "reference":
        windows = _windows(reference, once, window), _windows(alternative, twice, window)
    else:
        windows = _windows(reference, twice, window), _windows(alternative, once, window)
    return Pair(*windows, longer, (first - left, event + width - left))


def snapped(left: int, grid: int) -> int:
    """The multiple of `grid` nearest to the start of a window."""
    return (left + grid // 2) // grid * grid


def _event(variant: records.Variant) -> tuple[int, int, int]:
    """Start and end of the replaced reference bases, and how many stand in their place."""
    start = variant.end if variant.kind == "DUP" else variant.start
    return start, variant.end, variant.put


def _windows(
    segments: derivative.Segments, starts: tuple[int, ...], window: int
) -> tuple[Window, ...]:
    return tuple(Window(segments, start, window) for start in starts)


def _junction(
    variant: records.Variant,
    alternative: derivative.Segments,
    window: int,
    sizes: Mapping[str, int],
) -> Pair:
    first, last = alternative[0], alternative[-1]
    total = derivative.length(alternative)
    inserted = len(variant.inserted)
    if variant.mate is not None and variant.mate.joined_after:
        near = variant.end
    else:
        near = total - inserted - (sizes[variant.chrom] - variant.start)
    left = near + inserted // 2 - window // 2
    before = derivative.reference(first.chrom, sizes[first.chrom], first.strand)
    after = derivative.reference(last.chrom, sizes[last.chrom], last.strand)
    right = left + sizes[last.chrom] - total
    reference = (
        Window(before, left, window),
        Window(after, right, window),
    )
    # Both bases that meet, so that the site is the same one on either strand.
    site = (near - left - 1, near - left + inserted + 1)
    return Pair(reference, _windows(alternative, (left,), window), "alternative", site)


def centred(variant: records.Variant, geometry: Geometry, sizes: Mapping[str, int]) -> Pair:
    """Basenji's windows: the variant's first base at L/2 - 1, the longer allele trimmed.

    Alleles are taken by their letters, be they a copy of what lies beside them or not.

    The longer allele's window starts half the length difference later, so its flanks are shifted
    against the other's by that much; kept for parity only.
    """
    if variant.kind in ("DUP", "INV"):
        letters = variant.ref if variant.swapped else variant.alt
        start, end = variant.position, variant.position + len(variant.ref)
        if variant.kind == "DUP" and variant.ref.upper() == "N":  # it stands for no base
            start, letters = end, letters[variant.start - variant.end :]
        variant = variant._replace(kind="INS", start=start, end=end, inserted=letters.upper())
    window = geometry.seq_length
    start = variant.position - (window // 2 - 1)
    longer_by = len(variant.inserted) - (variant.end - variant.start)
    reference = derivative.unedited(variant, sizes)
    starts = (start + max(-longer_by, 0) // 2, start + max(longer_by, 0) // 2)
    return Pair(
        _windows(reference, starts[:1], window),
        _windows(derivative.edited(variant, sizes), starts[1:], window),
        "reference",
        (window // 2 - 1, window // 2 - 1 + max(variant.end - variant.start, 1)),
        aligned=False,
    )


def shown_by(variant: records.Variant, geometry: Geometry) -> records.Variant:
    """Returns a variant, or its junction where breakends describe an event that is too large.

    A window then holds one end of the event only, and the junction says what lies beyond it.
    """
    large = variant.size > int(geometry.seq_length * LARGEST)
    return (
        breakend_events.as_junction(variant)
        if large and breakend_events.EVENT in variant.flags
        else variant
    )


def refusal(variant: records.Variant, pair: Pair, geometry: Geometry) -> str:
    """Why the window cannot show the event; "" when it can."""
    limit = int(geometry.seq_length * LARGEST)
    if variant.kind != "BND" and variant.size > limit:
        return reasons.TOO_LARGE
    first, last = geometry.crop_bp, geometry.seq_length - geometry.crop_bp
    if pair.site[0] >= last or max(pair.site[1], pair.site[0] + 1) <= first:
        return reasons.CROPPED
    return ""
