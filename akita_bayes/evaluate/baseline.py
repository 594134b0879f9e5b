"""Computes the distance-only baseline: the mean over training windows at each distance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, progress
from akita_bayes.data.records import dataset, statistics


def training_splits(data_dir: str | Path, tested: str) -> tuple[str, ...]:
    """Returns the default splits of the baseline: `train`, or all folds but the tested one.

    Raises:
        DataError: The directory has no other split.
    """
    counts = statistics.read(data_dir).seqs
    if counts.get("train"):
        return ("train",)
    held_out = dataset.splits_of(data_dir, tested)
    training = tuple(name for name, count in counts.items() if count and name not in held_out)
    if not training:
        raise errors.DataError(
            f"{data_dir}: has no split but {tested} to take the mean at every distance from; name "
            "a training split."
        )
    return training


def distance_only(
    data_dir: str | Path,
    split: str | Sequence[str],
    distance: NDArray[Any] | int,
    *,
    advance: progress.Advance = progress.ignore,
) -> NDArray[np.float32]:
    """Returns the mean over a split of every target at the distance of every pixel. [P, T].

    Only measured pixels enter the mean; it is 0 at a distance without any.

    Args:
        data_dir: A data directory.
        split: Split, or splits, to average.
        distance: Distance of every pixel in bins, [P]; 0 for tracks, whose baseline is one number.
        advance: Called with the number of finished windows.
    """
    data_split = dataset.open_split(data_dir, split, batch_size=8)
    shape = (data_split.statistics.target_length, data_split.statistics.num_targets)
    index = np.broadcast_to(np.asarray(distance), shape[:1])
    sums = np.zeros((2, index.max() + 1, shape[1]))
    for batch in data_split.batches():
        mask = batch["mask"].numpy()
        total = np.where(mask, batch["target"].numpy(), 0).sum(0, dtype=np.float64)
        for table, values in zip(sums, (total, mask.sum(0)), strict=True):
            for target in range(shape[1]):
                table[:, target] += np.bincount(index, values[:, target], minlength=len(table))
        advance(len(mask))
    return (sums[0] / np.maximum(sums[1], 1))[index].astype(np.float32)
