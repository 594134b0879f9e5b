"""Options that apply the phased variants of a sample to the genome."""

import argparse
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from akita_bayes.cli import console

if TYPE_CHECKING:
    from akita_bayes.data import personal_genome

LEFT_OUT = "left_out.tsv"
"""Table of genotypes that were not applied."""

_log = logging.getLogger(__name__)


class Source(NamedTuple):
    """Describes one sequence to work on.

    Attributes:
        genome: Path of the genome, or a haplotype of a sample.
        out_dir: Folder of its results.
    """

    genome: "str | personal_genome.Personal"
    out_dir: str


_HELP = (
    "apply the phased variants of this sample to the genome first; results of both haplotypes go "
    "to haplotype_1 and haplotype_2 in the output directory"
)


def add(parser: argparse.ArgumentParser, *, default_vcf: str, help: str = _HELP) -> None:
    """Adds --haplotype and --vcf.

    Args:
        parser: Parser of a command with --fasta and --out_dir.
        default_vcf: What --vcf is when it is not given, for the help.
        help: Help of --haplotype.
    """
    parser.add_argument("--haplotype", metavar="SAMPLE", help=help)
    parser.add_argument(
        "--vcf",
        type=console.existing_file,
        help=f"with --haplotype: phased VCF or BCF of the sample ({default_vcf})",
    )


def sources(options: argparse.Namespace, vcf: str | None) -> Iterator[Source]:
    """Yields what to work on: the genome itself, or both haplotypes one after another.

    Writes `left_out.tsv` into the output directory, and logs what was not applied.

    Args:
        options: Parsed options.
        vcf: Phased variants of the sample.

    Raises:
        DataError: As `haplotype_edits.read`.
    """
    if options.haplotype is None:
        yield Source(options.fasta, options.out_dir)
        return
    assert vcf is not None
    from akita_bayes import files
    from akita_bayes.data import genome as genomes
    from akita_bayes.data import haplotype_edits, personal_genome

    with genomes.Genome(options.fasta) as reference:
        edits = haplotype_edits.read(vcf, options.haplotype, reference)
    for number, of_chromosomes in enumerate(edits.haplotypes, 1):
        count = sum(map(len, of_chromosomes.values()))
        console.say(f"Haplotype {number} of {options.haplotype} has {count:,} edits.")
    for reason, count in edits.counts.items():
        _log.warning(
            "%s: %d genotypes of %s were not applied: %s; see %s.",
            *(vcf, count, options.haplotype, reason, LEFT_OUT),
        )
    for chrom, count in edits.phase_sets.items():
        _log.warning(
            "%s: %s has %d phase sets; alleles of different sets are joined at random.",
            *(vcf, chrom, count),
        )
    folder = Path(options.out_dir)
    folder.mkdir(parents=True, exist_ok=True)
    with files.atomic(folder / LEFT_OUT) as temporary, open(temporary, "w") as table:
        table.writelines("\t".join(row) + "\n" for row in haplotype_edits.rows(edits))
    for number in personal_genome.NUMBERS:
        yield Source(
            personal_genome.Personal(options.fasta, vcf, options.haplotype, number),
            str(folder / f"haplotype_{number}"),
        )
