"""`akita_test.py`: tables and figures of a model on held-out windows."""

import json

import h5py
import keras
import matplotlib.figure
import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors, files, triangle
from akita_bayes.cli import akita_test
from akita_bayes.data.records import dataset
from akita_bayes.evaluate import accuracy, accuracy_files, baseline, window_maps
from akita_bayes.models import build, load, predict, weights, zoo
from akita_bayes.plots import map_plots
from akita_bayes.plots.reports import accuracy_report
from tests import tiny
from tests.outputs import files_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("test")
    data = tiny.write_data(folder / "data")
    (data / "truth").mkdir()
    truth = np.stack([record.target for record in tiny.records(7, seed=2)])
    np.savez_compressed(data / "truth" / "test.npz", truth=truth)
    files.write_json(
        data / "truth" / "ceiling.json",
        {"test": {"targets": ["a", "b"], "target_truth_pearson": [0.9, 0.8]}},
    )
    (folder / "params.json").write_text(json.dumps(tiny.spec_json()), encoding="utf-8")
    keras.utils.set_random_seed(0)
    model = build.build(zoo.load_network(folder / "params.json"))
    weights.save_weights(model, folder / "model.h5", format="basenji")
    return folder


def command(folder, out, *options):
    files_ = (folder / "params.json", folder / "model.h5", folder / "data")
    return akita_test.main([*map(str, files_), "-o", str(out), *options])


@pytest.fixture(scope="module")
def written(folder):
    assert command(folder, folder / "out") == 0
    return folder / "out"


@pytest.fixture(scope="module")
def report(folder):
    model = load.load_model((folder / "params.json", folder / "model.h5"))
    return accuracy.assess(model, folder / "data")


def test_a_library_call_writes_the_same_files(written, folder, report, tmp_path):
    names = accuracy_files.target_names(folder / "data")
    accuracy_report.write(report, names, tmp_path / "library")
    expected = files_of(written)
    assert files_of(tmp_path / "library") == expected
    accuracy_files.write(report, names, tmp_path / "tables")
    assert files_of(tmp_path / "tables") == {
        name: expected[name] for name in ("acc.txt", "metrics.json", "windows.h5")
    }


def test_acc_txt_has_basenjis_columns_and_a_row_for_every_target_alone(written, report):
    table = pd.read_csv(written / "acc.txt", sep="\t", index_col="index")
    assert list(table.index) == [0, 1]
    assert list(table.columns[:5]) == ["pearsonr", "spearmanr", "r2", "identifier", "description"]
    assert list(table["identifier"]) == ["cell0", "cell1"]
    assert table["description"].iloc[1] == "cell type 1"
    for prefix, scores in (
        ("", report.model),
        ("distance_", report.baseline),
        ("truth_", report.truth),
    ):
        for name in ("pearsonr", "r2", "mse"):
            expected = scores.table()[name][:2]
            assert list(table[prefix + name]) == pytest.approx(expected, abs=1e-4)
    spearman = report.model.table()["spearmanr"][:2]
    assert list(table["spearmanr"]) == pytest.approx(spearman, abs=1e-4)
    assert list(table["ceiling_pearsonr"]) == pytest.approx([0.9, 0.8])


def test_metrics_json_says_the_same_and_more(written, report):
    table = pd.read_csv(written / "acc.txt", sep="\t", index_col="index")
    metrics = files.read_json(written / "metrics.json")
    pearson = metrics["model"]["pearsonr"]
    assert pearson["targets"]["cell1"] == pytest.approx(table["pearsonr"][1], abs=1e-5)
    pooled = report.model.table()
    for name in ("pearsonr", "spearmanr", "r2", "mse"):
        assert metrics["model"][name]["pooled"] == pytest.approx(pooled[name][-1], abs=1e-5)
        assert metrics["model"][name]["mean"] == pytest.approx(table[name].mean(), abs=1e-4)
    assert metrics["ceiling_mean"] == {"target_truth_pearson": pytest.approx(0.85)}
    assert metrics["windows"] == len(metrics["pearsonr_by_window"]) == 7
    assert metrics["ceiling"]["target_truth_pearson"] == {"cell0": 0.9, "cell1": 0.8}
    assert set(metrics["pearsonr_by_distance"]) == set(metrics["truth_pearsonr_by_distance"])
    assert set(metrics["insulation_pearsonr"]) == {"cell0", "cell1"}


