"""What a training step minimises: an objective turns a model and a batch into loss per example."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import keras
from keras import ops

from akita_bayes.training.objectives import losses

Tensor: TypeAlias = Any
Batch: TypeAlias = Mapping[str, Tensor]


class Terms(NamedTuple):
    """One batch under an objective.

    Attributes:
        loss: To be minimised, per example. [B].
        penalty: Added once per batch, whatever its size: weight regularisation. [].
        columns: Further columns of `history.csv`, per example. name -> [B].
        prediction: Point prediction, the metrics' input. [B, P, T].
    """

    loss: Tensor
    penalty: Tensor
    columns: Mapping[str, Tensor]
    prediction: Tensor


class Objective(Protocol):
    """A loss, and whatever of it changes from epoch to epoch; what it learns are layers."""

    def __call__(self, model: keras.Model, batch: Batch, training: bool) -> Terms:
        """Evaluates a batch on one replica; traced into the step's graph."""
        ...

    def begin_epoch(self, epoch: float) -> None:
        """Called before an epoch, counted from 0, or on resuming in it; a warm-up goes on here."""
        ...

    def remark(self, row: Mapping[str, float]) -> str | None:
        """What a person should be told about an epoch, given its row of the history."""
        ...


class PixelObjective:
    """A pixel loss, plus the weight regularisation that the model's layers ask for.

    Args:
        loss: One of `losses.LOSSES`, with its weights filled in.
    """

    def __init__(self, loss: losses.Loss) -> None:
        self.loss = loss

    def __call__(self, model: keras.Model, batch: Batch, training: bool) -> Terms:
        """Loss of a batch; a half-precision prediction is judged in float32."""
        prediction = ops.cast(model(batch["sequence"], training=training), "float32")
        loss = self.loss(batch["target"], prediction, batch["mask"])
        return Terms(loss, penalty(model), {}, prediction)

    def begin_epoch(self, epoch: float) -> None:
        """Nothing changes."""

    def remark(self, row: Mapping[str, float]) -> str | None:
        """Nothing to say."""


def penalty(model: keras.Model) -> Tensor:
    """Sum of the model's regularisation and added losses, float32. []."""
    return sum((ops.cast(loss, "float32") for loss in model.losses), ops.zeros((), "float32"))
