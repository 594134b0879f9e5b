"""A simulation on disk: genome, coolers, a data directory ready for training, and the truth.

The folder is itself a data directory (`docs/formats.md`), and beside its records holds

    genome.fa, genome.fa.fai        the chromosomes
    sites.bed, decoys.bed           what stalls extrusion, and what only looks like it
    coolers/{cell}.cool             all replicates together, balanced; {cell}_rep{r}.cool each alone
    targets.txt, sequences.bed      name coolers and windows, for `akita_data.py` to start from
    truth/{split}.npz               `truth` [W, P, T] float16: noise-free targets in record order
    truth/ceiling.json              how well data of this depth can be predicted
    variants.vcf, variants.tsv      variants of known effect on the test chromosome
    simulation.json                 every parameter, enough to simulate an edited genome
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pysam
from numpy.typing import NDArray

from akita_bayes import __version__, errors, files
from akita_bayes.regions import Region
from akita_bayes.simulate import (
    chromatin,
    design_json,
    effect_files,
    experiment,
    pool,
    reads,
    simulated_coolers,
)
from akita_bayes.simulate.designs import Design

if TYPE_CHECKING:
    from akita_bayes.data.records import tfrecord

RECORDS_PER_FILE = 128
_LINE = 80


def simulate(
    out_dir: str | Path,
    design: Design,
    *,
    seed: int = 0,
    workers: int = 2,
    with_coolers: bool = True,
    advance: Callable[..., None] = lambda steps=1, **fields: None,
) -> Path:
    """Simulates a genome and an experiment and writes a folder; the same seed, the same folder.

    Args:
        out_dir: The folder; an older simulation in it is replaced.
        design: What to simulate.
        seed: Of every random draw.
        workers: Processes.
        with_coolers: Write coolers too; they take most of the time.
        advance: Told of every step done; `total=` announces how many there are.

    Raises:
        DataError: The folder holds something else, or the depth is more than can be counted.
    """
    out_dir = Path(out_dir)
    if out_dir.is_dir() and any(out_dir.iterdir()) and not (out_dir / design_json.FILE).exists():
        raise errors.DataError(
            f"{out_dir}: not empty, and no simulation; choose another folder for the simulation."
        )
    reads.check_depth(design.depth, design.physics, design.max_distance // design.physics.bin_size)
    names = list(design.chromosomes())
    maps = len(design.cell_types) * (design.replicates + 1) if with_coolers else 0
    splits = list(dict.fromkeys(split for _, split in design.chromosomes().values()))
    advance(0, total=len(names) + maps + len(splits) + 1, note="chromosomes")
    with files.atomic(out_dir, directory=True) as folder:
        done = []
        for one in _experiments(names, design, seed, workers):
            done.append(one)
            advance(1, note=f"chromosome {len(done)} of {len(names)}")
        _write_genome(folder, done)
        _write_sites(folder, done, design)
        advance(0, note="variants")
        effect_files.write(folder, [done[-1].chromosome], design, seed=seed)
        advance(1)
        if with_coolers:
            simulated_coolers.write(folder, done, design, workers, advance)
        _write_records(folder, done, design, advance)
        _write_tables(folder, design)
        design_json.write(folder, design, seed=seed, version=__version__)
    return out_dir


def _experiments(
    names: list[str], design: Design, seed: int, workers: int
) -> Iterator[experiment.Experiment]:
    """In the order of names."""
    chromatin.observed_over_expected(np.ones((8, 8)))  # compiles once, before processes part
    yield from pool.results([(experiment.run, (name, design, seed)) for name in names], workers)


def _write_genome(folder: Path, done: list[experiment.Experiment]) -> None:
    with open(folder / "genome.fa", "w", encoding="ascii") as handle:
        for one in done:
            handle.write(f">{one.chromosome.name}\n")
            letters = one.chromosome.sequence
            for start in range(0, len(letters), _LINE):
                handle.write(letters[start : start + _LINE] + "\n")
    pysam.faidx(str(folder / "genome.fa"))


def _write_sites(folder: Path, done: list[experiment.Experiment], design: Design) -> None:
    """BED: chrom, start, end, name, 1000 x largest occupancy, strand, occupancy by cell type."""
    width = design.physics.site.width
    sites, decoys = [], []
    for one in done:
        name = one.chromosome.name
        for start, strand, _, occupancy in zip(*one.sites, strict=True):
            label = f"{name}_{start}{'+' if strand > 0 else '-'}"
            sites.append(
                [name, start, start + width, label, round(1000 * occupancy.max())]
                + ["+" if strand > 0 else "-"]
                + [f"{value:.4f}" for value in occupancy]
            )
        decoys += [
            [name, planted.start, planted.end, planted.kind, 0, "+" if planted.strand > 0 else "-"]
            for planted in sorted(one.chromosome.planted)
            if planted.kind != "site"
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
    done: list[experiment.Experiment],
    design: Design,
    advance: Callable[..., None],
) -> None:
    from akita_bayes.data.records import statistics, tfrecord

    size = design.physics.bin_size
    transform = chromatin.transform(design.seq_length // size, size, design.crop // size)
    counts, ceilings = {}, {}
    (folder / "truth").mkdir()
    split_of = {name: split for name, (_, split) in design.chromosomes().items()}
    for split in dict.fromkeys(split_of.values()):
        members = [one for one in done if split_of[one.chromosome.name] == split]
        windows = [(one.chromosome.name, window) for one in members for window in one.windows]
        counts[split] = len(windows)
        for number, batch in enumerate(_batched(windows, RECORDS_PER_FILE)):
            tfrecord.write_records(
                folder / "tfrecords" / f"{split}-{number}{tfrecord.SUFFIX}",
                (_record(name, window) for name, window in batch),
            )
        np.savez_compressed(
            folder / "truth" / f"{split}.npz", truth=np.stack([w.truth for _, w in windows])
        )
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


def _batched(items: list, size: int) -> Iterator[list]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _record(chrom: str, window: experiment.Window) -> "tfrecord.Record":
    from akita_bayes.data.records import tfrecord

    region = Region(chrom, window.start, window.start + len(window.sequence))
    return tfrecord.Record(window.sequence, window.target, window.mask, region)


def ceiling(windows: list[experiment.Window], cell_types: tuple[str, ...]) -> dict[str, list]:
    """How well data of this depth can be predicted, by target; see `docs/simulator.md`.

    `target_truth_pearson`: the data against the noise-free truth, which is what a perfect model
    scores on the data. `replicate_pearson`: one replicate against another, mean over pairs.
    Over all measured pixels of all windows, as a model's own r.
    """
    target = np.stack([window.target for window in windows])
    mask = np.stack([window.mask for window in windows])
    truth = np.stack([window.truth for window in windows])
    replicates = np.stack([window.replicates for window in windows], axis=1)
    pairs = list(itertools.combinations(replicates, 2))
    result: dict[str, list] = {"targets": list(cell_types)}
    result["target_truth_pearson"], result["replicate_pearson"] = [], []
    for cell in range(len(cell_types)):
        measured = mask[..., cell]

        def r(a: NDArray, b: NDArray, cell: int = cell, measured: NDArray = measured) -> float:
            return _pearson(a[..., cell][measured], b[..., cell][measured])

        result["target_truth_pearson"].append(r(target, truth))
        result["replicate_pearson"].append(float(np.mean([r(a, b) for a, b in pairs])))
    return result


def _pearson(a: NDArray, b: NDArray) -> float:
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
