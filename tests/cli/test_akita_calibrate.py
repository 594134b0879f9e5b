"""The command makes a model's intervals true, and every later posterior uses what it stored."""

import json
import shutil

import keras
import numpy as np
import pandas as pd
import pytest

from akita_bayes.cli import akita_calibrate, akita_test
from akita_bayes.data import noise_table
from akita_bayes.data.preparation import targets as target_tables
from akita_bayes.data.records import statistics, tfrecord
from akita_bayes.evaluate.intervals import calibrate
from akita_bayes.models import build, load, posterior, recalibration, zoo
from akita_bayes.plots.reports import calibration_report
from akita_bayes.simulate import design_json, designs
from akita_bayes.training import fit
from tests import tiny
from tests.outputs import files_of


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrate")
    data = tiny.write_data(folder / "data", train=32, valid=40, test=40)
    raw = tiny.spec_json(loss="elbo", elbo={"initial_noise": 0.05}, train_epochs_max=2)
    raw["model"]["head_hic"].insert(0, {"name": "normal_latent", "units": 3})
    fit.fit(zoo.parse_spec(raw), data, out_dir=folder / "run", devices="cpu", tensorboard=False)
    return folder


def test_intervals_are_mended_stored_and_used(trained, capsys):
    run, data = trained / "run", trained / "data"
    x = tiny.one_hot(2)
    before = posterior.sample_posterior(load.load_model(run), x, draws=4)
    assert akita_calibrate.main([str(run), str(data), "--draws", "6", "--distances", "3"]) == 0
    calibration = json.loads((run / "calibration" / "calibration.json").read_text(encoding="utf-8"))
    stated, mended = (
        calibration[k]["overall"]["coverage_90%"]["estimate"] for k in ("before", "after")
    )
    assert abs(mended - 0.9) < 0.03 < abs(stated - 0.9)
    assert (
        calibration["after"]["overall"]["crps"]["estimate"]
        < (calibration["before"]["overall"]["crps"]["estimate"])
    )
    table = pd.read_csv(run / "calibration" / "calibration.tsv", sep="\t")
    assert len(table) == 3 * tiny.TARGETS * (len(calibration["after"]["distance_edges"]) - 1)
    varying = table[table["state"] != "constant"]
    assert varying[["error_sd_spearman", "ause"]].notna().all(axis=None)
    assert np.shape(calibration["after"]["pit_by_stratum"]) == (tiny.TARGETS, 3, 20)
    printed = capsys.readouterr().out
    assert "coverage 90%" in printed
    assert "intervals of the underlying map are not" in printed
    assert calibration["map"]["noise"] is None
    model = load.load_model(run)
    after = posterior.sample_posterior(model, x, draws=4)
    factors = model.recalibrations["hic"].factors(tiny.PIXELS)
    np.testing.assert_allclose(
        after.sd,
        np.hypot(before.epistemic_sd * factors.epistemic, before.aleatoric_sd * factors.aleatoric),
        rtol=1e-5,
    )
    raw = posterior.sample_posterior(model, x, draws=4, recalibrated=False)
    np.testing.assert_allclose(raw.sd, before.sd, rtol=1e-6)


def noisier(data, folder, sd):
    """A copy of a data directory whose test split was measured with more noise."""
    shutil.copytree(data, folder)
    random = np.random.default_rng(1)
    stats = statistics.read(folder)
    for path in (folder / "tfrecords").glob("test-*.tfr"):
        records = [
            record._replace(target=record.target + random.normal(0, sd, record.target.shape))
            for record in tfrecord.read_records(path, stats)
        ]
        tfrecord.write_records(path, records)
    return folder


