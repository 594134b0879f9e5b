"""The inference pass against the layers of the network, whose statistics are not trivial.

Folding a normalisation into a convolution changes the order of float32 sums, so the passes agree to
1e-4 of the output's standard deviation and not bit by bit.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf

from akita_bayes import dna, errors
from akita_bayes.layers import pairwise, stochastic
from akita_bayes.models import posterior, predict, swag, zoo
from akita_bayes.models.passes import find_head, inference, tower
from tests import rounding, tiny


def indices(length, windows=2):
    """Bases with some unknown ones, also at both ends. [B, L]."""
    index = np.random.default_rng(8).integers(0, 5, (windows, length)).astype(np.uint8)
    index[0, :7] = index[0, -3:] = dna.UNKNOWN
    return index


def assert_agrees(prediction, expected):
    expected = np.asarray(expected)
    assert expected.std() > 0
    np.testing.assert_allclose(
        prediction, expected, atol=rounding.INFERENCE * expected.std(), rtol=0
    )


def plain(model, index):
    return model(dna.index_to_one_hot(index).astype(np.float32), training=False)


def deep_spec(spec, *, heads=1, operation="mean", trunk=False):
    """Several heads with pairs of their own, another operation, or pairs that heads share."""
    blocks = spec["model"].pop("head_hic")
    blocks[0] = {"name": "one_to_two", "operation": operation}
    if trunk:
        spec["model"]["trunk"] += [*blocks[:-2], {"name": "squeeze_excite"}, blocks[-2]]
        blocks = blocks[-1:]
    for number in range(heads):
        spec["model"][f"head_{number}"] = blocks
    return spec


CASES = {
    "one head": ({}, 1),
    "two heads": ({"heads": 2}, 0),
    "heads behind common pairs": ({"heads": 2, "trunk": True}, 1),
    "pairs that are not a mean": ({"operation": "max"}, 0),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("tile", [64, 2**15])
def test_windows_are_those_of_the_layers(case, tile, strip_spec, randomise, monkeypatch):
    """In tiles, window by window, and in one piece; also for graphs that are not known."""
    monkeypatch.setattr(tower, "TILE_BASES", tile)
    monkeypatch.setattr(tower, "SMALL_BASES", tile)
    changes, located = CASES[case]
    model = randomise(deep_spec(strip_spec(), **changes), seed=7)
    part = inference.forward_network(model, model.spec.head_names)
    assert (find_head.find(part) is not None) == bool(located)
    index = indices(1024)
    expected = plain(model, index)
    outputs = predict.forward(model, index)
    expected = expected if isinstance(expected, dict) else {model.spec.head_names[0]: expected}
    assert list(outputs) == list(expected)
    for head, y in outputs.items():
        assert_agrees(y, expected[head])
        assert_agrees(predict.forward(model, index, (head,))[head], expected[head])


def test_a_head_with_two_pairs_is_computed_by_its_layers():
    """Heads with pairs of their own are taken apart; a single head cannot be."""
    sequence = keras.Input((64, 4))
    track = keras.layers.Conv1D(3, 5, padding="same")(sequence)
    pairs = [pairwise.OneToTwo(operation)(track) for operation in ("mean", "max")]
    part = keras.Model(sequence, {"hic": keras.layers.Add()(pairs)})
    index = indices(64)
    x = dna.index_to_one_hot(index).astype(np.float32)
    y = inference.InferencePass(part).sequences(tf.constant(index))
    assert_agrees(y["hic"], part(x)["hic"])


TINY = (
    "akita_tiny",
    "akita_vae_tiny",
    "akita_dense_variational_tiny",
    "akita_transformer_tiny",
    "basenji_small",
)


@pytest.mark.parametrize("name", TINY)
def test_specs_of_the_zoo_agree(name, repository, randomise):
    raw = zoo.load_network(repository / "models" / "json" / f"{name}.json").to_json()
    model = randomise(raw, seed=2)
    index = indices(model.spec.model.seq_length, windows=1)
    assert_agrees(predict.predict(model, index), plain(model, index))


def test_rows_that_are_not_one_hot_are_read_as_they_are(strip_model):
    mixed = 0.5 * dna.index_to_one_hot(indices(1024)).astype(np.float32)
    assert dna.exact_index(mixed) is None
    assert_agrees(predict.predict(strip_model, mixed), strip_model(mixed, training=False))


def test_indices_and_rows_are_the_same_sequence(strip_model):
    index = indices(1024)
    views = {"rc": True, "shifts": (0, 3, -2)}
    expected = predict.predict(strip_model, index, **views)
    for dtype in (np.uint8, np.float32, bool):
        x = dna.index_to_one_hot(index).astype(dtype)
        np.testing.assert_array_equal(predict.predict(strip_model, x, **views), expected)


@pytest.mark.parametrize("bad", [5, 255])
def test_an_index_beyond_the_unknown_base_is_refused(bad, strip_model):
    index = indices(1024)
    index[1, 100] = bad
    with pytest.raises(errors.DataError, match=f"x: holds the index {bad}; give 0..3"):
        predict.predict(strip_model, index)


def test_draws_are_those_of_the_layers(strip_latent_model):
    model, index = strip_latent_model, indices(1024)
    for number, y in enumerate(posterior.draw(model, index, draws=2, seed=9)):
        with stochastic.drawing(9, number):
            assert_agrees(y, plain(model, index))


def test_draws_of_weights_are_those_of_a_network_with_them(strip_spec, randomise):
    model, index = randomise(strip_spec(), seed=3), indices(1024)
    second = randomise(strip_spec(), seed=4)
    model.swag_draws = swag.flatten(swag.drawn_variables(second))[None]
    (y,) = posterior.draw(model, index, draws=5)
    for variable, source in zip(
        swag.drawn_variables(model), swag.drawn_variables(second), strict=True
    ):
        variable.assign(source)
    assert_agrees(y, plain(model, index))


def test_bfloat16_is_near_and_only_the_heads_asked_for_are_computed(strip_model):
    """Convolutions keep 8 bits; sums along residual blocks are float32."""
    index = indices(1024)
    exact = predict.predict(strip_model, index)
    coarse = predict.predict(strip_model, index, precision="bfloat16")
    assert coarse.dtype == np.float32
    error = np.sqrt(np.mean((coarse - exact) ** 2)) / exact.std()
    assert 1e-4 < error < 0.05
    with pytest.raises(errors.DataError, match="expected float32 or bfloat16, got 'float8'"):
        predict.predict(strip_model, index, precision="float8")


def test_a_tower_is_split_where_positions_become_coarse():
    pools = [tower.Pool(2), tower.Pool(4), tower.Pool(4)]
    assert tower._split(pools) == (pools[:2], pools[2:])
    assert tower._split([tower.Pool(64), tower.Pool(2)]) == ([tower.Pool(64)], [tower.Pool(2)])
    assert tower._split([]) == ([], [])


def test_average_pooling_is_part_of_the_tower(strip_spec, randomise, monkeypatch):
    monkeypatch.setattr(tower, "TILE_BASES", 64)
    monkeypatch.setattr(tower, "SMALL_BASES", 64)
    spec = strip_spec()
    spec["model"]["trunk"].insert(1, {"name": "AveragePooling1D", "pool_size": 2})
    spec["model"]["trunk"][2]["repeat"] = 1
    model = randomise(spec, seed=11)
    steps, _ = tower.prefix(model)
    pools = [step for step in steps if isinstance(step, tower.Pool)]
    assert pools == [tower.Pool(2), tower.Pool(2, average=True), tower.Pool(2)]
    index = indices(1024)
    assert_agrees(predict.predict(model, index), plain(model, index))


def test_a_pass_is_compiled_once(randomise):
    model = randomise(tiny.spec_json(), seed=1)
    graph = inference.compiled(model, ("hic",))
    assert graph is inference.compiled(model, ("hic",))
    index = indices(tiny.SEQ_LENGTH)
    assert_agrees(graph(tf.constant(index))["hic"], plain(model, index))
