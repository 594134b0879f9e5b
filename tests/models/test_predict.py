import copy

import numpy as np
import pytest

from akita_bayes import dna, errors, triangle
from akita_bayes.evaluate import accuracy, prediction_files, region_maps
from akita_bayes.models import build, ensemble, export, posterior, predict, zoo
from akita_bayes.models.incremental import predictor
from akita_bayes.variants import options as scoring
from akita_bayes.variants.saturation import gradients
from tests import rounding, tiny

TRACK = {
    "model": {
        "seq_length": 64,
        "augment_rc": True,
        "strand_pair": [[1, 0, 2]],
        "activation": "relu",
        "trunk": [{"name": "conv_block", "filters": 5, "kernel_size": 7, "pool_size": 4}],
        "head": {"name": "final", "units": 3, "activation": "softplus"},
    }
}


@pytest.fixture(scope="module")
def model():
    return build.build(zoo.parse_spec(tiny.spec_json()))


@pytest.fixture(scope="module")
def x():
    return tiny.one_hot(5)


def test_prediction_is_inference_whatever_the_batch_size(model, x):
    whole = np.asarray(model(x, training=False))
    for size in (None, 1, 2, 5, 64):
        prediction = predict.predict(model, x, batch_size=size)
        assert prediction.dtype == np.float32
        rounding.check_other_order(prediction, whole)


def test_batches_stream_in_and_out(model, x):
    whole = predict.predict(model, x)
    batches = (x[start : start + 3] for start in (0, 3))
    np.testing.assert_allclose(predict.predict(model, batches), whole, rtol=1e-6, atol=1e-6)
    parts = [part["hic"] for part in predict.stream(model, x, batch_size=2)]
    assert [len(part) for part in parts] == [2, 2, 1]
    assert all(part.flags.writeable for part in parts)


def naive_turned_map(vector):
    matrix = triangle.to_matrix(vector, diagonal_offset=tiny.OFFSET)
    return triangle.to_vector(matrix[:, ::-1, ::-1], diagonal_offset=tiny.OFFSET)


def test_an_ensemble_is_the_mean_of_its_views_read_forward(model, x):
    expected = []
    for shift in (0, 2, -1):
        moved = dna.shift_one_hot(x, shift)
        expected.append(np.asarray(model(moved)))
        turned = dna.reverse_complement_one_hot(moved)
        expected.append(naive_turned_map(np.asarray(model(turned))))
    prediction = predict.predict(model, x, rc=True, shifts=(0, 2, -1))
    rounding.check_other_order(prediction, np.mean(expected, axis=0))


def test_a_single_shift_that_is_not_zero_counts(model, x):
    prediction = predict.predict(model, x, shifts=(3,))
    rounding.check_other_order(prediction, model(dna.shift_one_hot(x, 3)))
    assert np.abs(prediction - predict.predict(model, x)).max() > 1e-3


def test_strand_ensembles_are_equivariant(model, x):
    forward = predict.predict(model, x, rc=True)
    turned = predict.predict(model, dna.reverse_complement_one_hot(x), rc=True)
    np.testing.assert_allclose(turned, naive_turned_map(forward), rtol=1e-6, atol=1e-6)


def test_tracks_of_the_other_strand_change_places():
    model = build.build(zoo.parse_spec(TRACK))
    x = tiny.one_hot(2)[:, :64]
    reverse = np.asarray(model(dna.reverse_complement_one_hot(x)))[:, ::-1][..., [1, 0, 2]]
    expected = (np.asarray(model(x)) + reverse) / 2
    np.testing.assert_allclose(predict.predict(model, x, rc=True), expected, rtol=1e-6, atol=1e-6)


def test_whole_maps_are_turned_on_both_axes():
    raw = tiny.spec_json()
    raw["model"]["head_hic"] = [raw["model"]["head_hic"][0], raw["model"]["head_hic"][-1]]
    model = build.build(zoo.parse_spec(raw))
    x = tiny.one_hot(2)
    reverse = np.asarray(model(dna.reverse_complement_one_hot(x)))[:, ::-1, ::-1]
    expected = (np.asarray(model(x)) + reverse) / 2
    np.testing.assert_allclose(predict.predict(model, x, rc=True), expected, rtol=1e-6, atol=1e-6)


def test_heads_come_together_or_alone(x):
    model = build.build(zoo.parse_spec(tiny.spec_json(heads=("human", ("mouse", 3)))))
    both = predict.predict(model, x)
    assert {name: y.shape[-1] for name, y in both.items()} == {"human": 2, "mouse": 3}
    for head in ("mouse", 1):
        assert np.array_equal(predict.predict(model, x, head=head), both["mouse"])
    with pytest.raises(errors.SpecError, match='no head "rat"'):
        predict.predict(model, x, head="rat")