@pytest.mark.slow
def test_a_calibration_that_does_not_hold_on_new_data_warns(trained, tmp_path, caplog):
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    noisy = noisier(trained / "data", tmp_path / "noisy", 3.0)
    fitted = [str(run), str(trained / "data"), "--draws", "6", "-o", str(tmp_path / "fitted")]
    assert akita_calibrate.main(fitted) == 0
    # Two epochs leave a bias, which factors cannot remove and the test finds.
    assert "predictions are too low (PIT of 40 windows" in caplog.text
    assert "too small" not in caplog.text
    for data, holds in ((trained / "data", True), (noisy, False)):
        caplog.clear()
        words = [str(run / "params.json"), str(run), str(data), "--draws", "6", "--maps", "0"]
        out = tmp_path / f"test_{holds}"
        assert akita_test.main([*words, "-o", str(out)]) == 0
        warned = "does not hold on split test: the stated standard deviations are too small"
        assert (warned in caplog.text) is not holds
        pit_test = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["pit_test"]
        assert pit_test["windows"] == 40
        assert abs(pit_test["spread"] - 1) < 0.15 if holds else pit_test["spread"] > 1.5
    caplog.clear()
    fitted = [str(run), str(noisy), "--draws", "6", "-o", str(tmp_path / "again")]
    assert akita_calibrate.main(fitted) == 0
    assert "does not hold on split test: the stated standard deviations are too" in caplog.text


def test_known_noise_calibrates_intervals_of_the_map(trained, tmp_path, capsys):
    """The noise of `tiny` has a standard deviation of 0.1, in every target and distance."""
    data = tmp_path / "data"
    shutil.copytree(trained / "data", data)
    shape = (tiny.TARGETS, tiny.BINS - tiny.OFFSET)
    noise = noise_table.NoiseTable(
        np.full(shape, 0.01), np.zeros(shape), np.ones(shape, int), tiny.OFFSET, "known"
    )
    noise_table.write(data, noise)
    truth = [np.stack([record.target for record in tiny.records(40, seed=seed)]) for seed in (1, 2)]
    (data / "truth").mkdir()
    np.savez(data / "truth" / "test.npz", truth=truth[1])
    run = tmp_path / "run"
    shutil.copytree(trained / "run", run)
    assert akita_calibrate.main([str(run), str(data), "--draws", "6", "--distances", "3"]) == 0
    printed = capsys.readouterr().out
    assert "truth in 90% interval" in printed
    assert "are not" not in printed
    content = json.loads((run / "calibration" / "calibration.json").read_text(encoding="utf-8"))
    assert content["map"]["noise"] == "known"
    after = content["map"]["after"]["overall"]
    assert after["stated_noise"] == pytest.approx(0.1, rel=0.01)
    assert after["stated_error"] == pytest.approx(after["error_by_moments"], rel=0.15)
    assert 0.86 < after["measurement_coverage"] < 0.94
    model, x = load.load_model(run), tiny.one_hot(2)
    assert model.recalibrations["hic"].map_error is not None
    sample = posterior.sample_posterior(model, x, draws=6, keep_draws=True)
    np.testing.assert_allclose(sample.aleatoric_sd, 0.1, rtol=0.01)
    np.testing.assert_allclose(sample.draws.std(0, ddof=1), sample.epistemic_sd, rtol=1e-3)
    width = sample.map_quantiles[0.95] - sample.map_quantiles[0.05]
    np.testing.assert_allclose(width / sample.epistemic_sd, 2 * 1.645, rtol=0.15)
    np.testing.assert_allclose(sample.map_quantiles[0.5], sample.mean, atol=1e-6)
    # What was stated before is the noise that the model learned, not that of the table.
    learned = posterior.sample_posterior(model, x, draws=1, recalibrated=False).aleatoric_sd
    before = content["map"]["before"]["overall"]
    assert before["stated_noise"] == pytest.approx(np.sqrt((learned**2).mean()), rel=0.01)
    assert abs(before["stated_noise"] / after["stated_noise"] - 1) > 0.2
    table = pd.read_csv(run / "calibration" / "calibration.tsv", sep="\t")
    recalibrated = table[table["state"] == "recalibrated"]
    assert recalibrated[["map_error_by_moments", "map_truth_coverage_90%"]].notna().all(axis=None)


@pytest.fixture(scope="module")
def model(trained):
    return load.load_model(trained / "run")


