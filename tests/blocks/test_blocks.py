"""One row per word: shapes, weights and every precision. A word without a row fails."""

import contextlib
import typing
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from akita_bayes.blocks import keras_layers, registry
from akita_bayes.layers import stochastic
from akita_bayes.models.passes import cut

POLICIES = ["float32", "mixed_bfloat16", "mixed_float16"]
CONV = {"norm_type": "batch", "bn_momentum": 0.9, "dropout": 0.1, "l2_scale": 1e-3}


class Row(NamedTuple):
    word: str
    arguments: dict[str, Any]
    inputs: tuple[int, ...]
    output: tuple[int, ...]
    parameters: int


# Parameters: kernels + biases + 4 per normalised channel (2 without batch statistics).
ROWS = [
    Row("bottleneck", {"units": 6, "dropout": 0.1}, (8, 4), (8, 6), 4 * 6 + 6),
    Row("concat_dist_2d", {}, (5, 5, 2), (5, 5, 3), 0),
    Row("conv_block", {"filters": 6, "kernel_size": 3, "pool_size": 2, **CONV}, (8, 4), (4, 6), 96),
    Row("conv_block", {"filters": 6, "stride": 2, "pool_type": "softmax"}, (8, 4), (4, 6), 30),
    Row("conv_block", {"residual": True, "activation_end": "gelu"}, (8, 4), (8, 4), 20),
    Row("conv_block_2d", {"filters": 6, "kernel_size": 3, **CONV}, (6, 6, 4), (6, 6, 6), 240),
    Row(
        "conv_block_2d", {"filters": 2, "symmetric": True, "pool_size": 2}, (6,) * 3, (3, 3, 2), 14
    ),
    Row("conv_dna", {"filters": 6, "pool_size": 2, **CONV}, (8, 4), (4, 6), 15 * 4 * 6 + 24),
    Row(
        "conv_dna",
        {"filters": 8, "kernel_size": 3, "residual": True, "se": True, "norm_type": "batch"},
        (8, 4),
        (8, 8),
        96 + 2 * (8 + 1 + 8 + 8) + 32 + 64 + 8 + 8,
    ),
    Row("conv_nac", {"filters": 6, "kernel_size": 3, **CONV}, (8, 4), (8, 6), 3 * 4 * 6 + 6 + 16),
    Row(
        "conv_next",
        {"filters": 6, "residual": False, "pool_size": 2, "dropout": 0.1},
        (8, 4),
        (4, 6),
        (7 * 4 + 4 * 6 + 6) + 12 + (6 * 12 + 12) + (12 * 6 + 6),
    ),
    Row(
        "conv_tower",
        {"filters_init": 4, "filters_mult": 1.5, "repeat": 2, "pool_size": 2, **CONV},
        (8, 4),
        (2, 6),
        16 + 16 + 24 + 24,
    ),
    Row(
        "conv_tower_nac",
        {"filters_init": 4, "filters_end": 8, "repeat": 2, "pool_size": 2},
        (8, 4),
        (2, 8),
        20 + 40,
    ),
    Row("cropping_2d", {"cropping": 2}, (7, 7, 2), (3, 3, 2), 0),
    Row("dense", {"units": 3, "l1_scale": 0.1}, (8, 4), (8, 3), 15),
    Row(
        "dense_block",
        {"units": 5, "flatten": True, "norm_type": "layer", "dropout": 0.1},
        (8, 4),
        (1, 5),
        8 * 4 * 5 + 10,
    ),
    Row("dense_variational", {"units": 3, "kl_weight": 0.1}, (8, 4), (8, 3), 2 * 15),
    Row("dilated_dense", {"filters": 3, "repeat": 2, **CONV}, (8, 4), (8, 10), 36 + 12 + 63 + 12),
    Row("dilated_residual", {"filters": 3, "repeat": 2, **CONV}, (8, 4), (8, 4), 2 * 76),
    Row("dilated_residual", {"filters": 3, "round": True}, (8, 4), (8, 4), 36 + 3 + 12 + 4 + 4),
    Row("dilated_residual_2d", {"filters": 3, "repeat": 2, **CONV}, (5, 5, 4), (5, 5, 4), 2 * 148),
    Row("final", {"units": 3, "flatten": True}, (8, 4), (1, 3), 8 * 4 * 3 + 3),
    Row("final", {"units": 3, "variational": True}, (8, 4), (8, 3), 2 * 15),
    Row("global_context", {}, (8, 4), (8, 4), 5 + 5 + 2 + 8),
    Row("normal_final", {"units": 3}, (8, 4), (8, 3), 2 * 15),
    Row("normal_latent", {"units": 3}, (8, 4), (8, 3), 2 * 15),
    Row("one_to_two", {"operation": "concat"}, (5, 2), (5, 5, 4), 0),
    Row(
        "res_tower",
        {"filters_init": 6, "kernel_size": 3, "repeat": 2, "norm_type": "batch", "dropout": 0.1},
        (8, 4),
        (2, 6),
        (16 + 78) + (24 + 42) + 6 + (24 + 114) + (24 + 42) + 6,
    ),
    Row("squeeze_excite", {"bottleneck_ratio": 2}, (8, 4), (8, 4), 10 + 12),
    Row("symmetrize_2d", {}, (5, 5, 2), (5, 5, 2), 0),
    # LN, q k v, out with bias, r, two biases; LN, dense pair.
    Row("transformer", {"heads": 2}, (8, 4), (8, 4), 8 + 48 + 20 + 8 + 8 + 8 + 40 + 36),
    Row("transformer", {"dense_expansion": 0, "key_size": 3}, (8, 4), (8, 4), 8 + 60 + 12 + 6),
    Row("transformer_tower", {"heads": 2, "repeat": 2}, (8, 4), (8, 4), 2 * 176),
    Row(
        "transformer_encoder",
        {"heads": 2, "dense_width": 6, "repeat": 2},
        (8, 4),
        (8, 4),
        2 * (80 + 8 + 58 + 8),
    ),
    Row(
        "transformer_encoder",
        {"heads": 2, "key_size": 3, "dense_width": 6, "pre_norm": True, "positions": "learned"},
        (8, 5),
        (8, 5),
        40 + 3 * (10 + (3 * 36 + 35) + 10 + (36 + 35)) + 10,
    ),
    Row("upper_tri", {"diagonal_offset": 1}, (5, 5, 2), (10, 2), 0),
    Row("Activation", {"activation": "relu"}, (8, 4), (8, 4), 0),
    Row("AveragePooling1D", {"pool_size": 2}, (8, 4), (4, 4), 0),
    Row("AveragePooling2D", {"pool_size": 2}, (6, 6, 4), (3, 3, 4), 0),
    Row("Conv1D", {"filters": 3, "kernel_size": 2}, (8, 4), (7, 3), 27),
    Row("Conv2D", {"filters": 3, "kernel_size": 2}, (6, 6, 4), (5, 5, 3), 51),
    Row("Cropping1D", {"cropping": 2}, (8, 4), (4, 4), 0),
    Row("Cropping2D", {"cropping": 2}, (6, 6, 4), (2, 2, 4), 0),
    Row("Dense", {"units": 3}, (8, 4), (8, 3), 15),
    Row("Dropout", {"rate": 0.5}, (8, 4), (8, 4), 0),
    Row("Flatten", {}, (8, 4), (32,), 0),
    Row("GaussianNoise", {"stddev": 0.1}, (8, 4), (8, 4), 0),
    Row("GlobalAveragePooling1D", {}, (8, 4), (4,), 0),
    Row("GlobalAveragePooling2D", {}, (6, 6, 4), (4,), 0),
    Row("LayerNormalization", {}, (8, 4), (8, 4), 8),
    Row("MaxPooling1D", {}, (8, 4), (4, 4), 0),
    Row("MaxPooling2D", {}, (6, 6, 4), (3, 3, 4), 0),
    Row("Reshape", {"target_shape": (4, 8)}, (8, 4), (4, 8), 0),
    Row("SeparableConv1D", {"filters": 3, "kernel_size": 2}, (8, 4), (7, 3), 8 + 12 + 3),
    Row("UpSampling1D", {}, (8, 4), (16, 4), 0),
    Row("UpSampling2D", {}, (6, 6, 4), (12, 12, 4), 0),
    Row("ZeroPadding1D", {}, (8, 4), (10, 4), 0),
]


