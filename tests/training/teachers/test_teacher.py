"""A teacher predicts the targets, bins and windows of the data, and its draws have a spread."""

import json

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.models import export, load, swag
from akita_bayes.training.teachers import teacher
from tests import tiny
from tests.training.teachers import constant_runs


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher")
    tiny.write_data(folder / "data", train=2, valid=1, test=1)
    for number, value in enumerate((1.0, 4.0)):
        constant_runs.write(folder / f"run{number}", value)
    return folder


def test_mean_and_spread_are_those_of_the_members(world):
    taught = teacher.load_teacher([world / "run0", world / "run1"], world / "data")
    assert (taught.head, taught.draws, taught.noise()) == ("hic", 2, None)
    predicted = taught.predict(tiny.one_hot(3))
    np.testing.assert_allclose(predicted.mean, 2.5, rtol=1e-6)
    np.testing.assert_allclose(predicted.epistemic_sd, 3 / 2**0.5, rtol=1e-6)


def test_swag_draws_teach_too(world, tmp_path):
    run = constant_runs.write(tmp_path / "swag", 1.0)
    weights = swag.flatten(swag.drawn_variables(load.load_model(run)))
    gaussian = swag.Swag(weights, 0 * weights, np.zeros((2, len(weights)), np.float32))
    # The last two weights are the biases of the output.
    draws = np.stack([np.append(weights[:-2], [value, value]) for value in (0.0, 1.0, 2.0)])
    swag.save(run / "swag.npz", gaussian, draws.astype(np.float32))
    taught = teacher.load_teacher([run], world / "data", draws=64)
    assert taught.draws == 3
    np.testing.assert_allclose(taught.predict(tiny.one_hot(2)).epistemic_sd, 1.0, rtol=1e-5)


def write_targets(run, identifiers):
    rows = [[name, ""] for name in identifiers]
    (run / "provenance.json").write_text(
        json.dumps({"data": [{"head": "hic", "targets": rows}]}), encoding="utf-8"
    )


def test_a_run_with_the_recorded_targets_of_the_data_teaches(world, tmp_path):
    runs = [constant_runs.write(tmp_path / f"run{n}", n) for n in range(2)]
    for run in runs:
        write_targets(run, ["cell0", "cell1"])
    assert teacher.load_teacher(runs, world / "data").draws == 2


@pytest.mark.parametrize(
    ("identifiers", "expected"),
    [
        (["cell1", "cell0"], "its targets are cell1, cell0, those of the data cell0, cell1"),
        (["a", "b"], "its targets are a, b, those of the data cell0, cell1"),
    ],
)
def test_other_targets_are_refused(world, tmp_path, identifiers, expected):
    run = constant_runs.write(tmp_path / "run", 1.0)
    write_targets(run, identifiers)
    with pytest.raises(errors.RunError, match=f"run: cannot teach a student of .*{expected}"):
        teacher.load_teacher([world / "run0", run], world / "data")


def other_geometry(folder, change):
    raw = tiny.spec_json()
    change(raw["model"])
    return constant_runs.write(folder, 1.0, raw=raw)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda model: model.update(seq_length=512), "its seq_length is 512, that of the data 256"),
        (
            lambda model: model["trunk"][0].update(pool_size=8),
            "its pool_width is 8, that of the data 16",
        ),
        (
            lambda model: model["head_hic"][-1].update(units=3),
            "its num_targets is 3, that of the data 2",
        ),
        (
            lambda model: model["head_hic"][4].update(cropping=3),
            "its crop_bp is 48, that of the data 32",
        ),
    ],
)
def test_other_windows_bins_and_targets_are_refused(world, tmp_path, change, expected):
    run = other_geometry(tmp_path / "other", change)
    with pytest.raises(errors.RunError, match=f"other: cannot teach a student of .*{expected}"):
        teacher.load_teacher([world / "run0", run], world / "data")


def test_teachers_without_a_spread_are_refused(world, tmp_path):
    with pytest.raises(errors.RunError, match="one draw has no spread that a student could learn"):
        teacher.load_teacher([world / "run0"], world / "data")
    with pytest.raises(errors.RunError, match="one draw has no spread that a student could learn"):
        teacher.load_teacher([world / "run0", world / "run1"], world / "data", draws=1)
    export.export(load.load_model(world / "run0"), tmp_path / "saved")
    with pytest.raises(errors.RunError, match="saved: is an exported model, which states no"):
        teacher.load_teacher([world / "run0", tmp_path / "saved"], world / "data")