def test_metrics_json_has_intervals_baselines_and_the_geometry(written, report):
    metrics = files.read_json(written / "metrics.json")
    table = pd.read_csv(written / "acc.txt", sep="\t", index_col="index")
    details = report.details
    intervals = metrics["intervals"]
    assert intervals["blocks"] == details.blocks
    low, high = intervals["pearsonr"]["cell1"]
    assert low <= metrics["model"]["pearsonr"]["targets"]["cell1"] <= high
    assert table[["pearsonr_low", "pearsonr_high"]].iloc[1].tolist() == pytest.approx(
        [low, high], abs=1e-5
    )
    distance_mse = metrics["distance_only"]["mse"]["targets"]
    assert metrics["baselines"]["distance_only"]["mse"] == pytest.approx(distance_mse, rel=1e-5)
    for name, mse in distance_mse.items():
        gain = metrics["mse_below_baseline"]["distance_only"][name]
        model_mse = metrics["model"]["mse"]["targets"][name]
        assert gain == pytest.approx(mse - model_mse, rel=1e-4)
    adjusted = metrics["stratum_adjusted_pearsonr"]
    assert adjusted == pytest.approx(
        dict(zip(("cell0", "cell1"), details.scores["stratum_adjusted"].value, strict=True))
    )
    assert len(metrics["mse_by_window"]) == len(metrics["stratum_adjusted_by_window"]) == 7
    assert set(intervals["mse_by_distance"]) == set(metrics["pearsonr_by_distance"])
    insulation = metrics["insulation_pearsonr"]
    assert list(details.scores["insulation_pearsonr"].value) == pytest.approx(
        list(insulation.values()), abs=1e-6
    )
    geometry = {"bin_width": tiny.POOL, "bins": tiny.BINS, "diagonal_offset": tiny.OFFSET}
    assert geometry.items() <= metrics["geometry"].items()


def test_some_windows_are_kept_as_maps(written, report):
    maps = window_maps.read(written / "windows.h5")
    assert maps.targets == ["cell0", "cell1"]
    assert list(maps.layers) == ["measured", "predicted", "truth"]
    assert len(maps.regions) == len(report.examples) == 3
    for number, example in enumerate(report.examples):
        assert maps.regions[number] == example.region
        np.testing.assert_array_equal(np.isnan(maps.layers["measured"][number]), ~example.mask)
        np.testing.assert_array_equal(maps.layers["predicted"][number], example.prediction)


def test_a_damaged_file_of_maps_is_one_sentence(written, tmp_path):
    with h5py.File(tmp_path / "windows.h5", "w") as copy, h5py.File(written / "windows.h5") as file:
        for name in file:
            file.copy(name, copy)
        copy.attrs.update(file.attrs)
        copy.attrs["bins"] = tiny.BINS + 1
    with pytest.raises(errors.DataError, match=r"measured has the shape .* expected"):
        window_maps.read(tmp_path / "windows.h5")


def test_figures_are_drawn(written):
    assert {path.name for path in written.glob("*.png")} == {
        "maps.png",
        "scatter.png",
        "by_distance.png",
    }


def test_a_table_chooses_and_names_targets(folder, tmp_path, capsys):
    (tmp_path / "chosen.txt").write_text("\tidentifier\n1\tmine\n", encoding="utf-8")
    options = ("-t", str(tmp_path / "chosen.txt"), "--no-rank", "--maps", "0", "--split", "valid")
    assert command(folder, tmp_path / "out", *options) == 0
    table = pd.read_csv(tmp_path / "out" / "acc.txt", sep="\t", index_col="index")
    assert list(table["identifier"]) == ["mine"]
    assert "spearmanr" not in table
    assert "truth_pearsonr" not in table
    assert "6 windows" in capsys.readouterr().out


def saved(out):
    """What `preds.h5` and `targets.h5` hold."""
    arrays = []
    for name in ("preds", "targets"):
        with h5py.File(out / f"{name}.h5") as file:
            assert list(file) == [name]
            arrays.append(file[name][:])
    return arrays