def label(row: Row) -> str:
    return f"{row.word}-{'-'.join(map(str, row.arguments))}"


@pytest.fixture(params=POLICIES)
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield keras.dtype_policies.get(request.param)
    keras.config.set_dtype_policy("float32")


def resolved(row: Row) -> dict[str, Any]:
    """Every argument spelled out, as a spec hands them over."""
    arguments = {**registry.words()[row.word].defaults, **row.arguments}
    assert registry.REQUIRED not in arguments.values()
    return arguments


def test_every_word_has_a_row():
    assert set(registry.words()) == {row.word for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_shape_parameters_and_precision(row, policy, tmp_path):
    inputs = keras.Input(row.inputs)
    model = keras.Model(inputs, registry.words()[row.word].function(inputs, **resolved(row)))
    assert model.output_shape == (None, *row.output)
    assert model.count_params() == row.parameters
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, *row.inputs)).astype("float32")
    traits = registry.words()[row.word].traits
    is_random = traits.holds_posterior(resolved(row)) or traits.spread
    assert bool(cut.posteriors(model)) == is_random
    for training in (False, True):
        y = model(x, training=training)
        assert y.dtype == policy.compute_dtype
        assert np.isfinite(np.asarray(y, "float32")).all()
    if policy.name == "mixed_bfloat16":
        model.set_weights([rng.random(w.shape) for w in model.weights])
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        np.testing.assert_array_equal(
            np.asarray(loaded(x), "float32"), np.asarray(model(x), "float32")
        )


