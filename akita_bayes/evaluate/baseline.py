"""Computes predictions that need no sequence: means over training windows."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

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
            f"{data_dir}: has only the split {tested}, but the mean at every distance is taken "
            "from another split; name a training split."
        )
    return training


class TrainingMeans(NamedTuple):
    """Holds means over training windows, predictions that need no sequence. [P, T] each.

    Attributes:
        by_distance: Mean at the distance of each pixel.
        by_pixel: Mean of each pixel; that of its distance where it was never measured.
    """

    by_distance: NDArray[np.float32]
    by_pixel: NDArray[np.float32]


def training_means(
    data_dir: str | Path,
    split: str | Sequence[str],
    distance: NDArray[Any] | int,
    *,
    advance: progress.Advance = progress.ignore,
) -> TrainingMeans:
    """Returns the means over a split of every target, at each distance and at each pixel.

    Only measured pixels enter a mean; it is 0 at a distance without any.

    Args:
        data_dir: A data directory.
        split: Split, or splits, to average.
        distance: Distance of every pixel in bins, [P]; 0 for tracks, whose mean is one number.
        advance: Called with the number of finished windows.
    """
    data_split = dataset.open_split(data_dir, split, batch_size=8)
    shape = (data_split.statistics.target_length, data_split.statistics.num_targets)
    index = np.broadcast_to(np.asarray(distance), shape[:1])
    totals = np.zeros((2, *shape))  # of values and of measured pixels
    for batch in data_split.batches():
        mask = batch["mask"].numpy()
        totals[0] += np.where(mask, batch["target"].numpy(), 0).sum(0, dtype=np.float64)
        totals[1] += mask.sum(0)
        advance(len(mask))
    sums = np.zeros((2, index.max() + 1, shape[1]))
    for table, values in zip(sums, totals, strict=True):
        for target in range(shape[1]):
            table[:, target] = np.bincount(index, values[:, target], minlength=len(table))
    by_distance = (sums[0] / np.maximum(sums[1], 1))[index]
    by_pixel = np.where(totals[1] > 0, totals[0] / np.maximum(totals[1], 1), by_distance)
    return TrainingMeans(by_distance.astype(np.float32), by_pixel.astype(np.float32))


def distance_only(
    data_dir: str | Path,
    split: str | Sequence[str],
    distance: NDArray[Any] | int,
    *,
    advance: progress.Advance = progress.ignore,
) -> NDArray[np.float32]:
    """Returns the mean over a split of every target at the distance of every pixel. [P, T].

    The arguments are those of `training_means`.
    """
    return training_means(data_dir, split, distance, advance=advance).by_distance
