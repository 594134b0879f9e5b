import json
import shutil

import keras
import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.models import (
    build,
    ensemble,
    export,
    load,
    predict,
    recalibration,
    shipped,
    swag,
    weights,
    zoo,
)
from tests import rounding, tiny

TWO = {"heads": ("human", ("mouse", 3))}

ROUNDING = {"rtol": 1e-6, "atol": 1e-5}
"""Forms are computed by graphs that sum in other orders, in float32; predictions reach 19 here."""


@pytest.fixture(scope="module")
def model():
    return build.build(zoo.parse_spec(tiny.spec_json()))


@pytest.fixture(scope="module")
def x():
    return tiny.one_hot(3)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """One model in every form."""
    folder = tmp_path_factory.mktemp("forms")
    (folder / "run").mkdir()
    model.save(folder / "run" / "model_best.keras")
    (folder / "params.json").write_text(json.dumps(tiny.spec_json()))
    weights.save_weights(model, folder / "model.h5", format="basenji")
    weights.save_weights(model, folder / "model.weights.h5")
    export.export(model, folder / "saved")
    return folder


@pytest.mark.parametrize(
    "form",
    [
        "run",
        "run/model_best.keras",
        "saved",
        ("params.json", "model.h5"),
        ("params.json", "model.weights.h5"),
        ("params.json", "run"),
        ("params.json", "saved"),
        ("params.json", "run/model_best.keras"),
    ],
)
def test_every_form_gives_the_same_predictions(model, folder, x, form):
    source = folder / form if isinstance(form, str) else tuple(folder / part for part in form)
    loaded = load.load_model(source)
    assert loaded.spec.model == model.spec.model
    expected = predict.predict(model, x, rc=True, shifts=(0, 1))
    predictions = predict.predict(loaded, x, rc=True, shifts=(0, 1))
    rounding.check_other_order(predictions, expected)


@pytest.mark.parametrize("heads", [("hic",), ("human", ("mouse", 3))])
def test_a_pair_computes_as_a_run_does_whatever_the_precision_of_training(tmp_path, x, heads):
    raw = tiny.spec_json(heads=heads, precision="mixed_bfloat16")
    (tmp_path / "params.json").write_text(json.dumps(raw))
    model = build.Network(zoo.parse_spec(raw), precision="float32")
    model.save(tmp_path / "model.keras")
    weights.save_weights(model, tmp_path / "model.weights.h5")
    alone = load.load_model(tmp_path / "model.keras")
    pair = load.load_model((tmp_path / "params.json", tmp_path / "model.weights.h5"))
    for head in model.spec.head_names:
        prediction, expected = (predict.predict(network, x, head=head) for network in (pair, alone))
        np.testing.assert_array_equal(prediction, expected)


def test_a_run_brings_its_draws_and_its_factors(model, tmp_path):
    model.save(tmp_path / recalibration.WEIGHTS)
    assert load.load_model(tmp_path).swag_draws is None
    assert load.load_model(tmp_path).recalibrations == {}
    size = len(swag.flatten(swag.drawn_variables(model)))
    draws = np.random.default_rng(0).normal(size=(2, size)).astype("float32")
    swag.save(tmp_path / swag.FILE, swag.Swag(*np.zeros((2, 3)), np.zeros((0, 3))), draws)
    scale = ((1.5,),) * tiny.TARGETS
    fitted = recalibration.Recalibration((tiny.OFFSET, tiny.BINS), scale, scale, None, tiny.OFFSET)
    recalibration.save([tmp_path], "hic", fitted)
    loaded = load.load_model(tmp_path)
    np.testing.assert_array_equal(loaded.swag_draws, draws)
    assert loaded.recalibrations == {"hic": fitted}
    # The weights alone know of neither.
    assert load.load_model(tmp_path / recalibration.WEIGHTS).swag_draws is None


def test_a_list_is_an_ensemble(model, folder, x):
    pair = (str(folder / "params.json"), folder / "model.h5")
    loaded = load.load_model([str(folder / "run"), pair])
    assert isinstance(loaded, ensemble.Ensemble)
    np.testing.assert_allclose(
        predict.predict(loaded, x), predict.predict(model, x), rtol=1e-6, atol=1e-6
    )


