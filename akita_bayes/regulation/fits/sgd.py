"""Fits a mechanism as in the paper: stochastic gradient steps on a network, early stopping.

The network is that of `network.build`, the optimizer one of Keras. The loss is minus the
log-likelihood of the data of a sequence. No prior enters.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import dna, errors
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.fits import initial, quasi_newton
from akita_bayes.regulation.model import curvature, network
from akita_bayes.regulation.model import likelihood as likelihoods

BATCH_SIZE = 256
PATIENCE = 20
"""Epochs without improvement after which training stops."""
LEARNING_RATE = {"adam": 0.005, "sgd": 0.003}
MOMENTUM = 0.9
TRIAL_EPOCHS = 3
"""Passes over the data after which only the start with the lowest validation loss continues."""
CLIP = 10.0
"""Largest global norm of the gradients."""


def minimise(
    likelihood: likelihoods.Likelihood,
    side: NDArray[np.int64],
    *,
    method: str,
    epochs: int,
    starts: int = 1,
    seed: int = 0,
) -> quasi_newton.Optimum:
    """Fits by SGD with momentum or Adam until the validation loss stops falling.

    Args:
        likelihood: Likelihood of a table of one library.
        side: [N] 0 train, 1 validation, 2 test (used only for the unit of a read-out).
        method: `adam` or `sgd`.
        epochs: Maximum number of passes over the training sequences.
        starts: Random starts that compete in the first `TRIAL_EPOCHS` passes; a single start ends
            in a poor optimum now and then.
        seed: Seed of the starts and of the order of the sequences.

    Raises:
        SpecError: There are several libraries.
    """
    parameters = likelihood.parameters
    if len(parameters.libraries) > 1:
        raise errors.SpecError(
            f"method: {method} fits one library, and there are {len(parameters.libraries)}; "
            "fit them jointly by quasi-newton, or name a single library under libraries."
        )
    library = likelihood.table.libraries[0]
    origin, unit = parameters.read_outs[0] if parameters.read_outs else (0.0, 1.0)
    model = network.build(likelihood.mechanism, bins=len(library.columns), origin=origin, unit=unit)
    rng = np.random.default_rng(seed)
    training, validation = (library.take(np.flatnonzero(side == part)) for part in (0, 1))
    descent = _Descent(model, _optimizer(method), training, validation, rng)
    additive = initial.additive(parameters, likelihood.table.take(np.flatnonzero(side == 0)))
    passes = min(TRIAL_EPOCHS, epochs)
    trials = []
    for _ in range(starts):
        network.assign(model, parameters, initial.draw(parameters, additive, rng))
        descent.reset()
        loss = [descent.epoch() for _ in range(passes)][-1]
        trials.append((loss, descent.state()))
    lowest, state = min(trials, key=lambda trial: trial[0])
    descent.restore(state)
    best, unimproved = model.get_weights(), 0
    while passes < epochs and unimproved <= PATIENCE:
        loss = descent.epoch()
        passes, unimproved = passes + 1, unimproved + 1
        if loss < lowest:
            best, lowest, unimproved = model.get_weights(), loss, 0
    model.set_weights(best)
    theta = network.read(model, parameters)
    fitted = (side < 2).astype(float)
    hessian = curvature.hessian_of(likelihood)(theta, fitted)
    slope = likelihood.value_and_gradient(theta[None], fitted).gradient[0]
    root = quasi_newton.root_of(-hessian, parameters.prior_sd)
    gain = float(((root.T @ slope) ** 2).sum()) / 2
    return quasi_newton.Optimum(theta, hessian, gain, passes, (-lowest,))


def _optimizer(method: str) -> keras.optimizers.Optimizer:
    if method == "sgd":
        return keras.optimizers.SGD(LEARNING_RATE[method], momentum=MOMENTUM)
    return keras.optimizers.Adam(LEARNING_RATE[method])


class _Batch(NamedTuple):
    """Holds sequences [B, L, 4], their measurements [M, B], and their replicates [B]."""

    sequences: tf.Tensor
    observed: tf.Tensor
    replicates: tf.Tensor


class _Descent:
    """Trains a network on a table epoch by epoch, and saves and restores its state."""

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        training: assay_table.Library,
        validation: assay_table.Library,
        rng: np.random.Generator,
    ) -> None:
        optimizer.build(model.trainable_variables)
        self._model, self._optimizer = model, optimizer
        self._training, self._validation, self._rng = training, validation, rng
        self._variables = [*model.variables, *optimizer.variables]
        self._moments = optimizer.variables
        self._initial_moments = [variable.numpy() for variable in self._moments]
        self._step = tf.function(self._update, reduce_retracing=True)
        self._evaluate = tf.function(self._loss, reduce_retracing=True)

    def _loss(self, batch: _Batch) -> tf.Tensor:
        """Computes minus the log-likelihood of each sequence. [B]."""
        activity = batch.sequences
        for layer in self._model.layers[:-1]:
            activity = layer(activity)
        process = self._model.layers[-1]
        weights = process.weights_by_name
        return -process.log_prob(weights, activity[:, 0], batch.observed, batch.replicates)

    def _update(self, batch: _Batch) -> None:
        variables = self._model.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(self._loss(batch))
        gradients = tape.gradient(
            loss,
            [variable.value for variable in variables],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        gradients, _ = tf.clip_by_global_norm(gradients, CLIP)
        self._optimizer.apply(gradients, variables)

    def epoch(self) -> float:
        """Makes one pass over the training sequences and returns the validation loss after it."""
        for batch in _batches(self._training, self._rng.permutation(len(self._training.index))):
            self._step(batch)
        rows = np.arange(len(self._validation.index))
        losses = [self._evaluate(batch).numpy() for batch in _batches(self._validation, rows)]
        return float(np.concatenate(losses).sum(dtype=np.float64))

    def reset(self) -> None:
        """Resets the optimizer, and keeps the current weights of the network."""
        self._assign(self._moments, self._initial_moments)

    def state(self) -> list[NDArray[Any]]:
        """Returns copies of weights and optimizer moments."""
        return [variable.numpy() for variable in self._variables]

    def restore(self, state: list[NDArray[Any]]) -> None:
        """Restores an earlier state of `state`."""
        self._assign(self._variables, state)

    @staticmethod
    def _assign(variables: list[Any], values: list[NDArray[Any]]) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _batches(library: assay_table.Library, order: NDArray[np.int64]) -> Iterator[_Batch]:
    """Yields batches of rows in this order; the last may be smaller."""
    for first in range(0, len(order), BATCH_SIZE):
        rows = order[first : first + BATCH_SIZE]
        yield _Batch(
            tf.constant(dna.index_to_one_hot(library.index[rows]), tf.float32),
            tf.constant(library.observed[rows].T, tf.float32),
            tf.constant(library.weight[rows], tf.float32),
        )
