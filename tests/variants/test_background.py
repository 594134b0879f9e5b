"""Random variants to compare with, and the file that several runs keep them in."""

import logging

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.data import genome
from akita_bayes.variants import background, records, results

SNV = records.Variant(0, 1, "chr1", 1000, ".", "A", "C", "SNV", 1000, 1001, "C")
DEL = SNV._replace(kind="DEL", end=1064, inserted="")


@pytest.fixture
def opened(long_genome):
    with genome.Genome(long_genome) as found:
        yield found


@pytest.fixture
def build(opened, tmp_path):
    """Null scores of variants as a run makes them; `score` gives a column from the rows."""

    def made(variants, *, count=4, identity="run", **columns):
        def score(rows):
            calls.append(len(rows))
            values = {name: column(rows) for name, column in columns.items()}
            return results.Scored(rows, [], np.zeros((0, 3), np.int32), [], values, {})

        path = tmp_path / "null.h5"
        found = background.build(variants, opened, score, count=count, path=path, identity=identity)
        return found, calls

    calls = []
    return made


def places(rows):
    """A score that tells rows apart. [rows, 1]."""
    return np.array([[row.start] for row in rows], np.float32).reshape(-1, 1)


def missing(rows):
    return np.full((len(rows), 1), np.nan, np.float32)


def test_random_variants_are_of_the_stratum(long_genome):
    with genome.Genome(long_genome) as opened:
        for wanted in (
            background.Stratum("SNV", 1, 1, 4),
            background.Stratum("DEL", 32, 0, 5),
            background.Stratum("INS", 0, 16, 4),
            background.Stratum("INV", 64, 0, 5),
            background.Stratum("BND", 0, 0, 4),
        ):
            made = background.sample(wanted, opened, 5, seed=1)
            assert len(made) == 5
            assert len({row.start for row in made}) > 1
            assert {background.stratum(row, opened) for row in made} == {wanted}
            assert made == background.sample(wanted, opened, 5, seed=1)
            for row in made:
                last = max(row.start + wanted.taken, row.start + 1)
                assert row.ref == opened.padded(row.chrom, row.start, last)
        snvs = background.sample(background.Stratum("SNV", 1, 1, 4), opened, 5)
        assert all(row.inserted != row.ref for row in snvs)
        joints = background.sample(background.Stratum("BND", 0, 0, 4), opened, 40)
        assert {row.end - row.start for row in joints} == {1}
        assert {row.mate.chrom for row in joints} == {"chr1", "chr2"}
        assert len({(row.mate.extends_right, row.mate.joined_after) for row in joints}) == 4


def test_a_file_that_holds_all_is_read_once(build, monkeypatch, caplog):
    build([SNV, DEL], SCD=places)
    read, original = [], background._load
    monkeypatch.setattr(background, "_load", lambda path: read.append(path) or original(path))
    found, calls = build([SNV, DEL], SCD=places)
    assert calls == [4, 4]  # of the first time
    assert len(read) == 1
    assert found.null(DEL, "SCD").shape == (4, 1)
    assert caplog.text == ""


def test_a_random_variant_without_a_score_of_every_target_is_none(build, caplog):
    def some(rows):
        column = np.ones((len(rows), 2), np.float32)
        column[0, 1] = np.nan
        return column

    found, _ = build([SNV], SCD=some)
    np.testing.assert_array_equal(found.null(SNV, "SCD"), np.ones((3, 2)))
    assert "of 4 random variants of SNV-1-1-gc" in caplog.text
    assert "3 have SCD" in caplog.text


def test_scores_of_chosen_places_have_no_background_and_spoil_none(build, caplog):
    for _ in range(2):
        found, calls = build([SNV], SCD=places, ROI=missing)
        assert calls == [4]
        assert found.null(SNV, "SCD").shape == (4, 1)
        assert found.null(SNV, "ROI").shape == (0, 1)
        assert "ROI has none, since random variants rarely reach its regions" in caplog.text
        caplog.clear()


def test_a_stratum_of_few_places_is_sampled_once(build, caplog, monkeypatch):
    monkeypatch.setattr(background, "TRIES", 1)
    first, calls = build([DEL], SCD=places)
    assert 0 < calls[0] < 4
    again, _ = build([DEL], SCD=places)
    assert len(calls) == 1
    np.testing.assert_array_equal(first.null(DEL, "SCD"), again.null(DEL, "SCD"))
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert told == 2 * [
        f"background: of 4 random variants of {background.stratum(DEL, again.genome)}, "
        f"{calls[0]} have SCD."
    ]


def test_more_variants_are_sampled_where_more_are_wanted(build):
    build([SNV], SCD=places)
    found, calls = build([SNV], count=6, SCD=places)
    assert (calls, len(found.null(SNV, "SCD"))) == ([4, 6], 6)
    found, calls = build([SNV], count=5, SCD=places)
    assert (calls, len(found.null(SNV, "SCD"))) == ([4, 6], 6)


def test_processes_that_share_a_file_keep_each_others_strata(build):
    def meanwhile(rows):
        build([DEL], SCD=places)
        build([SNV], identity="other", SCD=places)
        return places(rows)

    _, calls = build([SNV], SCD=meanwhile)
    assert calls == [4, 4, 4]
    build([SNV, DEL], SCD=places)
    build([SNV], identity="other", SCD=places)
    assert calls == [4, 4, 4]


def test_a_stratum_that_another_process_has_finished_is_not_sampled_again(build):
    def meanwhile(rows):
        if len(calls) == 1:
            build([SNV], SCD=places)
        return places(rows)

    calls = build([], SCD=places)[1]
    build([DEL, SNV], SCD=meanwhile)  # in this order, by kind
    assert calls == [4, 4]


def test_refuses_too_few(build):
    with pytest.raises(errors.VariantError, match="2 or more random variants; got 1"):
        build([SNV], count=1, SCD=places)
    assert build([SNV], count=2, SCD=places)[0].null(SNV, "SCD").shape == (2, 1)


def test_refuses_a_damaged_file(build, tmp_path):
    (tmp_path / "null.h5").write_bytes(b"no HDF5")
    with pytest.raises(errors.DataError, match=r"null\.h5: is damaged or holds no background"):
        build([SNV], SCD=places)
