"""What decay leaves alone: everything but the weights that are summed over."""

import keras
import numpy as np
import pytest

from akita_bayes.layers import noise, normalization, variational
from akita_bayes.models import build, zoo
from akita_bayes.specs import train_spec
from akita_bayes.training.updates import optimizers
from tests import tiny


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


@pytest.mark.parametrize("rule", ["sgd", "adam", "adamw"])
def test_the_trunk_moves_and_decays_by_its_own_rate(rule):
    """Compares one step with and without a slower trunk, from the same gradients."""
    moved = {}
    for rate in (1.0, 0.25):
        train = train_spec.TrainSpec(
            optimizer=rule,
            weight_decay=0.5 if rule == "adamw" else 0.0,
            learning_rate=0.01,
            trunk_rate=rate,
        )
        network = build.build(zoo.parse_spec(tiny.spec_json()))
        optimizer = optimizers.for_network(train, network)
        variables = network.trainable_variables
        random = np.random.default_rng(0)
        for variable in variables:
            variable.assign(random.normal(size=variable.shape))
        before = [variable.numpy() for variable in variables]
        gradients = [random.normal(size=v.shape).astype("float32") for v in variables]
        optimizer.apply(gradients, variables)
        moved[rate] = [v.numpy() - old for v, old in zip(variables, before, strict=True)]
    trunk = {variable.path for variable in build.trunk(network).trainable_variables}
    assert 0 < len(trunk) < len(variables)
    for variable, whole, slow in zip(variables, moved[1.0], moved[0.25], strict=True):
        factor = 0.25 if variable.path in trunk else 1.0
        assert np.abs(whole).max() > 1e-3
        np.testing.assert_allclose(slow, factor * whole, rtol=2e-3, atol=1e-6)


def test_a_frozen_trunk_has_no_variables_for_the_optimizer():
    network = build.build(zoo.parse_spec(tiny.spec_json()))
    trunk = {variable.path for variable in build.trunk(network).trainable_variables}
    optimizers.for_network(train_spec.TrainSpec(trunk_rate=0.0), network)
    assert trunk
    assert trunk.isdisjoint(variable.path for variable in network.trainable_variables)
