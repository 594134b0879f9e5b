"""Reports of a run, of an accuracy and of a fit: the numbers of their files, or one sentence."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from akita_bayes import errors
from akita_bayes.cli import akita_report
from akita_bayes.evaluate import accuracy, accuracy_files
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.plots.reports import accuracy_report
from akita_bayes.regulation.assay import simulated_assay
from akita_bayes.regulation.fits import fitting
from akita_bayes.regulation.results import fit_files
from akita_bayes.report import directories, quantised_maps
from tests import tiny
from tests.report import page_reader

RUN = Path(__file__).parents[1] / "fixtures" / "version_0_1" / "run"
MECHANISM = {
    "kind": "thermodynamic",
    "name": "two_sites",
    "sequence_length": 10,
    "wild_type": "ACGTACGTAC",
    "energies": {"a": {"site": [0, 4]}, "b": {"site": [5, 10]}, "ab": {}},
    "states": {
        "free": {},
        "a": {"energies": ["a"]},
        "b": {"energies": ["b"], "activity": 1},
        "ab": {"energies": ["a", "b", "ab"], "activity": 1},
    },
    "measurement": {"kind": "bins", "hidden": 4},
    "truth": {"a": {"constant": 0.5}, "b": {"constant": 0.5}, "ab": {"constant": -2.5}},
}


def report(folder, out):
    directories.write(folder, out)
    return page_reader.read(out)


def columns(document, table):
    data = document.data["tables"][table]["columns"]
    return {column["name"]: column["values"] for column in data}


def facts(document):
    return {row[0]: row[1] for row in document.tables[-1]}


def test_a_run_of_an_earlier_version_has_its_history_and_provenance(tmp_path):
    document = report(RUN, tmp_path / "run.html")
    provenance = json.loads((RUN / "provenance.json").read_text())
    assert facts(document)["seed"] == str(provenance["seed"])
    assert facts(document)["versions: tensorflow"] == provenance["versions"]["tensorflow"]
    assert any(provenance["data"][0]["sha256"] == value for value in facts(document).values())
    history = pd.read_csv(RUN / "history.csv")
    assert columns(document, 1)["valid_loss"] == history["valid_loss"].tolist()
    best = pd.read_csv(RUN / "best_targets.csv")
    assert columns(document, 0)["pearsonr"] == pytest.approx(best["pearsonr"].tolist())
    assert document.tags.count("svg") == 4  # loss, r, R2, learning rate
    value = history["valid_loss"][0]
    assert f"validation, epoch {history['epoch'][0]}: {value:.6g}" in document.text


@pytest.fixture
def run(tmp_path):
    shutil.copytree(RUN, tmp_path / "run")
    return tmp_path / "run"


def test_a_run_names_its_targets_and_its_averaged_weights(run, tmp_path):
    provenance = json.loads((run / "provenance.json").read_text())
    head = provenance["data"][0]
    head |= {"head": "hic", "targets": [["<b>HFF", "skin"]]}
    (run / "provenance.json").write_text(json.dumps(provenance))
    (run / "best_targets.csv").write_text("head,index,mse\nhic,0,0.5\n")
    history = pd.read_csv(run / "history.csv")
    averaged = history.iloc[-1:].copy()
    averaged["epoch"] += 1
    averaged[[name for name in history if name.startswith("train_")]] = np.nan
    pd.concat([history, averaged]).to_csv(run / "history.csv", index=False, na_rep="nan")
    document = report(run, tmp_path / "run.html")
    assert columns(document, 0)["target"] == ["<b>HFF"]
    assert columns(document, 1)["train_loss"][-1] is None
    assert "weights averaged over epochs" in document.text


def test_a_run_before_its_first_epoch_is_a_report_too(run, tmp_path):
    (run / "history.csv").unlink()
    (run / "best_targets.csv").unlink()
    document = report(run, tmp_path / "run.html")
    assert "no epoch has ended" in document.text
    assert document.data["tables"] == []


def test_an_accuracy_has_the_numbers_of_its_files(small_model, tmp_path):
    data = tiny.write_data(tmp_path / "data")
    result = accuracy.assess(small_model, data)
    accuracy_report.write(result, accuracy_files.target_names(data), tmp_path / "test")
    document = report(tmp_path / "test", tmp_path / "test.html")
    expected = pd.read_csv(tmp_path / "test" / "acc.txt", sep="\t")
    assert columns(document, 0)["pearsonr"] == expected["pearsonr"].tolist()
    assert columns(document, 0)["identifier"] == ["cell0", "cell1"]
    metrics = json.loads((tmp_path / "test" / "metrics.json").read_text())
    windows = metrics["pearsonr_by_window"]
    assert columns(document, 1)["window"] == list(windows)
    assert columns(document, 1)["pearsonr:cell1"] == [row["cell1"] for row in windows.values()]
    stratum, values = next(iter(metrics["pearsonr_by_distance"].items()))
    assert f"cell0, measured maps, {stratum}: {values['cell0']:.6g}" in document.text
    assert f"{metrics['model']['pearsonr']['mean']:.4f}" in document.text
    assert document.tags.count("img") == 2
    views = document.data["maps"]
    assert len(views) == 2 * len(result.examples)
    example, view = result.examples[0], views[1]  # the second target of the first window
    assert view["target"] == "cell1"
    assert view["row"] is None
    names = ("measured", "predicted")
    assert tuple(layer["name"] for layer in view["layers"]) == names
    layer = view["layers"][1]
    pixels = quantised_maps.decoded(
        layer["codes"], layer["lowest"], layer["step"], tiny.BINS, tiny.OFFSET
    )
    np.testing.assert_allclose(pixels, example.prediction[:, 1], atol=0.51 * layer["step"])


@pytest.fixture(scope="module")
def fit(tmp_path_factory):
    out = tmp_path_factory.mktemp("fit") / "fit"
    mechanism = mechanism_spec.parse(MECHANISM)
    design = simulated_assay.Design(
        sequences=300, mutation_rate=0.3, reads=6_000, bins=4, noise=0.4
    )
    table = simulated_assay.simulate(mechanism, design).table
    fit_files.write(fitting.fit(mechanism, table, starts=1, seed=7), out)
    return out


def test_a_fit_has_its_energies_intervals_and_matrices(fit, tmp_path):
    document = report(fit, tmp_path / "fit.html")
    summary = json.loads((fit / "summary.json").read_text())
    energies = columns(document, 0)
    assert energies["energy"] == ["a (wild type)", "b (wild type)", "ab"]
    estimates = [*summary["wild_type"].values(), *summary["energies"].values()]
    for key in ("mean", "lower", "upper"):
        assert energies[key] == [estimate[key] for estimate in estimates]
        assert energies[f"{key} (kcal/mol)"] == [e["kcal_per_mol"][key] for e in estimates]
    ab = summary["energies"]["ab"]
    assert f"{ab['mean']:.4g} ({ab['lower']:.4g} to {ab['upper']:.4g})" in document.text
    theta = pd.read_csv(fit / "theta.tsv", sep="\t")
    assert columns(document, 1)["value"] == theta["value"].tolist()
    matrix = pd.read_csv(fit / "a_matrix.tsv", sep="\t")
    assert columns(document, 2)["G"] == matrix["G"].tolist()
    assert facts(document)["seed"] == "7"
    for line in (fit / "identifiability.txt").read_text().splitlines():
        assert line in document.text


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("summary.json", b"[]", "summary.json: is not an object of JSON; fit again"),
        ("summary.json", b"{", "summary.json: not valid JSON"),
        ("summary.json", b"{}", "summary.json: damaged or not the summary of a fit"),
        ("theta.tsv", b"\xff\xfe\x00", "theta.tsv: damaged or not a table of parameters"),
        ("identifiability.txt", b"\xff\xfe", "identifiability.txt: damaged or not a text"),
        ("a_matrix.tsv", b"", "a_matrix.tsv: damaged or not a matrix"),
    ],
)
def test_a_damaged_fit_is_one_sentence(fit, tmp_path, name, content, sentence, capsys):
    shutil.copytree(fit, tmp_path / "fit")
    (tmp_path / "fit" / name).write_bytes(content)
    assert akita_report.main([str(tmp_path / "fit")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(sentence.replace("[]", r"\[\]"), line)
    assert not (tmp_path / "fit" / "report.html").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("provenance.json", b"3"),
        ("params.json", b"{"),
        ("history.csv", b"\xff"),
        ("best_targets.csv", b""),
        ("provenance.json", b'{"data": [3], "seed": []}'),
        ("params.json", b'{"train": 3}'),
        ("history.csv", b"epoch,valid_loss\n1,many\n"),
        ("best_targets.csv", b"head,index\nhic,first\n"),
    ],
)
def test_a_damaged_run_is_one_sentence_or_a_report(run, name, content, capsys):
    (run / name).write_bytes(content)
    status = akita_report.main([str(run)])
    lines = capsys.readouterr().err.splitlines()
    assert (status, len(lines)) in ((0, 0), (2, 1))
    if status:
        assert name in lines[0]
    assert (run / "report.html").exists() == (status == 0)


def test_other_directories_are_refused(tmp_path, capsys):
    assert akita_report.main([str(tmp_path)]) == 2
    assert "holds no results that a report can show; give a" in capsys.readouterr().err
    assert akita_report.main([str(tmp_path / "none")]) == 2
    assert "none: no such directory." in capsys.readouterr().err


def test_tracks_without_maps_are_refused(run, tmp_path, capsys):
    (tmp_path / "genes.bed").write_text("chr1\t1\t9\tA\n")
    assert akita_report.main([str(run), "--genes", str(tmp_path / "genes.bed")]) == 2
    assert "leave out --genes and --bigwig" in capsys.readouterr().err


def test_the_command_says_where_the_report_is(run, tmp_path, capsys):
    assert akita_report.main([str(run), "-o", str(tmp_path / "new" / "a.html")]) == 0
    uri = (tmp_path / "new" / "a.html").as_uri()
    assert f"open it in a browser: {uri}" in capsys.readouterr().out
    with pytest.raises(errors.DataError, match="no such directory"):
        directories.write(tmp_path / "none", tmp_path / "b.html")