@pytest.mark.parametrize("row", ROWS, ids=label)
def test_every_weight_is_reached_by_the_gradient(row):
    inputs = keras.Input(row.inputs)
    model = keras.Model(inputs, registry.words()[row.word].function(inputs, **resolved(row)))
    rng = np.random.default_rng(0)
    model.set_weights([rng.random(w.shape) + 0.1 for w in model.weights])
    x = rng.normal(size=(2, *row.inputs)).astype("float32")
    # A stated standard deviation changes draws, and not the mean that training passes on.
    spread = registry.words()[row.word].traits.spread
    drawing = stochastic.drawing(0, 0) if spread else contextlib.nullcontext()
    with tf.GradientTape() as tape, drawing:
        loss = tf.reduce_sum(model(x, training=not spread) ** 3)
    gradients = tape.gradient(loss, [w.value for w in model.trainable_weights])
    assert all(gradient is not None for gradient in gradients)


def test_keras_layers_keep_their_own_names_and_defaults():
    word = registry.words()["Conv1D"]
    assert word.defaults["filters"] is registry.REQUIRED
    assert word.defaults["kernel_initializer"] == "glorot_uniform"
    assert not {"self", "name", "dtype", "kwargs"} & set(word.defaults)
    assert set(keras_layers.ALLOWED) <= set(registry.words())


def test_a_block_that_passes_keywords_on_accepts_them_but_those_it_sets():
    words = registry.words()
    assert words["conv_tower"].defaults["bn_momentum"] == 0.99
    assert "filters" not in words["conv_tower"].defaults
    assert not {"dilation_rate", "norm_gamma", "stride"} & set(words["dilated_residual"].defaults)
    assert words["final"].defaults["activation"] == "linear"


# What an argument needs beside it to have an effect, and values where twice the default has none.
BESIDE = {
    "bn_momentum": {"norm_type": "batch"},
    "divisible_by": {"filters_init": 5},
    "dropout_residual": {"residual": True},
    "filters_end": {"repeat": 2},
    "filters_mult": {"repeat": 2},
    "kl_weight": {"variational": True},
    "norm_gamma": {"norm_type": "batch"},
    "padding": {"pool_size": 2, "kernel_size": 3},
    "pool_type": {"pool_size": 2},
    "prior_scale": {"variational": True},
    "rate_mult": {"repeat": 2},
    "round": {"repeat": 4, "rate_mult": 1.5},
    "use_bias": {"norm_type": "batch"},
}
ANOTHER = {"bottleneck_ratio": 2, "filters_mult": 2.0, "key_size": 5, "rate_mult": 3.0}
NEEDED = {"units": 3, "filters": 12, "filters_init": 12, "cropping": 1}
ON_MAPS = {"concat_dist_2d", "conv_block_2d", "cropping_2d", "dilated_residual_2d"}
ON_MAPS |= {"symmetrize_2d", "upper_tri"}


def another(argument: str, annotation: Any, now: Any) -> Any:
    """A value that an argument may take and has not."""
    kinds = typing.get_args(annotation) or (annotation,)
    choices = [choice for kind in (annotation, *kinds) for choice in typing.get_args(kind)]
    if argument in ANOTHER:
        return ANOTHER[argument]
    if bool in kinds:
        return not now
    if str in kinds:
        return "zeros" if now != "zeros" else "ones"
    if int in kinds:
        return 2 * now if now else 2
    if float in kinds:
        return now / 2 if now else 0.25
    return next(choice for choice in reversed(choices) if isinstance(choice, str) and choice != now)


def described(word: str, arguments: dict[str, Any]) -> list[Any]:
    """The layers that a block makes, each by its configuration, and the shapes of their weights."""
    inputs = keras.Input((8, 8, 12) if word in ON_MAPS else (16, 12))
    model = keras.Model(inputs, registry.words()[word].function(inputs, **arguments))
    configs = [{**layer.get_config(), "name": type(layer).__name__} for layer in model.layers]
    return [configs, [weight.shape for weight in model.weights]]


@pytest.mark.parametrize("word", sorted(set(registry.words()) - set(keras_layers.ALLOWED)))
def test_no_argument_is_without_effect(word):
    entry = registry.words()[word]
    base = {a: NEEDED[a] if d is registry.REQUIRED else d for a, d in entry.defaults.items()}
    base |= {"repeat": 1} if "repeat" in base else {}
    usual = described(word, base)
    assert described(word, base) == usual
    for argument, annotation in entry.types.items():
        beside = {a: v for a, v in BESIDE.get(argument, {}).items() if a in base}
        before = {**base, **beside}
        changed = {**before, argument: another(argument, annotation, before[argument])}
        without = described(word, before) if beside else usual
        assert described(word, changed) != without, argument
