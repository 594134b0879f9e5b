"""A training killed at any moment continues to the very numbers it would have reached.

The processes share nothing but the run directory: the first is killed after a step in the middle of
an epoch, the second in the middle of writing a checkpoint, and the third finishes. The third also
trains a whole run, which is never interrupted; a start of TensorFlow takes longer than a training.
"""

import json
import shutil
import signal
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors, files
from akita_bayes.models import swag, zoo
from akita_bayes.training import fit, loop_settings, observers
from akita_bayes.training.run_files import checkpoint, run_record
from tests import forked, tiny
from tests.training import trainer

SWA = {"start": 1, "snapshots": 3, "learning_rate": 0.005, "swag_rank": 2, "swag_draws": 2}
"""The first process dies when one of six snapshots is taken."""

ENVIRONMENT = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "",
}


def spec_json():
    return tiny.spec_json(warmup_steps=3, swa=SWA)


def train(folder, expected, *arguments):
    """Trains in a process of its own, which ends with the expected status."""
    stderr_file = folder / "said"
    words = [str(argument) for argument in arguments]
    process = forked.start(trainer.main, words, stderr_file=stderr_file, environment=ENVIRONMENT)
    forked.finish(process, stderr_file, expected)


def weights(path):
    with h5py.File(path) as file:
        arrays = {}
        file.visititems(
            lambda name, item: (
                arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return arrays


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resume")
    data = tiny.write_data(folder / "data")
    spec = folder / "spec.json"
    spec.write_text(json.dumps(spec_json()), encoding="utf-8")
    whole, broken = folder / "whole", folder / "broken"
    train(folder, -signal.SIGKILL, spec, data, broken, "--kill-step", 11)
    killed_at = checkpoint.read(broken)
    train(folder, -signal.SIGKILL, spec, data, broken, "--resume", "--kill-write", 2)
    left = [path.name for path in (broken / "checkpoint").iterdir()]
    train(folder, 0, spec, data, broken, "--resume", "--then", whole)
    return whole, broken, killed_at, left


def test_it_was_killed_in_the_middle_of_an_epoch_and_of_a_write(runs):
    _, broken, killed_at, left = runs
    assert (killed_at.state["epoch"], killed_at.state["step_in_epoch"]) == (1, 2)
    assert killed_at.arrays["averager/count"] == [1]
    assert len([name for name in left if ".partial." in name]) == 1
    names = sorted(path.name for path in (broken / "checkpoint").iterdir())
    assert names == ["previous.npz", "state.npz"]


def test_history_is_the_same_to_the_last_digit(runs):
    whole, broken, *_ = runs
    text = (whole / "history.csv").read_text(encoding="utf-8")
    assert (broken / "history.csv").read_text(encoding="utf-8") == text
    assert len(text.splitlines()) == 1 + 3 + 1  # names, epochs, the averaged weights


def test_every_variable_and_counter_is_the_same_bit_for_bit(runs):
    whole, broken, *_ = (checkpoint.read(run) if isinstance(run, Path) else run for run in runs)
    assert whole.state == broken.state
    averager = {f"averager/{name}" for name in ("count", "mean", "square", "deviations")}
    assert whole.arrays.keys() == broken.arrays.keys()
    assert whole.arrays.keys() == {"model", "optimizer", "best"} | averager
    for group, arrays in whole.arrays.items():
        assert group in averager or len(arrays) > 5
        for expected, actual in zip(arrays, broken.arrays[group], strict=True):
            np.testing.assert_array_equal(expected, actual, err_msg=group)


def test_the_best_model_is_the_same(runs):
    whole, broken, *_ = runs
    expected, resumed = weights(whole / "model_best.h5"), weights(broken / "model_best.h5")
    assert expected.keys() == resumed.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(resumed[name], values, err_msg=name)


def test_the_swag_posterior_is_the_same(runs):
    whole, broken, *_ = runs
    (expected, draws), (resumed, again) = (swag.load(run / swag.FILE) for run in (whole, broken))
    np.testing.assert_array_equal(again, draws)
    for resumed_array, expected_array in zip(resumed, expected, strict=True):
        np.testing.assert_array_equal(resumed_array, expected_array)


def test_other_settings_or_other_data_are_not_continued(runs, tmp_path):
    whole, *_ = runs
    spec = zoo.parse_spec(spec_json())
    data = files.read_json(whole / "provenance.json")["data"][0]["path"]
    with pytest.raises(
        errors.RunError, match=r"of other inputs \(train: seed 0 and 5\); continue with"
    ):
        fit.fit(spec, data, out_dir=whole, resume=True, seed=5)
    other_data = tiny.write_data(tmp_path / "other", seed=1)
    with pytest.raises(errors.RunError, match=r"of other inputs \(data\); continue"):
        fit.fit(spec, other_data, out_dir=whole, resume=True)


@pytest.mark.parametrize(
    ("swa", "written", "first_epochs", "continued", "change"),
    [
        ({"start": 2}, 0, 1, 2, "start 0 and 1"),
        ({}, 3, 4, 8, "start 3 and 6"),
        ({}, None, 4, 8, "start 3 and 6"),
    ],
    ids=["given", "default", "default of an older run"],
)
def test_epochs_that_move_the_averaging_of_weights_are_not_continued(
    tmp_path, swa, written, first_epochs, continued, change
):
    """What was averaged is not what a longer training would have averaged."""
    data = tiny.write_data(tmp_path / "data", train=4, valid=4)
    spec = zoo.parse_spec(tiny.spec_json(swa=swa))
    params = loop_settings.adapt(spec, [data], epochs=first_epochs).to_json()
    if written is None:
        params["train"]["swa"]["start"] = None
    assert params["train"]["swa"]["start"] == written
    files.write_json(tmp_path / "run" / fit.PARAMS, params)
    (tmp_path / "run" / "checkpoint").mkdir()
    with pytest.raises(errors.RunError, match=rf"train: swa: {change}\); --epochs moves the start"):
        fit.fit(spec, data, out_dir=tmp_path / "run", epochs=continued, resume=True, devices="cpu")


def test_other_splits_are_not_continued(runs, tmp_path):
    whole, *_ = runs
    spec = zoo.parse_spec(spec_json())
    provenance = files.read_json(whole / "provenance.json")
    data = provenance["data"][0]["path"]
    assert provenance["splits"] == {"train": ["train"], "valid": ["valid"]}
    for options, message in (
        (
            {"train_split": ("train", "test")},
            r"other inputs \(splits: train train and train,test\)",
        ),
        ({"valid_split": "test"}, r"other inputs \(splits: valid valid and test\)"),
    ):
        with pytest.raises(errors.RunError, match=message):
            fit.fit(spec, data, out_dir=whole, resume=True, devices="cpu", **options)
    older = tmp_path / "older"
    shutil.copytree(whole, older)
    del provenance["splits"]
    files.write_json(older / "provenance.json", provenance)
    run = fit.fit(
        spec,
        data,
        out_dir=older,
        resume=True,
        devices="cpu",
        tensorboard=False,
        valid_split="test",
    )
    assert run.epochs == 3


def test_a_run_without_a_checkpoint_begins_again_with_the_same_weights_or_not_at_all(
    runs, tmp_path
):
    whole, *_ = runs
    spec = zoo.parse_spec(spec_json())
    provenance = files.read_json(whole / "provenance.json")
    data, path = provenance["data"][0]["path"], whole / "model_best.h5"
    assert provenance["weights"] is None
    provenance["weights"] = run_record.first_weights(path, trunk=True)
    (tmp_path / "checkpoint").mkdir()
    files.write_json(tmp_path / "provenance.json", provenance)
    params = loop_settings.adapt(spec, [Path(data)], epochs=1).to_json()
    files.write_json(tmp_path / fit.PARAMS, params)
    for options, message in (
        ({}, r"weights the trunk of model_best.h5 \(.*\) and random"),
        ({"restore": path}, r"weights the trunk of model_best.h5 \(.*\) and all of model"),
    ):
        with pytest.raises(errors.RunError, match=message):
            fit.fit(spec, data, out_dir=tmp_path, epochs=1, resume=True, devices="cpu", **options)
    options = {"epochs": 1, "resume": True, "devices": "cpu", "tensorboard": False}
    run = fit.fit(spec, data, out_dir=tmp_path, restore=path, trunk=True, **options)
    assert run.epochs == 1
    assert fit.fit(spec, data, out_dir=tmp_path, **options).epochs == 1  # the checkpoint has all


def test_a_finished_run_has_nothing_left_to_do_and_more_epochs_may_follow(runs):
    whole, *_ = runs
    spec = zoo.parse_spec(spec_json())
    data = files.read_json(whole / "provenance.json")["data"][0]["path"]
    before, rates = checkpoint.read(whole), pd.read_csv(whole / "history.csv")["learning_rate"]
    run = fit.fit(spec, data, out_dir=whole, resume=True, devices="cpu", tensorboard=False)
    assert run.epochs == 3
    assert run.history["learning_rate"].tolist() == pytest.approx(list(rates))
    np.testing.assert_array_equal(
        checkpoint.read(whole).arrays["model"][0], before.arrays["model"][0]
    )
    more = fit.fit(
        spec, data, out_dir=whole, resume=True, epochs=4, devices="cpu", tensorboard=False
    )
    assert list(more.history["epoch"]) == [1, 2, 3, 4, 5]


def test_draws_around_a_model_that_is_no_longer_kept_are_not_kept_either(runs, tmp_path):
    """Continuing keeps the best of all epochs until the weights are averaged again."""
    whole, *_ = runs
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    swag_exists = []

    class Watch(observers.Silent):
        def begin_renewal(self, steps):
            swag_exists.append((run / swag.FILE).exists())

    spec = zoo.parse_spec(spec_json())
    data = files.read_json(run / "provenance.json")["data"][0]["path"]
    options = {"resume": True, "devices": "cpu", "tensorboard": False}
    fit.fit(spec, data, out_dir=run, observer=Watch(), **options)
    assert swag_exists == [False] * 3
    assert (run / swag.FILE).exists()


def test_what_is_no_run_is_not_continued(tmp_path):
    data = tiny.write_data(tmp_path / "data", train=4, valid=4)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "1.jpg").write_bytes(b"mine")
    spec = zoo.parse_spec(tiny.spec_json(train_epochs_max=1))
    with pytest.raises(
        errors.RunError, match=r"photos: not empty, and does not hold a model; choose"
    ):
        fit.fit(spec, data, out_dir=tmp_path / "photos", resume=True, devices="cpu")
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["1.jpg"]


def test_resuming_where_nothing_began_begins(tmp_path):
    data = tiny.write_data(tmp_path / "data", train=4, valid=4)
    spec = zoo.parse_spec(tiny.spec_json(train_epochs_max=1))
    run = fit.fit(
        spec, data, out_dir=tmp_path / "run", resume=True, devices="cpu", tensorboard=False
    )
    assert run.epochs == 1
