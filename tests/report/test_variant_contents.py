"""A report of variants holds the numbers of its directory, and no text of it is markup."""

import json
import shutil

import h5py
import numpy as np
import pandas as pd
import pyBigWig
import pytest

import akita_bayes as ab
from akita_bayes import errors
from akita_bayes.report import directories, page, quantised_maps, table_columns
from akita_bayes.variants.maps import saved_maps
from tests import tiny
from tests.report import page_reader
from tests.report.conftest import HOSTILE, TARGETS


@pytest.fixture(scope="module")
def document(scores, tmp_path_factory):
    path = tmp_path_factory.mktemp("html") / "scd.html"
    directories.write(scores, path)
    assert path.stat().st_size < page.LIMIT
    return page_reader.read(path)


def table_of(scores):
    return pd.read_csv(scores / "scores.tsv", sep="\t", keep_default_na=False, na_values=["NA"])


def test_the_table_has_every_number_of_the_input(scores, document):
    expected = table_of(scores)
    table = document.data["tables"][0]
    columns = {column["name"]: column for column in table["columns"]}
    assert list(columns) == list(expected)
    assert table["rows"] == list(range(len(expected)))
    for name, column in columns.items():
        if column["text"]:
            continue
        np.testing.assert_array_equal(
            np.array(column["values"], float), expected[name].to_numpy(float)
        )
    assert columns["id"]["values"] == expected["id"].tolist()
    assert columns["alt"]["values"][5] == expected["alt"][5][:30] + "... (81 characters)"
    assert "sqrt(sum (B - A)^2)" in columns["SCD:GM"]["description"]
    assert "not the end of an interval" in columns["SCD_draw_q05:GM"]["description"]


def test_rows_are_html_too_for_browsers_without_scripts(scores, document):
    expected = table_of(scores)
    head, *rows = document.tables[0]
    assert head[:4] == ["chrom", "pos", "id", "ref"]
    assert [row[2] for row in rows] == expected["id"].tolist()
    score = head.index("SCD:GM")
    for row, value in zip(rows, expected["SCD:GM"], strict=True):
        assert (row[score] == "NA") == np.isnan(value)
        if row[score] != "NA":
            assert float(row[score]) == pytest.approx(value, rel=1e-6)
    assert rows[4][head.index("reason")] == expected["reason"][4] != ""


