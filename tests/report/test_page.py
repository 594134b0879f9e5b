"""The page as text: sizes, escapes, and a file that is never half written."""

import numpy as np
import pytest

from akita_bayes import errors, regions, triangle
from akita_bayes.report import contents, page
from akita_bayes.variants.alleles import bin_loci
from tests.report import page_reader
from tests.report.conftest import HOSTILE


def column(name, values, **options):
    return contents.Column(name, values, **options)


def test_every_text_is_escaped(tmp_path):
    """Each field of a report holds markup; none of it becomes an element."""
    text = "".join(HOSTILE)
    chart = contents.Chart(
        text, text, text, [contents.Curve(text, [0, 1], [1.0, 2.0])], (text,) * 2
    )
    bar = contents.Intervals(text, text, [contents.Interval(text, 1.0, 0.5, 2.0)])
    report = contents.Report(
        title=text,
        summary=[contents.Fact(text, text)],
        notes=[text],
        tables=[contents.Table(text, [column(text, [text], description=text)], text, [0])],
        charts=[chart],
        intervals=[bar],
        pictures=[contents.Picture(text, b"\x89PNG")],
        map_note=text,
        provenance=[contents.Fact(text, text)],
    )
    page.write(report, tmp_path / "a.html")
    document = page_reader.read(tmp_path / "a.html")
    assert document.tags.count("script") == 2
    assert document.tags.count("svg") == 2  # the charts
    assert document.tags.count("img") == 1  # the picture
    assert not [name for name, _ in document.attributes if name.startswith("on")]
    assert document.text.count(text) >= 12
    assert document.data["tables"][0]["columns"][0]["values"] == [text]


def test_numbers_are_written_with_seven_digits():
    assert [page.cell(value) for value in (None, 3, 0.12345678, 1e-9, "a")] == [
        *("NA", "3", "0.1234568", "1e-09", "a")
    ]


def test_a_browser_without_scripts_gets_the_first_rows(tmp_path):
    rows = page.STATIC_ROWS + 50
    table = contents.Table("t", [column("x", list(range(rows)))], rows=range(rows))
    page.write(contents.Report("r", tables=[table]), tmp_path / "a.html")
    document = page_reader.read(tmp_path / "a.html")
    assert [row[0] for row in document.tables[0][1:]] == [str(k) for k in range(page.STATIC_ROWS)]
    assert f"first {page.STATIC_ROWS} of {rows} rows" in document.text
    assert document.data["tables"][0]["columns"][0]["values"] == list(range(rows))


@pytest.mark.slow
def test_a_report_of_many_large_maps_stays_small(tmp_path):
    """Ten full-size maps of five targets, of noise, which compresses least."""
    random = np.random.default_rng(0)
    bins, offset = 448, 2
    pixels = triangle.length(bins, offset)
    stretch = bin_loci.Stretch(0.0, float(bins), regions.Region("chr1", 0, bins * 2048), 1)
    noise = random.normal(size=pixels).astype(np.float32)
    layers = [
        contents.Layer(name, "unit", "map", noise) for name in ("REF", "ALT", "ALT - REF", "sd")
    ]
    maps = [
        contents.Map(f"v{k // 5}", f"t{k % 5}", k // 5, bins, 2048, offset, [stretch], None, layers)
        for k in range(50)
    ]
    page.write(contents.Report("r", maps=maps), tmp_path / "a.html")
    assert (tmp_path / "a.html").stat().st_size < page.LIMIT
    views = page_reader.read(tmp_path / "a.html").data["maps"]
    assert len(views) == 50
    assert {view["factor"] for view in views} <= {2, 4}
    assert views[0]["width"] == 2048 * views[0]["factor"]


def test_a_report_that_is_too_large_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "LIMIT", 1_000)
    with pytest.raises(errors.DataError, match="more than 1,000; show fewer maps"):
        page.write(contents.Report("r"), tmp_path / "a.html")
    assert list(tmp_path.iterdir()) == []


def test_large_pictures_are_left_out_with_a_note(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "PICTURE_BYTES", 10)
    pictures = [contents.Picture("first", b"12345"), contents.Picture("second", b"1234567")]
    page.write(contents.Report("r", pictures=pictures), tmp_path / "a.html")
    document = page_reader.read(tmp_path / "a.html")
    assert document.tags.count("img") == 1
    assert "second is left out" in document.text


def test_the_same_input_gives_the_same_file(tmp_path):
    report = contents.Report("r", tables=[contents.Table("t", [column("x", [1.5])], rows=[0])])
    assert page.rendered(report) == page.rendered(report)
