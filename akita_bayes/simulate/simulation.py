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
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
import pysam
from numpy.typing import NDArray

from akita_bayes import __version__, files, progress
from akita_bayes.data import noise_table
from akita_bayes.files import output_directory
from akita_bayes.regions import Region
from akita_bayes.simulate import (
    chromatin,
    chromosomes,
    design_json,
    effect_files,
    reads,
    replicate_agreement,
    simulated_coolers,
)
from akita_bayes.simulate.designs import Design
from akita_bayes.simulate.experiment import Experiment, Window, simulate_chromosome
from akita_bayes.workers import Cluster, map_parts

if TYPE_CHECKING:
    from akita_bayes.data.records import tfrecord

_Item = TypeVar("_Item")

RECORDS_PER_FILE = 128
_LINE = 80


def simulate(
    out_dir: str | Path,
    design: Design,
    *,
    seed: int = 0,
    workers: int = 2,
    with_coolers: bool = True,
    advance: progress.Advance = progress.ignore,
) -> Path:
    """Simulates a genome and an experiment; the same seed gives the same folder.

    Args:
        out_dir: Folder to write; an older simulation is replaced.
        design: Design of the experiment.
        seed: Seed of all random draws.
        workers: Number of processes.
        with_coolers: True to write coolers, which take most of the time.
        advance: Function that is called after every step; `total=` is the number of steps.

    Returns:
        Path of the folder.

    Raises:
        DataError: The depth exceeds the counts of a cooler.
        RunError: The folder holds other files, or another process writes to it.
    """
    out_dir = Path(out_dir)
    requested = design
    _check_depth(design)
    design = replicate_agreement.solve(design, seed)
    _check_depth(design)
    names = list(design.chromosomes())
    maps = len(design.cell_types) * (design.replicates + 1) if with_coolers else 0
    splits = list(dict.fromkeys(split for _, split in design.chromosomes().values()))
    advance(0, total=len(names) + maps + len(splits) + 1, note="chromosomes")
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
        _write_records(folder, experiments, design, advance)
        _write_tables(folder, design)
        design_json.write(folder, requested, seed=seed, version=__version__, solved=design)
    return out_dir


def _check_depth(design: Design) -> None:
    """Refuses a depth whose counts a cooler cannot hold."""
    reads.check_depth(design.depth, design.physics, design.max_distance // design.physics.bin_size)


def _experiments(names: list[str], design: Design, seed: int, workers: int) -> Iterator[Experiment]:
    """Yields the experiments in the order of names."""
    parts = [(name, design, seed) for name in names]
    yield from map_parts(_simulate, parts, Cluster(min(workers, len(parts))))


def _simulate(_: None, part: tuple[str, Design, int]) -> Experiment:
    return simulate_chromosome(*part)


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


def _write_records(
    folder: Path,
    experiments: list[Experiment],
    design: Design,
    advance: progress.Advance,
) -> None:
    from akita_bayes.data.records import statistics, tfrecord

    size = design.physics.bin_size
    transform = chromatin.transform(
        design.seq_length // size, size, design.crop // size, design.measurement
    )
    counts, ceilings = {}, {}
    (folder / "truth").mkdir()
    split_of = {name: split for name, (_, split) in design.chromosomes().items()}
    for split in dict.fromkeys(split_of.values()):
        windows = [
            (experiment.chromosome.name, window)
            for experiment in experiments
            for window in experiment.windows
            if split_of[experiment.chromosome.name] == split
        ]
        counts[split] = len(windows)
        for number, batch in enumerate(_batched(windows, RECORDS_PER_FILE)):
            tfrecord.write_records(
                folder / "tfrecords" / f"{split}-{number}{tfrecord.SUFFIX}",
                (_record(name, window) for name, window in batch),
            )
        np.savez_compressed(
            folder / "truth" / f"{split}.npz", truth=np.stack([w.truth for _, w in windows])
        )
        if split == "valid":
            noise_table.write(folder, noise([window for _, window in windows], design))
        if split != "train":
            ceilings[split] = ceiling([window for _, window in windows], design.cell_types)
        advance(1, note=f"records of {split}")
    files.write_json(folder / "truth" / "ceiling.json", ceilings)
    statistics.write(
        folder,
        statistics.Statistics(
            seq_length=design.seq_length,
            target_length=transform.pixels,
            num_targets=len(design.cell_types),
            pool_width=size,
            crop_bp=design.crop,
            diagonal_offset=transform.diagonal_offset,
            seq_1hot=True,
            seqs=counts,
        ),
    )


def noise(windows: list[Window], design: Design) -> noise_table.NoiseTable:
    """Returns the noise of the targets, from the replicates of validation windows."""
    bins = (design.seq_length - 2 * design.crop) // design.physics.bin_size
    sums = noise_table.NoiseSums(len(design.cell_types), bins, chromatin.DIAGONAL_OFFSET)
    for window in windows:
        sums.add(window.noise, window.target, window.mask)
    return sums.table(f"{design.replicates} replicates")


def _batched(items: list[_Item], size: int) -> Iterator[list[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _record(chrom: str, window: Window) -> "tfrecord.Record":
    from akita_bayes.data.records import tfrecord

    region = Region(chrom, window.start, window.start + len(window.sequence))
    return tfrecord.Record(window.sequence, window.target, window.mask, region)


def ceiling(windows: list[Window], cell_types: tuple[str, ...]) -> dict[str, list[Any]]:
    """Computes the accuracy of a perfect model on these data, by target; see `docs/simulator.md`.

    `target_truth_pearson` is the correlation of data and noise-free truth, the score of a perfect
    model. `replicate_pearson` is the correlation of two replicates, averaged over pairs. Both use
    all measured pixels of all windows, as a model's own r.
    """
    target = np.stack([window.target for window in windows])
    mask = np.stack([window.mask for window in windows])
    truth = np.stack([window.truth for window in windows])
    replicates = np.stack([window.replicates for window in windows], axis=1)
    result: dict[str, list[Any]] = {"targets": list(cell_types)}
    result["target_truth_pearson"], result["replicate_pearson"] = [], []
    for cell in range(len(cell_types)):
        measured = mask[..., cell]
        result["target_truth_pearson"].append(
            _pearson(target[..., cell][measured], truth[..., cell][measured])
        )
        result["replicate_pearson"].append(
            replicate_agreement.correlation(replicates[..., cell], measured)
        )
    return result


def _pearson(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.corrcoef(a.astype(np.float64), b.astype(np.float64))[0, 1])


def _write_tables(folder: Path, design: Design) -> None:
    pd.DataFrame(
        {
            "identifier": design.cell_types,
            "file": [f"coolers/{cell}.cool" for cell in design.cell_types],
            "clip": chromatin.CLIP,
            "description": [f"simulated cell type {cell}" for cell in design.cell_types],
        }
    ).to_csv(folder / "targets.txt", sep="\t", index_label="index")
    rows = [[*region, split] for region, split in design.windows()]
    pd.DataFrame(rows).to_csv(folder / "sequences.bed", sep="\t", index=False, header=False)
