"""One row per layer: the Keras contract, in every precision. A layer without a row fails."""

import importlib
import inspect
import pkgutil
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest

from akita_bayes import layers
from akita_bayes.layers import (
    attention,
    augmentation,
    convolution,
    gating,
    latent,
    noise,
    normalization,
    pairwise,
    pooling,
    variational,
)
from akita_bayes.regulation import layers as regulation_layers
from akita_bayes.regulation.layers import bins, kinetic, measurement, read_outs, thermodynamic

FLAGS = "flags"
POLICIES = ["float32", "mixed_bfloat16", "mixed_float16"]
STATES = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]


class Row(NamedTuple):
    layer: type[keras.layers.Layer]
    arguments: dict[str, Any]
    inputs: Any
    output: Any
    policies: list[str] = POLICIES


ROWS = [
    Row(attention.LearnedPositions, {}, (6, 4), (6, 4)),
    Row(
        attention.RelativeAttention,
        {"heads": 2, "key_size": 3, "num_position_features": 6, "l2_scale": 0.1},
        (6, 4),
        (6, 4),
    ),
    Row(attention.SinusoidalPositions, {"max_wavelength": 100.0}, (6, 5), (6, 5)),
    Row(augmentation.StochasticReverseComplement, {"per_example": True}, (8, 4), [(8, 4), ()]),
    Row(augmentation.StochasticShift, {"shift_max": 2, "per_example": True}, (8, 4), (8, 4)),
    Row(augmentation.SwitchReverse, {"strand_pair": [1, 0]}, [(6, 2), FLAGS], (6, 2)),
    Row(augmentation.SwitchReverseTriu, {"diagonal_offset": 2}, [(15, 2), FLAGS], (15, 2)),
    Row(convolution.Conv1D, {"filters": 3, "kernel_size": (5,), "padding": "same"}, (6, 4), (6, 3)),
    Row(gating.GlobalContext, {"bottleneck_ratio": 2}, (6, 8), (6, 8)),
    Row(
        gating.SqueezeExcite,
        {"bottleneck_ratio": 2, "additive": True, "norm_type": "batch", "bn_momentum": 0.8},
        (5, 5, 4),
        (5, 5, 4),
    ),
    Row(kinetic.KingAltman, {"species": 2, "edges": [(0, 1), (1, 0)]}, (2,), (2,), ["float32"]),
    Row(kinetic.TransitionRates, {"sites": [(1, 4), None]}, (6, 4), (2,), ["float32"]),
    Row(latent.NormalLatent, {"units": 3, "prior_mean": 0.5, "prior_scale": 2.0}, (6, 4), (6, 3)),
    Row(measurement.GaussianNoise, {"origin": 2.0, "unit": 3.0}, (1,), (2,), ["float32"]),
    Row(measurement.MonotoneBins, {"columns": 4, "hidden": 3}, (1,), (4,), ["float32"]),
    Row(measurement.OutlierNoise, {}, (1,), (4,), ["float32"]),
    Row(measurement.PoissonCounts, {}, (1,), (1,), ["float32"]),
    Row(measurement.SkewedNoise, {}, (1,), (3,), ["float32"]),
    Row(measurement.SplineBins, {"columns": 4, "hidden": 3}, (1,), (4,), ["float32"]),
    Row(
        measurement.SoftmaxBins,
        {"columns": 4, "hidden": 3, "overdispersed": True},
        (1,),
        (4,),
        ["float32"],
    ),
    Row(
        noise.ObservationNoise,
        {"per": "target_distance", "initial": 0.5, "diagonal_offset": 2},
        (15, 2),
        (15, 2),
    ),
    Row(noise.NormalOutput, {}, [(6, 2), (6, 2)], (6, 2)),
    Row(normalization.BatchNormalization, {"momentum": 0.8}, (5, 5, 3), (5, 5, 3)),
    Row(normalization.Scale, {"initializer": "ones"}, (6, 4), (6, 4)),
    Row(pairwise.ConcatDist2D, {}, (5, 5, 3), (5, 5, 4)),
    Row(pairwise.OneToTwo, {"operation": "concat"}, (5, 3), (5, 5, 6)),
    Row(pairwise.Symmetrize2D, {}, (5, 5, 3), (5, 5, 3)),
    Row(pairwise.UpperTri, {"diagonal_offset": 1}, (5, 5, 3), (10, 3)),
    Row(pooling.SoftmaxPool1D, {"pool_size": 3, "gain": 1.5}, (6, 4), (2, 4)),
    Row(thermodynamic.RelativeActivity, {"activities": [0.0, 1.0, 0.5]}, (3,), (1,), ["float32"]),
    Row(thermodynamic.Activity, {"activities": [0.0, "open", "open"]}, (3,), (1,), ["float32"]),
    Row(
        thermodynamic.BindingEnergies,
        {"sites": [(0, 3), None], "names": ["site", "pair"], "neighbours": [True, False]},
        (6, 4),
        (2,),
        ["float32"],
    ),
    Row(thermodynamic.BoltzmannStates, {"occupancy": STATES}, (2,), (3,), ["float32"]),
    Row(
        variational.DenseVariational,
        {"units": 3, "kl_weight": 0.1, "activation": "gelu", "use_bias": True},
        (6, 4),
        (6, 3),
    ),
]
BY_POLICY = [(row, policy) for row in ROWS for policy in row.policies]
# A distribution over weights, part of DenseVariational; it returns no tensor.
INNER = {variational.IndependentNormal}
ABSTRACT = {bins.Bins, measurement.MeasurementProcess, read_outs.ReadOut}


