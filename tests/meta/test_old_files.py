"""Models that version 0.1 saved, before modules moved into rooms, still load and predict alike."""

import json
import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

import akita_bayes as ab
from akita_bayes.models import zoo
from akita_bayes.origins import provenance
from akita_bayes.regulation.model import network as _registered  # noqa: F401
from akita_bayes.training import fit
from tests import tiny

SAVED = Path(__file__).parents[1] / "fixtures" / "version_0_1"


@pytest.fixture(scope="module")
def expected():
    return np.load(SAVED / "expected.npz")


@pytest.mark.parametrize("name", ["run", "run/model_best.keras"])
def test_a_run_and_a_keras_file_of_version_0_1_predict_as_before(name, expected):
    """The limit is 1e-5 of the maps' standard deviation: rounding of another processor."""
    model = ab.load_model(SAVED / name)
    maps = ab.predict(model, tiny.one_hot(2).astype(np.float32))
    assert np.abs(maps - expected["maps"]).max() <= 1e-5 * expected["maps"].std()


def test_training_goes_on_from_a_checkpoint_of_version_0_1(tmp_path):
    """One more epoch is added to the one that the run has."""
    run_dir = tmp_path / "run"
    shutil.copytree(SAVED / "run", run_dir)
    data_dir = tiny.write_data(tmp_path / "data")
    origin = json.loads((run_dir / "provenance.json").read_text(encoding="utf-8"))
    origin["data"][0]["sha256"] = provenance.data_digest(data_dir)
    (run_dir / "provenance.json").write_text(json.dumps(origin), encoding="utf-8")
    raw = tiny.spec_json(train_epochs_max=2)
    run = fit.fit(
        zoo.parse_spec(raw), data_dir, out_dir=run_dir, seed=1, resume=True, tensorboard=False
    )
    assert list(run.history["epoch"]) == [1, 2]


def test_a_mechanism_of_version_0_1_gives_the_activities_of_before(expected):
    network = keras.models.load_model(SAVED / "mechanism.keras")
    sequences = np.eye(4, dtype=np.float32)[expected["letters"]]
    np.testing.assert_allclose(network(sequences), expected["activity"], rtol=1e-5)


def test_those_files_name_modules_that_have_moved():
    """So that the tests above do load what the move could have broken."""
    with zipfile.ZipFile(SAVED / "mechanism.keras") as archive:
        config = json.loads(archive.read("config.json"))
    modules = {layer["module"] for layer in config["config"]["layers"] if layer["module"]}
    assert "akita_bayes.layers.kinetic" in modules
