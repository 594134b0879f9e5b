"""Declares the options of a data directory: its inputs, its windows and its targets."""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from akita_bayes import errors
from akita_bayes.data import assembly, genome
from akita_bayes.data.contacts import counts_to_targets
from akita_bayes.data.preparation import targets, training_windows


class Unmappable(NamedTuple):
    """Describes which windows are dropped because their sequence is unmappable.

    Attributes:
        file: BED file of unmappable intervals.
        threshold: Smallest share of unmappable bins that drops a window.
        midpoints: True to drop windows by their two central bins instead.
    """

    file: str | Path
    threshold: float = 0.3
    midpoints: bool = False


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """Holds everything that decides the content of a data directory.

    Attributes:
        fasta: Genome: FASTA, plain or compressed by bgzip or gzip, or .2bit.
        targets_file: Table of files of contacts, for `targets.read`.
        transform: How contacts become targets.
        layout: How windows are laid; required without `windows`.
        windows: Windows of `training_windows.read_windows`, used unchanged.
        blacklist: BED file of intervals whose bins are filtered.
        unmappable: Criteria that drop windows by their sequence, applied one after another.
        clip: Clip of targets whose row has none.
        weight: Name of the weights or normalisation of targets whose row has none.
        divisive: True or False for targets whose row does not say whether weights divide counts.
        balance: True to balance coolers without weights.
        chromosomes_file: Table of chromosome names, for `assembly.read_table`.
        circular: Circular chromosomes.
        seqs_per_tfr: Records per file.
        seed: Seed of the order of records.
    """

    fasta: str | Path
    targets_file: str | Path
    transform: counts_to_targets.Transform
    layout: training_windows.Layout | None = None
    windows: tuple[training_windows.Window, ...] = ()
    blacklist: str | Path | None = None
    unmappable: tuple[Unmappable, ...] = ()
    clip: float | None = None
    weight: str = ""
    divisive: bool | None = None
    balance: bool = False
    chromosomes_file: str | Path | None = None
    circular: tuple[str, ...] = ()
    seqs_per_tfr: int = 128
    seed: int = 44

    def assembly(self) -> assembly.Assembly:
        """Returns the genome with its circles and its table of names.

        Raises:
            DataError: The genome or the table cannot be read, or lacks a circular chromosome.
        """
        return read_assembly(self.fasta, self.chromosomes_file, self.circular)

    def targets(self) -> list[targets.TargetFile]:
        """Returns the targets, each with the resolution of the transform.

        Raises:
            DataError: The table or a file of contacts cannot be read.
        """
        rows = targets.read(
            self.targets_file,
            clip=self.clip,
            weight=self.weight,
            divisive=self.divisive,
            balance=self.balance,
        )
        return targets.locate(rows, self.transform.pool_width)


def single_chromosome(fasta: str | Path) -> tuple[str]:
    """Returns the name of the only chromosome of a genome, the circular one.

    Raises:
        DataError: The genome cannot be read, or has several chromosomes.
    """
    with genome.Genome(fasta) as opened:
        names = list(opened.sizes)
    if len(names) > 1:
        raise errors.DataError(
            f"--circular: the genome has {len(names)} chromosomes; name those that are "
            f"circular, as --circular={names[0]}."
        )
    return (names[0],)


def read_assembly(
    fasta: str | Path,
    chromosomes_file: str | Path | None = None,
    circular: tuple[str, ...] = (),
) -> assembly.Assembly:
    """Reads the chromosomes of a genome.

    Args:
        fasta: Genome.
        chromosomes_file: Table of chromosome names, for `assembly.read_table`.
        circular: Circular chromosomes.

    Raises:
        DataError: The genome or the table cannot be read, or lacks a circular chromosome.
    """
    with genome.Genome(fasta, circular=circular) as opened:
        sizes = opened.sizes
    table = () if chromosomes_file is None else assembly.read_table(chromosomes_file, sizes)
    return assembly.of(sizes, circular=tuple(sorted(circular)), table=table)
