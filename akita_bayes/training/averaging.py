r"""Stochastic weight averaging, and the Gaussian posterior that the same pass yields (SWAG).

From `start` on, the learning rate goes to its averaging value and every epoch's weights w_n enter

    mean  m = 1/n sum_n w_n            variance  v = 1/n sum_n w_n^2 - m^2
    deviations  D = [w_n - m_n], the last K epochs, m_n the mean so far

A draw of the posterior is  m + sqrt(v / 2) z_1 + D z_2 / sqrt(2 (K - 1)),  z_1, z_2 ~ N(0, I).
Averaged or drawn weights have never seen a batch, so the moving statistics of batch normalisation
are computed anew for each of them.

SWA: Izmailov et al. 2018. SWAG: Maddox et al. 2019, algorithm 1.
"""

import collections
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import errors, files, train_spec

FILE = "swag.npz"


class Swag(NamedTuple):
    """A Gaussian over the trainable weights, flattened in the order of the variables.

    Attributes:
        mean: [W].
        variance: Diagonal part, before its factor 1/2. [W].
        deviations: Low-rank part, one row an epoch. [K, W].
    """

    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    deviations: NDArray[np.float32]

    def draw(self, seed: int) -> NDArray[np.float32]:
        """One draw of the weights; the same seed gives the same draw. [W]."""
        generator = np.random.default_rng(seed)
        diagonal = np.sqrt(self.variance / 2) * generator.normal(size=self.mean.shape)
        rank = len(self.deviations)
        if rank < 2:
            return (self.mean + math.sqrt(2) * diagonal).astype(np.float32)
        low_rank = generator.normal(size=rank) @ self.deviations / math.sqrt(2 * (rank - 1))
        return (self.mean + diagonal + low_rank).astype(np.float32)


class Averager:
    """Collects weights epoch by epoch.

    Args:
        variables: The trainable variables, of the trunk and every head.
        swa: When to start, and how.
        epochs: `train_epochs_max`, of which the default start is three quarters.
    """

    def __init__(
        self, variables: Sequence[keras.Variable], swa: train_spec.SwaSpec, epochs: int
    ) -> None:
        self.variables = list(variables)
        self.swa = swa
        self.start = swa.start if swa.start is not None else (3 * epochs) // 4
        self.count = 0
        size = sum(math.prod(variable.shape) for variable in self.variables)
        self._mean = np.zeros(size)
        self._square = np.zeros(size)
        self._deviations: collections.deque = collections.deque(maxlen=swa.swag_rank or 1)

    def rate(self, epoch: float, scheduled: float) -> float:
        """The learning rate at a (fractional) epoch, given the schedule's.

        Linear from the schedule's to `swa.learning_rate` over `annealing_epochs`, then constant.
        """
        if self.swa.learning_rate is None or epoch < self.start:
            return scheduled
        share = 1.0
        if self.swa.annealing_epochs:
            share = min(1.0, (epoch - self.start) / self.swa.annealing_epochs)
        return scheduled + share * (self.swa.learning_rate - scheduled)

    def collect(self, epoch: int) -> None:
        """Adds the weights as they are after an epoch, counted from 0, once `start` is reached."""
        if epoch < self.start:
            return
        weights = flatten(self.variables)
        self._mean += (weights - self._mean) / (self.count + 1)
        self.count += 1
        if self.swa.swag_rank:
            self._square += (weights.astype(np.float64) ** 2 - self._square) / self.count
            self._deviations.append((weights - self._mean).astype(np.float32))

    def assign_mean(self) -> None:
        """Gives the variables their averaged values."""
        unflatten(self.variables, self._mean)

    def swag(self) -> Swag:
        """The posterior of the epochs collected so far."""
        variance = np.maximum(self._square - self._mean**2, 0)
        deviations = np.array(self._deviations, np.float32).reshape(-1, len(self._mean))
        return Swag(self._mean.astype(np.float32), variance.astype(np.float32), deviations)

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


def flatten(variables: Sequence[Any]) -> NDArray[np.float32]:
    """All values in one vector. [W]."""
    return np.concatenate([np.ravel(v.numpy()) for v in variables])


def unflatten(variables: Sequence[Any], vector: NDArray) -> None:
    """Assigns a vector that `flatten` could have returned."""
    start = 0
    for variable in variables:
        size = math.prod(variable.shape)
        variable.assign(vector[start : start + size].reshape(variable.shape))
        start += size


def batch_statistics(model: keras.Model) -> list[keras.layers.BatchNormalization]:
    """The batch-normalisation layers of a model, nested ones included."""
    layers = model._flatten_layers(include_self=False)
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def recompute_batch_statistics(
    model: keras.Model,
    batches: Iterable[Mapping[str, Any]],
    spread: Callable[[Callable[[Any], Any]], Callable[[Any], Any]] | None = None,
) -> int:
    """Sets moving means and variances to their averages over batches at the weights as they are.

    Args:
        model: Run in training mode, so that augmentation and dropout act as they did.
        batches: As the training reader yields them.
        spread: Turns a replica's function into one for the strategy; None on one device.

    Returns:
        Number of batches seen; 0 for a model without batch normalisation, which is left alone.
    """
    layers = batch_statistics(model)
    if not layers:
        return 0
    usual = [layer.momentum for layer in layers]
    momentum = tf.Variable(0.0, trainable=False)

    def forward(sequence: Any) -> None:
        model(sequence, training=True)

    run = tf.function(spread(forward) if spread else forward, reduce_retracing=True)
    seen = 0
    try:
        # Traced with a variable for momentum, the moving average becomes the mean over batches.
        for layer in layers:
            layer.momentum = momentum
        for batch in batches:
            momentum.assign(seen / (seen + 1))
            run(batch["sequence"])
            seen += 1
    finally:
        for layer, value in zip(layers, usual, strict=True):
            layer.momentum = value
    return seen


def save(path: str | Path, swag: Swag, draws: NDArray[np.float32]) -> None:
    """Writes a posterior and its finished draws, batch statistics included. Draws: [S, W']."""
    with files.atomic(path) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, draws=draws, **swag._asdict())


def load(path: str | Path) -> tuple[Swag, NDArray[np.float32]]:
    """Reads what `save` wrote.

    Raises:
        DataError: The file is damaged or another format.
    """
    try:
        with np.load(path) as held:
            return Swag(held["mean"], held["variance"], held["deviations"]), held["draws"]
    except (KeyError, OSError, ValueError):
        raise errors.DataError(f"{path}: not a SWAG posterior; train again to make one.") from None
