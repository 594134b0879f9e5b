"""Builds optimizers without schedule and clipping; the training step applies these."""

import keras

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
