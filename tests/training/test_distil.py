"""A student learns mean and spread of its teachers, and its run is an ordinary run."""

import numpy as np
import pytest

from akita_bayes import errors, files
from akita_bayes.data.records import dataset
from akita_bayes.layers import noise
from akita_bayes.models import load, posterior, predict, zoo
from akita_bayes.origins import training_regions
from akita_bayes.training import distil, fit, observers
from tests import tiny
from tests.training.teachers import constant_runs

OPTIONS = fit.FitOptions(devices="cpu", tensorboard=False, checkpoint_minutes=None)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Data, and two teachers that predict 1 and 2 everywhere, with noise of 0.6 and 0.8."""
    folder = tmp_path_factory.mktemp("distil")
    tiny.write_data(folder / "data", train=16, valid=4)
    for number in range(2):
        run = constant_runs.write(folder / f"run{number}", 1.0 + number, noise=0.6 + 0.2 * number)
        regions = training_regions.TrainingRegions("g.fa", {"chr9": 900}, {"chr9": ((0, 500),)})
        training_regions.write(run, {"hic": regions})
    return folder


def spec(**train):
    settings = {"learning_rate": 0.03, "train_epochs_max": 20, **train}
    return zoo.parse_spec(tiny.spec_json(model={"trunk": [_plain()]}, **settings))


def _plain():
    return {"name": "conv_block", "filters": 4, "kernel_size": 5, "pool_size": 16}


def taught(world, out_dir, student_spec=None, **changes):
    return distil.distil(
        student_spec or spec(),
        world / "data",
        [world / "run0", world / "run1"],
        out_dir=out_dir,
        fit_options=OPTIONS,
        mutated=0,
        **changes,
    )


@pytest.fixture(scope="module")
def student(world):
    return taught(world, world / "student")


def test_the_student_of_two_constants_converges_to_their_mean_and_spread(student):
    model = load.load_model(student.out_dir)
    post = posterior.sample_posterior(model, tiny.one_hot(4, seed=5), draws=8)
    # Mean and standard deviation of 1 and 2 are 1.5 and sqrt(1/2).
    assert np.sqrt(np.mean((post.mean - 1.5) ** 2)) < 0.1
    assert np.sqrt(np.mean((post.epistemic_sd - 0.5**0.5) ** 2)) < 0.06
    np.testing.assert_allclose(
        predict.predict(model, tiny.one_hot(4, seed=5)), post.mean, atol=1e-4
    )
    last = student.history.iloc[-1]
    assert last["valid_loss"] < 0.02
    assert last["valid_spread_mse"] < 0.005


def test_the_student_states_the_noise_of_its_teachers(student):
    post = posterior.sample_posterior(load.load_model(student.out_dir), tiny.one_hot(1), draws=2)
    np.testing.assert_allclose(post.aleatoric_sd, 0.5**0.5, rtol=1e-5)
    assert student.spec.train.distillation.observation_noise == "target"


def test_the_run_names_its_teachers_and_all_regions_that_were_learned_from(student, world):
    (origin,) = files.read_json(student.out_dir / "provenance.json")["data"]
    assert [entry["name"] for entry in origin["teachers"]] == ["run0", "run1"]
    assert origin["options"]["draws"] == 2
    model = load.load_model(student.out_dir)
    assert model.training_regions["hic"].intervals["chr9"] == ((0, 500),)
    assert model.training_regions["hic"].sizes["chr9"] == 900


@pytest.mark.slow
def test_a_student_that_was_stopped_ends_with_the_same_numbers(world, tmp_path):
    class Stopping(observers.Silent):
        steps = 0

        def end_step(self, loss, learning_rate):
            self.steps += 1
            if self.steps == 6:
                raise KeyboardInterrupt

    student_spec = spec(train_epochs_max=2)
    whole = taught(world, tmp_path / "whole", student_spec)
    with pytest.raises(KeyboardInterrupt):
        taught(world, tmp_path / "stopped", student_spec, observer=Stopping())
    resumed = distil.distil(
        student_spec,
        world / "data",
        [world / "run0", world / "run1"],
        out_dir=tmp_path / "stopped",
        fit_options=fit.FitOptions(devices="cpu", tensorboard=False, resume=True),
        mutated=0,
    )
    assert resumed.history.equals(whole.history)
    x = tiny.one_hot(2)
    np.testing.assert_array_equal(*(predict.predict(run.model(), x) for run in (whole, resumed)))


def test_mutated_copies_are_labelled_and_learned(world, tmp_path):
    run = distil.distil(
        spec(train_epochs_max=1),
        world / "data",
        [world / "run0", world / "run1"],
        out_dir=tmp_path / "student",
        labels_dir=tmp_path / "labels",
        fit_options=OPTIONS,
        mutated=1,
    )
    assert dataset.open_split(tmp_path / "labels", "train").records == 32
    assert run.history["step"].iloc[-1] == 8


def test_measured_targets_cannot_be_distilled(world, tmp_path):
    params = spec().to_json()
    params["train"] |= {"loss": "distillation"}
    params["model"]["head_hic"][-1] = {"name": "normal_final", "units": tiny.TARGETS}
    with pytest.raises(errors.SpecError, match="holds measured targets; label its windows with"):
        fit.fit(zoo.parse_spec(params), world / "data", out_dir=tmp_path / "run", options=OPTIONS)


def test_noise_that_the_teachers_do_not_state_is_refused(student, tmp_path):
    changed = student.spec.with_training(distillation={"observation_noise": "target_distance"})
    with pytest.raises(errors.SpecError, match='states its noise per target; write "target"'):
        fit.fit(changed, f"{student.out_dir}_labels", out_dir=tmp_path / "run", options=OPTIONS)


def test_blocks_of_the_2d_head_can_be_computed_again(world, student, tmp_path):
    """With `recompute` both outputs come from the same graph, so the numbers are the same."""
    recomputing = spec(train_epochs_max=1, recompute=True)
    histories = [
        taught(world, tmp_path / name, settings, labels_dir=f"{student.out_dir}_labels").history
        for name, settings in (("again", recomputing), ("stored", spec(train_epochs_max=1)))
    ]
    np.testing.assert_allclose(histories[0]["train_loss"], histories[1]["train_loss"], rtol=1e-4)


def test_the_noise_layer_learns_nothing(student):
    (layer,) = (x for x in student.model().layers if isinstance(x, noise.ObservationNoise))
    np.testing.assert_allclose(np.exp(2 * layer.log_sd.numpy()), 0.5, rtol=1e-5)
