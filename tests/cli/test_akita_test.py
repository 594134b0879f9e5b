"""`akita_test.py`: tables and figures of a model on held-out windows."""

import json

import keras
import numpy as np
import pandas as pd
import pytest

from akita_bayes import files, triangle
from akita_bayes.cli import akita_test
from akita_bayes.data import dataset
from akita_bayes.evaluate import accuracy, baseline
from akita_bayes.models import build, load, weights, zoo
from tests import tiny


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


def test_acc_txt_has_basenjis_columns_and_a_row_for_every_target_and_all(written, folder):
    table = pd.read_csv(written / "acc.txt", sep="\t", index_col="index")
    assert list(table.index) == ["0", "1", "all"]
    assert list(table["identifier"]) == ["cell0", "cell1", "all"]
    assert table["description"].iloc[1] == "cell type 1"
    model = load.load_model((folder / "params.json", folder / "model.h5"))
    report = accuracy.assess(model, folder / "data")
    for prefix, scores in (
        ("", report.model),
        ("distance_", report.baseline),
        ("truth_", report.truth),
    ):
        for name in ("pearsonr", "r2", "mse"):
            assert list(table[prefix + name]) == pytest.approx(scores.table()[name], abs=1e-4)
    assert list(table["spearmanr"]) == pytest.approx(report.model.table()["spearmanr"], abs=1e-4)
    assert list(table["ceiling_pearsonr"]) == pytest.approx([0.9, 0.8, 0.85])


def test_metrics_json_says_the_same_and_more(written):
    table = pd.read_csv(written / "acc.txt", sep="\t", index_col="index")
    metrics = files.read_json(written / "metrics.json")
    pearson = metrics["model"]["pearsonr"]
    assert pearson["targets"]["cell1"] == pytest.approx(table["pearsonr"]["1"], abs=1e-5)
    assert pearson["pooled"] == pytest.approx(table["pearsonr"]["all"], abs=1e-5)
    assert pearson["mean"] == pytest.approx(table["pearsonr"][["0", "1"]].mean(), abs=1e-5)
    assert metrics["windows"] == len(metrics["pearsonr_by_window"]) == 7
    assert metrics["ceiling"]["target_truth_pearson"] == {"cell0": 0.9, "cell1": 0.8}
    assert set(metrics["pearsonr_by_distance"]) == set(metrics["truth_pearsonr_by_distance"])
    assert set(metrics["insulation_pearsonr"]) == {"cell0", "cell1"}


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
    assert list(table["identifier"]) == ["mine", "all"]
    assert "spearmanr" not in table
    assert "truth_pearsonr" not in table
    assert "6 windows" in capsys.readouterr().out


def as_folds(data):
    """Renames train, valid and test to fold0, fold1 and fold2."""
    told = files.read_json(data / "statistics.json")
    for number, split in enumerate(("train", "valid", "test")):
        told[f"fold{number}_seqs"] = told.pop(f"{split}_seqs")
        for path in (data / "tfrecords").glob(f"{split}-*"):
            path.rename(path.with_name(path.name.replace(split, f"fold{number}")))
    files.write_json(data / "statistics.json", told)


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
    assert "data: is a data directory; choose another directory" in capsys.readouterr().err
    assert sorted((folder / "data").rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--split", "tset"), "no record file tset"),
        (("--train_split", "trian"), "no record file trian"),
        (("--head", "mouse"), 'no head "mouse"'),
        (("--draws", "4", "--rc"), "draws are of the window as it is"),
        (("-t", "params.json"), "no column"),
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
    said = capsys.readouterr().err.splitlines()
    lines = [line for line in said if line.startswith("error:")]
    assert len(lines) == 1
    assert message in lines[0]
    if "--shifts" in options:
        assert said == lines  # before any bar
    assert not (tmp_path / "out").exists()