@pytest.fixture(scope="module")
def report(trained, model):
    return calibrate.calibrate(model, trained / "data", draws=6, distances=3)


def test_a_library_call_writes_the_same_files(trained, report, tmp_path):
    run, data = trained / "run", trained / "data"
    options = ("--draws", "6", "--distances", "3", "-o", str(tmp_path / "command"))
    assert akita_calibrate.main([str(run), str(data), *options]) == 0
    calibration_report.write(report, target_tables.names(data, tiny.TARGETS), tmp_path / "library")
    written, expected = (files_of(tmp_path / name) for name in ("library", "command"))
    assert written == expected
    assert sorted(written) == [
        *("calibration.json", "calibration.tsv", "coverage_by_distance.png", "pixels.png"),
        *("reliability.png", "sd_beside_error.png"),
    ]


def test_a_report_s_after_is_what_the_posterior_then_says(model, report):
    x = tiny.one_hot(40, seed=2)[:1]
    summary = posterior.sample_posterior(model, x, draws=6, recalibration=report.recalibration)
    np.testing.assert_allclose(summary.mean[0], report.tested[0].mean, atol=1e-5)
    np.testing.assert_allclose(summary.sd[0], report.tested[0].sd, rtol=1e-4)


def untrained(run, *, seed=0, **spec):
    keras.utils.set_random_seed(seed)
    run.mkdir()
    build.build(zoo.parse_spec(tiny.spec_json(**spec))).save(run / recalibration.WEIGHTS)
    return run


def test_the_draws_shown_have_the_spread_that_is_stated(report):
    """The figure's histogram and its noise are on one scale, that of the recalibrated model."""
    shown, stated = report.draws, report.tested[0]
    factors = report.recalibration.factors(tiny.PIXELS)
    assert np.abs(factors.epistemic - 1).max() > 0.1
    np.testing.assert_allclose(shown.std(0, ddof=1), stated.epistemic_sd, rtol=1e-3)
    np.testing.assert_allclose(shown.mean(0), stated.mean, atol=1e-5)


def test_a_second_head_keeps_the_first_one_s_factors(tmp_path):
    """Two and one targets, as full models have six and five: factors of one fit no other."""
    run = untrained(tmp_path / "run", heads=("human", ("mouse", 1)))
    mouse = tiny.write_data(tmp_path / "mouse", train=1, valid=3, test=3, seed=5, targets=1)
    human = tiny.write_data(tmp_path / "human", train=1, valid=3, test=3)
    for head, data in (("human", human), ("mouse", mouse)):
        assert akita_calibrate.main([str(run), str(data), "--head", head, "--distances", "2"]) == 0
    # One training window has no covariance: the intervals are stored, and no novelty is.
    assert not (run / "novelty.npz").exists()
    model, x = load.load_model(run), tiny.one_hot(2)
    for head, targets in (("human", 2), ("mouse", 1)):
        assert (run / "calibration" / head / "calibration.json").is_file()
        fitted = model.recalibrations[head]
        summary = posterior.sample_posterior(model, x, draws=1, head=head)
        expected = fitted.aleatoric_sd(tiny.PIXELS) * fitted.factors(tiny.PIXELS).aleatoric
        assert expected.shape == (tiny.PIXELS, targets)
        np.testing.assert_allclose(summary.sd[0], expected, rtol=1e-5)
    fitted = calibrate.calibrate(model, human, head="human", distances=2).recalibration
    assert model.recalibrations["human"] == fitted


def test_an_ensemble_s_factors_are_applied_where_the_same_runs_are_loaded(tmp_path):
    runs = [untrained(tmp_path / str(seed), seed=seed) for seed in range(2)]
    data = tiny.write_data(tmp_path / "data", train=1, valid=3, test=3)
    first, second = map(str, runs)
    assert akita_calibrate.main([first, str(data), "--ensemble", second, "--distances", "2"]) == 0
    assert (runs[0] / "calibration_ensemble" / "calibration.json").is_file()
    assert not (runs[0] / "calibration").exists()
    x = tiny.one_hot(2)
    model = load.load_model([first, second])
    fitted = model.recalibrations["hic"]
    stated = posterior.sample_posterior(model, x, draws=2, recalibrated=False)
    summary = posterior.sample_posterior(model, x, draws=2)
    factors = fitted.factors(tiny.PIXELS).epistemic
    np.testing.assert_allclose(summary.epistemic_sd, stated.epistemic_sd * factors, rtol=1e-5)
    assert (summary.aleatoric_sd > 0).all()
    assert load.load_model(first).recalibrations == {}


