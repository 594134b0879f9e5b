"""Reads the edits of both haplotypes of a sample from a phased VCF or BCF, with pysam.

An edit replaces the reference bases start..end-1 by letters. As in `bcftools consensus`, all
records count, whatever their FILTER; of edits that overlap on a haplotype the first one applies.
Only changed bases overlap, not those that REF and ALT share at their ends.
"""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pysam

from akita_bayes import errors, regions
from akita_bayes.data import genome as genomes

OVERLAPS = "overlaps an edit before it"
UNPHASED = "heterozygous and not phased"
SYMBOLIC = "ALT is not letters"
NO_CALL = "an allele is not called"

_BASES = frozenset("ACGTN")


class Edit(NamedTuple):
    """Describes bases in the place of reference bases start..end-1, counted from 0."""

    start: int
    end: int
    letters: str


class LeftOut(NamedTuple):
    """Describes a genotype that was not applied.

    Attributes:
        chrom: Chromosome, as the genome names it.
        pos: POS of the record, counted from 1.
        ref: REF.
        alt: ALTs, separated by commas.
        genotype: GT, such as "0/1".
        haplotype: 1 or 2; 0 for both.
        reason: Why it was not applied.
    """

    chrom: str
    pos: int
    ref: str
    alt: str
    genotype: str
    haplotype: int
    reason: str


@dataclasses.dataclass(frozen=True)
class SampleEdits:
    """Holds the edits of a sample.

    Attributes:
        haplotypes: For each of the two haplotypes chromosome -> edits, from left to right.
        left_out: Genotypes that were not applied.
        phase_sets: Number of phase sets (PS) of each chromosome that has several. Alleles of
            different sets lie on haplotypes that were joined at random.
    """

    haplotypes: tuple[dict[str, list[Edit]], dict[str, list[Edit]]]
    left_out: list[LeftOut]
    phase_sets: dict[str, int]

    @property
    def counts(self) -> dict[str, int]:
        """Returns reason -> number of genotypes that were not applied for it."""
        counts: dict[str, int] = {}
        for genotype in self.left_out:
            counts[genotype.reason] = counts.get(genotype.reason, 0) + 1
        return counts


def read(path: str | Path, sample: str, genome: genomes.Genome) -> SampleEdits:
    """Reads the edits of a sample.

    Homozygous genotypes need no phase. A haploid genotype, as of the X chromosome of a male,
    applies to both haplotypes. Heterozygous genotypes without phase are left out.

    Args:
        path: VCF or BCF, plain or compressed.
        sample: Name of the sample.
        genome: The reference genome, against which REF is checked.

    Raises:
        DataError: The file cannot be read; it lacks the sample; it is not sorted; REF differs from
            the genome; or no heterozygous genotype of the sample is phased.
    """
    state = _Reader(Path(path), sample, genome)
    verbosity = pysam.set_verbosity(0)
    try:
        with pysam.VariantFile(str(path)) as file:
            samples = list(file.header.samples)
            if sample not in samples:
                raise errors.DataError(
                    f'{path}: has no sample "{sample}".' + errors.did_you_mean(sample, samples)
                )
            file.subset_samples([sample])
            for record in file:
                state.add(record)
    except (OSError, ValueError) as error:
        raise errors.DataError(
            f"{path}: cannot be read as a phased VCF or BCF ({error}); give a file that bcftools "
            "reads."
        ) from None
    finally:
        pysam.set_verbosity(verbosity)
    if state.unphased and not state.phased:
        raise errors.DataError(
            f"{path}: none of the {state.unphased:,} heterozygous genotypes of {sample} is phased "
            "(GT as 0|1); phase the file first, for example with WhatsHap or SHAPEIT."
        )
    sets = {chrom: len(names) for chrom, names in state.phase_sets.items() if len(names) > 1}
    return SampleEdits(state.haplotypes, state.left_out, sets)


