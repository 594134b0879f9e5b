import keras
import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.models import build, zoo
from tests import tiny


def spec(**changes):
    return zoo.parse_spec(tiny.spec_json(**changes))


@pytest.fixture(autouse=True)
def policy():
    yield
    keras.config.set_dtype_policy("float32")


def test_the_graph_reads_like_the_figure():
    model = build.build(spec())
    kinds = [type(layer).__name__ for layer in model.layers]
    first, last = kinds[:3], kinds[-1]
    assert first == ["InputLayer", "StochasticReverseComplement", "StochasticShift"]
    assert last == "SwitchReverseTriu"
    assert model.get_layer("trunk").output.shape == (None, 16, 6)
    assert model.output.shape == (None, tiny.PIXELS, tiny.TARGETS)
    assert model.input.name == "sequence"


def test_augmentation_is_only_what_the_spec_asks_for():
    plain = build.build(spec(model={"augment_rc": False, "augment_shift": 0}))
    kinds = {type(layer).__name__ for layer in plain.layers}
    assert not kinds & {"StochasticReverseComplement", "StochasticShift", "SwitchReverseTriu"}
    per_example = build.build(spec(model={"augment_per_example": True}))
    assert [layer.per_example for layer in per_example.layers[1:3]] == [True, True]


def test_inference_is_without_chance_and_training_is_not():
    model = build.build(spec())
    x = tiny.one_hot(3)
    assert np.array_equal(model(x, training=False), model(x, training=False))
    draws = [np.asarray(model(x, training=True)) for _ in range(6)]
    assert any(not np.array_equal(draws[0], draw) for draw in draws[1:])


def test_a_turned_window_gives_the_turned_map():
    """With symmetric weights a model cannot tell strands, so training draws agree exactly."""
    raw = tiny.spec_json(model={"augment_shift": 0, "norm_type": None})
    del raw["model"]["trunk"][0]["dropout"]
    model = build.build(zoo.parse_spec(raw))
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv1D):
            kernel = np.asarray(layer.kernel)
            layer.kernel.assign((kernel + kernel[::-1, ::-1]) / 2)
        if isinstance(layer, keras.layers.Conv2D):
            kernel = np.asarray(layer.kernel)
            layer.kernel.assign((kernel + kernel[::-1, ::-1].swapaxes(0, 1)) / 2)
    x = tiny.one_hot(1)
    forward = np.asarray(model(x, training=False))
    for _ in range(8):
        np.testing.assert_allclose(model(x, training=True), forward, atol=1e-5)


def test_several_heads_are_a_dict_and_one_can_be_chosen():
    both = spec(heads=("human", ("mouse", 3)))
    model = build.build(both)
    assert {name: y.shape[-1] for name, y in model.output.items()} == {"human": 2, "mouse": 3}
    for head in ("mouse", 1):
        alone = build.build(both, head=head)
        assert alone.output.shape == (None, tiny.PIXELS, 3)
        assert alone.spec == both.only("mouse")
    x = tiny.one_hot(2)
    part = build.one_head(model, "mouse")
    assert np.array_equal(part(x), model(x)["mouse"])
    alone = build.build(both, head="human")
    assert build.one_head(alone, "human") is alone
    with pytest.raises(errors.SpecError, match='no head "rat" but human, mouse'):
        build.build(both, head="rat")


def test_the_trunk_shares_its_weights():
    model = build.build(spec())
    trunk = build.trunk(model)
    assert trunk.output.shape == (None, 16, 6)
    assert all(any(mine is weight for mine in model.weights) for weight in trunk.weights)
    assert (np.asarray(trunk(tiny.one_hot(2))) >= 0).all()


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_precision_follows_the_spec_and_the_output_is_float32(precision):
    model = build.build(spec(precision=precision))
    assert model.output.dtype == "float32"
    assert model.get_layer("trunk").compute_dtype == precision.removeprefix("mixed_")
    assert keras.config.dtype_policy().name == "float32"
    assert np.isfinite(np.asarray(model(tiny.one_hot(2), training=True))).all()


def test_a_global_policy_holds_unless_one_is_asked_for():
    keras.config.set_dtype_policy("mixed_bfloat16")
    assert build.build(spec()).get_layer("trunk").compute_dtype == "bfloat16"
    plain = build.Network(spec(), precision="float32")
    assert plain.get_layer("trunk").compute_dtype == "float32"
    assert keras.config.dtype_policy().name == "mixed_bfloat16"


def test_a_keras_file_holds_spec_weights_and_precision(tmp_path):
    model = build.build(spec(heads=("human", ("mouse", 3)), precision="mixed_bfloat16"))
    model.trainable = False
    model.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras", compile=False)
    assert isinstance(again, build.Network)
    assert again.spec == model.spec
    assert again.precision == "mixed_bfloat16"
    assert (again.name, again.trainable) == (model.name, False)
    x = tiny.one_hot(2)
    for head, y in model(x).items():
        assert np.array_equal(y, again(x)[head])


@pytest.mark.parametrize(
    ("block", "argument", "value"),
    [("transformer_encoder", "heads", 5), ("transformer_tower", "num_position_features", 3)],
)
def test_a_block_that_cannot_be_built_is_named_by_its_path(block, argument, value):
    raw = tiny.spec_json()
    raw["model"]["trunk"].append({"name": block, argument: value})
    with pytest.raises(errors.SpecError, match=rf"^model\.trunk\[1\]: {block}: .* {value} "):
        build.build(zoo.parse_spec(raw))


@pytest.mark.parametrize(
    ("per", "rows"), [("target", 1), ("target_distance", tiny.BINS - tiny.OFFSET)]
)
def test_a_bound_has_a_noise_around_its_mean(per, rows):
    elbo = {"observation_noise": per, "initial_noise": 0.5}
    model = build.build(spec(loss="elbo", elbo=elbo))
    layer = model.get_layer("observation_noise_hic")
    np.testing.assert_allclose(layer.log_sd, np.full((rows, tiny.TARGETS), np.log(0.5)), rtol=1e-6)
    assert layer.sd().shape == (1 if per == "target" else tiny.PIXELS, tiny.TARGETS)


def test_noise_by_distance_needs_a_map():
    raw = tiny.spec_json(loss="elbo", elbo={"observation_noise": "target_distance"})
    raw["model"]["head_hic"] = raw["model"]["head_hic"][-1:]
    with pytest.raises(errors.SpecError, match=r"needs a map, but model\.head_hic does not end in"):
        build.build(zoo.parse_spec(raw))


def test_a_mechanism_is_no_network():
    with pytest.raises(errors.SpecError, match="expected the spec of a network, got dict"):
        build.build({"model": {}})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("activation", "rellu", r'^model\.activation: .* got "rellu"\. Did you mean "relu"\?'),
        ("norm_type", "bach", r'^model\.norm_type: .* got "bach"\. Did you mean "batch"\?'),
        ("kernel_initializer", "he", r"^model\.trunk\[0\]: conv_block: .* identifier: he"),
    ],
)
def test_a_global_that_no_block_understands_is_named(key, value, message):
    with pytest.raises(errors.SpecError, match=message):
        build.build(spec(model={key: value}))
