import dataclasses
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from akita_bayes import errors, regions
from akita_bayes.data import assembly, interval_sets
from akita_bayes.data.preparation import training_windows

Region = regions.Region
SIZES = {"chr1": 40_000, "chr2": 25_000, "chr3": 900}
CHR1 = assembly.of({"chr1": 40_000})


def lay(**options):
    layout = training_windows.Layout(
        **{"seq_length": 1000, "snap": 100, "largest_contig": 5000, "valid": 0.2, "test": 0.2}
        | options
    )
    return training_windows.lay(training_windows.contigs(SIZES, layout), layout)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    stride=st.sampled_from([100, 0.25, 1.0]),
    folds=st.sampled_from([None, 3, 5]),
    break_at=st.sampled_from([2000, 5000, 100_000]),
)
def test_windows_of_different_splits_are_a_window_apart(seed, stride, folds, break_at):
    windows = (
        lay(seed=seed, stride_train=stride, folds=folds, largest_contig=break_at)
        if (folds is None or break_at < 100_000)
        else lay(seed=seed)
    )
    assert windows
    for window, neighbour in itertools.combinations(windows, 2):
        assert window.region.width == 1000
        assert window.region.start % 100 == 0
        assert window.region.end <= SIZES[window.region.chrom]
        if window.split != neighbour.split and window.region.chrom == neighbour.region.chrom:
            first, second = sorted((window.region, neighbour.region))
            assert second.start - first.end >= 1000
    assert training_windows.overlap(windows, margin=1000) is None


def test_strides_are_fractions_or_bases():
    layout = training_windows.Layout(seq_length=1000, snap=100, stride_train=0.25, stride_test=500)
    assert layout.stride("train") == 200
    assert layout.stride("fold3") == 200
    assert layout.stride("test") == layout.stride("valid") == 500
    assert (
        training_windows.Layout(seq_length=1000, snap=100, stride_train=0.01).stride("train") == 100
    )
    for stride in (0, -500):
        with pytest.raises(errors.DataError, match=r"stride_train .*: expected a share"):
            dataclasses.replace(layout, stride_train=stride).stride("train")
    with pytest.raises(errors.DataError, match="stride_test 250 is not a multiple of snap 100"):
        training_windows.Layout(seq_length=1000, snap=100, stride_test=250).stride("valid")


def test_windows_by_chromosome_cover_every_stretch():
    windows = lay(valid=("chr2",), test=(), stride_train=1.0, stride_test=1.0)
    assert [w.region.start for w in windows if w.split == "train"] == list(range(0, 40_000, 1000))
    assert [w.region.start for w in windows if w.split == "valid"] == list(range(0, 25_000, 1000))


def test_gaps_and_limits():
    gaps = interval_sets.Intervals([Region("chr1", 10_050, 11_000), Region("chr2", 0, 25_000)])
    limit = interval_sets.Intervals([Region("chr1", 8000, 14_000)])
    windows = lay(valid=0.0, test=0.0, gaps=gaps, limit=limit)
    assert [w.region.start for w in windows] == [8000, 9000, 11_000, 12_000, 13_000]


def test_a_sample_of_each_split():
    whole, half = lay(seed=1), lay(seed=1, sample=0.5)
    assert set(half) < set(whole)
    for split in ("train", "valid", "test"):
        members = [w for w in whole if w.split == split]
        assert len([w for w in half if w.split == split]) == max(1, round(0.5 * len(members)))
    assert len(set(half)) == len(half)
    assert sorted(w.split for w in lay(seed=1, sample=1e-6)) == ["test", "train", "valid"]


def test_short_chromosomes_are_named_in_the_log(caplog):
    caplog.set_level("INFO", "akita_bayes")
    lay()
    assert "chr3 (900 bases) has no stretch as long as one window" in caplog.text


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"seq_length": 1050}, "seq_length 1050 is not a multiple of snap 100"),
        ({"seq_length": 50_000, "largest_contig": 60_000}, "no stretch of the genome is as long"),
        ({"valid": 0.7, "test": 0.5}, "leave nothing to train on"),
        ({"valid": 0.1, "test": ("chr1",)}, "both be shares or both be lists"),
        ({"valid": ("chr3",), "test": ()}, "chr3 of split valid has no stretch as long as one"),
    ],
)
def test_layouts_that_contradict_themselves(options, reason):
    with pytest.raises(errors.DataError, match=reason):
        lay(**options)


def bed(folder, text):
    path = folder / "windows.bed"
    path.write_text(text)
    return path


def test_windows_as_they_are(tmp_path):
    windows = training_windows.read_windows(
        bed(tmp_path, "chr1\t0\t10\ttest\nchr1\t50\t60\n"), CHR1
    )
    assert windows == [
        training_windows.Window(Region("chr1", 0, 10), "test"),
        training_windows.Window(Region("chr1", 50, 60), "train"),
    ]
    path = tmp_path / "written.bed"
    training_windows.write_bed(path, windows)
    assert training_windows.read_windows(path, CHR1) == windows
    path.write_text(path.read_text().replace("chr1", "1"))
    assert training_windows.read_windows(path, CHR1) == windows


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "holds no window"),
        ("chr1\t0\t10\nchr1\t20\t31\n", "chr1:20-31 has 11 bases, but the first window has 10"),
        ("chr1\t0\t10\ttest\nchr1\t5\t15\n", "chr1:0-10 of test overlaps chr1:5-15 of train"),
        ("chr1\t0\t10\nchr1\t0\t10\n", "listed twice"),
        ("chr1\tzero\t10\n", "line 1: expected"),
        ("chr1\t0\t10\tfold*\n", 'the split "fold\\*" reads as a pattern of files'),
        ("chr1\t0\t10\ta.tfr\n", r'the split "a\.tfr" reads as a pattern of files'),
        ("chr1\t-5\t5\n", "-5 to 5 is not an interval"),
    ],
)
def test_windows_that_cannot_be_taken(tmp_path, text, reason):
    with pytest.raises(errors.DataError, match=reason):
        training_windows.read_windows(bed(tmp_path, text), CHR1)


def test_overlaps_across_an_origin_name_the_windows_as_they_are_written(tmp_path):
    path = bed(tmp_path, "chr1\t5\t25\ttrain\nchr1\t95\t115\tvalid\n")
    circle = assembly.of({"chr1": 100}, circular=("chr1",))
    message = "chr1:95-115 of valid overlaps chr1:5-25 of train; move one"
    with pytest.raises(errors.DataError, match=message):
        training_windows.read_windows(path, circle, periods={"chr1": 100})


def test_close_windows_of_different_splits_are_logged(tmp_path, caplog):
    training_windows.read_windows(bed(tmp_path, "chr1\t0\t10\ttest\nchr1\t15\t25\n"), CHR1)
    assert "closer than the length of a window" in caplog.text


def test_unmappable_windows_are_dropped():
    windows = [
        training_windows.Window(Region("chr1", start, start + 100), "train")
        for start in (0, 100, 200)
    ]
    stretches = interval_sets.Intervals([Region("chr1", 5, 25), Region("chr1", 145, 146)])
    mappable, dropped = training_windows.unmappable(windows, stretches, width=10, threshold=0.3)
    assert mappable == windows[1:]
    assert (dropped[0].reason, dropped[0].detail) == ("unmappable", "30% of bins")
    mappable, dropped = training_windows.unmappable(windows, stretches, width=10, midpoints=True)
    assert mappable == [windows[0], windows[2]]
    assert dropped[0].reason == "unmappable midpoint"
