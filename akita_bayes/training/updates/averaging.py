r"""Stochastic weight averaging, and the Gaussian posterior that the same pass yields (SWAG).

From `start` on, the learning rate goes to its averaging value, and the weights w_n after every
epoch, or after equal parts of it, enter

    mean  m = 1/n sum_n w_n            variance  v = 1/n sum_n w_n^2 - m^2
    deviations  D = [w_n - m_n], the last K of them, m_n the mean so far

which `models.swag` draws from. Averaged or drawn weights have never seen a batch, so the moving
statistics of batch normalisation are computed anew for each of them.

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
"""Weights that a SWAG posterior needs: of one there is no variance."""


class Averager:
    """Collects weights along the path of training.

    Args:
        variables: The trainable variables, of the trunk and every head.
        options: When to start, in numbers, and how.
    """

    def __init__(self, variables: Sequence[keras.Variable], options: train_spec.SwaSpec) -> None:
        assert options.start is not None, "recipe.adapt settles it"
        self.variables = list(variables)
        self.options = options
        self.start = options.start
        self.count = 0
        size = sum(math.prod(variable.shape) for variable in self.variables)
        self._mean = np.zeros(size)
        self._square = np.zeros(size)
        self._deviations: collections.deque = collections.deque(maxlen=options.swag_rank or 1)

    def rate(self, epoch: float, scheduled: float) -> float:
        """The learning rate at a (fractional) epoch, given the schedule's.

        Linear from the schedule's to `learning_rate` over `annealing_epochs`, then constant.
        """
        if self.options.learning_rate is None or epoch < self.start:
            return scheduled
        share = 1.0
        if self.options.annealing_epochs:
            share = min(1.0, (epoch - self.start) / self.options.annealing_epochs)
        return scheduled + share * (self.options.learning_rate - scheduled)

    def collect(self, epoch: int, step: int, steps: int) -> None:
        """Adds the weights as they are, once `start` is reached and a snapshot is due.

        Args:
            epoch: The epoch under way, counted from 0.
            step: Steps of it that are done, at least 1.
            steps: Steps of an epoch.
        """
        parts = self.options.snapshots
        if epoch < self.start or step * parts // steps == (step - 1) * parts // steps:
            return
        weights = swag.flatten(self.variables)
        self._mean += (weights - self._mean) / (self.count + 1)
        self.count += 1
        if self.options.swag_rank:
            self._square += (weights.astype(np.float64) ** 2 - self._square) / self.count
            self._deviations.append((weights - self._mean).astype(np.float32))

    def assign_mean(self) -> None:
        """Gives the variables their averaged values."""
        swag.unflatten(self.variables, self._mean)

    def posterior(self) -> swag.Swag:
        """The posterior of the weights collected so far."""
        variance = np.maximum(self._square - self._mean**2, 0)
        deviations = np.array(self._deviations, np.float32).reshape(-1, len(self._mean))
        return swag.Swag(self._mean.astype(np.float32), variance.astype(np.float32), deviations)

    def state(self) -> dict[str, NDArray]:
        """Everything collected, for a checkpoint."""
        return {
            "count": np.array(self.count),
            "mean": self._mean,
            "square": self._square,
            "deviations": np.array(self._deviations, np.float32).reshape(-1, len(self._mean)),
        }

    def restore(self, state: Mapping[str, NDArray]) -> None:
        """Takes back what `state` returned."""
        self.count = int(state["count"])
        self._mean, self._square = state["mean"].copy(), state["square"].copy()
        self._deviations.clear()
        self._deviations.extend(state["deviations"])


def batch_statistics(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """The batch-normalisation layers of a model, nested ones included."""
    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


class Renewal:
    """Sets moving means and variances to their averages over batches at the weights as they are.

    As in training, a head's batches reach the trunk and that head alone.

    Args:
        models: Head -> model from sequence to it; they may share layers. Run in training mode, so
            that augmentation and dropout act as they did.
        spread: Turns a replica's function into one for the strategy; None on one device.
    """

    def __init__(
        self,
        models: Mapping[str, keras.Model],
        spread: Callable[[Callable[[Any], Any]], Callable[[Any], Any]] | None = None,
    ) -> None:
        self._behind = {head: batch_statistics(model) for head, model in models.items()}
        self.layers = list(dict.fromkeys(itertools.chain(*self._behind.values())))
        self._momentum = {layer: tf.Variable(0.0, trainable=False) for layer in self.layers}
        self._run = {head: self._traced(model, spread) for head, model in models.items()}

    @staticmethod
    def _traced(model: keras.Model, spread: Callable[..., Any] | None) -> Callable[[Any], Any]:
        def forward(sequence: Any) -> None:
            model(sequence, training=True)

        return tf.function(spread(forward) if spread else forward, reduce_retracing=True)

    def __call__(self, batches: Iterable[tuple[str, Mapping[str, Any]]]) -> int:
        """Renews the statistics; traced once, whatever the weights and however often.

        Args:
            batches: Head and batch, as its training reader yields it.

        Returns:
            Number of batches seen; 0 for models without batch normalisation, which are left alone.
        """
        if not self.layers:
            return 0
        usual = [layer.momentum for layer in self.layers]
        seen, count = dict.fromkeys(self.layers, 0), 0
        try:
            # Traced with a variable for momentum, the moving average becomes the mean over batches.
            for layer, momentum in self._momentum.items():
                layer.momentum = momentum
            for head, batch in batches:
                for layer in self._behind[head]:
                    self._momentum[layer].assign(seen[layer] / (seen[layer] + 1))
                    seen[layer] += 1
                self._run[head](batch["sequence"])
                count += 1
        finally:
            for layer, value in zip(self.layers, usual, strict=True):
                layer.momentum = value
        return count
