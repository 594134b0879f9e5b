"""What decay leaves alone: everything but the weights that are summed over."""

import keras
import numpy as np

from akita_bayes.layers import noise, normalization, variational
from akita_bayes.specs import train_spec
from akita_bayes.training.updates import optimizers


def test_decay_spares_what_is_added_what_multiplies_and_scales_of_posteriors():
    """A step of no gradient: what is left of every variable is what decay leaves of it."""
    x = inputs = keras.Input((3, 4))
    x = keras.layers.BatchNormalization()(keras.layers.Dense(4)(x))
    x = variational.DenseVariational(2)(normalization.Scale("ones")(x))
    model = keras.Model(inputs, noise.ObservationNoise(initial=0.5)(x))
    train = train_spec.TrainSpec(optimizer="adamw", weight_decay=0.5, learning_rate=0.1)
    optimizer = optimizers.from_spec(train)
    optimizer.build(model.trainable_variables)
    for variable in model.trainable_variables:
        variable.assign(np.ones(variable.shape))
    gradients = [np.zeros(variable.shape, "float32") for variable in model.trainable_variables]
    optimizer.apply(gradients, model.trainable_variables)
    left = {v.name: float(v.numpy().mean()) for v in model.trainable_variables}
    spared = dict.fromkeys(["bias", "gamma", "beta", "scale", "raw_scale", "log_sd"], 1.0)
    assert left == spared | {name: float(np.float32(0.95)) for name in ("kernel", "mean")}
