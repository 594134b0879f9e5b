r"""Averages weights (SWA), and computes the Gaussian posterior from the same pass (SWAG).

From `start` on, the learning rate goes to its averaging value. The weights w_n after every epoch,
or after equal parts of it, enter

    mean  m = 1/n sum_n w_n            variance  v = 1/n sum_n w_n^2 - m^2
    deviations  D = [w_n - m_n], the last K of them, m_n the mean so far

`models.swag` draws from this posterior. The network has seen no batch with averaged or drawn
weights, so the moving statistics of batch normalisation are computed again for each of them.

SWA: Izmailov et al. 2018. SWAG: Maddox et al. 2019, algorithm 1.
"""

import collections
import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.models import swag
from akita_bayes.specs import train_spec

RENEWAL_BATCHES = 100
"""Batches of each head from which the batch statistics of a SWAG draw are computed."""

SNAPSHOTS_MIN = 2
"""Fewest snapshots of a SWAG posterior; one snapshot has no variance."""


class Averager:
    """Collects weights along the path of training.

    Args:
        variables: Trainable variables of the trunk and every head.
        options: Options of the spec, with the start as a number.
    """

    def __init__(self, variables: Sequence[keras.Variable], options: train_spec.SwaSpec) -> None:
        assert options.start is not None, "loop_settings.adapt fills it in"
        self.variables = list(variables)
        self.options = options
        self.start = options.start
        self.count = 0
        size = sum(math.prod(variable.shape) for variable in self.variables)
        self._mean = np.zeros(size)
        self._square = np.zeros(size)
        self._deviations: collections.deque[NDArray[Any]] = collections.deque(
            maxlen=options.swag_rank or 1
        )

    def rate(self, epoch: float, scheduled: float) -> float:
        """Returns the learning rate at a (fractional) epoch, from the schedule's rate.

        It goes linearly from the schedule's rate to `learning_rate` over `annealing_epochs`, and
        is constant afterwards.
        """
        if self.options.learning_rate is None or epoch < self.start:
            return scheduled
        share = 1.0
        if self.options.annealing_epochs:
            share = min(1.0, (epoch - self.start) / self.options.annealing_epochs)
        return scheduled + share * (self.options.learning_rate - scheduled)

    def collect(self, epoch: int, step: int, steps: int) -> None:
        """Adds the current weights, from epoch `start` on and when a snapshot is due.

        Args:
            epoch: Current epoch, counted from 0.
            step: Number of finished steps of the epoch, at least 1.
            steps: Number of steps of an epoch.
        """
        # A snapshot is due when step completes a part: 5 steps and 2 parts give steps 3 and 5.
        parts = self.options.snapshots
        if epoch < self.start or step * parts // steps == (step - 1) * parts // steps:
            return
        # A running mean, m + (w - m) / n, needs no sum that grows with the snapshots.
        weights = swag.flatten(self.variables)
        self._mean += (weights - self._mean) / (self.count + 1)
        self.count += 1
        if self.options.swag_rank:
            self._square += (weights.astype(np.float64) ** 2 - self._square) / self.count
            self._deviations.append((weights - self._mean).astype(np.float32))

    def assign_mean(self) -> None:
        """Sets the variables to their averaged values."""
        swag.unflatten(self.variables, self._mean)

    def posterior(self) -> swag.Swag:
        """Returns the posterior of the weights collected so far."""
        # Rounding can make the difference slightly negative.
        variance = np.maximum(self._square - self._mean**2, 0)
        deviations = np.array(self._deviations, np.float32).reshape(-1, len(self._mean))
        return swag.Swag(self._mean.astype(np.float32), variance.astype(np.float32), deviations)

    def state(self) -> dict[str, NDArray[Any]]:
        """Returns everything collected so far, for a checkpoint."""
        return {
            "count": np.array(self.count),
            "mean": self._mean,
            "square": self._square,
            "deviations": np.array(self._deviations, np.float32).reshape(-1, len(self._mean)),
        }

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Restores the values that `state` returned."""
        self.count = int(state["count"])
        self._mean, self._square = state["mean"].copy(), state["square"].copy()
        self._deviations.clear()
        self._deviations.extend(state["deviations"])


def batch_statistics(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Returns the batch-normalisation layers of a model, including nested ones."""
    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


class Renewal:
    """Sets moving means and variances to their averages over batches at the current weights.

    As in training, a head's batches reach only the trunk and that head.

    Args:
        models: Head -> model from sequence to head; they may share layers. They run in training
            mode, with augmentation and dropout.
        spread: Function that makes a replica's function one of the strategy; None on one device.
    """

    def __init__(
        self,
        models: Mapping[str, keras.Model],
        spread: Callable[[Callable[[Any], Any]], Callable[[Any], Any]] | None = None,
    ) -> None:
        self._layers_of = {head: batch_statistics(model) for head, model in models.items()}
        self.layers = list(dict.fromkeys(itertools.chain(*self._layers_of.values())))
        self._momentum = {layer: tf.Variable(0.0, trainable=False) for layer in self.layers}
        self._run = {head: self._traced(model, spread) for head, model in models.items()}

    @staticmethod
    def _traced(model: keras.Model, spread: Callable[..., Any] | None) -> Callable[[Any], Any]:
        def forward(sequence: Any) -> None:
            model(sequence, training=True)

        traced: Callable[[Any], Any] = tf.function(
            spread(forward) if spread else forward, reduce_retracing=True
        )
        return traced

    def __call__(self, batches: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
        """Recomputes the statistics; the graph is traced once for all weights and calls.

        Args:
            batches: Pairs of head and batch, as the training reader yields batches.

        Returns:
            Number of batches used; 0 for models without batch normalisation, which stay unchanged.
        """
        if not self.layers:
            return 0
        original_momentum = [layer.momentum for layer in self.layers]
        layer_batches, count = dict.fromkeys(self.layers, 0), 0
        try:
            # With momentum n / (n + 1) at batch n, counted from 0, the moving average is the mean
            # over batches. A variable for the momentum avoids a new trace for every n.
            for layer, momentum in self._momentum.items():
                layer.momentum = momentum
            for head, batch in batches:
                for layer in self._layers_of[head]:
                    n = layer_batches[layer]
                    self._momentum[layer].assign(n / (n + 1))
                    layer_batches[layer] += 1
                self._run[head](batch["sequence"])
                count += 1
        finally:
            for layer, momentum in zip(self.layers, original_momentum, strict=True):
                layer.momentum = momentum
        return count
