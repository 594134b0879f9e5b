"""Computes one training step on one device, several devices or several machines.

Every replica computes the loss of its share of the batch, the gradients, their sum over replicas
divided by the number of examples in the global batch, the clipping and the update. The clipping
acts on the reduced gradients, so that the update does not depend on the number of replicas.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import keras
import tensorflow as tf

from akita_bayes.training import recompute
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


class Memory(NamedTuple):
    """Describes how a step saves memory.

    Attributes:
        parts: Parts into which a batch is divided; each holds at least one example.
        recompute: True to compute the blocks of the network again for their gradients.
    """

    parts: int = 1
    recompute: bool = False


WHOLE = Memory()
"""A step that stores all arrays of the whole batch."""


class Step:
    """Performs training steps of one head; heads share the optimizer and the trunk's variables.

    Args:
        model: Model from sequence to one output.
        objective: Objective to minimise.
        optimizer: Optimizer for the variables of all heads; the caller sets its learning rate.
        clip: Clipping of the gradients of the global batch.
        strategy: Strategy in whose scope model and optimizer were made.
        memory: How a step saves memory; it changes neither loss nor gradients, apart from the
            statistics of batch normalisation and from random draws.

    Raises:
        SpecError: The blocks shall be recomputed, and the network has none.
    """

    def __init__(
        self,
        model: keras.Model,
        objective: objective_.Objective,
        optimizer: keras.optimizers.Optimizer,
        clip: clipping.Clip,
        strategy: tf.distribute.Strategy,
        memory: Memory = WHOLE,
    ) -> None:
        self.model = model
        self.objective = objective
        self.optimizer = optimizer
        self.clip = clip
        self.strategy = strategy
        self.variables = model.trainable_variables
        self._parts = memory.parts
        self._forward = recompute.Recomputed(model) if memory.recompute else model
        self._gradients: dict[int, Callable[..., Any]] = {}
        self._apply = _compiled(self._spread(self._replica_apply))
        self._evaluate = _compiled(self._spread(self._replica_evaluate))

    def gradients(self, batch: Batch, *, loss_scale: float = 1.0) -> Gradients:
        """Computes gradients of a global batch; `loss_scale` prevents underflow in float16."""
        parts = min(self._parts, self._local_examples(batch))
        if parts not in self._gradients:
            compute = functools.partial(self._replica_gradients, parts)
            self._gradients[parts] = _compiled(self._spread(compute))
        result, norm, values = self._gradients[parts](batch, tf.constant(loss_scale, tf.float32))
        return Gradients(self._outcome(result), float(self._local(norm)), values)

    def apply(self, gradients: Gradients) -> None:
        """Updates the variables with the gradients."""
        self._apply(gradients.values)

    def evaluate(self, batch: Batch) -> metrics.Outcome:
        """Computes loss and metrics of a batch at inference."""
        return self._outcome(self._evaluate(batch))

    def _spread(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments: self.strategy.run(function, args=arguments)

    def _local_examples(self, batch: Batch) -> int:
        """Returns the examples of a batch on one replica, which all replicas have."""
        return int(tf.shape(self._local(batch["sequence"]))[0])

    def _replica_gradients(
        self, parts: int, batch: Batch, loss_scale: Tensor
    ) -> tuple[Any, Tensor, list[Any]]:
        terms_of_parts: list[objective_.Terms] = []
        values: list[Tensor] = []
        examples = tf.zeros(())
        for part in range(parts):
            # A part waits for the gradients of the one before, so that one part is in memory.
            with tf.control_dependencies(values):
                share = {name: _share(value, part, parts) for name, value in batch.items()}
            with tf.GradientTape() as tape:
                terms = self.objective(self._forward, share, True)
                weight = _weight(share, terms)
                part_examples = tf.reduce_sum(weight)
                # The later division by the examples of the batch leaves the mean loss + penalty.
                total = tf.reduce_sum(terms.loss * weight) + terms.penalty * part_examples
                scaled = total * loss_scale
            gradients = tape.gradient(
                scaled,
                [variable.value for variable in self.variables],
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
            if part:
                gradients = [a + b for a, b in zip(values, gradients, strict=True)]
            values = gradients
            examples += part_examples
            terms_of_parts.append(terms)
        terms = _joined(terms_of_parts)
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


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    # No function of a step branches on tensors, and rewriting its code for that takes seconds.
    compiled: Callable[..., Any] = tf.function(function, reduce_retracing=True, autograph=False)
    return compiled


def _weight(batch: Batch, terms: objective_.Terms) -> Tensor:
    """Returns 1 for an example and 0 for the filling of a batch. [B]."""
    return batch["weight"] if "weight" in batch else tf.ones_like(terms.loss)


def _share(value: Tensor, part: int, parts: int) -> Tensor:
    """Returns one of `parts` parts of a batch; of 5 examples and 2 parts, 2 and 3 examples."""
    if parts == 1:
        return value
    count = tf.shape(value)[0]
    return tf.identity(value[part * count // parts : (part + 1) * count // parts])


def _joined(parts: Sequence[objective_.Terms]) -> objective_.Terms:
    """Joins the terms of the parts of a batch, in their order."""
    if len(parts) == 1:
        return parts[0]
    return objective_.Terms(
        tf.concat([terms.loss for terms in parts], axis=0),
        tf.add_n([terms.penalty for terms in parts]) / len(parts),
        {
            name: tf.concat([terms.columns[name] for terms in parts], axis=0)
            for name in parts[0].columns
        },
        tf.concat([terms.prediction for terms in parts], axis=0),
    )


def _all_reduce(value: Any) -> Any:
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)
