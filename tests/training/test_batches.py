"""The order of batches, and who may share them."""

import types

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.data.records import dataset
from akita_bayes.training import batches, strategy
from tests import tiny


def test_the_order_of_several_data_sets_is_a_function_of_seed_and_epoch():
    first = batches.interleaving([5, 3, 2], seed=1, epoch=0)
    assert list(np.bincount(first)) == [5, 3, 2]
    np.testing.assert_array_equal(first, batches.interleaving([5, 3, 2], seed=1, epoch=0))
    assert list(first) != sorted(first)
    assert list(first) != list(batches.interleaving([5, 3, 2], seed=1, epoch=1))
    assert list(first) != list(batches.interleaving([5, 3, 2], seed=2, epoch=0))


def test_a_batch_that_replicas_cannot_share_equally_is_refused(tmp_path):
    """Noise of replicas overlaps where one of them has more examples than another."""
    data = tiny.write_data(tmp_path / "data", train=4, valid=4)
    two = types.SimpleNamespace(num_replicas_in_sync=2)
    for size in (1, 3):
        split = dataset.open_split(data, "train", batch_size=size)
        message = rf"train\.batch_size: {size} cannot be shared equally by 2 replicas; make it a"
        with pytest.raises(errors.RunError, match=message):
            batches.Feed(split, two)
    assert batches.Feed(dataset.open_split(data, "train", batch_size=2), two).steps == 2


def test_the_first_epoch_is_built_once_and_read_again_in_the_same_order(tmp_path, monkeypatch):
    data = tiny.write_data(tmp_path / "data", train=9, per_file=3)
    built = []
    epoch = dataset.Split.epoch
    monkeypatch.setattr(
        dataset.Split,
        "epoch",
        lambda self, number, **options: built.append(number) or epoch(self, number, **options),
    )
    split = dataset.open_split(data, "train", batch_size=2, shuffle=True, shuffle_buffer=4, seed=3)
    feed = batches.Feed(split, strategy.choose("cpu"))
    first, again = ([batch["sequence"].numpy() for batch in feed.epoch(0)] for _ in range(2))
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(again))
    assert built == [0]
    next(iter(feed.epoch(1)))
    next(iter(feed.epoch(0, skip=1)))
    assert built == [0, 1, 0]
    for sequence, batch in zip(first, split.batches(0), strict=True):
        np.testing.assert_array_equal(sequence, batch["sequence"])
