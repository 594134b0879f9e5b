"""A report in a real browser: what it shows is what the directory holds, without any error."""

import json

import numpy as np
import pandas as pd
import pytest

from akita_bayes import triangle
from akita_bayes.report import directories
from akita_bayes.variants.maps import saved_maps
from tests import tiny
from tests.report import chromium
from tests.report.conftest import HOSTILE, TARGETS

ROWS = "[...document.querySelectorAll('[data-table=\"0\"] tbody tr')]"
CELLS = f"{ROWS}.map((row) => [...row.cells].map((cell) => cell.textContent))"
HEAD = "[...document.querySelectorAll('[data-table=\"0\"] thead th')].map((th) => th.textContent)"


@pytest.fixture(scope="module")
def browser(scores, inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    path = folder / "scd.html"
    options = directories.ReportOptions(genes=inputs / "genes.bed")
    directories.write(scores, path, options=options)
    with chromium.tab(folder) as page:
        page.folder, page.path = folder, path
        yield page


@pytest.fixture
def page(browser):
    """The report, freshly opened; afterwards there was no error and no request elsewhere."""
    with chromium.opened(browser):
        yield browser
    assert browser.value("window.hacked") is None


@pytest.fixture(scope="module")
def table(scores):
    return pd.read_csv(scores / "scores.tsv", sep="\t", keep_default_na=False, na_values=["NA"])


def column(page, name):
    return [row[page.value(HEAD).index(name)] for row in page.value(CELLS)]


def sort(page, name):
    number = page.value(HEAD).index(name)
    selector = f"[data-table='0'] thead th:nth-child({number + 1}) button"
    page.click(selector)


def test_every_row_is_shown(page, table):
    assert column(page, "id") == table["id"].tolist()
    assert [float(value) for value in column(page, "pos")] == table["pos"].tolist()
    assert page.value("document.querySelector('.status').textContent") == "1 to 7 of 7 rows"


def test_a_click_on_a_heading_sorts_and_another_turns_the_order(page, table):
    name = "SCD:GM"
    sort(page, name)
    expected = table[name].sort_values(ascending=False, kind="stable")
    values = column(page, name)
    assert values[-1] == "NA"
    np.testing.assert_allclose([float(v) for v in values[:-1]], expected[:-1], rtol=1e-6)
    sort(page, name)
    values = column(page, name)
    assert values[-1] == "NA"  # missing values stay at the end
    np.testing.assert_allclose([float(v) for v in values[:-1]], expected[:-1][::-1], rtol=1e-6)
    sorted_by = "document.querySelector('[aria-sort=\"ascending\"]').textContent"
    assert page.value(sorted_by) == name


def search(page, text):
    page.value(
        "(() => { const s = document.querySelector('input[type=search]'); s.value = ''; "
        "s.focus(); })()"
    )
    page.type(text)
    page.wait("document.querySelector('.status').textContent.includes('(of 7)')")


def test_words_and_regions_are_searched(page, table):
    search(page, "del")
    expected = table[["del" in "\t".join(map(str, row)).lower() for row in table.values]]
    assert column(page, "id") == expected["id"].tolist()
    assert 0 < len(expected) < 7
    page.open(page.path)
    page.wait(chromium.READY)
    search(page, "chr1:1,199-1,800")  # from 0, without its end: POS 1,200 to 1,800
    assert [int(pos) for pos in column(page, "pos")] == [1200, 1500, 1800]


def test_the_pointer_reads_the_numbers_of_the_file(page, scores):
    with saved_maps.opened(scores) as maps:
        saved = maps.read(0)
    matrices = {
        name: triangle.to_matrix(getattr(saved, name), diagonal_offset=tiny.OFFSET)[..., 0]
        for name in saved_maps.LAYERS
    }
    finite = np.argwhere(np.isfinite(matrices["difference"]))
    for column_bin, row_bin in finite[:: len(finite) // 5]:
        page.hover(".marks", (column_bin + 0.5) / tiny.BINS, (row_bin + 0.5) / tiny.BINS)
        shown = page.value(chromium.READ_OUT)
        for title, name in zip(("REF", "ALT", "ALT - REF", "sd"), saved_maps.LAYERS, strict=True):
            value = matrices[name][row_bin, column_bin]
            width = np.nanmax(matrices[name]) - np.nanmin(matrices[name])
            assert float(shown[title]) == pytest.approx(value, abs=float(width) / 6_000)
        low, high = map(float, shown["90 % of draws, if normal"].split(" to "))
        spread = 1.6449 * matrices["sd"][row_bin, column_bin]
        middle = matrices["difference"][row_bin, column_bin]
        assert (low, high) == pytest.approx((middle - spread, middle + spread), rel=2e-2)
        first = saved.region.start + int(column_bin) * tiny.POOL
        if len(saved.stretches) == 1:
            assert shown["across"] == f"chr1:{first:,}-{first + tiny.POOL:,}"
    page.hover(".marks", 0.5 / tiny.BINS, 0.5 / tiny.BINS)
    assert page.value(chromium.READ_OUT)["REF"] == "none"


def test_a_row_shows_its_map_and_a_map_its_row(page, scores, table):
    with saved_maps.opened(scores) as maps:
        row = maps.rows[-1]
        title = maps.read(len(maps) - 1).title
    page.click(f"tr[data-row='{row}'] button")
    page.wait(f"{chromium.READY} === {json.dumps(f'{row} {TARGETS.identifiers[0]}')}")
    shown = page.value("document.querySelector('#maps h3').textContent")
    assert shown == f"{title}, target {TARGETS.identifiers[0]}"
    assert page.value("document.querySelector('tr.selected').dataset.row") == str(row)
    search(page, "no_letters")
    assert page.value("document.querySelector('tr.selected')") is None
    page.click(".show-row")
    page.wait("document.querySelector('tr.selected') !== null")
    assert page.value("document.querySelector('tr.selected').dataset.row") == str(row)
    assert page.value(f"{ROWS}.length") == len(table)


def test_the_keyboard_moves_the_pointer(page):
    page.hover(".marks", 2.5 / tiny.BINS, 9.5 / tiny.BINS)
    page.value("document.querySelector('.marks').focus()")
    before = page.value(chromium.READ_OUT)
    page.press("ArrowRight")
    after = page.value(chromium.READ_OUT)
    assert before["across"] != after["across"]
    assert before["down"] == after["down"]


def test_another_target_has_other_values(page, scores):
    page.value(
        "(() => { const s = document.querySelectorAll('#maps select')[1]; s.value = 'GM'; "
        "s.dispatchEvent(new Event('change')); })()"
    )
    with saved_maps.opened(scores) as maps:
        page.wait(f"{chromium.READY} === '{maps.rows[0]} GM'")
        saved = maps.read(0)
    matrix = triangle.to_matrix(saved.reference, diagonal_offset=tiny.OFFSET)[..., 1]
    page.hover(".marks", (1 + 0.5) / tiny.BINS, (9 + 0.5) / tiny.BINS)
    assert float(page.value(chromium.READ_OUT)["REF"]) == pytest.approx(matrix[9, 1], abs=1e-3)


def download(page, selector):
    for old in (page.folder / "downloads").glob("*"):
        old.unlink()
    page.click(selector)
    return chromium.downloaded(page.folder)


def test_the_table_is_saved_as_shown(page, table):
    sort(page, "SCD:GM")
    saved = pd.read_csv(download(page, ".save-table"), sep="\t", keep_default_na=False,
                        na_values=["NA"])  # fmt: skip
    expected = table.sort_values("SCD:GM", ascending=False, kind="stable", na_position="last")
    assert saved["id"].tolist() == expected["id"].tolist()
    np.testing.assert_array_equal(saved["SCD:GM"], expected["SCD:GM"])
    assert "SCD_mcse:GM" not in saved  # hidden columns are not part of what is shown


def test_a_map_is_saved_as_numbers_and_as_a_picture(page, scores):
    saved = pd.read_csv(download(page, ".save-map"), sep="\t")
    with saved_maps.opened(scores) as maps:
        expected = maps.read(0)
    rows, columns = triangle.indices(tiny.BINS, tiny.OFFSET)
    assert (saved["bin_a"].tolist(), saved["bin_b"].tolist()) == (rows.tolist(), columns.tolist())
    step = page.value("JSON.parse(document.getElementById('report-data').textContent)"
                      ".maps[0].layers[2].step")  # fmt: skip
    assert step <= 5e-5
    np.testing.assert_allclose(
        saved["ALT - REF"], expected.difference[:, 0], rtol=0, atol=0.5001 * step
    )
    picture = download(page, ".save-png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(picture[16:20], "big") > 4 * 460  # four panels beside each other


def test_pixels_have_the_colours_of_their_values(page, scores):
    """Red for more contacts than expected; purple for less contact in ALT than in REF."""
    with saved_maps.opened(scores) as maps:
        saved = maps.read(0)
    for panel, values, more in ((0, saved.reference, True), (2, saved.difference, False)):
        matrix = triangle.to_matrix(values, diagonal_offset=tiny.OFFSET)[..., 0]
        extreme = np.nanmax(matrix) if more else np.nanmin(matrix)
        assert extreme > 0 if more else extreme < 0
        row, column_bin = np.argwhere(matrix == extreme)[0]
        red, _, blue, _ = page.value(
            f"""(() => {{
              const canvas = document.querySelectorAll('.stack canvas:first-child')[{panel}];
              const bin = canvas.width / {tiny.BINS};
              return [...canvas.getContext('2d')
                .getImageData(({column_bin} + 0.5) * bin, ({row} + 0.5) * bin, 1, 1).data];
            }})()"""
        )
        assert red > blue + 20 if more else blue > red + 20


def test_hostile_names_do_nothing(page):
    assert page.value(f"{CELLS}.flat().includes({json.dumps(HOSTILE[0])})")
    search(page, "<img")
    assert page.value("document.querySelectorAll('main img').length") == 0


@pytest.mark.parametrize("width", [1366, 1024])
def test_nothing_is_wider_than_a_laptop(page, width):
    page.send("Emulation.setDeviceMetricsOverride", width=width, height=768, deviceScaleFactor=1,
              mobile=False)  # fmt: skip
    assert page.value("document.documentElement.scrollWidth") <= width
    page.send("Emulation.clearDeviceMetricsOverride")


def test_it_prints_all_shown_rows_without_controls(page):
    page.send("Emulation.setEmulatedMedia", media="print")
    assert page.value("getComputedStyle(document.querySelector('.controls')).display") == "none"
    assert page.value("getComputedStyle(document.querySelector('.scroll')).overflow") == "visible"
    assert len(page.send("Page.printToPDF")["data"]) > 10_000
    page.send("Emulation.setEmulatedMedia", media="")
