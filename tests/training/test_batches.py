"""The order of batches, and who may share them."""

import types

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.data.records import dataset
from akita_bayes.training import batches
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
