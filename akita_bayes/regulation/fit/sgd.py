"""Fits a mechanism as in the paper: stochastic gradient steps on a network, early stopping.

The network is that of `network.build`; all models of this package share its step, optimizer and
stopping rule. Only the batches (rows of a table) and the loss (minus the log-likelihood of the data
of a sequence) are specific to mechanisms. No prior enters.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import dna, errors
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.fit import initial, quasi_newton
from akita_bayes.regulation.model import curvature, network
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.specs import train_spec
from akita_bayes.training import step, stopping
from akita_bayes.training.objectives import objective
from akita_bayes.training.updates import clipping, optimizers

BATCH_SIZE = 256
PATIENCE = 20
LEARNING_RATE = {"adam": 0.005, "sgd": 0.003}
TRIAL_EPOCHS = 3
"""Passes over the data after which only the start with the lowest validation loss continues."""
CLIP = 10.0
"""Largest global norm of the gradients."""


class DataLoss:
    """Computes minus the log-likelihood of each sequence's data, as a training objective."""

    def __call__(
        self, model: keras.Model, batch: Mapping[str, Any], training: bool
    ) -> objective.Terms:
        """Computes the loss of a batch, whose target is [B, 1, M]."""
        activity = batch["sequence"]
        for layer in model.layers[:-1]:
            activity = layer(activity)
        process = model.layers[-1]
        observed = tf.transpose(batch["target"][:, 0])
        log_prob = process.log_prob(
            process.weights_by_name, activity[:, 0], observed, batch["replicates"]
        )
        prediction = process(activity)[:, None, : batch["target"].shape[-1]]
        return objective.Terms(-log_prob, objective.penalty(model), {}, prediction)

    def begin_epoch(self, epoch: float) -> None:
        """Leaves the objective unchanged, since it has no schedule."""

    def remark(self, row: Mapping[str, float]) -> str | None:
        """Returns None, since this objective has no remarks."""


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
    train = train_spec.TrainSpec.model_validate(
        {
            "optimizer": method,
            "learning_rate": LEARNING_RATE[method],
            "momentum": 0.9,
            "global_clipnorm": CLIP,
            "patience": PATIENCE,
            "train_epochs_max": epochs,
        }
    )
    origin, unit = parameters.read_outs[0] if parameters.read_outs else (0.0, 1.0)
    model = network.build(likelihood.mechanism, bins=len(library.columns), origin=origin, unit=unit)
    rng = np.random.default_rng(seed)
    training, validation = (library.take(np.flatnonzero(side == part)) for part in (0, 1))
    descent = _Descent(model, train, training, validation, rng)
    additive = initial.additive(parameters, likelihood.table.take(np.flatnonzero(side == 0)))
    passes = min(TRIAL_EPOCHS, epochs)
    trials = []
    for _ in range(starts):
        network.assign(model, parameters, initial.draw(parameters, additive, rng))
        descent.reset()
        loss = [descent.epoch() for _ in range(passes)][-1]
        trials.append((loss, descent.state()))
    loss, state = min(trials, key=lambda trial: trial[0])
    descent.restore(state)
    # A stopper waits for a score to rise, so it gets minus the loss.
    stopper, best = stopping.Stopper(-loss, passes), model.get_weights()
    while not stopper.done(passes, train):
        passes += 1
        if stopper.update(-descent.epoch(), passes):
            best = model.get_weights()
    model.set_weights(best)
    theta = network.read(model, parameters)
    fitted = (side < 2).astype(float)
    hessian = curvature.of(likelihood)(theta, fitted)
    slope = likelihood.value_and_gradient(theta[None], fitted).gradient[0]
    root = quasi_newton.root_of(-hessian, parameters.prior_sd)
    gain = float(((root.T @ slope) ** 2).sum()) / 2
    return quasi_newton.Optimum(theta, hessian, gain, passes, (stopper.best,))


class _Descent:
    """Trains a network on a table epoch by epoch, and saves and restores its state."""

    def __init__(
        self,
        model: keras.Model,
        train: train_spec.TrainSpec,
        training: assay_table.Library,
        validation: assay_table.Library,
        rng: np.random.Generator,
    ) -> None:
        optimizer = optimizers.from_spec(train)
        optimizer.build(model.trainable_variables)
        self._step = step.Step(
            model, DataLoss(), optimizer, clipping.from_spec(train), tf.distribute.get_strategy()
        )
        self._training, self._validation, self._rng = training, validation, rng
        self._variables = [*model.variables, *optimizer.variables]
        self._moments = optimizer.variables
        self._initial_moments = [variable.numpy() for variable in self._moments]

    def epoch(self) -> float:
        """Makes one pass over the training sequences and returns the validation loss after it."""
        for batch in _batches(self._training, self._rng.permutation(len(self._training.index))):
            self._step.apply(self._step.gradients(batch))
        outcomes = [
            self._step.evaluate(batch)
            for batch in _batches(self._validation, np.arange(len(self._validation.index)))
        ]
        return float(sum(outcome.loss * outcome.examples for outcome in outcomes))

    def reset(self) -> None:
        """Resets the optimizer, and keeps the current weights of the network."""
        self._assign(self._moments, self._initial_moments)

    def state(self) -> list[NDArray]:
        """Returns copies of weights and optimizer moments."""
        return [variable.numpy() for variable in self._variables]

    def restore(self, state: list[NDArray]) -> None:
        """Restores an earlier state of `state`."""
        self._assign(self._variables, state)

    @staticmethod
    def _assign(variables: list[Any], values: list[NDArray]) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


def _batches(
    library: assay_table.Library, order: NDArray[np.int64]
) -> Iterator[dict[str, tf.Tensor]]:
    """Yields batches of rows in this order for a training step; the last may be smaller."""
    for first in range(0, len(order), BATCH_SIZE):
        rows = order[first : first + BATCH_SIZE]
        yield {
            "sequence": tf.constant(dna.index_to_one_hot(library.index[rows]), tf.float32),
            "target": tf.constant(library.observed[rows, None], tf.float32),
            "mask": tf.ones((len(rows), 1, len(library.columns)), tf.bool),
            "replicates": tf.constant(library.weight[rows], tf.float32),
        }
