"""Computes the accuracy of an epoch: moments per batch in the step's graph, their sums outside."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.numerics import moments

Tensor: TypeAlias = Any


class Outcome(NamedTuple):
    """Holds the results of one step for its global batch, on the host.

    Attributes:
        examples: Number of examples.
        loss: Mean loss over the examples, including regularisation.
        columns: Means of the objective's further columns.
        moments: Moments of truth and prediction, float64 [6, T].
    """

    examples: float
    loss: float
    columns: Mapping[str, float]
    moments: NDArray[np.float64]


def batch_moments(
    truth: Tensor, prediction: Tensor, mask: Tensor, all_reduce: Callable[[Tensor], Tensor]
) -> Tensor:
    """Computes the rows of `moments.Moments` for a batch distributed over replicas. [6, T].

    The means are reduced first; the squares are taken about them, in float64.

    Args:
        truth: True values. [B, ..., T].
        prediction: Predicted values. [B, ..., T].
        mask: True where measured. [B, ..., T].
        all_reduce: Function that sums a tensor over replicas.
    """
    axes = list(range(truth.shape.rank - 1))
    weight = tf.cast(mask, tf.float64)
    pair = [tf.cast(tf.where(mask, values, 0.0), tf.float64) for values in (truth, prediction)]
    sums = all_reduce(
        tf.stack([tf.reduce_sum(values * weight, axes) for values in (tf.ones_like(weight), *pair)])
    )
    means = sums[1:] / tf.maximum(sums[0], 1)
    y, p = ((values - mean) * weight for values, mean in zip(pair, tf.unstack(means), strict=True))
    products = (y * y, p * p, y * p)
    squares = all_reduce(tf.stack([tf.reduce_sum(product, axes) for product in products]))
    return tf.concat([sums[:1], means, squares], axis=0)


@dataclasses.dataclass
class Accumulator:
    """Accumulates sums over the steps of an epoch.

    Attributes:
        examples: Number of examples.
        loss: Sum of their losses.
        columns: Sums of their further columns.
        moments: Moments of all their measured pixels.
    """

    moments: moments.Moments
    examples: float = 0.0
    loss: float = 0.0
    columns: dict[str, float] = dataclasses.field(default_factory=dict)

    @classmethod
    def zeros(cls, num_targets: int) -> "Accumulator":
        """Returns an accumulator without steps."""
        return cls(moments.Moments.zeros(num_targets))

    def add(self, outcome: Outcome) -> None:
        """Adds the outcome of one step."""
        self.examples += outcome.examples
        self.loss += outcome.loss * outcome.examples
        for name, value in outcome.columns.items():
            self.columns[name] = self.columns.get(name, 0.0) + value * outcome.examples
        self.moments = self.moments.merge(moments.Moments(outcome.moments))

    def means(self) -> dict[str, float]:
        """Returns loss, mse, r and r2 (the last three as means over targets), and the columns."""
        count = max(self.examples, 1.0)
        return {
            "loss": self.loss / count,
            "mse": float(self.moments.mse().mean()),
            "r": float(self.moments.pearson().mean()),
            "r2": float(self.moments.r2().mean()),
            **{name: total / count for name, total in self.columns.items()},
        }

    def state(self) -> dict[str, Any]:
        """Returns the accumulator as JSON values, which keep a float64 exactly."""
        return {
            "examples": self.examples,
            "loss": self.loss,
            "columns": dict(self.columns),
            "moments": self.moments.values.tolist(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Accumulator":
        """Makes the accumulator that `state` describes."""
        return cls(
            moments.Moments(np.array(state["moments"], np.float64)),
            state["examples"],
            state["loss"],
            dict(state["columns"]),
        )