class _Reader:
    """Collects the edits of records.

    Args:
        path: The file, for messages.
        sample: Name of the sample.
        genome: The reference genome.
    """

    def __init__(self, path: Path, sample: str, genome: genomes.Genome) -> None:
        self._path, self._sample, self._genome = path, sample, genome
        self.haplotypes: tuple[dict[str, list[Edit]], dict[str, list[Edit]]] = ({}, {})
        self.left_out: list[LeftOut] = []
        self.phase_sets: dict[str, set[Any]] = {}
        self.phased = self.unphased = 0
        self._last = ("", 0)

    def add(self, record: pysam.VariantRecord) -> None:
        """Adds the genotype of one record."""
        chrom = regions.own_name(record.chrom, self._genome.sizes)
        call = record.samples[self._sample]
        alleles = call.allele_indices
        if chrom is None or not alleles or not any(alleles):
            # No allele is called, or all are REF.
            if chrom is not None and alleles and None in alleles:
                self._leave_out(record, chrom, NO_CALL)
            return
        self._check_order(record, chrom)
        self._check_reference(record, chrom)
        if None in alleles:
            self._leave_out(record, chrom, NO_CALL)
        if len(alleles) > 2:
            raise errors.DataError(
                f"{self._site(record)}: the genotype has {len(alleles)} alleles; expected one or "
                "two."
            )
        if len(alleles) == 1:
            alleles = (alleles[0], alleles[0])
        if alleles[0] != alleles[1] and None not in alleles:
            if not call.phased:
                self.unphased += 1
                self._leave_out(record, chrom, UNPHASED)
                return
            self.phased += 1
            if "PS" in call and call["PS"] is not None:
                self.phase_sets.setdefault(chrom, set()).add(call["PS"])
        for number, allele in enumerate(alleles):
            if allele:
                self._add_edit(record, chrom, number, str((record.alleles or ())[allele]))

    def _add_edit(self, record: pysam.VariantRecord, chrom: str, number: int, alt: str) -> None:
        """Adds an allele to one haplotype."""
        if alt == "*":  # a deletion that an earlier record holds
            return
        if not set(alt.upper()) <= _BASES:
            self._leave_out(record, chrom, SYMBOLIC, number + 1)
            return
        edit = trimmed(record.start, str(record.ref), alt)
        edits = self.haplotypes[number].setdefault(chrom, [])
        if edits and not _follows(edits[-1], edit):
            self._leave_out(record, chrom, OVERLAPS, number + 1)
            return
        edits.append(edit)

    def _check_order(self, record: pysam.VariantRecord, chrom: str) -> None:
        last_chrom, last_start = self._last
        if chrom == last_chrom and record.start < last_start:
            raise errors.DataError(
                f"{self._site(record)}: comes after a later position; sort the file with "
                "`bcftools sort`."
            )
        self._last = (chrom, record.start)

    def _check_reference(self, record: pysam.VariantRecord, chrom: str) -> None:
        ref = str(record.ref).upper()
        bases = self._genome.padded(chrom, record.start, record.start + len(ref)).upper()
        if bases != ref:
            raise errors.DataError(
                f"{self._site(record)}: REF is {_shortened(ref)}, but the genome "
                f"{self._genome.path} has {_shortened(bases)}; give the genome that the file was "
                "made for."
            )

    def _site(self, record: pysam.VariantRecord) -> str:
        return f"{self._path}, {record.chrom}:{record.pos:,}"

    def _leave_out(
        self, record: pysam.VariantRecord, chrom: str, reason: str, haplotype: int = 0
    ) -> None:
        call = record.samples[self._sample]
        separator = "|" if call.phased else "/"
        indices = call.allele_indices or ()
        genotype = separator.join("." if index is None else str(index) for index in indices)
        self.left_out.append(
            LeftOut(
                chrom,
                record.pos,
                str(record.ref),
                ",".join(record.alts or (".",)),
                genotype,
                haplotype,
                reason,
            )
        )


def trimmed(position: int, ref: str, alt: str) -> Edit:
    """Returns the edit of an ALT of letters, without bases that REF and ALT share at their ends.

    ACGT > AGT deletes C at POS + 1: the prefix A goes first, then the suffix GT.
    """
    ref, alt = ref.upper(), alt.upper()
    prefix = next(
        (i for i, (a, b) in enumerate(zip(ref, alt, strict=False)) if a != b),
        min(len(ref), len(alt)),
    )
    ref, alt = ref[prefix:], alt[prefix:]
    suffix = next(
        (i for i, (a, b) in enumerate(zip(ref[::-1], alt[::-1], strict=False)) if a != b),
        min(len(ref), len(alt)),
    )
    start = position + prefix
    return Edit(start, start + len(ref) - suffix, alt[: len(alt) - suffix])


def _follows(before: Edit, edit: Edit) -> bool:
    """Returns True when an edit changes no base of the one before, nor inserts at its place."""
    if edit.start == before.start == before.end:
        return False
    return edit.start >= before.end


def _shortened(letters: str) -> str:
    return letters if len(letters) <= 12 else f"{letters[:9]}... ({len(letters):,} bases)"


def rows(edits: SampleEdits) -> Iterator[tuple[str, ...]]:
    """Yields the rows of `left_out.tsv`, the names of its columns first."""
    yield LeftOut._fields
    for genotype in edits.left_out:
        yield tuple(map(str, genotype))