def name_of(value: Any) -> str:
    return value.layer.__name__ if isinstance(value, Row) else str(value)


@pytest.fixture(params=BY_POLICY, ids=lambda pair: f"{name_of(pair[0])}-{pair[1]}")
def case(request):
    row, policy = request.param
    keras.config.set_dtype_policy(policy)
    yield row, keras.dtype_policies.get(policy).compute_dtype
    keras.config.set_dtype_policy("float32")


def shapes(described: Any) -> list[tuple]:
    return described if isinstance(described, list) else [described]


def tensors(row: Row, dtype: str, batch: int = 3) -> Any:
    rng = np.random.default_rng(0)
    inputs = [
        keras.ops.convert_to_tensor(rng.random(batch) > 0.5)
        if shape == FLAGS
        else keras.ops.cast(rng.random((batch, *shape), np.float32), dtype)
        for shape in shapes(row.inputs)
    ]
    return inputs if isinstance(row.inputs, list) else inputs[0]


def symbols(row: Row) -> Any:
    inputs = [
        keras.Input((), dtype="bool") if shape == FLAGS else keras.Input(shape)
        for shape in shapes(row.inputs)
    ]
    return inputs if isinstance(row.inputs, list) else inputs[0]


def first(outputs: Any) -> np.ndarray:
    flat = keras.tree.flatten(outputs)
    return keras.ops.convert_to_numpy(keras.ops.cast(flat[0], "float32"))


def test_every_layer_has_a_row():
    defined = set()
    for room in (layers, regulation_layers):
        for module in pkgutil.iter_modules(room.__path__, f"{room.__name__}."):
            for value in vars(importlib.import_module(module.name)).values():
                is_layer = isinstance(value, type) and issubclass(value, keras.layers.Layer)
                if is_layer and value.__module__ == module.name:
                    defined.add(value)
    assert defined - INNER - ABSTRACT == {row.layer for row in ROWS}


def test_shape_and_dtype(case):
    row, dtype = case
    layer = row.layer(**row.arguments)
    expected = [(3, *shape) for shape in shapes(row.output)]
    x = tensors(row, dtype)
    for training in (False, True):
        accepts = "training" in layer._call_signature.parameters
        outputs = layer(x, training=training) if accepts else layer(x)
        flat = keras.tree.flatten(outputs)
        assert [tuple(output.shape) for output in flat] == expected
        assert flat[0].dtype == dtype
        assert np.isfinite(first(outputs)).all()
    of = [tuple(tensor.shape) for tensor in x] if isinstance(x, list) else tuple(x.shape)
    declared = layer.compute_output_shape(of)
    assert (list(declared) if isinstance(row.output, list) else [declared]) == expected
    symbolic = keras.tree.flatten(row.layer(**row.arguments)(symbols(row)))
    assert [symbol.shape[1:] for symbol in symbolic] == shapes(row.output)
    assert [symbol.dtype for symbol in symbolic] == [
        keras.backend.standardize_dtype(output.dtype) for output in flat
    ]


def test_config_round_trip(case):
    row, dtype = case
    layer = row.layer(**row.arguments, name="subject")
    x = tensors(row, dtype)
    outputs = layer(x)
    config = layer.get_config()
    for name, value in row.arguments.items():
        if isinstance(value, (int, float, str)) and not isinstance(config[name], dict):
            assert config[name] == value
    twin = row.layer.from_config(config)
    twin(x)
    twin.set_weights(layer.get_weights())
    assert twin.get_config() == config
    np.testing.assert_array_equal(first(twin(x)), first(outputs))


@pytest.mark.parametrize("layer", [*(row.layer for row in ROWS), *INNER])
def test_a_config_holds_every_argument_of_the_constructor(layer):
    expected_keys = {"name", "trainable", "dtype"}
    for kind in layer.__mro__:
        if kind.__module__.startswith("akita_bayes.") and "__init__" in vars(kind):
            parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
            expected_keys |= {
                parameter.name
                for parameter in parameters
                if parameter.kind is not parameter.VAR_KEYWORD
            }
    arguments = next((row.arguments for row in ROWS if row.layer is layer), {})
    instance = layer(**arguments) if layer not in INNER else layer(2, 1, 0.3)
    assert expected_keys <= set(instance.get_config())


def test_save_and_load(case, tmp_path):
    row, dtype = case
    inputs = symbols(row)
    model = keras.Model(inputs, row.layer(**row.arguments)(inputs))
    x = tensors(row, dtype)
    rng = np.random.default_rng(1)
    model.set_weights([rng.random(weight.shape) for weight in model.weights])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(first(loaded(x)), first(model(x)))


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_no_constant_is_a_weight(row):
    # Index tables and distances are rebuilt from the shape, never stored with the model.
    layer = row.layer(**row.arguments)
    layer(tensors(row, "float32"))
    fixed = [weight for weight in layer.weights if not weight.trainable]
    allowed = {"moving_mean", "moving_variance", "reference"}
    assert all(weight.name in allowed for weight in fixed)