def test_maps_are_those_of_the_file_to_half_a_step(scores, document):
    views = document.data["maps"]
    with saved_maps.opened(scores) as maps:
        assert [view["row"] for view in views[::2]] == maps.rows
        for number, view in enumerate(views):
            saved = maps.read(number // 2)
            target = number % 2
            assert view["target"] == TARGETS.identifiers[target]
            assert (view["bins"], view["offset"], view["factor"]) == (tiny.BINS, tiny.OFFSET, 1)
            assert [layer["name"] for layer in view["layers"]] == ["REF", "ALT", "ALT - REF", "sd"]
            for layer, name in zip(view["layers"], saved_maps.LAYERS, strict=True):
                expected = getattr(saved, name)[:, target]
                pixels = quantised_maps.decoded(
                    layer["codes"], layer["lowest"], layer["step"], tiny.BINS, tiny.OFFSET
                )
                np.testing.assert_array_equal(np.isnan(pixels), np.isnan(expected))
                assert np.nanmax(np.abs(pixels - expected)) <= 0.5001 * layer["step"]
                width = np.nanmax(expected) - np.nanmin(expected)
                assert layer["step"] <= width / 6_500
            (stretch,) = saved.stretches[:1]
            assert view["stretches"][0][2:] == [*stretch.region, stretch.strand]
            assert view["site"] == list(saved.site)


def test_hostile_names_stay_texts(document):
    assert HOSTILE[0] in [row[2] for row in document.tables[0]]
    assert document.tags.count("script") == 2
    assert not {"img", "svg", "iframe", "object", "link"} & set(document.tags)
    assert not [name for name, _ in document.attributes if name.startswith("on")]
    assert HOSTILE[1] in document.text  # the name of a target
    policy = next(
        v for n, v in document.attributes if n == "content" and "default-src" in (v or "")
    )
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy


def test_nothing_is_fetched_from_elsewhere(document):
    for name, value in document.attributes:
        if name in ("src", "href"):
            assert value.startswith("data:")
    assert "http" not in document.scripts[1]
    assert not [
        word for word in ("fetch(", "XMLHttpRequest", "innerHTML") if word in document.scripts[1]
    ]


def test_provenance_has_versions_seeds_and_digests(scores, document):
    facts = {row[0]: row[1] for row in document.tables[-1]}
    with h5py.File(scores / "scd.h5") as file:
        for name in ("version", "model_digest", "genome_digest"):
            assert facts[name] == file.attrs[name]
    inputs = json.loads((scores / "inputs.json").read_text())["of"]
    assert facts["variants_digest"] == inputs["variants_digest"]
    assert facts["options: seed"] == "3"
    assert f"akita_bayes {ab.__version__}" in document.text


def test_without_maps_the_report_says_how_to_get_them(scores, tmp_path):
    folder = tmp_path / "scd"
    shutil.copytree(scores, folder)
    (folder / saved_maps.FILE).unlink()
    document = page_reader.read(directories.write(folder))
    assert document.data["maps"] == []
    assert "akita_scd.py command again with --save_maps" in document.text
    assert ("id", "maps") not in document.attributes


def test_fewer_maps_can_be_shown(scores, tmp_path):
    options = directories.ReportOptions(maps=1)
    document = page_reader.read(directories.write(scores, tmp_path / "a.html", options=options))
    assert len(document.data["maps"]) == 2  # two targets


def test_genes_and_tracks_lie_in_the_frame(scores, inputs, tmp_path):
    track = tmp_path / "track.bw"
    with pyBigWig.open(str(track), "w") as file:
        file.addHeader([("1", 4096)])
        starts = list(range(0, 4096, 16))
        values = [float(k) for k in range(len(starts))]
        file.addEntries(["1"] * len(starts), starts, ends=[s + 16 for s in starts], values=values)
    options = directories.ReportOptions(genes=inputs / "genes.bed", bigwigs=[track])
    document = page_reader.read(directories.write(scores, tmp_path / "a.html", options=options))
    with saved_maps.opened(scores) as maps:
        for view in document.data["maps"]:
            saved = maps.read(maps.rows.index(view["row"]))
            for gene in view["genes"]:
                assert gene[0] in ("ABC", HOSTILE[0])
            ((name, bins, signal),) = view["signals"]
            assert (name, bins) == ("track.bw", tiny.BINS)
            first = saved.stretches[0]
            if first.first == 0.0 and first.strand == 1:
                bases = first.region.start + np.arange(tiny.POOL)
                assert signal[0] == pytest.approx(np.mean(bases // 16), rel=1e-4)
            region = saved.stretches[0].region
            overlaps = region.start < 1900 and region.end > 900
            assert overlaps == ("ABC" in [gene[0] for gene in view["genes"]])


def test_a_file_that_is_not_a_bigwig_is_refused(scores, inputs, tmp_path):
    for path, text in (
        (inputs / "genes.bed", "damaged or not a bigWig file"),
        (tmp_path / "no.bw", "no such bigWig file"),
    ):
        options = directories.ReportOptions(bigwigs=[path])
        with pytest.raises(errors.DataError, match=text):
            directories.write(scores, tmp_path / "a.html", options=options)
    assert not (tmp_path / "a.html").exists()


@pytest.mark.parametrize(
    ("name", "cut", "sentence"),
    [
        ("scd.h5", 0, "scd.h5: no such file, so the scores are not complete"),
        ("scd.h5", 0.5, "scd.h5: damaged or not a file of scores"),
        ("maps.h5", 0.5, "maps.h5: damaged or not maps of variants"),
        ("inputs.json", 0.5, "inputs.json: not valid JSON"),
    ],
)
def test_a_damaged_directory_is_one_sentence(scores, tmp_path, name, cut, sentence):
    folder = tmp_path / "scd"
    shutil.copytree(scores, folder)
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    if cut:
        (folder / name).write_bytes(content[: int(cut * len(content))])
    with pytest.raises(errors.DataError, match=sentence) as raised:
        directories.write(folder)
    assert "\n" not in str(raised.value)
    assert not (folder / directories.FILE).exists()


@pytest.mark.parametrize("content", [b"", b"chrom\tpos\n\x00\xff\xfe", b"a\tb\n1\t2\n"])
def test_a_damaged_table_is_one_sentence(scores, tmp_path, content):
    folder = tmp_path / "scd"
    shutil.copytree(scores, folder)
    (folder / "scores.tsv").write_bytes(content)
    with pytest.raises(errors.DataError, match=r"scores\.tsv"):
        directories.write(folder)


def test_a_large_table_keeps_its_strongest_rows(scores, tmp_path, monkeypatch):
    expected = table_of(scores)
    monkeypatch.setattr(table_columns, "CELLS", 3 * len(expected.columns))
    document = page_reader.read(directories.write(scores, tmp_path / "a.html"))
    strength = np.nan_to_num(expected[[f"SCD:{t}" for t in TARGETS.identifiers]]).max(axis=1)
    rows = document.data["tables"][0]["rows"]
    assert sorted(rows) == sorted(np.argsort(-strength, kind="stable")[:3].tolist())
    assert "The 3 strongest of 7 rows; scores.tsv has all of them." in document.text
