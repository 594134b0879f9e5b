"""Averaged weights, the SWAG posterior and renewed batch statistics against their definitions."""

import keras
import numpy as np

from akita_bayes.models import swag
from akita_bayes.specs import train_spec
from akita_bayes.training.updates import averaging


def network():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.layers.Input((8, 4)),
            keras.layers.Conv1D(3, 3),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.Dense(2),
        ]
    )


def averager(**swa):
    model = network()
    spec = train_spec.SwaSpec(**{"start": 2, "swag_rank": 3, **swa})
    return model, averaging.Averager(model.trainable_variables, spec)


def walk(model, collector, epochs=8, seed=0):
    """A random walk of the weights; returns those that should have been collected."""
    generator, weights = np.random.default_rng(seed), []
    for epoch in range(epochs):
        for variable in model.trainable_variables:
            variable.assign(generator.normal(size=variable.shape))
        collector.collect(epoch, 5, 5)
        if epoch >= collector.start:
            weights.append(swag.flatten(model.trainable_variables))
    return np.array(weights)


def test_mean_variance_and_deviations_are_those_of_the_collected_epochs():
    model, collector = averager()
    weights = walk(model, collector)
    gaussian = collector.posterior()
    np.testing.assert_allclose(gaussian.mean, weights.mean(0), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(gaussian.variance, weights.var(0), atol=1e-5)
    running = np.cumsum(weights, 0) / np.arange(1, len(weights) + 1)[:, None]
    np.testing.assert_allclose(gaussian.deviations, (weights - running)[-3:], rtol=1e-6, atol=1e-6)
    collector.assign_mean()
    np.testing.assert_allclose(
        swag.flatten(model.trainable_variables), weights.mean(0), rtol=1e-6, atol=1e-6
    )


def test_snapshots_divide_an_epoch_and_the_last_is_at_its_end():
    _model, collector = averager(snapshots=3)
    steps = []
    for step in range(1, 11):
        before = collector.count
        collector.collect(2, step, 10)
        steps += [step] * (collector.count - before)
    assert steps == [4, 7, 10]
    collector.collect(1, 10, 10)
    assert collector.count == 3


def test_the_rate_follows_the_schedule_then_anneals_then_stays():
    _, collector = averager(start=4, annealing_epochs=2, learning_rate=0.1)
    rates = [collector.rate(epoch, 0.5) for epoch in (0, 3.9, 4, 5, 6, 7.5)]
    np.testing.assert_allclose(rates, [0.5, 0.5, 0.5, 0.3, 0.1, 0.1])
    _, at_once = averager(start=4, annealing_epochs=0, learning_rate=0.1)
    np.testing.assert_allclose([at_once.rate(epoch, 0.5) for epoch in (3.9, 4)], [0.5, 0.1])
    _, unchanged = averager(learning_rate=None)
    assert unchanged.rate(100, 0.5) == 0.5


def test_an_interrupted_average_goes_on_as_if_it_had_not_been():
    model, whole = averager()
    walk(model, whole, 8)
    model, first = averager()
    walk(model, first, 8)
    second = averaging.Averager(model.trainable_variables, first.options)
    second.restore(first.state())
    for collector in (whole, second):
        collector.collect(8, 5, 5)
    for a, b in zip(whole.posterior(), second.posterior(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_batch_statistics_become_the_mean_over_batches():
    model = network()
    generator = np.random.default_rng(1)
    batches = [{"sequence": generator.normal(3, 2, size=(5, 8, 4))} for _ in range(4)]
    convolve, normalise = model.layers[0], model.layers[1]
    convolved = [convolve(batch["sequence"]).numpy() for batch in batches]
    renewal = averaging.Renewal({"hic": model})
    renewal(("hic", batch) for batch in batches[:2])
    assert renewal(("hic", batch) for batch in batches) == 4
    np.testing.assert_allclose(
        normalise.moving_mean.numpy(), np.mean([x.mean((0, 1)) for x in convolved], 0), atol=1e-5
    )
    np.testing.assert_allclose(
        normalise.moving_variance.numpy(), np.mean([x.var((0, 1)) for x in convolved], 0), rtol=1e-5
    )
    assert normalise.momentum == 0.9


def test_a_network_without_batch_statistics_sees_no_batch():
    model = keras.Sequential([keras.layers.Input((8, 4)), keras.layers.Dense(2)])
    batch = {"sequence": np.ones((5, 8, 4))}
    assert averaging.Renewal({"hic": model})([("hic", batch)]) == 0


def test_a_head_s_batch_statistics_are_those_of_its_own_batches_and_the_trunk_s_of_all():
    inputs = keras.Input((8, 4))
    trunk = keras.layers.BatchNormalization(name="trunk")
    heads = {name: keras.layers.BatchNormalization(name=name) for name in "ab"}
    x = keras.layers.Add()([inputs, trunk(inputs)])
    models = {name: keras.Model(inputs, layer(x)) for name, layer in heads.items()}
    generator = np.random.default_rng(1)
    fed = {
        name: [generator.normal(mean, 1, size=(5, 8, 4)) for _ in range(count)]
        for name, mean, count in (("a", 3, 4), ("b", -2, 3))
    }
    renewal = averaging.Renewal(models)
    assert renewal((name, {"sequence": x}) for name in fed for x in fed[name]) == 7
    for name, layer in heads.items():
        own = [x.mean((0, 1)) for x in fed[name]]
        np.testing.assert_allclose(layer.moving_mean, np.mean(own, 0), atol=1e-5)
    everything = [x.mean((0, 1)) for name in fed for x in fed[name]]
    np.testing.assert_allclose(trunk.moving_mean, np.mean(everything, 0), atol=1e-5)
