"""Simulates a second strain: its letters, its maps, and a VCF of the bases that differ.

The strain differs from the reference by random substitutions, so that both have the same
coordinates. Its maps are of another experiment, with noise, depths and fields of bias of their own;
unmappable bins and the coverage of bins belong to the genome, and are those of the reference. Only
held-out chromosomes are simulated. The folder of the simulation gets

    strain.vcf      the substitutions, homozygous in the sample `strain`
    strain/         data directory of the strain, with the truth and the noise
"""

from pathlib import Path

import numpy as np
import pysam

from akita_bayes import dna
from akita_bayes.simulate.chromosomes import Chromosome

FOLDER, VARIANTS, SAMPLE = "strain", "strain.vcf", "strain"

_LETTERS = np.frombuffer(dna.ALPHABET.encode("ascii"), np.uint8)


def substituted(chromosome: Chromosome, share: float, rng: np.random.Generator) -> Chromosome:
    """Returns a chromosome in which every base is replaced by another one at a probability.

    Args:
        chromosome: Chromosome of the reference, without unknown bases.
        share: Probability of a base to be replaced.
        rng: Source of the bases.
    """
    index = dna.to_index(chromosome.sequence)
    changed = np.flatnonzero(rng.random(len(index)) < share)
    index[changed] = (index[changed] + rng.integers(1, 4, len(changed))) % 4
    return chromosome._replace(sequence=_LETTERS[index].tobytes().decode("ascii"))


def write_variants(folder: str | Path, pairs: list[tuple[Chromosome, Chromosome]]) -> Path:
    """Writes `strain.vcf`.

    Args:
        folder: Folder of the simulation.
        pairs: Chromosomes of the reference, each with that of the strain.
    """
    header = pysam.VariantHeader()
    for reference, _ in pairs:
        header.contigs.add(reference.name, len(reference.sequence))
    header.formats.add("GT", 1, "String", "Genotype")
    header.add_sample(SAMPLE)
    path = Path(folder) / VARIANTS
    with pysam.VariantFile(str(path), "w", header=header) as out:
        for reference, strain in pairs:
            letters = [
                np.frombuffer(c.sequence.encode("ascii"), np.uint8) for c in (reference, strain)
            ]
            for start in np.flatnonzero(letters[0] != letters[1]).tolist():
                record = out.new_record(
                    contig=reference.name,
                    start=start,
                    stop=start + 1,
                    alleles=(reference.sequence[start], strain.sequence[start]),
                )
                record.samples[SAMPLE]["GT"] = (1, 1)
                out.write(record)
    return path
