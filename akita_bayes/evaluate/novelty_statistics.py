"""Collects the statistics by which a run knows sequences that its training windows resemble."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from akita_bayes import progress
from akita_bayes.data.records import dataset
from akita_bayes.models import build, predict
from akita_bayes.models.intervals import novelty

WINDOWS = 512
"""Most windows of a split from which features are taken."""


def of_data(
    network: build.Network,
    data_dir: str | Path,
    *,
    train_split: str = "train",
    held_out_split: str = "valid",
    windows: int = WINDOWS,
    advance: progress.Advance = progress.ignore,
) -> novelty.Statistics:
    """Computes the statistics of a network from a data directory.

    Args:
        network: The network.
        data_dir: Data directory on whose `train_split` the network was trained.
        train_split: Split of the training windows.
        held_out_split: Split of the windows that say which distances are usual.
        windows: Most windows of each split, spread over the split.
        advance: Called with the number of finished windows after every batch.

    Raises:
        DataError: A split cannot be read, or is empty.
    """

    def of_split(split: str) -> NDArray[np.float64]:
        size = predict.batch_size(network.spec.model.seq_length)
        records = dataset.open_split(data_dir, split, batch_size=size)
        # Neighbouring records overlap on the genome, so windows are taken from all over the split.
        every = max(1, -(-records.records // windows))
        parts, first = [], 0
        for batch in records.batches():
            x = batch["sequence"].numpy()
            sample = x[(np.arange(first, first + len(x)) % every) == 0]
            first += len(x)
            if len(sample):
                parts.append(novelty.features(network, sample))
            advance(len(x))
        return np.concatenate(parts)

    return novelty.fit(of_split(train_split), of_split(held_out_split))
