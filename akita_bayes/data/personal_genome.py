"""Applies the edits of one haplotype to a reference genome, and converts coordinates between both.

A haplotype has its own coordinates: after an insertion of 3 bases, reference base 100 is base 103.
`Haplotype` reads regions in these coordinates. `OnReference` reads regions by their coordinates on
the reference: the middle base of a region is that of the haplotype, and the others follow from it.

    reference   0 1 2 3 4 5 6 7        edits: [2, 2) + "GG", [5, 7) deleted
    haplotype   0 1 G G 2 3 4 7
"""

import bisect
import dataclasses
import os
from pathlib import Path
from typing import Any, NamedTuple

from akita_bayes import errors, files, regions
from akita_bayes.data import genome as genomes
from akita_bayes.data import haplotype_edits

NUMBERS = (1, 2)


@dataclasses.dataclass(frozen=True)
class Personal:
    """Names a haplotype: a genome, a phased variant file, a sample and 1 or 2.

    It stands where a path of a genome stands (`opened`); as a path it is that of the reference.

    Attributes:
        fasta: The reference genome.
        vcf: Phased VCF or BCF.
        sample: Name of the sample.
        number: 1 for the allele left of the bar in 0|1, 2 for the right one.
    """

    fasta: str
    vcf: str
    sample: str
    number: int

    def __post_init__(self) -> None:
        if self.number not in NUMBERS:
            raise errors.DataError(f"haplotype {self.number}: expected 1 or 2.")

    def __fspath__(self) -> str:
        return self.fasta

    def __str__(self) -> str:
        return f"{self.fasta} ({self.sample}, haplotype {self.number})"

    def described(self) -> dict[str, Any]:
        """Returns what decides the sequence beside the reference, for records of results."""
        return {
            "sample": self.sample,
            "haplotype": self.number,
            "phased_variants_digest": files.digest(self.vcf),
        }


class Site(NamedTuple):
    """Describes where an allele of the reference lies on a haplotype.

    Attributes:
        position: First base of REF on the haplotype; None where an edit changes REF.
        carried: True when the haplotype has the ALT.
        edit: The edit that changes REF; None for none.
    """

    position: int | None
    carried: bool
    edit: haplotype_edits.Edit | None


class _Edits:
    """Holds the edits of one chromosome, with their places on the haplotype.

    Args:
        edits: Edits from left to right, which do not overlap.
        size: Bases of the reference chromosome.
    """

    def __init__(self, edits: list[haplotype_edits.Edit], size: int) -> None:
        self.edits = edits
        self.starts = [edit.start for edit in edits]
        self.ends = [edit.end for edit in edits]
        self.shifts = [0]  # after the first n edits
        for edit in edits:
            grown = len(edit.letters) - (edit.end - edit.start)
            self.shifts.append(self.shifts[-1] + grown)
        self.own_starts = [
            start + shift for start, shift in zip(self.starts, self.shifts, strict=False)
        ]
        self.own_ends = [end + shift for end, shift in zip(self.ends, self.shifts[1:], strict=True)]
        self.size = size + self.shifts[-1]

    def to_haplotype(self, position: int) -> int:
        """Returns the place of a reference base; of a changed base the nearest one."""
        number = bisect.bisect_right(self.ends, position)
        if number < len(self.edits) and self.starts[number] <= position:
            edit = self.edits[number]
            return self.own_starts[number] + min(position - edit.start, len(edit.letters))
        return position + self.shifts[number]

    def to_reference(self, position: int) -> int:
        """Returns the reference base of a place; of inserted bases the next reference base."""
        number = bisect.bisect_right(self.own_ends, position)
        if number < len(self.edits) and self.own_starts[number] <= position:
            edit = self.edits[number]
            return min(edit.start + position - self.own_starts[number], edit.end)
        return position - self.shifts[number]


_NO_EDITS = _Edits([], 0)


class _EditedSequences:
    """Reads sequences of a haplotype, in its coordinates.

    Args:
        reference: The reference genome.
        edits: Chromosome -> its edits.
    """

    def __init__(self, reference: genomes.Genome, edits: dict[str, _Edits]) -> None:
        self._reference, self._edits = reference, edits
        self.sizes = {
            chrom: edits[chrom].size if chrom in edits else size
            for chrom, size in reference.sizes.items()
        }

    def fetch(self, chrom: str, start: int, end: int) -> str:
        """Returns the letters of a region."""
        of_chrom = self._edits.get(chrom, _NO_EDITS)
        parts, position = [], start
        number = bisect.bisect_right(of_chrom.own_ends, start)
        while position < end:
            is_last = number == len(of_chrom.edits)
            stop = end if is_last else min(end, of_chrom.own_starts[number])
            if position < stop:
                shift = of_chrom.shifts[number]
                region = regions.Region(chrom, position - shift, stop - shift)
                parts.append(self._reference.fetch(region))
                position = stop
            elif not is_last:
                first = position - of_chrom.own_starts[number]
                letters = of_chrom.edits[number].letters[first : first + end - position]
                parts.append(letters)
                position += len(letters)
                number += 1
        return "".join(parts)

    def close(self) -> None:
        """Closes the reference."""
        self._reference.close()


