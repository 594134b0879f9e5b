"""Defines the row of one ALT allele: which reference bases it replaces, and by what."""

from typing import NamedTuple

from akita_bayes import regions
from akita_bayes.variants.alleles import inversions

SWAPPED = "alleles_swapped"  # flag of a row whose ALT, instead of REF, is in the genome


class Breakend(NamedTuple):
    """Describes the far side of a junction.

    Attributes:
        chrom: Chromosome of the far side, as the genome names it.
        position: The far base next to the junction, counted from 0.
        extends_right: True when the far piece reaches right of `position` (brackets `[`).
        joined_after: True when the far piece follows the near base (`t[p[` and `t]p]`).
    """

    chrom: str
    position: int
    extends_right: bool
    joined_after: bool


class Variant(NamedTuple):
    """Describes one ALT allele of one record.

    Attributes:
        record: Number of the record in its file, from 0.
        allele: Number of the ALT within the record, from 1; 0 when the record has none.
        chrom: Chromosome as the genome names it.
        position: First base of REF, from 0 (the file's POS - 1); -1 for a POS of 0.
        name: ID column, or "." as in the file.
        ref: REF as in the file.
        alt: ALT as in the file.
        kind: SNV, MNV, INS, DEL, COMPLEX, DUP, INV or BND, or "" when the allele cannot be
            understood.
        start: First replaced reference base, from 0.
        end: One past the last replaced reference base.
        inserted: Letters in the place of the replaced bases, upper case; for BND, letters in the
            junction; for DUP, letters between the two copies.
        mate: The far side of a junction, for BND and for events that breakends describe.
        flags: Remarks on an allele that can be scored.
        reason: Why the allele is not scored, one of `reasons`; "" when it can be scored.
        detail: Numbers and names that belong to the reason.
        inversion: Turned bases of an INV, where they differ from those that it replaces.
    """

    record: int
    allele: int
    chrom: str
    position: int
    name: str
    ref: str
    alt: str
    kind: str = ""
    start: int = 0
    end: int = 0
    inserted: str = ""
    mate: Breakend | None = None
    flags: tuple[str, ...] = ()
    reason: str = ""
    detail: str = ""
    inversion: inversions.Inversion | None = None

    @property
    def put(self) -> int:
        """Returns how many bases replace the reference bases; of a DUP, how many follow them."""
        if self.inversion is not None:
            return self.inversion.length
        inverted_or_copied = self.end - self.start if self.kind in ("DUP", "INV") else 0
        return inverted_or_copied + len(self.inserted)

    @property
    def size(self) -> int:
        """Returns the number of replaced bases, or of those in their place if these are more."""
        return max(self.end - self.start, self.put)

    @property
    def swapped(self) -> bool:
        """Returns True when the genome has the ALT; `start` to `inserted` then describe REF."""
        return SWAPPED in self.flags

    def lies_in(self, region: regions.Region) -> bool:
        """Returns True when POS is one of the region's bases; a POS of 0 counts as 1."""
        position = max(self.position, 0)
        return self.chrom == region.chrom and region.start <= position < region.end
