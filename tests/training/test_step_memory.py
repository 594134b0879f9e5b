"""Steps that save memory: the same loss, gradients and statistics as a plain step."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from akita_bayes import errors
from akita_bayes.models import build, zoo
from akita_bayes.training import recompute, step, strategy
from akita_bayes.training.objectives import losses, objective
from akita_bayes.training.updates import clipping, optimizers
from tests import tiny

LIMIT = 1e-5
BATCH = 5


def deep_spec(norm="batch", dropout=0.2, augment=True):
    """Two residual blocks behind the pairs, with dropout, and an output."""
    raw = tiny.spec_json()
    raw["model"]["norm_type"] = norm
    if not augment:
        raw["model"] |= {"augment_rc": False, "augment_shift": 0}
        raw["model"]["trunk"][0].pop("dropout", None)
    blocks = raw["model"]["head_hic"]
    position = next(i for i, block in enumerate(blocks) if block["name"] == "symmetrize_2d") + 1
    residual = {"name": "dilated_residual_2d", "filters": 6, "rate_mult": 2, "repeat": 2}
    blocks.insert(position, {**residual, "dropout": dropout})
    return zoo.parse_spec(raw)


def batch_of(seed=0):
    random = np.random.default_rng(seed)
    return {
        "sequence": tf.constant(tiny.one_hot(BATCH), tf.float32),
        "target": tf.constant(random.normal(size=(BATCH, tiny.PIXELS, tiny.TARGETS)), tf.float32),
        "mask": tf.constant(random.random((BATCH, tiny.PIXELS, tiny.TARGETS)) > 0.1),
    }


def stepping(spec, memory):
    """A step on the network of a spec with weights and random states that depend on a seed."""
    keras.utils.set_random_seed(3)
    model = build.build(spec)
    random = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(variable.numpy() + random.normal(0, 0.05, variable.shape))
    optimizer = optimizers.from_spec(spec.train)
    optimizer.build(model.trainable_variables)
    objectives = objective.PixelObjective(losses.named(spec.train.loss))
    return step.Step(model, objectives, optimizer, clipping.none, strategy.choose("cpu"), memory)


def assert_same(plain, saving):
    for a, b in zip(plain.values, saving.values, strict=True):
        scale = max(float(np.abs(a).max()), 1e-6)
        assert np.abs(a - b).max() <= LIMIT * scale
    assert saving.outcome.loss == pytest.approx(plain.outcome.loss, rel=LIMIT)
    np.testing.assert_allclose(saving.outcome.moments, plain.outcome.moments, rtol=1e-4)


@pytest.fixture(scope="module")
def plain_and_recomputed():
    """Two steps of one network, so that each is compiled once; tests use both of them equally."""
    spec = deep_spec()
    return tuple(stepping(spec, step.Memory(recompute=value)) for value in (False, True))


def test_recomputed_blocks_give_the_same_step(plain_and_recomputed):
    """Two steps with dropout and augmentation: gradients, statistics and random states agree."""
    plain, saving = plain_and_recomputed
    assert any("seed" in variable.path for variable in plain.model.non_trainable_variables)
    for seed in range(2):
        batch = batch_of(seed)
        gradients = plain.gradients(batch)
        assert_same(gradients, saving.gradients(batch))
        states = zip(
            plain.model.non_trainable_variables, saving.model.non_trainable_variables, strict=True
        )
        for a, b in states:
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-4, atol=1e-6)


def test_a_recomputed_block_runs_again_in_the_backward_pass(plain_and_recomputed):
    counts = []
    for network in plain_and_recomputed:
        network.gradients(batch_of())
        graph = next(iter(network._gradients.values())).get_concrete_function(
            batch_of(), tf.constant(1.0)
        )
        counts.append(sum(node.op == "Conv2D" for node in graph.graph.as_graph_def().node))
    plain, saving = counts
    # The tower, the first block of pairs and two residual blocks with two convolutions each.
    assert saving - plain == 6


@pytest.fixture(scope="module")
def undivided_gradients():
    spec = deep_spec(norm=None, dropout=0.0, augment=False)
    return stepping(spec, step.Memory()).gradients(batch_of())


@pytest.mark.parametrize("parts", [2, 3, 9])
def test_parts_of_a_batch_give_its_gradients(parts, undivided_gradients):
    """Without statistics of the batch and random draws, a divided batch is the batch."""
    spec = deep_spec(norm=None, dropout=0.0, augment=False)
    for memory in (step.Memory(parts), step.Memory(parts, recompute=True)):
        assert_same(undivided_gradients, stepping(spec, memory).gradients(batch_of()))


def test_parts_count_examples_and_not_parts():
    """A filled batch, as several replicas use it: the weights of its examples decide."""
    spec = deep_spec(norm=None, dropout=0.0, augment=False)
    batch = {**batch_of(), "weight": tf.constant([1.0, 1.0, 1.0, 0.0, 0.0])}
    plain, saving = (stepping(spec, step.Memory(parts)).gradients(batch) for parts in (1, 2))
    assert_same(plain, saving)
    assert saving.outcome.examples == 3


def test_blocks_end_where_one_tensor_leads_on():
    """The pooling of the tower, and the maps of the first and of two residual 2-D blocks."""
    edges = recompute.block_edges(build.build(deep_spec()))
    ends = [type(edge._keras_history.operation).__name__ for edge in edges]
    assert ends == ["StochasticShift", "MaxPooling1D", *["Symmetrize2D"] * 3]


@pytest.mark.parametrize("name", ["akita_v1", "akita_v2", "akita_pt", "akita_vae", "basenji_small"])
def test_networks_of_the_zoo_keep_one_array_of_each_resolution(name):
    """Each pooling of the tower ends a block, so no block holds two resolutions."""
    edges = recompute.block_edges(build.build(zoo.load_network(name)))
    tower = [edge.shape[1] for edge in edges if len(edge.shape) == 3]
    lengths = sorted(set(tower), reverse=True)
    assert len(lengths) >= 5
    assert all(length == 2 * shorter for length, shorter in itertools.pairwise(lengths[1:]))


def test_a_network_without_blocks_is_refused():
    inputs = keras.Input((8, 4))
    network = keras.Model(inputs, keras.layers.Dense(2)(inputs))
    with pytest.raises(errors.SpecError, match=r"train\.recompute: needs a network with blocks"):
        recompute.Recomputed(network)


def test_parts_divide_the_batch_of_the_spec():
    raw = tiny.spec_json()
    raw["train"] |= {"batch_size": 4, "accumulate": 3}
    with pytest.raises(errors.SpecError, match="accumulate 3 does not divide batch_size 4"):
        zoo.parse_spec(raw)
