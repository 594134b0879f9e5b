"""Writes a simulation: genome, coolers, a data directory ready for training, and the truth.

The folder is a data directory (`docs/formats.md`) that also holds

    genome.fa, genome.fa.fai        the chromosomes
    sites.bed, decoys.bed           sites that stall extrusion, and decoys without effect
    coolers/{cell}.cool             all replicates together, balanced; {cell}_rep{r}.cool one each
    targets.txt, sequences.bed      coolers and windows, as inputs of `akita_data.py`
    truth/{split}.npz               `truth` [W, P, T] float16: noise-free targets in record order
    truth/ceiling.json              how well data of this depth can be predicted
    noise.tsv                       noise of the targets, from replicates of the validation windows
    variants.vcf, variants.tsv      variants of known effect on the test chromosome
    simulation.json                 every parameter, enough to simulate an edited genome
    strain.vcf, strain/             a second strain (`strains`), if asked for
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pysam

from akita_bayes import __version__, errors, files, progress
from akita_bayes.files import output_directory
from akita_bayes.simulate import (
    chromatin,
    chromosomes,
    design_json,
    reads,
    replicate_agreement,
    strains,
)
from akita_bayes.simulate.designs import Design
from akita_bayes.simulate.experiment import Experiment, simulate_chromosome
from akita_bayes.simulate.simulation_folder import (
    effect_files,
    simulated_coolers,
    simulated_records,
)
from akita_bayes.workers import Cluster, map_parts

_LINE = 80


def simulate(
    out_dir: str | Path,
    design: Design,
    *,
    seed: int = 0,
    workers: int = 2,
    with_coolers: bool = True,
    strain: float = 0.0,
    advance: progress.Advance = progress.ignore,
) -> Path:
    """Simulates a genome and an experiment; the same seed gives the same folder.

    Args:
        out_dir: Folder to write; an older simulation is replaced.
        design: Design of the experiment.
        seed: Seed of all random draws.
        workers: Number of processes.
        with_coolers: True to write coolers, which take most of the time.
        strain: Share of bases in which a second strain differs, whose held-out chromosomes are
            simulated too (`strains`); 0 for none.
        advance: Function that is called after every step; `total=` is the number of steps.

    Returns:
        Path of the folder.

    Raises:
        DataError: The depth exceeds the counts of a cooler, or the strain is not a share.
        RunError: The folder holds other files, or another process writes to it.
    """
    out_dir = Path(out_dir)
    requested = design
    _check_depth(design)
    if not 0 <= strain < 1:
        raise errors.DataError(f"strain {strain:g} is not a share of bases; choose 0 to below 1.")
    design = replicate_agreement.solve(design, seed)
    _check_depth(design)
    names = list(design.chromosomes())
    maps = len(design.cell_types) * (design.replicates + 1) if with_coolers else 0
    splits = list(dict.fromkeys(split for _, split in design.chromosomes().values()))
    held_out = [
        name for name, (_, split) in design.chromosomes().items() if strain and split != "train"
    ]
    steps = len(names) + maps + len(splits) + 1 + 2 * len(held_out)
    advance(0, total=steps, note="chromosomes")
    with (
        output_directory.claim(out_dir, kind="simulation", content="own"),
        files.atomic(out_dir, directory=True) as folder,
    ):
        experiments = []
        for experiment in _experiments(names, design, seed, workers):
            experiments.append(experiment)
            advance(1, note=f"chromosome {len(experiments)} of {len(names)}")
        _write_genome(folder, experiments)
        _write_sites(folder, experiments, design)
        advance(0, note="variants")
        effect_files.write(folder, [experiments[-1].chromosome], design, seed=seed)
        advance(1)
        if with_coolers:
            simulated_coolers.write(folder, experiments, design, workers, advance)
        simulated_records.write(folder, experiments, design, advance)
        _write_tables(folder, design)
        if strain:
            strain_experiments = list(_experiments(held_out, design, seed, workers, strain))
            references = [e for e in experiments if e.chromosome.name in held_out]
            _write_strain(folder, references, strain_experiments, design, advance)
        design_json.write(folder, requested, seed=seed, version=__version__, solved=design)
    return out_dir


def _check_depth(design: Design) -> None:
    """Refuses a depth whose counts a cooler cannot hold."""
    reads.check_depth(design.depth, design.physics, design.max_distance // design.physics.bin_size)


def _experiments(
    names: list[str], design: Design, seed: int, workers: int, strain: float = 0.0
) -> Iterator[Experiment]:
    """Yields the experiments in the order of names."""
    parts = [(name, design, seed, strain) for name in names]
    yield from map_parts(_simulate, parts, Cluster(min(workers, len(parts))))


def _simulate(_: None, part: tuple[str, Design, int, float]) -> Experiment:
    return simulate_chromosome(*part)


def _write_strain(
    folder: Path,
    references: list[Experiment],
    strain_experiments: list[Experiment],
    design: Design,
    advance: progress.Advance,
) -> None:
    """Writes the variants of a second strain, and the data directory of its maps."""
    advance(len(strain_experiments), note="strain")
    pairs = [
        (a.chromosome, b.chromosome) for a, b in zip(references, strain_experiments, strict=True)
    ]
    strains.write_variants(folder, pairs)
    (folder / strains.FOLDER).mkdir()
    simulated_records.write(folder / strains.FOLDER, strain_experiments, design, advance)
    names = [experiment.chromosome.name for experiment in strain_experiments]
    _write_windows(folder / strains.FOLDER, design, names)


def _write_genome(folder: Path, experiments: list[Experiment]) -> None:
    with open(folder / "genome.fa", "w", encoding="ascii") as handle:
        for experiment in experiments:
            handle.write(f">{experiment.chromosome.name}\n")
            letters = experiment.chromosome.sequence
            for start in range(0, len(letters), _LINE):
                handle.write(letters[start : start + _LINE] + "\n")
    pysam.faidx(str(folder / "genome.fa"))


def _write_sites(folder: Path, experiments: list[Experiment], design: Design) -> None:
    """Writes BED: chrom, start, end, name, 1000 x largest occupancy, strand, occupancies."""
    sites, decoys = [], []
    for experiment in experiments:
        name = experiment.chromosome.name
        widths = experiment.sites.width(design.physics)
        for (start, strand, _, occupancy, staller), width in zip(
            zip(*experiment.sites, strict=True), widths, strict=True
        ):
            label = f"{name}_{start}{'+' if strand > 0 else '-'}"
            label += f"_{chromosomes.FACTOR}{staller}" if staller else ""
            sites.append(
                [name, start, start + width, label, round(1000 * occupancy.max())]
                + ["+" if strand > 0 else "-"]
                + [f"{value:.4f}" for value in occupancy]
            )
        decoys += [
            [name, planted.start, planted.end, planted.kind, 0, "+" if planted.strand > 0 else "-"]
            for planted in sorted(experiment.chromosome.planted)
            if not planted.kind.startswith((chromosomes.SITE, chromosomes.FACTOR))
        ]
    head = ["#chrom", "start", "end", "name", "score", "strand"]
    for path, rows, columns in (
        ("sites.bed", sites, head + [f"occupancy_{cell}" for cell in design.cell_types]),
        ("decoys.bed", decoys, head),
    ):
        table = pd.DataFrame(rows, columns=columns)
        table.to_csv(folder / path, sep="\t", index=False)


def _write_tables(folder: Path, design: Design) -> None:
    pd.DataFrame(
        {
            "identifier": design.cell_types,
            "file": [f"coolers/{cell}.cool" for cell in design.cell_types],
            "clip": chromatin.CLIP,
            "description": [f"simulated cell type {cell}" for cell in design.cell_types],
        }
    ).to_csv(folder / "targets.txt", sep="\t", index_label="index")
    _write_windows(folder, design, list(design.chromosomes()))


def _write_windows(folder: Path, design: Design, chromosomes: list[str]) -> None:
    """Writes `sequences.bed`, the windows of some chromosomes."""
    rows = [[*region, split] for region, split in design.windows() if region.chrom in chromosomes]
    pd.DataFrame(rows).to_csv(folder / "sequences.bed", sep="\t", index=False, header=False)
