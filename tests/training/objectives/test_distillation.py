"""The loss of a student: squared errors of mean and standard deviation, pixel by pixel."""

import numpy as np
import pytest
import tensorflow as tf

from akita_bayes import errors, triangle
from akita_bayes.layers import augmentation
from akita_bayes.models import build, zoo
from akita_bayes.specs import train_spec
from akita_bayes.training.objectives import distillation
from akita_bayes.training.teachers import student_spec
from tests import tiny

RNG = np.random.default_rng(0)


def student(**model):
    spec = zoo.parse_spec(tiny.spec_json(model=model))
    network = build.build(student_spec.student(spec))
    for weight in network.trainable_variables:
        weight.assign(weight + 0.3 * RNG.normal(size=weight.shape))
    return network


def naive_loss(batch, mean, sd, weight):
    """The loss, by loops over examples, pixels and targets."""
    losses = []
    for example in range(len(mean)):
        total = count = 0.0
        for pixel in range(tiny.PIXELS):
            for target in range(tiny.TARGETS):
                at = (example, pixel, target)
                if batch["mask"][at]:
                    total += (batch["target"][at] - mean[at]) ** 2
                    total += weight * (batch["spread"][at] - sd[at]) ** 2
                    count += 1
        losses.append(total / count)
    return losses


def test_the_loss_equals_its_naive_twin():
    network = student()
    shape = (3, tiny.PIXELS, tiny.TARGETS)
    batch = {
        "sequence": tiny.one_hot(3).astype("float32"),
        "target": RNG.normal(size=shape).astype("float32"),
        "spread": RNG.uniform(0, 1, shape).astype("float32"),
        "mask": RNG.random(shape) < 0.8,
    }
    stated = distillation.stated(network)
    mean, sd = (np.asarray(output) for output in stated(batch["sequence"]))
    np.testing.assert_allclose(mean, network(batch["sequence"]), rtol=1e-5, atol=1e-6)
    assert sd.min() > 0
    assert sd.std() > 0
    objective = distillation.Distillation(train_spec.DistillationSpec(spread_weight=2.5))
    terms = objective(stated, batch, False)
    np.testing.assert_allclose(terms.loss, naive_loss(batch, mean, sd, 2.5), rtol=1e-4)
    np.testing.assert_allclose(
        terms.columns["spread_mse"],
        np.subtract(naive_loss(batch, mean, sd, 1.0), naive_loss(batch, mean, sd, 0.0)),
        rtol=1e-4,
    )


def test_mean_and_sd_of_the_other_strand_are_turned_forward(monkeypatch):
    """With the other strand drawn, both outputs still belong to the pixels of the window."""
    network = student()
    x = tiny.one_hot(4).astype("float32")
    of_strand = [np.asarray(output) for output in distillation.stated(network)(x[:, ::-1, ::-1])]

    def turn(self, x, training=None):
        return tf.reverse(x, (1, 2)), tf.ones(len(x), tf.bool)

    monkeypatch.setattr(augmentation.StochasticReverseComplement, "call", turn)
    turned = [np.asarray(output) for output in distillation.stated(network)(x)]
    order = triangle.reverse_order(tiny.BINS, tiny.OFFSET)
    for output, expected in zip(turned, of_strand, strict=True):
        np.testing.assert_allclose(output, expected[:, order], rtol=1e-4, atol=1e-5)
        assert np.abs(output - expected).max() > 0.1


def test_a_network_without_a_stated_spread_is_refused():
    network = build.build(zoo.parse_spec(tiny.spec_json()))
    with pytest.raises(errors.SpecError, match="needs one normal_final; this model has 0"):
        distillation.stated(network)