def test_an_ensemble_of_a_shipped_model_has_its_recalibration(folder, tmp_path, monkeypatch):
    zoo_folder = tmp_path / "zoo"
    (zoo_folder / "json").mkdir(parents=True)
    shipped_run, own_run = zoo_folder / "pretrained" / "shipped_here", tmp_path / "own"
    for run in (shipped_run, own_run):
        shutil.copytree(folder / "run", run)
    fitted = recalibration.Recalibration((2, 12), ((2.0,),), ((1.0,),), None, 2)
    recalibration.save([own_run, shipped_run], "hic", fitted)
    monkeypatch.setattr(shipped, "_WHEEL", zoo_folder)
    monkeypatch.chdir(tmp_path)
    assert load.load_model([own_run, "shipped_here"]).recalibrations == {"hic": fitted}
    pair = (str(folder / "params.json"), "shipped_here")
    assert load.load_model([pair, own_run]).recalibrations == {"hic": fitted}


def test_the_head_of_basenji_weights_is_told_by_their_shapes(tmp_path, x):
    (tmp_path / "params.json").write_text(json.dumps(tiny.spec_json(**TWO)))
    both = build.build(zoo.parse_spec(tiny.spec_json(**TWO)))
    mouse = build.one_head(both, "mouse")
    weights.save_weights(mouse, tmp_path / "mouse.h5", format="basenji")
    loaded = load.load_model((tmp_path / "params.json", tmp_path / "mouse.h5"))
    assert loaded.spec.head_names == ("mouse",)
    rounding.check_other_order(predict.predict(loaded, x), mouse(x))
    weights.save_weights(both, tmp_path / "both.weights.h5")
    whole = load.load_model((tmp_path / "params.json", tmp_path / "both.weights.h5"))
    rounding.check_other_order(predict.predict(whole, x, head="mouse"), mouse(x))


def test_heads_of_one_shape_must_be_chosen(tmp_path, x):
    alike = tiny.spec_json(heads=("human", "mouse"))
    (tmp_path / "params.json").write_text(json.dumps(alike))
    human = build.build(zoo.parse_spec(alike), head="human")
    weights.save_weights(human, tmp_path / "human.h5", format="basenji")
    pair = (tmp_path / "params.json", tmp_path / "human.h5")
    with pytest.raises(errors.RunError, match=r"may be of head human or mouse; choose one"):
        load.load_model(pair)
    assert load.load_model(pair, head="human").spec.head_names == ("human",)


def test_a_run_that_filled_in_strand_pairs_still_fits_its_spec(tmp_path):
    raw = {
        "model": {
            "seq_length": 64,
            "augment_rc": True,
            "activation": "relu",
            "trunk": [{"name": "conv_block", "filters": 3, "pool_size": 4}],
            "head": {"name": "final", "units": 2, "activation": "linear"},
        }
    }
    (tmp_path / "params.json").write_text(json.dumps(raw))
    raw["model"]["strand_pair"] = [[1, 0]]
    build.build(zoo.parse_spec(raw)).save(tmp_path / "m.keras")
    loaded = load.load_model((tmp_path / "params.json", tmp_path / "m.keras"))
    assert loaded.spec.model.strand_pair == ((1, 0),)


def test_another_spec_than_the_model_was_built_from_is_refused(folder, tmp_path):
    (tmp_path / "params.json").write_text(json.dumps(tiny.spec_json(heads=(("hic", 3),))))
    for form in ("run", "saved"):
        with pytest.raises(errors.RunError, match="was built from another model than"):
            load.load_model((tmp_path / "params.json", folder / form))


def test_what_is_no_model_is_told_so(folder, tmp_path):
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]).save(tmp_path / "other.keras")
    (tmp_path / "broken.keras").write_bytes(b"PK")
    (tmp_path / "empty").mkdir()
    for source, message in (
        (tmp_path / "absent", "no such model"),
        (tmp_path / "empty", r"neither a run directory \(it has no model_best.keras\) nor"),
        (folder / "model.h5", r"holds weights without a spec; give \(params.json, model.h5\)"),
        (
            tmp_path / "other.keras",
            "that akita_bayes did not build; expected a network that it built",
        ),
        (tmp_path / "broken.keras", "cannot be loaded as a Keras model: .* cut short"),
        ((folder / "params.json", tmp_path / "absent.h5"), "no such weights file"),
        ((folder / "params.json",), "a pair"),
    ):
        with pytest.raises(errors.RunError, match=message):
            load.load_model(source)
