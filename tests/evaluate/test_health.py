import shutil

import pytest

from akita_bayes.evaluate import health
from akita_bayes.models import build, export, zoo
from tests import tiny


def states(diagnoses):
    return {diagnosis.subject: diagnosis.state for diagnosis in diagnoses}


def text(diagnoses, subject):
    (diagnosis,) = [entry for entry in diagnoses if entry.subject == subject]
    return diagnosis.text


@pytest.fixture
def data(tmp_path):
    tiny.write_data(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def old_run(repository, tmp_path):
    shutil.copytree(repository / "tests/fixtures/version_0_1/run", tmp_path / "run")
    return tmp_path / "run"


def test_a_saved_model_is_examined_without_its_weights(tmp_path):
    model = build.build(zoo.parse_spec(tiny.spec_json()))
    export.export(model, tmp_path / "saved")
    diagnoses = health.run(tmp_path / "saved")
    assert text(diagnoses, "model") == "a SavedModel"
    assert states(diagnoses)["calibration"] == "warning"
    assert "predicts its mean alone" in text(diagnoses, "calibration")
    # It has no history and no provenance, which only a training writes.
    assert set(states(diagnoses)) == {"model", "calibration"}
    (tmp_path / "saved" / "saved_model.pb").write_bytes(b"cut")
    (diagnosis,) = health.run(tmp_path / "saved")
    assert (diagnosis.subject, diagnosis.state) == ("model", "error")


def test_a_good_installation_has_no_error(tmp_path):
    diagnoses = health.installation(tmp_path)
    assert "error" not in states(diagnoses).values()
    assert {"tensorflow", "processor cores", "GPUs", "memory"} <= set(states(diagnoses))


@pytest.mark.parametrize(
    ("version", "state"), [("2.17.1", "warning"), ("2.18.0rc1", "ok"), ("2.22.0", "warning")]
)
def test_a_version_outside_the_range_is_a_warning(monkeypatch, version, state):
    monkeypatch.setattr(health.stack, "versions", lambda: {"tensorflow": version})
    monkeypatch.setattr(health, "_required_ranges", lambda: {"tensorflow": ">=2.18,<2.22"})
    (diagnosis,) = health._libraries()
    assert diagnosis.state == state
    assert version in diagnosis.text


def test_a_driver_without_a_gpu_in_tensorflow_is_an_error(monkeypatch, tmp_path):
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    monkeypatch.setattr(health, "_NVIDIA_DRIVER", tmp_path)
    assert "akita_bayes[gpu]" in text(health.installation(tmp_path), "GPUs")


def test_little_space_is_a_warning(monkeypatch, tmp_path):
    monkeypatch.setattr(health, "FREE_DISK_GB", 1e9)
    monkeypatch.setattr(health, "FREE_MEMORY_GB", 1e9)
    state_of = states(health.installation(tmp_path))
    assert state_of["memory"] == state_of[f"disk of {tmp_path}"] == "warning"


def test_a_good_data_directory(data):
    diagnoses = health.data_directory(data)
    assert set(states(diagnoses).values()) == {"ok"}
    assert text(diagnoses, "split train") == "24 windows in 4 files"


def test_a_damaged_or_missing_record_file_is_named(data):
    path = data / "tfrecords" / "valid-0.tfr"
    path.write_bytes(path.read_bytes()[:200])
    (data / "tfrecords" / "test-1.tfr").unlink()
    diagnoses = health.data_directory(data)
    assert states(diagnoses)["split train"] == "ok"
    assert states(diagnoses)["split valid"] == states(diagnoses)["split test"] == "error"
    assert "valid-0.tfr" in text(diagnoses, "split valid")


def test_a_directory_without_statistics(tmp_path):
    (diagnosis,) = health.data_directory(tmp_path)
    assert diagnosis.state == "error"
    assert "statistics.json" in diagnosis.text


def test_a_good_run_lacks_only_its_calibration(old_run):
    diagnoses = health.run(old_run)
    assert states(diagnoses)["model"] == states(diagnoses)["history"] == "ok"
    assert states(diagnoses)["calibration"] == "warning"
    assert text(diagnoses, "model") == "422 weights"


def test_an_unfinished_run_is_told_how_to_go_on(old_run):
    (old_run / "model_best.keras").unlink()
    assert "Start akita_train.py again" in text(health.run(old_run), "model")


DAMAGED = {
    "recalibration.json": ("calibration", ['{"edges": [1]}', "[]", '{"heads": {"hic": 3}}']),
    "swag.npz": ("posterior", ["not an archive"]),
    "provenance.json": (
        "provenance",
        ["{", "[1, 2]", '{"versions": [1]}', '{"data": 3}', '{"data": [{"path": 3}]}'],
    ),
    "history.csv": (
        "history",
        ["epoch,loss\n1,2\n", "epoch,valid_loss\n1,low\n", "epoch,valid_loss\n1\n", "\0\n\0"],
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_of_a_run_is_named_and_the_others_are_examined(old_run, name):
    subject, contents = DAMAGED[name]
    for content in (*(text.encode() for text in contents), b"\xff\xfe\x80"):
        (old_run / name).write_bytes(content)
        diagnoses = health.run(old_run)
        assert states(diagnoses)[subject] == "error", content
        assert str(old_run / name) in text(diagnoses, subject)
        assert text(diagnoses, "model") == "422 weights"
        assert {"model", "history"} <= set(states(diagnoses))
        errors = [entry.subject for entry in diagnoses if entry.state == "error"]
        assert errors == [subject]


@pytest.mark.parametrize("content", ["", "identifier\n", "index\tname\n0\tcell\n", "\0\t\0\n"])
def test_a_damaged_table_of_targets_is_named(data, content):
    (data / "targets.txt").write_text(content)
    diagnoses = health.data_directory(data)
    assert states(diagnoses)["targets"] == "error"
    assert "targets.txt" in text(diagnoses, "targets")
    assert states(diagnoses)["split train"] == "ok"


@pytest.mark.parametrize(
    ("losses", "state", "word"),
    [
        ([3, 2, 1], "ok", "still falling"),
        ([3, 1, 2], "ok", "after epoch 2"),
        ([1, 2, 3], "warning", "lower the learning rate"),
        ([3, float("nan")], "error", "not a number"),
        ([], "warning", "no epoch has ended"),
    ],
)
def test_the_history_of_a_training(old_run, losses, state, word):
    rows = "".join(f"{index},{loss}\n" for index, loss in enumerate(losses, 1))
    (old_run / "history.csv").write_text(f"epoch,valid_loss\n{rows}")
    diagnoses = health.run(old_run)
    assert states(diagnoses)["history"] == state
    assert word in text(diagnoses, "history")


def test_what_changed_since_the_training_is_listed(old_run):
    provenance = old_run / "provenance.json"
    provenance.write_text(
        provenance.read_text()
        .replace('"keras": "3.15.1"', '"keras": "3.1.0"')
        .replace('"path": "data"', '"path": "/no/such/data"')
    )
    diagnoses = health.run(old_run)
    assert "keras 3.1.0 -> " in text(diagnoses, "versions")
    assert text(diagnoses, "data").startswith("/no/such/data is gone")
