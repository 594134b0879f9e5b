import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from akita_bayes import errors
from akita_bayes.models import build, weights, zoo
from tests import tiny


def network(seed=0, **changes):
    keras.utils.set_random_seed(seed)
    model = build.build(zoo.parse_spec(tiny.spec_json(**changes)))
    random = np.random.default_rng(seed)
    model.set_weights([random.uniform(0.5, 1.5, w.shape).astype("f4") for w in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def model():
    return network()


def same(first, second):
    return all(map(np.array_equal, first.get_weights(), second.get_weights()))


@pytest.mark.parametrize(("format", "name"), [("keras", "w.weights.h5"), ("basenji", "w.h5")])
def test_weights_come_back_as_they_were(model, tmp_path, format, name):
    path = str(tmp_path / name)
    weights.save_weights(model, path, format=format)
    loaded = network(seed=1)
    assert not same(model, loaded)
    weights.load_weights(loaded, path)
    assert same(model, loaded)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_weights_of_a_keras_file_are_loaded(model, tmp_path):
    model.save(tmp_path / "m.keras")
    loaded = network(seed=1)
    weights.load_weights(loaded, tmp_path / "m.keras")
    assert same(model, loaded)


def test_keras_2_reads_what_is_written_for_basenji(tmp_path):
    """Keras 2 itself, which TensorFlow Probability brings along, loads the file into a twin."""
    tf_keras = pytest.importorskip("tf_keras")
    raw = tiny.spec_json(model={"augment_rc": False, "augment_shift": 0, "norm_type": "batch"})
    raw["model"]["trunk"] = [{"name": "conv_block", "filters": 6, "kernel_size": 5}]
    raw["model"]["head_hic"] = [{"name": "final", "units": 3, "activation": "linear"}]
    keras.utils.set_random_seed(3)
    model = build.build(zoo.parse_spec(raw))
    random = np.random.default_rng(0)
    model.set_weights([random.uniform(0.5, 1.5, w.shape).astype("f4") for w in model.get_weights()])
    weights.save_weights(model, tmp_path / "model_best.h5", format="basenji")
    inputs = tf_keras.Input((tiny.SEQ_LENGTH, 4))
    y = tf_keras.layers.ReLU()(inputs)
    y = tf_keras.layers.Conv1D(6, 5, padding="same", use_bias=False)(y)
    y = tf_keras.layers.BatchNormalization()(y)
    y = tf_keras.layers.Dense(3)(tf_keras.layers.ReLU()(y))
    twin = tf_keras.Model(inputs, y)
    twin.load_weights(tmp_path / "model_best.h5")
    x = tf.constant(tiny.one_hot(2), tf.float32)
    np.testing.assert_allclose(twin(x), model(x), atol=1e-5)
    twin.save_weights(tmp_path / "theirs.h5")
    loaded = build.build(zoo.parse_spec(raw))
    weights.load_weights(loaded, tmp_path / "theirs.h5")
    assert same(model, loaded)


def test_the_layout_is_that_of_keras_2(model, tmp_path):
    weights.save_weights(model, tmp_path / "w.h5", format="basenji")
    with h5py.File(tmp_path / "w.h5") as file:
        group = file["model_weights"]
        assert file.attrs["backend"] == group.attrs["backend"] == "tensorflow"
        assert file.attrs["keras_version"] == group.attrs["keras_version"] == "2.15.0"
        assert list(group.attrs["layer_names"]) == [
            *("conv1d", "batch_normalization", "conv2d", "batch_normalization_1", "dense"),
        ]
        assert list(group["batch_normalization_1"].attrs["weight_names"]) == [
            f"batch_normalization_1/{name}:0"
            for name in ("gamma", "beta", "moving_mean", "moving_variance")
        ]
        assert group["dense"]["dense/kernel:0"].dtype == np.float32


def test_long_lists_of_names_are_read_in_parts(model, tmp_path):
    """Keras 2 parts an attribute above 64 kB into name0, name1, ..."""
    path = tmp_path / "w.h5"
    weights.save_weights(model, path, format="basenji")
    with h5py.File(path, "a") as file:
        group = file["model_weights"]
        names = list(group.attrs["layer_names"])
        del group.attrs["layer_names"]
        for part, portion in {0: names[:1], 2: names[1:3], 10: names[3:]}.items():
            group.attrs[f"layer_names{part}"] = [name.encode() for name in portion]
    assert [stored.layer for stored in weights.read(path)] == names
    loaded = network(seed=1)
    weights.load_weights(loaded, path)
    assert same(model, loaded)


def test_what_does_not_fit_is_named_and_nothing_is_changed(tmp_path):
    three = network(heads=(("hic", 3),))
    weights.save_weights(three, tmp_path / "three.h5", format="basenji")
    model = network(seed=1)
    before = model.get_weights()
    with pytest.raises(
        errors.RunError,
        match=r"layer dense has weights of shape \[4, 2\], \[2\], the file's dense \[4, 3\], \[3\]",
    ):
        weights.load_weights(model, tmp_path / "three.h5")
    assert all(map(np.array_equal, before, model.get_weights()))
    weights.load_weights(model, tmp_path / "three.h5", trunk=True)
    assert same(build.trunk(model), build.trunk(three))
    assert np.array_equal(model.get_weights()[-1], before[-1])


@pytest.mark.filterwarnings("ignore:Skipping nested container")  # Keras', before it refuses
def test_a_keras_file_that_does_not_fit_changes_nothing(tmp_path):
    """Keras itself would have set the trunk before it comes to the head that does not fit."""
    three = network(heads=(("hic", 3),))
    weights.save_weights(three, tmp_path / "three.weights.h5")
    three.save(tmp_path / "three.keras")
    model = network(seed=1)
    before = [variable.numpy() for variable in model.variables]
    for name in ("three.weights.h5", "three.keras"):
        with pytest.raises(errors.RunError, match="does not fit the model"):
            weights.load_weights(model, tmp_path / name)
        after = [variable.numpy() for variable in model.variables]
        assert all(map(np.array_equal, before, after))


def test_a_missing_layer_is_named(tmp_path):
    bare = network(model={"norm_type": None})
    weights.save_weights(build.trunk(bare), tmp_path / "trunk.h5", format="basenji")
    with pytest.raises(
        errors.RunError, match=r"has 3 layers with weights, the file 1; .* partner is conv2d"
    ):
        weights.load_weights(bare, tmp_path / "trunk.h5")
    assert weights.fits(build.trunk(bare), tmp_path / "trunk.h5")
    assert not weights.fits(bare, tmp_path / "trunk.h5")


def test_files_that_hold_no_weights_are_refused(model, tmp_path):
    with pytest.raises(errors.RunError, match="no such weights file"):
        weights.load_weights(model, tmp_path / "absent.h5")
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(errors.RunError, match="does not fit the model"):
        weights.load_weights(model, tmp_path / "text.h5")
    weights.save_weights(model, tmp_path / "w.weights.h5")
    with pytest.raises(errors.RunError, match="a trunk is read from HDF5 of Keras 2 only"):
        weights.load_weights(model, tmp_path / "w.weights.h5", trunk=True)


def test_names_suit_formats(model, tmp_path, caplog):
    with pytest.raises(errors.RunError, match=r"Keras saves weights in \*\.weights\.h5"):
        weights.save_weights(model, tmp_path / "w.h5")
    with pytest.raises(errors.RunError, match='"keras" or "basenji", not "torch"'):
        weights.save_weights(model, tmp_path / "w.h5", format="torch")
    assert not list(tmp_path.iterdir())
    weights.save_weights(model, tmp_path / "w.weights.h5", format="basenji")
    assert "Keras 2 opens it only under a name without .weights." in caplog.text
    assert weights.is_layered(tmp_path / "w.weights.h5")
