import numpy as np
import pytest

from akita_bayes import errors, regions
from akita_bayes.data import assembly, interval_sets

Region = regions.Region


def make(*spans, chrom="chr1"):
    return interval_sets.Intervals(Region(chrom, start, end) for start, end in spans)


def spans(intervals):
    return [(region.start, region.end) for region in intervals.members()]


def bases(intervals, length=60):
    covered = np.zeros(length, bool)
    for start, end in spans(intervals):
        covered[start:end] = True
    return covered


def test_touching_and_overlapping_intervals_are_merged():
    assert spans(make((5, 9), (0, 3), (3, 4), (8, 12))) == [(0, 4), (5, 12)]


def test_set_operations_equal_those_on_single_bases():
    random = np.random.default_rng(0)
    for _ in range(50):
        first, second = (
            make(
                *[
                    (s, s + w)
                    for s, w in zip(
                        random.integers(0, 50, 4), random.integers(1, 10, 4), strict=True
                    )
                ]
            )
            for _ in range(2)
        )
        np.testing.assert_array_equal(bases(first.minus(second)), bases(first) & ~bases(second))
        np.testing.assert_array_equal(bases(first.common(second)), bases(first) & bases(second))


def test_bins_touched():
    region = Region("chr1", 20, 60)
    assert make((0, 21), (29, 31), (59, 90)).bins(region, 10).tolist() == [True, True, False, True]
    assert not make((0, 20), (60, 70)).bins(region, 10).any()
    assert not make((20, 60), chrom="chr2").bins(region, 10).any()


def test_an_interval_starting_left_of_the_window_masks_its_first_bins():
    assert make((3, 25)).bins(Region("chr1", 10, 50), 10).tolist() == [True, True, False, False]


def test_reading_with_a_margin(tmp_path):
    path = tmp_path / "blacklist.bed"
    path.write_text("#comment\nchr1\t5\t30\nchr2 100 200 name\n")
    intervals = interval_sets.Intervals.read(path, assembly.of({"1": 99, "chr2": 99}), margin=20)
    assert [tuple(region) for region in intervals.members()] == [("1", 0, 50), ("chr2", 80, 220)]
    with pytest.raises(errors.DataError, match="no such BED file"):
        interval_sets.Intervals.read(tmp_path / "absent.bed", assembly.of({"chr1": 99}))
