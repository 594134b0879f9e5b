"""Random variants to compare with, and the file that several runs keep them in."""

import logging
import threading

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.data import genome
from akita_bayes.variants.alleles import records
from akita_bayes.variants.scores import background, score_table

SNV = records.Variant(0, 1, "chr1", 1000, ".", "A", "C", "SNV", 1000, 1001, "C")
DEL = SNV._replace(kind="DEL", end=1064, inserted="")


@pytest.fixture
def opened(long_genome):
    with genome.Genome(long_genome) as reference:
        yield reference


@pytest.fixture
def build(opened, tmp_path):
    """Null scores of variants as a run makes them; `score` gives a column from the rows."""

    def build_null(variants, *, count=4, identity="run", **columns):
        def score(rows):
            calls.append(len(rows))
            values = {name: column(rows) for name, column in columns.items()}
            return score_table.Scored(rows, [], np.zeros((0, 3), np.int32), [], values, {})

        path = tmp_path / "null.h5"
        null_scores = background.build(
            variants, opened, score, count=count, path=path, identity=identity
        )
        return null_scores, calls

    calls = []
    return build_null


def p_value(score, null, *, signed=False):
    """The p-value and the quantile of one score."""
    null = np.asarray(null, np.float32).reshape(-1, 1)
    return [float(part[0]) for part in background.rarity(np.array([score]), null, signed=signed)]


def test_a_p_value_is_small_where_the_score_is_unusual():
    null = np.arange(1, 20)  # N = 19
    assert p_value(25, null) == pytest.approx([1 / 20, 1])
    assert p_value(19, null) == pytest.approx([2 / 20, 18 / 19])  # a tie is as extreme
    assert p_value(0, null) == pytest.approx([1, 0])
    assert p_value(10.5, null) == pytest.approx([10 / 20, 10 / 19])
    assert p_value(-30, null) == pytest.approx([1, 0])  # one-sided: far below is not unusual


def test_a_signed_score_is_unusual_on_either_side_of_the_median():
    null = np.arange(1, 20) + 100.0  # the median is 110
    assert p_value(140, null, signed=True) == pytest.approx([1 / 20, 1])
    assert p_value(80, null, signed=True) == pytest.approx([1 / 20, 1])
    assert p_value(110, null, signed=True) == pytest.approx([1, 0])
    # The common median of 101 to 119 and 116 is 110.5; 101 to 105 and 116 to 119 are as far.
    assert p_value(116, null, signed=True) == pytest.approx([10 / 20, 1 - 9 / 19])


@pytest.mark.parametrize("signed", [False, True])
def test_quantile_and_p_value_say_the_same(signed):
    random = np.random.default_rng(3)
    for count in (2, 7, 50):
        null, score = random.normal(size=(count, 3)), random.normal(size=3)
        p, quantile = background.rarity(score, null, signed=signed)
        np.testing.assert_allclose(p, (count * (1 - quantile) + 1) / (count + 1), rtol=1e-6)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("count", [9, 39])
def test_p_values_of_random_variants_are_uniform(signed, count):
    """A score is one of the null's own kind; skewed, so that its median is not its mean.

    With N null scores p takes the values 1 / (N + 1) to 1, all equally often. 8,000 simulations
    differ from uniform by more than 0.0182 in one of 100 (Kolmogorov), beside the step.
    """
    random = np.random.default_rng(count)
    null, score = random.gamma(2.0, size=(count, 8000)), random.gamma(2.0, size=8000)
    p = background.rarity(score, null, signed=signed).p_value
    steps = np.arange(1, count + 2) / (count + 1)
    share = np.searchsorted(np.sort(p), steps + 1e-6) / len(p)
    # Two of an even number of scores are equally far from their median: one step near p = 1.
    upto = steps < 1 - 1.5 / (count + 1) if signed else steps <= 1
    assert np.abs(share - steps)[upto].max() < 0.0182
    assert (share <= steps + 0.0182).all()


def test_a_score_without_null_scores_has_no_p_value():
    assert np.isnan(p_value(1, [])).all()
    assert np.isnan(p_value(np.nan, [1, 2])).all()


def start_scores(rows):
    """A score that tells rows apart. [rows, 1]."""
    return np.array([[row.start] for row in rows], np.float32).reshape(-1, 1)


def missing(rows):
    return np.full((len(rows), 1), np.nan, np.float32)


def test_random_variants_are_of_the_stratum(long_genome):
    with genome.Genome(long_genome) as opened:
        for stratum in (
            background.Stratum("SNV", 1, 1, 4),
            background.Stratum("DEL", 32, 0, 5),
            background.Stratum("INS", 0, 16, 4),
            background.Stratum("INV", 64, 0, 5),
            background.Stratum("BND", 0, 0, 4),
        ):
            variants = background.sample(stratum, opened, 5, seed=1)
            assert len(variants) == 5
            assert len({row.start for row in variants}) > 1
            assert {background.stratum(row, opened) for row in variants} == {stratum}
            assert variants == background.sample(stratum, opened, 5, seed=1)
            for row in variants:
                last = max(row.start + stratum.replaced, row.start + 1)
                assert row.ref == opened.padded(row.chrom, row.start, last)
        snvs = background.sample(background.Stratum("SNV", 1, 1, 4), opened, 5)
        assert all(row.inserted != row.ref for row in snvs)
        joints = background.sample(background.Stratum("BND", 0, 0, 4), opened, 40)
        assert {row.end - row.start for row in joints} == {1}
        assert {row.mate.chrom for row in joints} == {"chr1", "chr2"}
        assert len({(row.mate.extends_right, row.mate.joined_after) for row in joints}) == 4


