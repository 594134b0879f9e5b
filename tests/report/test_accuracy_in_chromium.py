"""A report of an accuracy in a real browser: its pixels are those of windows.h5."""

import json

import h5py
import numpy as np
import pandas as pd
import pytest

from akita_bayes import regions, triangle
from akita_bayes.cli import akita_report, akita_test
from akita_bayes.models import weights
from tests import tiny
from tests.report import chromium, page_reader

LAYERS = ("measured", "predicted", "sd")
MAP, TARGET = (f"document.querySelectorAll('#maps select')[{k}]" for k in (0, 1))
WINDOWS = '[data-table="1"]'


@pytest.fixture(scope="module")
def folder(latent_model, tmp_path_factory):
    """What `akita_test.py --draws 4` and `akita_report.py` write, with two targets."""
    folder = tmp_path_factory.mktemp("accuracy")
    data = tiny.write_data(folder / "data")
    (folder / "params.json").write_text(str(latent_model.spec))
    weights.save_weights(latent_model, folder / "model.weights.h5")
    arguments = [str(folder / name) for name in ("params.json", "model.weights.h5")]
    out = str(folder / "test")
    assert akita_test.main([*arguments, str(data), "-o", out, "--draws", "4"]) == 0
    assert akita_report.main([out]) == 0
    return folder


@pytest.fixture(scope="module")
def browser(folder, tmp_path_factory):
    with chromium.tab(tmp_path_factory.mktemp("browser")) as page:
        page.path = folder / "test" / "report.html"
        yield page


@pytest.fixture
def page(browser):
    """The report, freshly opened; afterwards there was no error and no request elsewhere."""
    with chromium.opened(browser):
        yield browser


@pytest.fixture(scope="module")
def saved(folder):
    """Titles of the windows, names of the targets, and the pixels of each layer. [W, P, T]."""
    with h5py.File(folder / "test" / "windows.h5") as file:
        spans = zip(file["chrom"].asstr(), file["start"], file["end"], strict=True)
        titles = [str(regions.Region(*span)) for span in spans]
        return titles, list(file["targets"].asstr()), {name: file[name][:] for name in LAYERS}


def choose(page, control, text):
    """Selects the entry of a list by its text, as a click on it does."""
    page.value(
        f"(() => {{ const s = {control}; s.value = [...s.options].find((o) => "
        f"o.textContent === {json.dumps(text)}).value; s.dispatchEvent(new Event('change')); }})()"
    )


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("window", [0, 2])
def test_the_pointer_reads_the_pixels_of_a_window(page, saved, window, target):
    titles, targets, layers = saved
    choose(page, MAP, titles[window])
    choose(page, TARGET, targets[target])
    title = f"{titles[window]}, target {targets[target]}"
    page.wait(
        f"document.querySelector('#maps h3').textContent === {json.dumps(title)}"
        f" && {chromium.READY}"
    )
    matrices = {
        name: triangle.to_matrix(values[window], diagonal_offset=tiny.OFFSET)[..., target]
        for name, values in layers.items()
    }
    measured = np.argwhere(np.isfinite(matrices["measured"]))
    for row, column in measured[:: len(measured) // 4]:
        page.hover(".marks", (column + 0.5) / tiny.BINS, (row + 0.5) / tiny.BINS)
        shown = page.value(chromium.READ_OUT)
        for name, matrix in matrices.items():
            width = float(np.nanmax(matrix) - np.nanmin(matrix))
            assert float(shown[name]) == pytest.approx(matrix[row, column], abs=width / 6_000)


def test_a_pixel_that_was_not_measured_has_a_prediction_alone(page, saved):
    titles, targets, layers = saved
    choose(page, MAP, titles[1])
    title = f"{titles[1]}, target {targets[0]}"
    page.wait(
        f"document.querySelector('#maps h3').textContent === {json.dumps(title)}"
        f" && {chromium.READY}"
    )
    pixel = int(np.flatnonzero(np.isnan(layers["measured"][1, :, 0]))[0])
    row, column = (axis[pixel] for axis in triangle.indices(tiny.BINS, tiny.OFFSET))
    page.hover(".marks", (column + 0.5) / tiny.BINS, (row + 0.5) / tiny.BINS)
    shown = page.value(chromium.READ_OUT)
    assert shown["measured"] == "none"
    predicted = layers["predicted"][1, pixel, 0]
    width = float(np.ptp(layers["predicted"][1, :, 0]))
    assert float(shown["predicted"]) == pytest.approx(predicted, abs=width / 6_000)


def cells(page, table, column):
    head = f"[...document.querySelectorAll('{table} thead th')].map((th) => th.textContent)"
    rows = f"[...document.querySelectorAll('{table} tbody tr')]"
    number = page.value(head).index(column)
    return page.value(f"{rows}.map((row) => row.cells[{number}].textContent)"), number


def test_windows_are_sorted_and_searched(page, folder):
    metrics = json.loads((folder / "test" / "metrics.json").read_text())
    name = "pearsonr:cell1"
    by_window = {title: row["cell1"] for title, row in metrics["pearsonr_by_window"].items()}
    expected = pd.Series(by_window).sort_values(ascending=False)
    _, number = cells(page, WINDOWS, name)
    page.click(f"{WINDOWS} thead th:nth-child({number + 1}) button")
    assert cells(page, WINDOWS, "window")[0] == expected.index.tolist()
    values = [float(text) for text in cells(page, WINDOWS, name)[0]]
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    page.click(f"{WINDOWS} thead th:nth-child({number + 1}) button")
    assert cells(page, WINDOWS, "window")[0] == expected.index.tolist()[::-1]
    title = expected.index[3]
    page.value(f"document.querySelector('{WINDOWS} input[type=search]').focus()")
    page.type(title)
    page.wait(f"document.querySelector('{WINDOWS} .status').textContent.includes('(of 7)')")
    assert title in cells(page, WINDOWS, "window")[0]
    assert len(cells(page, WINDOWS, "window")[0]) < 7


def test_the_report_names_the_versions_and_inputs_of_the_test(folder):
    document = page_reader.read(folder / "test" / "report.html")
    record = json.loads((folder / "test" / "provenance.json").read_text())
    facts = {row[0]: row[1] for row in document.tables[-1]}
    assert facts["versions: tensorflow"] == record["versions"]["tensorflow"]
    assert "records no versions" not in document.text
