"""Reads batches of one or several data sets in a seeded order, and gives each replica its part."""

import dataclasses
import functools
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
    """Describes a split and the strategy whose replicas read it.

    Attributes:
        split: The split; its batch size is that of the global batch.
        strategy: Strategy whose replicas read the split.

    Raises:
        RunError: The replicas cannot share a batch equally, which the random draws for their
            examples require (`layers.replicas.share`).
    """

    split: dataset.Split
    strategy: tf.distribute.Strategy

    def __post_init__(self) -> None:
        replicas = self.strategy.num_replicas_in_sync
        if self.split.options.batch_size % replicas:
            raise errors.RunError(
                f"train.batch_size: {self.split.options.batch_size} cannot be shared equally by "
                f"{replicas} replicas; make it a multiple."
            )

    @property
    def steps(self) -> int:
        """Returns the number of global batches per epoch."""
        return self.split.steps

    def epoch(self, epoch: int, *, skip: int = 0) -> Iterator[Batch]:
        """Yields the global batches of an epoch after the first `skip`: sequence, target, mask.

        With several replicas, the last batch is filled up with zeros, so that every replica gets
        examples; `weight` [B] is then 1 for real examples and 0 for the filling.

        Raises:
            DataError: A record is bad; names file and record.
        """
        with self.split.explained():
            yield from self._distributed(epoch, skip) if epoch or skip else self._first

    def regions(self, epoch: int, step: int) -> list[str]:
        """Returns the regions of one batch, which is read again in the same order.

        A GPU cannot hold strings, so the batches of `epoch` have no regions.
        """
        for batch in self.split.epoch(epoch, skip=step).take(1):
            return [region.decode() for region in batch["region"].numpy()]
        return []

    @functools.cached_property
    def _first(self) -> Any:
        """Returns epoch 0, which validation and the batch statistics of every draw read again.

        The pipeline is built once; each pass reads the record files from their start.
        """
        return self._distributed(0, 0)

    def _distributed(self, epoch: int, skip: int) -> Any:
        if strategy.spans_machines(self.strategy):
            return self.strategy.distribute_datasets_from_function(
                lambda context: self._worker(context, epoch, skip)
            )
        batches = self.split.epoch(epoch, skip=skip).map(dataset.as_graph(_without_strings))
        if self.strategy.num_replicas_in_sync == 1:
            return batches
        filled = batches.map(
            dataset.as_graph(lambda batch: _filled(batch, self.split.options.batch_size))
        )
        return self.strategy.experimental_distribute_dataset(filled)

    def _worker(
        self, context: tf.distribute.InputContext, epoch: int, skip: int
    ) -> tf.data.Dataset:
        """Returns a worker's share of every global batch, one batch for each of its replicas.

        All workers read all records in one order. So the global batches are those of one machine,
        for any number of files and workers.
        """
        replicas, whole = context.num_replicas_in_sync, self.split.options.batch_size
        local, size = replicas // context.num_input_pipelines, whole // replicas
        first = context.input_pipeline_id * local * size

        def share(batch: Batch) -> tf.data.Dataset:
            return tf.data.Dataset.from_tensor_slices(
                {
                    name: tf.reshape(
                        value[first : first + local * size], (local, size, *value.shape[1:])
                    )
                    for name, value in _filled(batch, whole).items()
                }
            )

        return (
            self.split.epoch(epoch, skip=skip)
            .map(dataset.as_graph(_without_strings))
            .flat_map(dataset.as_graph(share))
        )


def interleaving(steps: Sequence[int], *, seed: int, epoch: int) -> NDArray[np.intp]:
    """Returns the data set of each step of an epoch; depends on seed and epoch only. [steps].

    Args:
        steps: Number of batches of each data set.
        seed: Seed of the run.
        epoch: Epoch, counted from 0.
    """
    order = np.repeat(np.arange(len(steps)), steps)
    if len(steps) > 1:
        # Batches 2, 1 give [0 0 1], shuffled in an order that a resumed run repeats.
        np.random.default_rng([seed, epoch, len(steps)]).shuffle(order)
    return order


def _filled(batch: Batch, size: int) -> Batch:
    """Fills a batch with zeros up to `size` examples; adds `weight`, 0 for the filling."""
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