def test_what_needs_one_head_says_so_in_one_sentence(tmp_path):
    model = build.build(zoo.parse_spec(tiny.spec_json(heads=("human", "mouse"))))
    assert predict.one_head(model, 1) == predict.one_head(model, "mouse") == "mouse"
    options = scoring.Options(scores=("SCD",))
    for use in (
        lambda: predict.one_head(model, None),
        lambda: posterior.Sampler(model),
        lambda: predictor.WindowPredictor(model),
        lambda: scoring.geometry_of(model, None),
        lambda: region_maps.predict_region(model, "chr1:1-2", fasta="no.fa"),
        lambda: prediction_files.predict_split(model, "no", out_dir=tmp_path / "out"),
        lambda: accuracy.assess(model, "no"),
        lambda: gradients.attributions(
            model, None, None, 0, method="gradient", steps=1, options=options
        ),
    ):
        with pytest.raises(errors.SpecError) as refusal:
            use()
        assert str(refusal.value) == (
            "model: has several heads; choose a head out of human, mouse with head=, or with "
            "--head of a command."
        )


def test_an_ensemble_of_models_is_their_mean(model, x):
    second = build.build(zoo.parse_spec(tiny.spec_json()))
    both = ensemble.Ensemble((model, second))
    expected = (predict.predict(model, x, rc=True) + predict.predict(second, x, rc=True)) / 2
    np.testing.assert_allclose(predict.predict(both, x, rc=True), expected, rtol=1e-6, atol=1e-6)


def test_only_like_models_make_an_ensemble(model):
    second = build.build(zoo.parse_spec(tiny.spec_json(heads=(("hic", 3),))))
    with pytest.raises(errors.RunError, match="model 1 of the ensemble has outputs"):
        ensemble.Ensemble((model, second))
    with pytest.raises(errors.RunError, match="at least one"):
        ensemble.Ensemble(())


def test_new_weights_are_used_at_once(model, x):
    before = predict.predict(model, x)
    weights = model.get_weights()
    model.set_weights([weight * 1.5 for weight in weights])
    assert np.abs(predict.predict(model, x) - before).max() > 1e-3
    model.set_weights(weights)
    np.testing.assert_allclose(predict.predict(model, x), before, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((2, 99, 4)), r"one-hot sequences \[B, 256, 4\]; got \[2, 99, 4\]"),
        (np.zeros((256, 4)), r"got \[256, 4\]"),
        (np.zeros((0, 256, 4)), "holds no sequences"),
    ],
)
def test_sequences_of_another_shape_are_refused(model, wrong, message):
    with pytest.raises(errors.DataError, match=message):
        predict.predict(model, wrong)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none_are_refused(model, x, bad):
    spoilt = x.astype(np.float32)
    spoilt[3, 7, 1] = bad
    with pytest.raises(errors.DataError, match="x: holds NaN or infinity"):
        predict.predict(model, spoilt)


@pytest.mark.parametrize("shift", [100_000, -100_000])
def test_a_shift_that_leaves_nothing_of_the_window_is_refused(model, x, shift):
    with pytest.raises(errors.DataError, match=f"shift of {shift:,} leaves nothing of a window"):
        predict.predict(model, x, shifts=(0, shift))


def test_a_precision_that_a_model_cannot_have_is_refused(model, x, tmp_path):
    saved = tmp_path / "saved"
    export.export(model, saved)
    half = build.Network(zoo.parse_spec(tiny.spec_json()), precision="mixed_bfloat16")
    for network, precision, message in (
        (export.Exported(saved), "float32", "an exported model keeps the precision of its export"),
        (half, "float32", "was saved with mixed_bfloat16 and cannot compute in float32"),
        (model, "float16", "expected float32 or bfloat16, got 'float16'"),
    ):
        with pytest.raises(errors.AkitaBayesError, match=message):
            predict.predict(network, x, precision=precision)
        with pytest.raises(errors.AkitaBayesError, match=message):
            predict.check_precision(ensemble.Ensemble((network,)), precision)
        with pytest.raises(errors.AkitaBayesError, match=message):
            predictor.WindowPredictor(network, predictor.WindowOptions(precision=precision))
    for network in (export.Exported(saved), half):
        predict.check_precision(network, None)
    expected = predict.predict(half, x)
    np.testing.assert_array_equal(predict.predict(half, x, precision="bfloat16"), expected)


def test_a_precision_without_effect_is_logged(model, caplog):
    predict.check_precision(model, "bfloat16")
    assert not caplog.text
    strided = copy.deepcopy(TRACK)
    strided["model"]["trunk"][0] |= {"stride": 2, "pool_size": 2}
    network = build.build(zoo.parse_spec(strided))
    predict.check_precision(network, "float32")
    assert not caplog.text
    predict.check_precision(network, "bfloat16")
    assert "precision: bfloat16 has no effect on this network" in caplog.text


def test_a_batch_holds_two_windows_of_a_megabase_and_a_longer_one_alone():
    sizes = {length: predict.batch_size(length) for length in (2**23, 2**20, 2**18, 256)}
    assert sizes == {2**23: 1, 2**20: 2, 2**18: 8, 256: 64}


def test_no_shift_at_all_is_refused(model, x):
    with pytest.raises(errors.DataError, match=r"shifts: at least one is needed"):
        predict.predict(model, x, shifts=())