class Haplotype(genomes.Genome):
    """Reads regions of a haplotype, in coordinates of its own.

    Args:
        personal: The haplotype.

    Raises:
        DataError: As `genome.Genome` and `haplotype_edits.read`.

    Attributes:
        edits: Edits of both haplotypes of the sample.
    """

    def __init__(self, personal: Personal) -> None:
        self._reference = genomes.Genome(personal.fasta)
        self._personal = personal
        self.edits = haplotype_edits.read(personal.vcf, personal.sample, self._reference)
        of_number = self.edits.haplotypes[personal.number - 1]
        self._edits = {
            chrom: _Edits(edits, self._reference.sizes[chrom]) for chrom, edits in of_number.items()
        }
        self.path = self._reference.path
        self.circular = frozenset()
        self._sequences = _EditedSequences(self._reference, self._edits)
        self.sizes = self._sequences.sizes

    @property
    def reference_sizes(self) -> dict[str, int]:
        """Returns the lengths of the chromosomes of the reference."""
        return self._reference.sizes

    @property
    def described(self) -> dict[str, Any]:
        """Returns what decides the sequence beside the reference."""
        return self._personal.described()

    def to_haplotype(self, chrom: str, position: int) -> int:
        """Returns the place of a reference base; of a changed base the nearest one."""
        return self._edits.get(chrom, _NO_EDITS).to_haplotype(position)

    def to_reference(self, chrom: str, position: int) -> int:
        """Returns the reference base of a place; of inserted bases the next reference base."""
        return self._edits.get(chrom, _NO_EDITS).to_reference(position)

    def site(self, chrom: str, position: int, ref: str, alt: str) -> Site:
        """Returns where an allele lies on the haplotype.

        Args:
            chrom: Chromosome.
            position: First reference base of REF, counted from 0.
            ref: REF.
            alt: ALT, letters.
        """
        of_chrom = self._edits.get(chrom, _NO_EDITS)
        edit = haplotype_edits.trimmed(position, ref, alt)
        end = position + len(ref)
        first = bisect.bisect_left(of_chrom.ends, position)
        for number in range(first, len(of_chrom.edits)):
            own = of_chrom.edits[number]
            if own == edit:
                # Bases before the edit, which REF and ALT share, lie before it on the haplotype.
                shift = of_chrom.shifts[number]
                return Site(position + shift, True, None)
            if own.start >= end:
                break
            inserts = own.start == own.end
            if own.end > position if not inserts else own.start > position:
                return Site(None, False, own)
        return Site(of_chrom.to_haplotype(position), False, None)


class OnReference(genomes.Genome):
    """Reads regions of a haplotype by their coordinates on the reference.

    A region keeps its length and its middle base. Bases beside an indel are therefore shifted by
    the indels between them and the middle.

    Args:
        personal: The haplotype.

    Attributes:
        haplotype: The haplotype in its own coordinates.
    """

    def __init__(self, personal: Personal) -> None:
        self.haplotype = Haplotype(personal)
        self.path = self.haplotype.path
        self.circular = frozenset()
        self.sizes = self.haplotype.reference_sizes

    def close(self) -> None:
        """Closes the reference."""
        self.haplotype.close()

    def shift(self, chrom: str, start: int, end: int) -> int:
        """Returns how many bases further right the middle of a region lies on the haplotype."""
        size = self._size(chrom)
        middle = min(max((start + end) // 2, 0), size)
        return self.haplotype.to_haplotype(chrom, middle) - middle

    def padded(self, chrom: str, start: int, end: int) -> str:
        """Returns the letters of a region, with N where it leaves the haplotype's chromosome."""
        shift = self.shift(chrom, start, end)
        return self.haplotype.padded(chrom, start + shift, end + shift)

    def fetch(self, region: regions.Region) -> str:
        """Returns the letters of a region, which lies in the reference chromosome."""
        self.check(region)
        return self.padded(*region)


def opened(genome: str | Path | Personal, *, on_reference: bool = False) -> genomes.Genome:
    """Opens a genome, or a haplotype of a sample.

    Args:
        genome: Path of a genome, or a haplotype.
        on_reference: True to read a haplotype by coordinates of the reference (`OnReference`).

    Raises:
        DataError: As `genome.Genome` and `haplotype_edits.read`.
    """
    if not isinstance(genome, Personal):
        return genomes.Genome(os.fspath(genome))
    return OnReference(genome) if on_reference else Haplotype(genome)
