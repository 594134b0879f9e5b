"""The reference implementation's weights, predictions and training step, from its own files."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from akita_bayes.models import build, load, predict, weights, zoo
from tests import rounding

pytestmark = pytest.mark.parity

TOLERANCE = 1e-5  # of the reference array's standard deviation

MODELS = ("tiny_v1", "tiny_v2", "basenji_1d")
ENSEMBLES = {
    "tiny_v1": ("y_ensemble_rc_shifts_0_1_m1", (0, 1, -1)),
    "tiny_v2": ("y_ensemble_rc_shifts_0_1_m1", (0, 1, -1)),
    "basenji_1d": ("y_ensemble_rc_shifts_0_2_m2", (0, 2, -2)),
}


def assert_same(result, expected, *, terms=1):
    """Compares arrays whose rounding adds up over some terms, relative to their spread."""
    assert result.shape == expected.shape
    assert np.abs(result - expected).max() <= terms * TOLERANCE * expected.std()


@pytest.fixture(scope="module", params=MODELS)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def model(parity, name):
    return load.load_model((parity / f"{name}.json", parity / f"{name}.h5"))


@pytest.fixture(scope="module")
def reference(parity, name):
    return np.load(parity / f"{name}_io.npz")


def test_predictions(model, reference):
    assert_same(predict.predict(model, reference["x"]), reference["y"])


def test_predictions_over_strands_and_shifts(model, reference, name):
    key, shifts = ENSEMBLES[name]
    prediction = predict.predict(model, reference["x"], rc=True, shifts=shifts)
    assert_same(prediction, reference[key])


def test_a_single_shift_counts(model, reference, name):
    """Basenji drops it; from its own ensemble, one view is the rest taken from the sum."""
    key, (zero, right, left) = ENSEMBLES[name]
    x = reference["x"]
    two_shifts = predict.predict(model, x, rc=True, shifts=(zero, left))
    alone = predict.predict(model, x, rc=True, shifts=(right,))
    # The errors of three times one prediction and twice another add up.
    assert_same(alone, 3 * reference[key] - 2 * two_shifts, terms=5)
    assert np.abs(alone - predict.predict(model, x, rc=True)).max() > 0.01 * alone.std()


def test_trunk(model, reference, name):
    if "trunk_sum" not in reference:
        pytest.skip(f"{name} has no reference for its trunk")
    prediction = build.trunk(model)(reference["x"], training=False).numpy().sum(axis=1)
    assert_same(prediction, reference["trunk_sum"])


def test_saved_weights_have_the_layout_of_the_file_they_came_from(parity, model, name, tmp_path):
    path = tmp_path / "copy.h5"
    weights.save_weights(model, path, format="basenji")
    ours, theirs = weights.read(path), weights.read(parity / f"{name}.h5")
    assert [len(layer.arrays) for layer in ours] == [len(layer.arrays) for layer in theirs]
    for mine, original in zip(ours, theirs, strict=True):
        for array, original_array in zip(mine.arrays, original.arrays, strict=True):
            assert np.array_equal(array, original_array)
    if name != "basenji_1d":  # built after other models, so its names count on from theirs
        assert [layer.layer for layer in ours] == [layer.layer for layer in theirs]
        assert [layer.weights for layer in ours] == [layer.weights for layer in theirs]


@pytest.mark.parametrize("name", ["tiny_v1", "tiny_v2"], indirect=True)
def test_one_training_step(parity, reference, name):
    """Batch statistics, L2 penalty, gradients, clipping per variable and momentum at once."""
    spec = zoo.load_spec(parity / f"{name}.json")
    model = build.build(without_chance(spec), head=0)
    weights.load_weights(model, parity / f"{name}.h5")
    optimizer = keras.optimizers.SGD(learning_rate=0.01, momentum=0.9, clipnorm=10.0)
    expected_norms = reference["grad_norms"]
    with tf.GradientTape() as tape:
        y = model(reference["x"].astype(np.float32), training=True)
        error = tf.reduce_mean(tf.square(y - reference["y_true"]))
        loss = error + sum(model.losses)
    gradients = tape.gradient(loss, [v.value for v in model.trainable_variables])
    # Float64 differs from the reference by up to 7e-5 here: two examples' own batch statistics
    # magnify the rounding of single pixels. Without oneDNN the typical pixel differs by 1.2e-5.
    difference = y.numpy() - reference["train_pred"]
    assert np.sqrt(np.mean(difference**2)) <= 2e-5 * reference["train_pred"].std()
    assert np.abs(difference).max() <= 1.4e-4 * reference["train_pred"].std()
    assert float(loss) == pytest.approx(float(reference["train_loss"]), rel=rounding.LOSS)
    rounding.check_gradient_norms([np.linalg.norm(g) for g in gradients], expected_norms)
    optimizer.apply(gradients, model.trainable_variables)
    after, expected = predict.predict(model, reference["x"]), reference["y_after_step"]
    assert np.abs(after - expected).max() <= rounding.AFTER_STEP * expected.std()


def without_chance(spec):
    """The spec without augmentation and dropout, as the reference step was taken."""
    raw = spec.to_json()
    raw["model"].update(augment_rc=False, augment_shift=0)
    for key, blocks in raw["model"].items():
        if key == "trunk" or key.startswith("head"):
            for block in blocks:
                block.update({"dropout": 0.0} if "dropout" in block else {})
    return zoo.parse_spec(raw)


def test_both_heads_of_v2_are_built(parity):
    spec = zoo.load_spec(parity / "tiny_v2.json")
    both = build.build(spec)
    weights.load_weights(build.one_head(both, "human"), parity / "tiny_v2.h5")
    reference = np.load(parity / "tiny_v2_io.npz")
    prediction = predict.predict(both, reference["x"])
    assert_same(prediction["human"], reference["y"])
    assert prediction["mouse"].shape == (2, 1485, 3)
