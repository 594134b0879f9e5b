"""Defines objectives of a training step: functions of model and batch that give example losses."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import keras
from keras import ops

from akita_bayes.training.objectives import losses

Tensor: TypeAlias = Any
Batch: TypeAlias = Mapping[str, Tensor]


class Terms(NamedTuple):
    """Holds the terms of an objective for one batch.

    Attributes:
        loss: Loss of each example. [B].
        penalty: Weight regularisation, added once per batch, whatever its size. [].
        columns: Further columns of `history.csv`, per example. name -> [B].
        prediction: Point prediction, for the metrics. [B, P, T].
    """

    loss: Tensor
    penalty: Tensor
    columns: Mapping[str, Tensor]
    prediction: Tensor


class Objective(Protocol):
    """Computes a loss that may change from epoch to epoch; its learned parts are layers."""

    def __call__(self, model: keras.Model, batch: Batch, training: bool) -> Terms:
        """Evaluates a batch on one replica; traced into the step's graph."""
        ...

    def begin_epoch(self, epoch: float) -> None:
        """Prepares for an epoch, counted from 0, or for its resumption; advances a warm-up."""
        ...

    def remark(self, row: Mapping[str, float]) -> str | None:
        """Returns a warning about an epoch, from its row of the history, or None."""
        ...


class PixelObjective:
    """Computes a pixel loss, plus the weight regularisation of the model's layers.

    Args:
        loss: One of `losses.LOSSES`, with its weights filled in.
    """

    def __init__(self, loss: losses.Loss) -> None:
        self.loss = loss

    def __call__(self, model: keras.Model, batch: Batch, training: bool) -> Terms:
        """Computes the loss of a batch in float32, also for half-precision predictions."""
        prediction = ops.cast(model(batch["sequence"], training=training), "float32")
        loss = self.loss(batch["target"], prediction, batch["mask"])
        return Terms(loss, penalty(model), {}, prediction)

    def begin_epoch(self, epoch: float) -> None:
        """Keeps the loss as it is."""

    def remark(self, row: Mapping[str, float]) -> str | None:
        """Returns None."""


def penalty(model: keras.Model) -> Tensor:
    """Sums the model's regularisation and added losses, float32. []."""
    return sum((ops.cast(loss, "float32") for loss in model.losses), ops.zeros((), "float32"))
