"""Optimizers without a schedule and without clipping: the training step owns both."""

import keras

from akita_bayes.specs import train_spec

UNDECAYED = r"(^|/|_)(bias|beta|gamma|scale|log_sd)(/replica_\d+)?(:\d+)?$"
"""What decay leaves alone, by TensorFlow's names: what is added to a channel or multiplies it, and
the scales of posteriors and of the observation noise. 0 is no prior for them."""


def from_spec(train: train_spec.TrainSpec) -> keras.optimizers.Optimizer:
    """The optimizer that the train section of a spec asks for; its rate is assigned every step."""
    rate = train.learning_rate
    if train.optimizer == "sgd":
        return keras.optimizers.SGD(rate, momentum=float(train.momentum))
    betas = {"beta_1": train.adam_beta1, "beta_2": train.adam_beta2}
    if train.optimizer == "adam":
        return keras.optimizers.Adam(rate, **betas)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=train.weight_decay, **betas)
    optimizer.exclude_from_weight_decay(var_names=[UNDECAYED])
    return optimizer
