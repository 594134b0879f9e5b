"""Computes one training step on one device, several devices or several machines.

Every replica computes the loss of its share of the batch, the gradients, their sum over replicas
divided by the number of examples in the global batch, the clipping and the update. The clipping
acts on the reduced gradients, so that the update does not depend on the number of replicas.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from akita_bayes.training.objectives import metrics
from akita_bayes.training.objectives import objective as objective_
from akita_bayes.training.updates import clipping

Tensor: TypeAlias = Any
Batch: TypeAlias = Mapping[str, Tensor]


class Gradients(NamedTuple):
    """Holds the gradients of the mean loss over a global batch.

    Attributes:
        outcome: Loss and metrics of the batch.
        norm: Norm of all gradients together, before clipping; not finite when one is not.
        values: Clipped gradients, one for each of `Step.variables`; distributed over replicas.
    """

    outcome: metrics.Outcome
    norm: float
    values: Sequence[Any]


class Step:
    """Performs training steps of one head; heads share the optimizer and the trunk's variables.

    Args:
        model: Model from sequence to one output.
        objective: Objective to minimise.
        optimizer: Optimizer for the variables of all heads; the caller sets its learning rate.
        clip: Clipping of the gradients of the global batch.
        strategy: Strategy in whose scope model and optimizer were made.
    """

    def __init__(
        self,
        model: keras.Model,
        objective: objective_.Objective,
        optimizer: keras.optimizers.Optimizer,
        clip: clipping.Clip,
        strategy: tf.distribute.Strategy,
    ) -> None:
        self.model = model
        self.objective = objective
        self.optimizer = optimizer
        self.clip = clip
        self.strategy = strategy
        self.variables = model.trainable_variables
        self._gradients = tf.function(self._spread(self._replica_gradients), reduce_retracing=True)
        self._apply = tf.function(self._spread(self._replica_apply))
        self._evaluate = tf.function(self._spread(self._replica_evaluate), reduce_retracing=True)

    def gradients(self, batch: Batch, *, loss_scale: float = 1.0) -> Gradients:
        """Computes gradients of a global batch; `loss_scale` prevents underflow in float16."""
        result, norm, values = self._gradients(batch, tf.constant(loss_scale, tf.float32))
        return Gradients(self._outcome(result), float(self._local(norm)), values)

    def apply(self, gradients: Gradients) -> None:
        """Updates the variables with the gradients."""
        self._apply(gradients.values)

    def evaluate(self, batch: Batch) -> metrics.Outcome:
        """Computes loss and metrics of a batch at inference."""
        return self._outcome(self._evaluate(batch))

    def _spread(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: self.strategy.run(function, args=arguments)

    def _replica_gradients(self, batch: Batch, loss_scale: Tensor) -> tuple[Any, Tensor, list[Any]]:
        with tf.GradientTape() as tape:
            terms = self.objective(self.model, batch, True)
            weight = _weight(batch, terms)
            examples = tf.reduce_sum(weight)
            # The later division by the examples of the batch leaves the mean loss + penalty.
            total = tf.reduce_sum(terms.loss * weight) + terms.penalty * examples
            scaled = total * loss_scale
        values = tape.gradient(
            scaled,
            [variable.value for variable in self.variables],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        # One reduction for all gradients and the number of examples of the global batch.
        *values, batch_examples = _all_reduce([*values, examples])
        values = [value / (batch_examples * loss_scale) for value in values]
        norm = tf.linalg.global_norm(values)
        return self._result(batch, terms), norm, self.clip(values, self.variables)

    def _replica_apply(self, gradients: Sequence[Tensor]) -> None:
        # The values are already sums over replicas, and a Keras optimizer sums once more.
        replicas = self.strategy.num_replicas_in_sync
        self.optimizer.apply([value / replicas for value in gradients], self.variables)

    def _replica_evaluate(self, batch: Batch) -> Any:
        return self._result(batch, self.objective(self.model, batch, False))

    def _result(self, batch: Batch, terms: objective_.Terms) -> Any:
        names = sorted(terms.columns)
        weight = tf.cast(_weight(batch, terms), tf.float64)
        examples = tf.reduce_sum(weight)
        per_example = [terms.loss, *(terms.columns[name] for name in names)]
        sums = [tf.reduce_sum(tf.cast(values, tf.float64) * weight) for values in per_example]
        sums[0] += tf.cast(terms.penalty, tf.float64) * examples
        examples, *sums = tf.unstack(_all_reduce(tf.stack([examples, *sums])))
        loss, *columns = (total / tf.maximum(examples, 1) for total in sums)
        moments = metrics.batch_moments(
            batch["target"], terms.prediction, batch["mask"], _all_reduce
        )
        return {
            "examples": examples,
            "loss": loss,
            "columns": dict(zip(names, columns, strict=True)),
            "moments": moments,
        }

    def _outcome(self, result: Any) -> metrics.Outcome:
        return metrics.Outcome(
            float(self._local(result["examples"])),
            float(self._local(result["loss"])),
            {name: float(self._local(value)) for name, value in result["columns"].items()},
            self._local(result["moments"]).numpy(),
        )

    def _local(self, value: Any) -> Tensor:
        """Returns the value on this machine's first replica; reduced values agree on all."""
        return self.strategy.experimental_local_results(value)[0]


def _weight(batch: Batch, terms: objective_.Terms) -> Tensor:
    """Returns 1 for an example and 0 for the filling of a batch. [B]."""
    return batch["weight"] if "weight" in batch else tf.ones_like(terms.loss)


def _all_reduce(value: Any) -> Any:
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)
