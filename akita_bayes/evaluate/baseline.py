"""What distance alone predicts: the mean over training windows, target by target."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.data.records import dataset, statistics


def training_splits(data_dir: str | Path, tested: str) -> tuple[str, ...]:
    """The splits to average when none are named: `train`, or of folds all but the tested one.

    Raises:
        DataError: There is no other split.
    """
    counts = statistics.read(data_dir).seqs
    if counts.get("train"):
        return ("train",)
    held_out = dataset.splits_of(data_dir, tested)
    others = tuple(name for name, count in counts.items() if count and name not in held_out)
    if not others:
        raise errors.DataError(
            f"{data_dir}: has no split but {tested} to take the mean at every distance from."
        )
    return others


def distance_only(
    data_dir: str | Path,
    split: str | Sequence[str],
    distance: NDArray | int,
    *,
    advance: Callable[[int], None] = lambda windows: None,
) -> NDArray[np.float32]:
    """The mean of every target at every distance, over the measured pixels of a split. [P, T].

    Args:
        data_dir: A data directory.
        split: Split, or splits, to average.
        distance: Of every pixel, in bins, [P]; 0 for tracks, whose baseline is one number.
        advance: Told how many windows are done.
    """
    opened = dataset.open_split(data_dir, split, batch_size=8)
    shape = (opened.statistics.target_length, opened.statistics.num_targets)
    index = np.broadcast_to(np.asarray(distance), shape[:1])
    sums = np.zeros((2, index.max() + 1, shape[1]))
    for batch in opened.batches():
        mask = batch["mask"].numpy()
        total = np.where(mask, batch["target"].numpy(), 0).sum(0, dtype=np.float64)
        for row, values in zip(sums, (total, mask.sum(0)), strict=True):
            for target in range(shape[1]):
                row[:, target] += np.bincount(index, values[:, target], minlength=len(row))
        advance(len(mask))
    return (sums[0] / np.maximum(sums[1], 1))[index].astype(np.float32)
