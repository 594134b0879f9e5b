"""Data of the yeast benchmark: genome, folds and windows.

The map is `scer_w303_g1_2kb_SRR8769554.cool`, budding yeast in G1 (W303) at 2 kb; the genome is
sacCer3. The cooler names chromosomes chr1 to chr16 and lacks empty bins at the ends of four of
them. `akita_data.py` takes both files as they are. The genome is written as FASTA with the names
and lengths of the cooler all the same, so that windows have these names and end with the map.
"""

from pathlib import Path
from typing import NamedTuple

import cooler

from akita_bayes import errors, files, regions
from akita_bayes.data import assembly, genome
from akita_bayes.data.contacts import counts_to_targets
from akita_bayes.data.preparation import presets

COOLER = Path("hic") / "scer_w303_g1_2kb_SRR8769554.cool"
GENOME = Path("genome") / "yeast" / "sacCer3.2bit"
SECOND = Path("genome") / "yeast" / "yeast.10kb.v3.cool"

VALID = ("chr3", "chr8", "chr9")
"""Validation chromosomes of every fold; no fold tests on them, since settings were chosen here."""
FOLDS = (
    ("chr2", "chr11", "chr14"),
    ("chr5", "chr7", "chr10"),
    ("chr1", "chr15", "chr16"),
)
"""Test chromosomes of each fold, 2.3 to 2.4 Mb of 12 Mb."""

SHIFTS = (-2, -1, 0, 1, 2)
"""Bases by which a test window is moved; the predictions are averaged."""

PRESET = "akita_yeast"
TRANSFORM = counts_to_targets.Transform(
    **{key: value for key, value in presets.PRESETS[PRESET].items() if not key.startswith("stride")}
)
FASTA = "sacCer3.fa"

NAMES = tuple(f"chr{number}" for number in range(1, 17))
"""Nuclear chromosomes in the cooler; genome and second experiment call them chrI to chrXVI."""


class Sources(NamedTuple):
    """Holds paths of the inputs."""

    genome: Path
    cooler: Path
    second: Path

    @classmethod
    def under(cls, folder: Path) -> "Sources":
        """Returns the paths in a folder of the three files, as docs/real.md describes it."""
        sources = cls(folder / GENOME, folder / COOLER, folder / SECOND)
        for path in sources:
            if not path.is_file():
                raise errors.DataError(f"{path}: no such file; see docs/real.md for its source.")
        return sources


def make(sources: Sources, fold: int, folder: Path) -> Path:
    """Writes the data directory of a fold by `akita_data.py`, unless it exists; returns it."""
    from akita_bayes.cli import akita_data

    data = folder / f"data_fold{fold}"
    if (data / "statistics.json").is_file():
        return data
    fasta = _write_genome(sources, folder)
    table = folder / "targets.txt"
    path = sources.cooler.resolve()
    with files.atomic(table) as temporary:
        temporary.write_text(f"index\tidentifier\tfile\tdescription\n0\tg1\t{path}\tW303 in G1\n")
    status = akita_data.main(
        [
            *(str(fasta), str(table), "-o", str(data)),
            *("--preset", PRESET),
            *("-v", ",".join(VALID), "-t", ",".join(FOLDS[fold])),
        ]
    )
    if status:
        raise SystemExit(status)
    return data


def _write_genome(sources: Sources, folder: Path) -> Path:
    """Writes the chromosomes as FASTA, in capitals, with the names and lengths of the cooler."""
    fasta = folder / FASTA
    if fasta.is_file():
        return fasta
    lengths = cooler.Cooler(str(sources.cooler)).chromsizes
    sequences = {}
    with genome.Genome(sources.genome) as source:
        name_in_genome = assembly.of(source.sizes).names(NAMES, str(sources.cooler))
        for name, own in name_in_genome.items():
            end = min(int(lengths[name]), source.sizes[own])
            sequences[name] = source.fetch(regions.Region(own, 0, end)).upper()
    with files.atomic(fasta) as temporary:
        genome.write_fasta(temporary, sequences)
    return fasta