def test_a_file_that_holds_all_is_read_once(build, monkeypatch, caplog):
    build([SNV, DEL], SCD=start_scores)
    read, original = [], background._load
    monkeypatch.setattr(background, "_load", lambda path: read.append(path) or original(path))
    null_scores, calls = build([SNV, DEL], SCD=start_scores)
    assert calls == [4, 4]  # of the first time
    assert len(read) == 1
    assert null_scores.null(DEL, "SCD").shape == (4, 1)
    assert caplog.text == ""


def test_a_random_variant_without_a_score_of_every_target_is_none(build, caplog):
    def some(rows):
        column = np.ones((len(rows), 2), np.float32)
        column[0, 1] = np.nan
        return column

    null_scores, _ = build([SNV], SCD=some)
    np.testing.assert_array_equal(null_scores.null(SNV, "SCD"), np.ones((3, 2)))
    assert "of 4 random variants of SNV-1-1-gc" in caplog.text
    assert "3 have SCD" in caplog.text


def test_scores_of_chosen_places_have_no_background_and_spoil_none(build, caplog):
    for _ in range(2):
        null_scores, calls = build([SNV], SCD=start_scores, ROI=missing)
        assert calls == [4]
        assert null_scores.null(SNV, "SCD").shape == (4, 1)
        assert null_scores.null(SNV, "ROI").shape == (0, 1)
        assert "ROI has none, since random variants rarely reach its regions" in caplog.text
        caplog.clear()


def test_a_stratum_of_few_places_is_sampled_once(build, caplog, monkeypatch):
    monkeypatch.setattr(background, "TRIES", 1)
    first, calls = build([DEL], SCD=start_scores)
    assert 0 < calls[0] < 4
    again, _ = build([DEL], SCD=start_scores)
    assert len(calls) == 1
    np.testing.assert_array_equal(first.null(DEL, "SCD"), again.null(DEL, "SCD"))
    messages = [
        record.getMessage() for record in caplog.records if record.levelno == logging.WARNING
    ]
    assert messages == 2 * [
        f"background: of 4 random variants of {background.stratum(DEL, again.genome)}, "
        f"{calls[0]} have SCD."
    ]


def test_more_variants_are_sampled_where_more_are_wanted(build):
    build([SNV], SCD=start_scores)
    null_scores, calls = build([SNV], count=6, SCD=start_scores)
    assert (calls, len(null_scores.null(SNV, "SCD"))) == ([4, 6], 6)
    null_scores, calls = build([SNV], count=5, SCD=start_scores)
    assert (calls, len(null_scores.null(SNV, "SCD"))) == ([4, 6], 6)


def test_processes_that_share_a_file_keep_each_others_strata(build):
    def meanwhile(rows):
        build([DEL], SCD=start_scores)
        build([SNV], identity="other", SCD=start_scores)
        return start_scores(rows)

    _, calls = build([SNV], SCD=meanwhile)
    assert calls == [4, 4, 4]
    build([SNV, DEL], SCD=start_scores)
    build([SNV], identity="other", SCD=start_scores)
    assert calls == [4, 4, 4]


def test_a_stratum_that_another_process_has_finished_is_not_sampled_again(build):
    def meanwhile(rows):
        if len(calls) == 1:
            build([SNV], SCD=start_scores)
        return start_scores(rows)

    calls = build([], SCD=start_scores)[1]
    build([DEL, SNV], SCD=meanwhile)  # in this order, by kind
    assert calls == [4, 4]


def test_refuses_too_few(build):
    with pytest.raises(errors.VariantError, match="2 or more random variants; got 1"):
        build([SNV], count=1, SCD=start_scores)
    assert build([SNV], count=2, SCD=start_scores)[0].null(SNV, "SCD").shape == (2, 1)


def test_refuses_a_damaged_file(build, tmp_path):
    (tmp_path / "null.h5").write_bytes(b"no HDF5")
    with pytest.raises(errors.DataError, match=r"null\.h5: damaged or not a background"):
        build([SNV], SCD=start_scores)


def test_two_that_add_strata_at_once_lose_nothing(tmp_path, monkeypatch):
    """Locks of two threads exclude each other as those of two processes do."""
    path, load = tmp_path / "null.h5", background._load
    null = background.StoredNull(5, {"SCD": np.ones((5, 1), np.float32)})
    first, concurrent = background.Stratum("DEL", 8, 0, 4), background.Stratum("DEL", 16, 0, 4)
    second = threading.Thread(target=background.add, args=(path, "run", concurrent, null))

    def load_slowly(path):
        strata = load(path)
        if threading.current_thread() is not second:
            second.start()
            second.join(1)  # it ends within that time only if nothing makes it wait
        return strata

    monkeypatch.setattr(background, "_load", load_slowly)
    background.add(path, "run", first, null)
    second.join()
    assert set(load(path)["run"]) == {first, concurrent}
