"""Builds optimizers without schedule and clipping; the training step applies these."""

import re
from collections.abc import Collection, Sequence
from typing import Any

import keras

from akita_bayes.models import build
from akita_bayes.specs import train_spec

UNDECAYED = r"(^|/|_)(bias|beta|gamma|scale|log_sd)(/replica_\d+)?(:\d+)?$"
"""TensorFlow names of variables without decay: biases and scales of channels, and the scales of
posteriors and of the observation noise. For these, 0 is not a sensible prior mean."""


def from_spec(train: train_spec.TrainSpec) -> keras.optimizers.Optimizer:
    """Makes the optimizer that the train section of a spec specifies; every step sets its rate."""
    rate = train.learning_rate
    if train.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=float(train.momentum))
    betas = {"beta_1": train.adam_beta1, "beta_2": train.adam_beta2}
    if train.optimizer == "adam":
        return keras.optimizers.Adam(rate, **betas)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=train.weight_decay, **betas)
    optimizer.exclude_from_weight_decay(var_names=[UNDECAYED])
    return optimizer


def for_network(train: train_spec.TrainSpec, network: build.Network) -> keras.optimizers.Optimizer:
    """Makes the optimizer of a network, with the rate of its trunk; freezes the trunk at rate 0."""
    optimizer = from_spec(train)
    trunk = build.trunk(network)
    if train.trunk_rate == 0:
        trunk.trainable = False
    slow = trunk.trainable_variables if train.trunk_rate < 1 else []
    if slow:
        optimizer.exclude_from_weight_decay(var_list=slow, var_names=[UNDECAYED])
    optimizer.build(network.trainable_variables)
    if slow:
        _slow_down(optimizer, network.trainable_variables, slow, train.trunk_rate)
    return optimizer


def _slow_down(
    optimizer: keras.optimizers.Optimizer,
    variables: Sequence[Any],
    slow: Collection[Any],
    factor: float,
) -> None:
    """Multiplies the learning rate and the weight decay of some variables by a factor.

    The optimizer must not decay these variables itself.
    """
    paths = {variable.path for variable in slow}
    indices = {index for index, variable in enumerate(variables) if variable.path in paths}
    decayed = {i for i in indices if not re.search(UNDECAYED, variables[i].value.name)}
    update = optimizer.update_step

    def update_step(gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = optimizer._get_variable_index(variable)
        if index not in indices:
            update(gradient, variable, learning_rate)
            return
        if optimizer.weight_decay is not None and index in decayed:
            decay = learning_rate * factor * optimizer.weight_decay
            optimizer.assign_sub(variable, variable * decay)
        update(gradient, variable, learning_rate * factor)

    optimizer.update_step = update_step