def test_save_writes_basenjis_arrays(folder, tmp_path):
    quick = ("--no-rank", "--maps", "0", "--save")
    assert command(folder, tmp_path / "out", *quick, "--rc", "--shifts", "-1,0,1") == 0
    predictions, targets = saved(tmp_path / "out")
    assert predictions.shape == targets.shape == (7, tiny.PIXELS, 2)
    assert predictions.dtype == targets.dtype == np.float16
    model = load.load_model((folder / "params.json", folder / "model.h5"))
    (batch,) = dataset.open_split(folder / "data", "test", batch_size=7)
    expected = predict.predict(model, batch["sequence"].numpy(), rc=True, shifts=(-1, 0, 1))
    np.testing.assert_allclose(predictions, expected, rtol=2e-3, atol=1e-3)
    # as the records hold them, in pixels that were not measured too
    records = [record.target for record in tiny.records(7, seed=2)]
    np.testing.assert_array_equal(targets, np.stack(records))


@pytest.fixture(scope="module")
def all_saved(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("saved") / "all"
    assert command(folder, out, "--no-rank", "--maps", "0", "--save") == 0
    return out


def test_a_library_call_saves_the_same_predictions(folder, all_saved, tmp_path):
    model = load.load_model((folder / "params.json", folder / "model.h5"))
    with accuracy_files.saved_predictions(tmp_path, folder / "data", "test") as save:
        accuracy.assess(model, folder / "data", rank=False, examples=0, save=save)
    for expected, values in zip(saved(all_saved), saved(tmp_path), strict=True):
        np.testing.assert_array_equal(values, expected)


def test_step_and_a_table_thin_what_is_saved(folder, all_saved, tmp_path):
    quick = ("--no-rank", "--maps", "0", "--save")
    (tmp_path / "chosen.txt").write_text("\tidentifier\n1\tmine\n", encoding="utf-8")
    few = ("--step", "4", "-t", str(tmp_path / "chosen.txt"))
    assert command(folder, tmp_path / "few", *quick, *few) == 0
    for whole, part in zip(saved(all_saved), saved(tmp_path / "few"), strict=True):
        np.testing.assert_array_equal(part, whole[:, ::4, 1:])


def test_a_pattern_tests_the_files_that_it_matches(folder, all_saved, tmp_path):
    quick = ("--no-rank", "--maps", "0", "--save")
    assert command(folder, tmp_path / "whole", *quick, "--tfr", "test-*.tfr") == 0
    assert command(folder, tmp_path / "last", *quick, "--tfr", "test-1.tfr") == 0
    preds, targets = saved(all_saved)
    np.testing.assert_array_equal(saved(tmp_path / "whole")[0], preds)
    np.testing.assert_array_equal(saved(tmp_path / "last")[0], preds[6:])
    np.testing.assert_array_equal(saved(tmp_path / "last")[1], targets[6:])
    assert files.read_json(tmp_path / "last" / "metrics.json")["windows"] == 1


def test_folds_that_a_pattern_takes_are_not_the_baseline(tmp_path):
    data = tiny.write_data(tmp_path / "data")
    as_folds(data)
    assert baseline.training_splits(data, "fold[12]-*.tfr") == ("fold0",)
    assert dataset.open_split(data, "fold[12]-*.tfr", batch_size=1).records == 13
    assert dataset.open_split(data, "fold[12]-1.tfr", batch_size=1).records == 1


def test_ai_chooses_the_targets_of_the_scatter_plot(folder, tmp_path, monkeypatch, capsys):
    targets = []
    monkeypatch.setattr(
        "akita_bayes.plots.accuracy_plots.scatter",
        lambda pixels, names, r, **_: targets.append(list(names)) or matplotlib.figure.Figure(),
    )
    quick = ("--no-rank", "--maps", "0")
    assert command(folder, tmp_path / "one", *quick, "--ai", "1") == 0
    assert command(folder, tmp_path / "two", *quick, "--ai", "1,0") == 0
    assert targets == [["cell1"], ["cell1", "cell0"]]
    assert command(folder, tmp_path / "bad", *quick, "--ai", "2") == 2
    assert "--ai: 2 is not the number of a target; expected some of 0, 1." in (
        capsys.readouterr().err
    )


def test_every_map_has_its_windows_coordinates_and_target(folder, tmp_path, monkeypatch):
    figures = []
    compare = map_plots.compare
    monkeypatch.setattr(
        map_plots, "compare", lambda rows, **_: figures.append(compare(rows)) or figures[-1]
    )
    assert command(folder, tmp_path / "out", "--no-rank", "--maps", "3") == 0
    panels = [axes for axes in figures[0].axes if axes.images]
    assert len(panels) == 3 * 2 * 3  # windows, targets, and measured, predicted, truth
    for number, axes in enumerate(panels):
        window, target = (0, 3, 6)[number // 6], number // 3 % 2
        start = window * tiny.SEQ_LENGTH + tiny.CROP * tiny.POOL
        assert axes.get_xlim() == (start, start + tiny.BINS * tiny.POOL)
        assert axes.get_xlabel() == "chr1"
        assert axes.get_ylabel() == ("" if number % 3 else f"cell{target}")
    assert figures[0].axes[-1].get_ylabel() == "ln(observed / expected)"


def as_folds(data):
    """Renames train, valid and test to fold0, fold1 and fold2."""
    stats = files.read_json(data / "statistics.json")
    for number, split in enumerate(("train", "valid", "test")):
        stats[f"fold{number}_seqs"] = stats.pop(f"{split}_seqs")
        for path in (data / "tfrecords").glob(f"{split}-*"):
            path.rename(path.with_name(path.name.replace(split, f"fold{number}")))
    files.write_json(data / "statistics.json", stats)


def test_of_folds_the_others_are_the_baseline(folder, tmp_path, capsys):
    as_folds(tiny.write_data(tmp_path / "data"))
    files_ = (folder / "params.json", folder / "model.h5", tmp_path / "data")

    def tested(*options):
        out = tmp_path / "out"
        quick = ("--no-rank", "--maps", "0", "-o", str(out))
        assert akita_test.main([*map(str, files_), "--split", "fold1", *quick, *options]) == 0
        return files.read_json(out / "metrics.json")["distance_only"]["mse"]["pooled"]

    def expected(*splits):
        distance = triangle.distances(tiny.BINS, tiny.OFFSET)
        mean = baseline.distance_only(tmp_path / "data", splits, distance)
        (batch,) = dataset.open_split(tmp_path / "data", "fold1", batch_size=6)
        error = (batch["target"].numpy() - mean)[batch["mask"].numpy()]
        return (error**2).mean()

    assert tested() == pytest.approx(expected("fold0", "fold2"), rel=1e-5)
    assert tested("--train_split", "fold0") == pytest.approx(expected("fold0"), rel=1e-5)
    assert expected("fold0") != pytest.approx(expected("fold0", "fold2"), rel=1e-3)


def test_results_do_not_go_into_the_data(folder, capsys):
    before = sorted((folder / "data").rglob("*"))
    assert command(folder, folder / "data") == 2
    assert "data: holds training data; choose another -o." in capsys.readouterr().err
    assert sorted((folder / "data").rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--split", "tset"), "no record file tset"),
        (("--train_split", "trian"), "no record file trian"),
        (("--head", "mouse"), 'no head "mouse"'),
        (("--draws", "4", "--rc"), "draws cannot be averaged over strands"),
        (("-t", "params.json"), "no column"),
        (("--tfr", "vallid-*"), "no record file vallid-*; there are"),
        (("--tfr", "valid-*", "--split", "valid"), "--tfr and --split both choose the records"),
        (("--step", "2"), "--step reduces the positions that --save writes; give --save too"),
        (("--shifts", "0,256"), "a shift of 256 leaves nothing of a window of 256 bases"),
        (("--maps", "-1"), "'-1' is not a whole number of at least 0"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(folder, tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(folder)
    try:
        status = command(folder, tmp_path / "out", *options)
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    stderr_lines = capsys.readouterr().err.splitlines()
    lines = [line for line in stderr_lines if line.startswith("error:")]
    assert len(lines) == 1
    assert message in lines[0]
    if "--shifts" in options:
        assert stderr_lines == lines  # before any bar
    assert not (tmp_path / "out").exists()
