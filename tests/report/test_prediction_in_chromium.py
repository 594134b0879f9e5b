"""A report of predicted regions: its windows, and in a real browser its pixels and interval."""

import h5py
import numpy as np
import pytest

from akita_bayes import errors, triangle
from akita_bayes.cli import akita_predict, akita_report
from akita_bayes.evaluate import prediction_files
from akita_bayes.models import weights
from akita_bayes.report import directories
from tests import tiny
from tests.report import chromium, page_reader
from tests.report.conftest import HOSTILE

LAYERS = ("predicted", "how unsure", "sd of a measurement")
TARGETS = ("HFF", HOSTILE[0])


@pytest.fixture(scope="module")
def folder(latent_model, inputs, tmp_path_factory):
    """What `akita_predict.py --draws 3` and `akita_report.py` write of two windows."""
    folder = tmp_path_factory.mktemp("prediction")
    (folder / "params.json").write_text(str(latent_model.spec))
    weights.save_weights(latent_model, folder / "model.weights.h5")
    lines = [f"{k}\t{name}\tfile" for k, name in enumerate(TARGETS)]
    (folder / "targets.txt").write_text("index\tidentifier\tfile\n" + "\n".join(lines) + "\n")
    (folder / "regions.bed").write_text("chr1\t600\t700\nchr1\t1500\t1600\n")
    paths = [str(folder / name) for name in ("params.json", "model.weights.h5", "regions.bed")]
    options = ["-f", str(inputs / "genome.fa"), "--draws", "3", "--plot"]
    options += ["-t", str(folder / "targets.txt"), "-o", str(folder / "out")]
    assert akita_predict.main([*paths, *options]) == 0
    genes = ["--genes", str(inputs / "genes.bed")]
    assert akita_report.main([str(folder / "out"), *genes]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def saved(folder):
    """Name of every panel -> its pixels. [W, P, T]."""
    with h5py.File(folder / "predict.h5") as file:
        assert list(file["targets"].asstr()) == list(TARGETS)
        means, epistemic, aleatoric = (
            file[name][:] for name in ("preds", "epistemic_sd", "aleatoric_sd")
        )
    return dict(zip(LAYERS, (means, epistemic, np.hypot(epistemic, aleatoric)), strict=True))


def test_windows_targets_and_origin_are_those_of_the_file(folder):
    document = page_reader.read(folder / "report.html")
    columns = {c["name"]: c["values"] for c in document.data["tables"][0]["columns"]}
    with h5py.File(folder / "predict.h5") as file:
        spans = zip(file["bin_start"][:, 0], file["bin_end"][:, -1], strict=True)
        titles = [f"chr1:{start:,}-{end:,}" for start, end in spans]
        means = file["epistemic_sd"][:].mean(1)
    assert columns["window"] == titles
    assert columns["region"] == [0, 1]
    assert columns[f"mean sd:{TARGETS[1]}"] == pytest.approx(means[:, 1].tolist())
    maps = [(view["title"], view["target"]) for view in document.data["maps"]]
    assert maps == [(title, target) for title in titles for target in TARGETS]
    assert document.data["maps"][-1]["genes"][0][0] == "ABC"
    facts = {row[0]: row[1] for row in document.tables[-1]}
    assert facts["draws"] == "3"
    assert facts["inputs: genome: name"] == facts["fasta"] == "genome.fa"
    assert str(folder.parent) not in (folder / "report.html").read_text()


def test_without_draws_the_page_says_how_to_get_an_uncertainty(latent_model, inputs, tmp_path):
    prediction_files.predict_regions(
        latent_model, inputs / "genes.bed", fasta=inputs / "genome.fa", out_dir=tmp_path
    )
    document = page_reader.read(directories.write(tmp_path))
    assert "predict with --draws 8" in document.text
    (first, *_) = document.data["maps"]
    assert [layer["name"] for layer in first["layers"]] == ["predicted"]
    assert first["interval"] is None
    assert first["target"] == "0"  # no name is recorded


def test_a_damaged_file_and_another_directory_are_one_sentence(folder, tmp_path):
    content = (folder / "predict.h5").read_bytes()
    (tmp_path / "predict.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(errors.DataError, match=r"predict\.h5: damaged or not predictions"):
        directories.write(tmp_path)
    (tmp_path / "predict.h5").unlink()
    (tmp_path / "provenance.json").write_text("{}")
    with pytest.raises(errors.DataError, match="holds no results that a report can show"):
        directories.write(tmp_path)


@pytest.fixture
def page(folder, tmp_path):
    """The report in a browser; afterwards there was no error and no request elsewhere."""
    with chromium.tab(tmp_path) as browser:
        browser.path = folder / "report.html"
        with chromium.opened(browser):
            yield browser


def test_the_pointer_reads_the_map_and_its_interval(page, saved):
    page.wait(chromium.READY)
    matrices = {
        name: triangle.to_matrix(values[0], diagonal_offset=tiny.OFFSET)[..., 0]
        for name, values in saved.items()
    }
    pixels = np.argwhere(np.isfinite(matrices["predicted"]))
    for row, column in pixels[:: len(pixels) // 4]:
        page.hover(".marks", (column + 0.5) / tiny.BINS, (row + 0.5) / tiny.BINS)
        shown = page.value(chromium.READ_OUT)
        for name, matrix in matrices.items():
            width = float(np.nanmax(matrix) - np.nanmin(matrix))
            assert float(shown[name]) == pytest.approx(matrix[row, column], abs=width / 6_000)
        low, high = map(float, shown["90 % of measurements, if normal"].split(" to "))
        middle, sd = (matrices[name][row, column] for name in (LAYERS[0], LAYERS[2]))
        assert low == pytest.approx(middle - 1.6449 * sd, abs=float(0.01 * sd))
        assert high == pytest.approx(middle + 1.6449 * sd, abs=float(0.01 * sd))