def test_fitting_and_judging_on_one_split_is_refused(trained, capsys):
    arguments = [str(trained / "run"), str(trained / "data"), "--split", "valid"]
    assert akita_calibrate.main(arguments) == 2
    assert 'intervals fitted on "valid" cannot be judged on it' in capsys.readouterr().err


def test_what_cannot_take_the_factors_is_refused_before_any_draw(trained, capsys):
    run, data = trained / "run", str(trained / "data")
    assert akita_calibrate.main([str(run / "model_best.keras"), data]) == 2
    assert "model_best.keras: a file; give the run directory" in capsys.readouterr().err
    assert akita_calibrate.main([str(run), data, "--ensemble", str(run / ".." / "run")]) == 2
    stderr = capsys.readouterr().err
    assert "run: is named twice" in stderr
    assert "Drawing" not in stderr


def status(arguments):
    """The exit status, also of a parser that ends the process."""
    try:
        return akita_calibrate.main(arguments)
    except SystemExit as end:
        return end.code


def test_a_run_without_a_model_is_refused_and_nothing_is_written(
    trained, tmp_path, monkeypatch, capsys
):
    """A folder with the name of a shipped model would be taken for that model from then on."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    for run, message in (
        ("akita_yeast", "akita_yeast: comes with this package, which stores no factors; copy "),
        ("akita_yeest", "akita_yeest: no such file or directory"),
        ("no/run", "no/run: no such file or directory"),
        ("empty", "empty: is not a run directory, as it has no model_best.keras; give the "),
    ):
        for options in ((), ("--variants", "1")):
            assert status([run, str(trained / "data"), *options]) == 2
            stderr = capsys.readouterr().err
            assert message in stderr
            assert "Drawing" not in stderr
        ensemble = [str(trained / "run"), str(trained / "data"), "--ensemble", run]
        assert status([*ensemble, "-o", str(tmp_path / "out")]) == 2
        assert f"{run}: " in capsys.readouterr().err
    assert not list((tmp_path / "empty").iterdir())
    assert not (tmp_path / "akita_yeast").exists()


def test_data_with_other_targets_than_the_model_are_refused(trained, tmp_path, capsys):
    data = tiny.write_data(tmp_path / "data", train=1, valid=3, test=3, targets=1)
    assert akita_calibrate.main([str(trained / "run"), str(data)]) == 2
    assert "units 2 of the spec disagrees with num_targets 1" in capsys.readouterr().err


def test_a_simulation_that_the_model_predicts_otherwise_is_refused(trained, tmp_path, capsys):
    """Its maps are those of the data, halved; the table shows the slopes."""
    simulation = tiny.write_data(tmp_path / "simulation", train=1, valid=6, test=3, factor=0.5)
    words = [str(trained / "run"), str(trained / "data"), "--simulation", str(simulation)]
    with pytest.raises(SystemExit):
        akita_calibrate.main(words)
    assert "--simulation needs --variants N" in capsys.readouterr().err
    words += ["--variants", "2", "-o", str(tmp_path / "out")]
    assert akita_calibrate.main(words) == 2
    assert "simulation.json: no such file" in capsys.readouterr().err
    design_json.write(simulation, designs.PRESETS["tiny"], seed=0, version="x")
    assert akita_calibrate.main(words) == 2
    captured = capsys.readouterr()
    assert "does not match the data" in captured.err.replace("\n", " ")
    assert "slope" in captured.out
    assert not (tmp_path / "out" / "variant_intervals.json").exists()
