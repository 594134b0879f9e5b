import itertools

import pytest

from akita_bayes import errors, regions
from akita_bayes.data.preparation import splits

Region = regions.Region
GENOME = [Region(f"chr{i}", 0, 1000 * i) for i in range(1, 21)]


def width(members):
    return sum(region.width for region in members)


def test_contigs_are_halved_until_short_enough():
    broken = splits.break_large([Region("chr1", 0, 100), Region("chr2", 0, 9)], 30, 10)
    assert [tuple(r)[1:] for r in broken] == [(0, 25), (25, 50), (50, 75), (75, 100)]
    assert splits.break_large([Region("chr1", 0, 19)], 10, 10) == [Region("chr1", 0, 19)]
    assert splits.break_large([Region("chr1", 0, 10)], 10, 10) == [Region("chr1", 0, 10)]
    assert splits.break_large(GENOME, 1000, 100) == sorted(splits.break_large(GENOME, 1000, 100))
    with pytest.raises(errors.DataError, match="--break 5 is shorter than one window of 10"):
        splits.break_large([], 5, 10)


@pytest.mark.parametrize("seed", range(5))
def test_shares_are_kept_and_every_contig_is_dealt_once(seed):
    pieces = splits.break_large(GENOME, 1000, 100)
    shares = {"train": 0.7, "valid": 0.2, "test": 0.1}
    contigs_of = splits.by_share(pieces, shares, window=100, seed=seed)
    assert sorted(itertools.chain(*contigs_of.values())) == sorted(pieces)
    total = width(pieces)
    for split, share in shares.items():
        assert width(contigs_of[split]) / total == pytest.approx(share, abs=0.05)
    assert splits.by_share(pieces, shares, window=100, seed=seed) == contigs_of
    assert splits.by_share(pieces, shares, window=100, seed=seed + 100) != contigs_of


def test_a_small_genome_still_holds_something_out():
    pieces = [Region("a", 0, 100), Region("b", 0, 90), Region("c", 0, 20)]
    shares = {"train": 0.8, "valid": 0.1, "test": 0.1}
    contigs_of = splits.by_share(pieces, shares, window=5, seed=0)
    assert contigs_of["valid"] == [Region("c", 0, 20)]
    assert contigs_of["test"] == [Region("a", 79, 100)]
    assert contigs_of["train"] == [Region("a", 0, 79), Region("b", 0, 90)]
    alone = splits.by_share([Region("a", 0, 11)], shares, window=5, seed=0)
    assert alone == {"train": [Region("a", 0, 11)], "valid": [], "test": []}


def test_a_share_of_zero_gets_nothing():
    contigs_of = splits.by_share(
        GENOME, {"train": 0.9, "valid": 0.1, "test": 0.0}, window=10, seed=0
    )
    assert contigs_of["test"] == []


def test_chromosomes_by_name():
    contigs_of = splits.by_chromosome(GENOME, {"valid": ["chr2"], "test": ["chr3", "chr4"]})
    assert [r.chrom for r in contigs_of["test"]] == ["chr3", "chr4"]
    assert len(contigs_of["train"]) == 17
    with pytest.raises(errors.DataError, match="chr99 of split valid is not in the genome"):
        splits.by_chromosome(GENOME, {"valid": ["chr99"], "test": []})
    with pytest.raises(errors.DataError, match="chrM of split valid has no stretch as long as one"):
        splits.by_chromosome(GENOME, {"valid": ["chrM"], "test": []}, genome=["chrM"])
    with pytest.raises(errors.DataError, match="chr2 is in valid and test"):
        splits.by_chromosome(GENOME, {"valid": ["chr2"], "test": ["chr2"]})


def test_folds_are_equally_long():
    contigs_of = splits.by_fold(splits.break_large(GENOME, 1000, 100), 8, seed=1)
    widths = [width(members) for members in contigs_of.values()]
    assert list(contigs_of) == [f"fold{i}" for i in range(8)]
    assert sum(widths) == width(GENOME)
    assert max(widths) - min(widths) < 1000
    pair = splits.by_fold(GENOME[:2], 2, seed=0)
    assert sorted(pair.values()) == [[GENOME[0]], [GENOME[1]]]
    with pytest.raises(errors.DataError, match="2 contigs cannot make 3 folds"):
        splits.by_fold(GENOME[:2], 3, seed=0)
    with pytest.raises(errors.DataError, match="at least 2 folds"):
        splits.by_fold(GENOME, 1, seed=0)


def test_a_margin_is_cut_from_the_larger_split():
    contigs_of = {
        "train": [Region("chr1", 0, 1000), Region("chr1", 1100, 3000)],
        "test": [Region("chr1", 1000, 1100)],
    }
    separated = splits.separate(contigs_of, 50)
    assert [tuple(r)[1:] for r in separated["test"].members()] == [(1000, 1100)]
    assert [tuple(r)[1:] for r in separated["train"].members()] == [(0, 950), (1150, 3000)]


def test_neighbours_of_one_split_are_rejoined():
    contigs_of = {"train": [Region("chr1", 0, 10), Region("chr1", 10, 20)], "test": []}
    (joined,) = splits.separate(contigs_of, 5)["train"].members()
    assert joined == Region("chr1", 0, 20)
