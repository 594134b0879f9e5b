"""Batches of one or several data sets, handed to the replicas of a strategy in a seeded order."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.data.records import dataset
from akita_bayes.training import strategy

Batch: TypeAlias = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Feed:
    """A split as a strategy's replicas read it.

    Attributes:
        split: The split; its batch size is the global one.
        strategy: Who reads it.

    Raises:
        RunError: The replicas cannot share a batch equally, as what they draw at random for their
            examples supposes (`layers.replicas.share`).
    """

    split: dataset.Split
    strategy: tf.distribute.Strategy

    def __post_init__(self) -> None:
        replicas = self.strategy.num_replicas_in_sync
        if self.split.batch_size % replicas:
            raise errors.RunError(
                f"train.batch_size: {self.split.batch_size} cannot be shared equally by "
                f"{replicas} replicas; make it a multiple."
            )

    @property
    def steps(self) -> int:
        """Global batches per epoch."""
        return self.split.steps

    def epoch(self, epoch: int, *, skip: int = 0) -> Iterator[Batch]:
        """One epoch's global batches without the first `skip`: sequence, target and mask.

        Several replicas never share a batch so small that one of them gets nothing: the last one
        is filled up, and `weight` [B] says which examples are real (1) and which are not (0).

        Raises:
            DataError: A record is bad; names file and record.
        """
        with self.split.explained():
            yield from self._distributed(epoch, skip)

    def regions(self, epoch: int, step: int) -> list[str]:
        """Where the sequences of one batch lie: the batch is read again, since order is a function.

        Strings have no place on a GPU, so they do not travel with the batches.
        """
        for batch in self.split.epoch(epoch, skip=step).take(1):
            return [region.decode() for region in batch["region"].numpy()]
        return []

    def _distributed(self, epoch: int, skip: int) -> Any:
        if strategy.spans_machines(self.strategy):
            return self.strategy.distribute_datasets_from_function(
                lambda context: self._worker(context, epoch, skip)
            )
        batches = self.split.epoch(epoch, skip=skip).map(_without_strings)
        if self.strategy.num_replicas_in_sync == 1:
            return batches
        filled = batches.map(lambda batch: _filled(batch, self.split.batch_size))
        return self.strategy.experimental_distribute_dataset(filled)

    def _worker(
        self, context: tf.distribute.InputContext, epoch: int, skip: int
    ) -> tf.data.Dataset:
        """A worker's own files, in batches of one replica."""
        replicas = context.num_replicas_in_sync
        mine = self.split.sharded(context.input_pipeline_id, context.num_input_pipelines)
        mine = dataclasses.replace(mine, batch_size=self.split.batch_size // replicas)
        local = replicas // context.num_input_pipelines
        batches = mine.epoch(epoch, skip=skip * local).map(_without_strings)
        return batches.map(lambda batch: _filled(batch, mine.batch_size))


def interleaving(steps: Sequence[int], *, seed: int, epoch: int) -> NDArray[np.intp]:
    """Which data set each step of an epoch takes its batch from; a function of (seed, epoch).

    Args:
        steps: Batches of each data set.
        seed: Of the run.
        epoch: Counted from 0.
    """
    order = np.repeat(np.arange(len(steps)), steps)
    if len(steps) > 1:
        np.random.default_rng([seed, epoch, len(steps)]).shuffle(order)
    return order


def _filled(batch: Batch, size: int) -> Batch:
    """The batch with zeros up to `size` examples, and the weight that leaves them out."""
    count = tf.shape(batch["target"])[0]
    weight = tf.cast(tf.range(size) < count, tf.float32)
    return {"weight": weight} | {
        name: tf.ensure_shape(
            tf.pad(value, [[0, size - count]] + [[0, 0]] * (value.shape.rank - 1)),
            (size, *value.shape[1:]),
        )
        for name, value in batch.items()
    }


def _without_strings(batch: Batch) -> Batch:
    return {name: value for name, value in batch.items() if name != "region"}
