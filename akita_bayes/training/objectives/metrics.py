"""Streaming accuracy: moments of a batch in the step's graph, sums over an epoch outside it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import moments

Tensor: TypeAlias = Any


class Outcome(NamedTuple):
    """What one step says of its global batch, on the host.

    Attributes:
        examples: Number of examples.
        loss: Mean loss over the examples, regularisation included.
        columns: Means of the objective's further columns.
        moments: Of truth and prediction, float64 [6, T].
    """

    examples: float
    loss: float
    columns: Mapping[str, float]
    moments: NDArray[np.float64]


def batch_moments(
    truth: Tensor, prediction: Tensor, mask: Tensor, all_reduce: Callable[[Tensor], Tensor]
) -> Tensor:
    """`moments.Moments` of a batch spread over replicas, in the order of its rows. [6, T].

    The mean is reduced first and the squares are taken about it, in float64.

    Args:
        truth: [B, ..., T].
        prediction: [B, ..., T].
        mask: True where measured, [B, ..., T].
        all_reduce: Sums a tensor over replicas.
    """
    axes = list(range(truth.shape.rank - 1))
    weight = tf.cast(mask, tf.float64)
    pair = [tf.cast(tf.where(mask, each, 0.0), tf.float64) for each in (truth, prediction)]
    sums = all_reduce(
        tf.stack([tf.reduce_sum(each * weight, axes) for each in (tf.ones_like(weight), *pair)])
    )
    means = sums[1:] / tf.maximum(sums[0], 1)
    y, p = ((each - mean) * weight for each, mean in zip(pair, tf.unstack(means), strict=True))
    squares = all_reduce(tf.stack([tf.reduce_sum(each, axes) for each in (y * y, p * p, y * p)]))
    return tf.concat([sums[:1], means, squares], axis=0)


@dataclasses.dataclass
class Accumulator:
    """Running sums over the steps of an epoch.

    Attributes:
        examples: Examples seen.
        loss: Sum of their losses.
        columns: Sums of their further columns.
        moments: Of all their measured pixels.
    """

    moments: moments.Moments
    examples: float = 0.0
    loss: float = 0.0
    columns: dict[str, float] = dataclasses.field(default_factory=dict)

    @classmethod
    def zeros(cls, num_targets: int) -> "Accumulator":
        """No step yet."""
        return cls(moments.Moments.zeros(num_targets))

    def add(self, outcome: Outcome) -> None:
        """Takes one step in."""
        self.examples += outcome.examples
        self.loss += outcome.loss * outcome.examples
        for name, value in outcome.columns.items():
            self.columns[name] = self.columns.get(name, 0.0) + value * outcome.examples
        self.moments = self.moments.merge(moments.Moments(outcome.moments))

    def means(self) -> dict[str, float]:
        """loss, mse, r and r2 (the last three averaged over targets), and the further columns."""
        count = max(self.examples, 1.0)
        return {
            "loss": self.loss / count,
            "mse": float(self.moments.mse().mean()),
            "r": float(self.moments.pearson().mean()),
            "r2": float(self.moments.r2().mean()),
            **{name: total / count for name, total in self.columns.items()},
        }

    def state(self) -> dict[str, Any]:
        """All of it, as JSON knows numbers: a float64 survives exactly."""
        return {
            "examples": self.examples,
            "loss": self.loss,
            "columns": dict(self.columns),
            "moments": self.moments.values.tolist(),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Accumulator":
        """The accumulator that `state` describes."""
        return cls(
            moments.Moments(np.array(state["moments"], np.float64)),
            state["examples"],
            state["loss"],
            dict(state["columns"]),
        )
