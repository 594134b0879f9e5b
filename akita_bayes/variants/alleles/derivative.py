"""Edits chromosomes: a derivative chromosome is a list of stretches of the genome.

The list gives the reference base and strand of every base of an allele, or says that the base is
new. Windows are cut out of these lists, so that the reference bases of every bin are known. Letters
are fetched last. Coordinates of an allele count from 0 at its first base.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from akita_bayes import dna
from akita_bayes.variants.alleles import records

Fetch = Callable[[str, int, int], str]


class Segment(NamedTuple):
    """Describes a stretch of an allele.

    Attributes:
        length: Number of bases.
        chrom: Chromosome of the genome that it comes from; "" for new letters and for padding.
        start: Leftmost reference base, from 0.
        strand: 1, or -1 when the stretch is read from the other strand.
        letters: Letters that differ from the genome's; "" for those of the genome.
    """

    length: int
    chrom: str = ""
    start: int = 0
    strand: int = 1
    letters: str = ""

    def part(self, start: int, end: int) -> "Segment":
        """Returns bases `start`..`end`-1 of the segment, counted in its own direction."""
        # The first bases of a turned segment are its last ones in the genome.
        left = start if self.strand == 1 else self.length - end
        base = self.start + left if self.chrom else 0
        return self._replace(length=end - start, start=base, letters=self.letters[start:end])

    def reversed(self) -> "Segment":
        """Returns the same bases read from the other strand."""
        letters = dna.reverse_complement(self.letters)
        return self._replace(strand=-self.strand if self.chrom else 1, letters=letters)


Segments = tuple[Segment, ...]


def reference(chrom: str, size: int, strand: int = 1) -> Segments:
    """Returns a whole chromosome of the genome, or its other strand."""
    return (Segment(size, chrom, 0, strand),)


def inserted(letters: str) -> Segments:
    """Returns new letters, which have no reference bases."""
    return (Segment(len(letters), letters=letters),) if letters else ()


def length(segments: Segments) -> int:
    """Returns the number of bases."""
    return sum(segment.length for segment in segments)


def reverse(segments: Segments) -> Segments:
    """Returns the other strand of an allele."""
    return tuple(segment.reversed() for segment in reversed(segments))


def cut(segments: Segments, start: int, end: int) -> Segments:
    """Returns bases `start`..`end`-1, with N outside the allele. Always `end - start` bases."""
    pieces = []
    if start < 0:
        pieces.append(_padding(min(-start, end - start)))
    position = 0
    for segment in segments:
        left, right = max(start - position, 0), min(end - position, segment.length)
        if left < right:
            pieces.append(segment.part(left, right))
        position += segment.length
    if end > position:
        pieces.append(_padding(end - max(position, start)))
    return tuple(pieces)


def _padding(bases: int) -> Segment:
    return Segment(bases, letters="N" * bases)


def replace(segments: Segments, start: int, end: int, new: Segments) -> Segments:
    """Replaces bases `start`..`end`-1 by `new`; stretches that meet in the genome are joined."""
    total = length(segments)
    return merged((*cut(segments, 0, start), *new, *cut(segments, end, total)))


def merged(segments: Iterable[Segment]) -> Segments:
    """Joins neighbours that continue each other in the genome; drops empty stretches."""
    joined: list[Segment] = []
    for segment in segments:
        if not segment.length:
            continue
        last = joined[-1] if joined else None
        if last is None or not _continues(last, segment):
            joined.append(segment)
            continue
        start = min(last.start, segment.start)
        joined[-1] = last._replace(length=last.length + segment.length, start=start)
    return tuple(joined)


def _continues(last: Segment, following: Segment) -> bool:
    """Returns True when a stretch continues the one before it in the genome."""
    if last.letters or following.letters or last.chrom != following.chrom:
        return False
    if last.strand != following.strand:
        return False
    if last.strand == 1:
        return last.start + last.length == following.start
    return following.start + following.length == last.start


def edited(variant: records.Variant, sizes: Mapping[str, int]) -> Segments:
    """Returns the derivative chromosome that carries only this variant.

    Args:
        variant: A row without a reason not to score it.
        sizes: Bases of every chromosome.
    """
    if variant.kind == "BND":
        return _joined(variant, sizes)
    chromosome = reference(variant.chrom, sizes[variant.chrom])
    start, end = variant.start, variant.end
    if variant.kind == "DUP":
        copy = Segment(end - start, variant.chrom, start)
        return replace(chromosome, end, end, (*inserted(variant.inserted), copy))
    if variant.inversion is not None:
        first, last, before, after = variant.inversion
        inverted = Segment(last - first, variant.chrom, first, -1)
        return replace(chromosome, start, end, (*inserted(before), inverted, *inserted(after)))
    if variant.kind == "INV":
        return replace(chromosome, start, end, (Segment(end - start, variant.chrom, start, -1),))
    if _substitutes(variant):
        return _substituted(variant, sizes, variant.inserted)
    return replace(chromosome, start, end, inserted(variant.inserted))


def unedited(variant: records.Variant, sizes: Mapping[str, int]) -> Segments:
    """Returns the chromosome without the variant.

    A model reads an ambiguity code of the genome as an unknown base. A substitution on such a code
    is compared with the letters of REF; a code beside a variant stays in both alleles.
    """
    if records.AMBIGUOUS not in variant.flags or not _substitutes(variant):
        return reference(variant.chrom, sizes[variant.chrom])
    column = variant.alt if variant.swapped else variant.ref
    first = variant.start - variant.position
    letters = column[first : first + variant.end - variant.start]
    return _substituted(variant, sizes, letters.upper())


def _substitutes(variant: records.Variant) -> bool:
    """Returns True when the new letters replace equally many reference bases, in place."""
    same = variant.end - variant.start == len(variant.inserted)
    return same and variant.kind not in ("BND", "DEL", "DUP", "INV")


def _substituted(variant: records.Variant, sizes: Mapping[str, int], letters: str) -> Segments:
    """Returns the chromosome with other letters on the replaced bases, at equal coordinates."""
    segment = Segment(len(letters), variant.chrom, variant.start, 1, letters)
    chromosome = reference(variant.chrom, sizes[variant.chrom])
    return replace(chromosome, variant.start, variant.end, (segment,))


def _joined(variant: records.Variant, sizes: Mapping[str, int]) -> Segments:
    """Returns the two pieces of a breakend, in the order and direction of its brackets.

    `t[p[` is the near piece, then the piece right of p; `t]p]` the near piece, then the piece left
    of p reversed; `]p]t` the piece left of p, then the near piece; `[p[t` the piece right of p
    reversed, then the near piece.
    """
    mate = variant.mate
    assert mate is not None
    size = sizes[mate.chrom]
    far_piece: Segments
    if mate.extends_right:
        far_piece = (Segment(size - mate.position, mate.chrom, mate.position),)
    else:
        far_piece = (Segment(mate.position + 1, mate.chrom, 0),)
    if mate.extends_right != mate.joined_after:
        far_piece = reverse(far_piece)
    if mate.joined_after:
        near_piece = (Segment(variant.end, variant.chrom, 0),)
        return merged((*near_piece, *inserted(variant.inserted), *far_piece))
    near_piece = (Segment(sizes[variant.chrom] - variant.start, variant.chrom, variant.start),)
    return merged((*far_piece, *inserted(variant.inserted), *near_piece))


def letters(segments: Segments, fetch: Fetch) -> str:
    """Returns the sequence of an allele or window, upper case.

    Args:
        segments: Stretches of the allele or window.
        fetch: Returns the letters of (chrom, start, end), such as `Genome.padded`.
    """
    return "".join(_spell(segment, fetch) for segment in segments).upper()


def _spell(segment: Segment, fetch: Fetch) -> str:
    if segment.letters:
        return segment.letters
    text = fetch(segment.chrom, segment.start, segment.start + segment.length)
    return text if segment.strand == 1 else dna.reverse_complement(text)
