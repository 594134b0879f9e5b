"""Writes the records of a simulated experiment, its noise-free truth and its noise."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from akita_bayes import files, progress
from akita_bayes.data import noise_table
from akita_bayes.regions import Region
from akita_bayes.simulate import chromatin, replicate_agreement
from akita_bayes.simulate.designs import Design
from akita_bayes.simulate.experiment import Experiment, Window

if TYPE_CHECKING:
    from akita_bayes.data.records import tfrecord

_Item = TypeVar("_Item")

RECORDS_PER_FILE = 128


def write(
    folder: Path,
    experiments: list[Experiment],
    design: Design,
    advance: progress.Advance = progress.ignore,
) -> None:
    """Writes the records, `statistics.json`, `truth/` and `noise.tsv` of some chromosomes.

    Args:
        folder: Folder to write.
        experiments: Experiments on the chromosomes of one or several splits.
        design: Design of the experiments.
        advance: Function that is called after every split.
    """
    from akita_bayes.data.records import statistics, tfrecord

    size = design.physics.bin_size
    transform = chromatin.transform(
        design.seq_length // size, size, design.crop // size, design.measurement
    )
    counts, ceilings = {}, {}
    (folder / "truth").mkdir()
    split_of = {name: split for name, (_, split) in design.chromosomes().items()}
    for split in dict.fromkeys(split_of[e.chromosome.name] for e in experiments):
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
