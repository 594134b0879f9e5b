"""Tests that a model recognises the regions and the genome that it was trained on."""

import json

import pytest

from akita_bayes import errors
from akita_bayes.origins import training_regions
from akita_bayes.origins.training_regions import TrainingRegions
from akita_bayes.regions import Region

WINDOWS = [Region("chr1", 300, 500), Region("chr1", 0, 100), Region("chr1", 50, 200)]


@pytest.fixture
def recorded():
    sizes = {"chr1": 1000, "chr2": 2000}
    return TrainingRegions.of(WINDOWS, genome="hg38.fa", sizes=sizes)


def test_windows_are_merged_and_only_their_chromosomes_count(recorded):
    assert recorded.intervals == {"chr1": ((0, 200), (300, 500))}
    assert recorded.sizes == {"chr1": 1000}


@pytest.mark.parametrize(
    ("chrom", "start", "end", "expected"),
    [
        ("chr1", 0, 1, True),
        ("chr1", 199, 200, True),
        ("chr1", 200, 300, False),
        ("chr1", 199, 300, True),
        ("chr1", 250, 301, True),
        ("chr1", 250, 900, True),
        ("chr1", 499, 499, True),  # an insertion replaces no base
        ("chr1", 500, 500, False),
        ("1", 10, 11, True),
        ("chr2", 10, 11, False),
    ],
)
def test_a_region_overlaps_a_window_from_its_first_to_its_last_base(
    recorded, chrom, start, end, expected
):
    assert recorded.overlaps(Region(chrom, start, end)) is expected


def test_every_base_agrees_with_the_windows_themselves(recorded):
    for base in range(600):
        inside = any(window.start <= base < window.end for window in WINDOWS)
        assert recorded.overlaps(Region("chr1", base, base + 1)) is inside


def test_regions_come_back_from_a_run(recorded, tmp_path):
    training_regions.write(tmp_path, {"hic": recorded})
    assert training_regions.read(tmp_path) == {"hic": recorded}
    (tmp_path / training_regions.FILE).write_text(json.dumps({"hic": {"sizes": 1}}))
    with pytest.raises(errors.RunError, match="regions of a training"):
        training_regions.read(tmp_path)


def test_an_older_run_says_nothing(tmp_path):
    training_regions.write(tmp_path, {"hic": TrainingRegions.of([], sizes={})})
    assert list(tmp_path.iterdir()) == []
    assert training_regions.read(tmp_path) == {}


def test_another_genome_is_named_beside_that_of_the_training(recorded):
    recorded.check_genome({"1": 1000, "chr2": 5}, "same.fa")
    with pytest.raises(
        errors.DataError,
        match=r"hg19\.fa: chr1 has 1,001 bases, .* a genome \(hg38\.fa\) where it has 1,000; give",
    ):
        recorded.check_genome({"chr1": 1001}, "hg19.fa")
