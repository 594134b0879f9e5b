"""Bands against windows, and noise with the mean and spread that it should have."""

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.data.contacts import counts_to_targets as targets
from akita_bayes.simulate import chromatin, chromosomes, reads

DISTANCES = 64


@pytest.fixture(scope="module")
def chromosome(bench):
    return chromosomes.chromosome("chr1", 700 * 512, bench.physics, chromosomes.Landscape(), seed=2)


@pytest.fixture(scope="module")
def band(bench, chromosome):
    track = chromatin.tracks(chromosome.sequence, bench.physics, "alpha")
    return reads.band(track, bench.physics, DISTANCES)


def test_a_band_holds_the_windows_of_its_chromosome(bench, chromosome, band):
    whole = chromatin.contacts(chromosome.sequence, bench.physics, "alpha")
    for start in (0, 37, 255, 700 - DISTANCES):
        expected = whole[start : start + DISTANCES, start : start + DISTANCES]
        np.testing.assert_allclose(reads.window(band, start, DISTANCES), expected, rtol=1e-9)


def test_a_band_ends_with_its_chromosome(band):
    beyond = np.add.outer(np.arange(700), np.arange(DISTANCES)) >= 700
    assert (band[beyond] == 0).all()
    assert (band[~beyond] > 0).all()


def test_depth_is_pairs_per_kilobase(bench):
    """A genome without sites gives as many far pairs per kilobase as was asked for."""
    reads_per_contact = reads.reads_per_contact(300.0, bench.physics, DISTANCES)
    free = chromatin.Tracks(*np.zeros((3, 400)))
    far = reads.band(free, bench.physics, DISTANCES)[100:200, reads.FAR :].sum()
    np.testing.assert_allclose(far * reads_per_contact / (100 * 0.512), 300.0)


def test_more_reads_than_can_be_counted_are_refused(bench, band):
    """A pixel on the diagonal, loops included, keeps within int32 at the greatest depth."""
    unit = reads.reads_per_contact(1.0, bench.physics, DISTANCES)
    free = 1 + bench.physics.neighbour_strength
    greatest = 2**30 / (unit * free)
    reads.check_depth(0.999 * greatest, bench.physics, DISTANCES)
    with pytest.raises(errors.DataError, match=r"depth .*: puts 1.1e\+09 reads into one pixel"):
        reads.check_depth(1.001 * greatest, bench.physics, DISTANCES)
    assert free < band.max() < 1.9 * free
    counts = reads.sequence(band, greatest * unit, np.zeros(700, bool), np.random.default_rng(0))
    assert counts.min() >= 0
    np.testing.assert_allclose(counts.max(), band.max() * greatest * unit, rtol=1e-3)


def test_counts_are_poisson(band):
    rng = np.random.default_rng(0)
    mappable = np.zeros(len(band), bool)
    draws = np.stack([reads.sequence(band[:40], 3.0, mappable[:40], rng) for _ in range(400)])
    expected = 3.0 * band[:40]
    error = (draws.mean(0) - expected) / np.sqrt(expected / 400)
    assert np.abs(error).max() < 6
    assert abs(error.mean()) < 0.1
    inside = expected > 0.5
    ratio = draws.var(0)[inside] / expected[inside]
    assert ratio.mean() == pytest.approx(1, abs=0.02)


def test_replicates_are_independent(band):
    rng = np.random.default_rng(0)
    mappable = np.zeros(len(band), bool)
    first, second = (reads.sequence(band, 50.0, mappable, rng) - 50.0 * band for _ in range(2))
    scale = np.sqrt(50.0 * np.maximum(band, 1e-9))
    correlation = np.corrcoef((first / scale).ravel(), (second / scale).ravel())[0, 1]
    assert abs(correlation) < 0.02


def test_nothing_is_read_in_unmappable_bins(band):
    unmappable = np.zeros(len(band), bool)
    unmappable[[5, 6, 300, 699]] = True
    counts = reads.sequence(band, 1e3, unmappable, np.random.default_rng(0))
    for start in (0, 280, 636):
        square = reads.window(counts, start, DISTANCES)
        empty = unmappable[start : start + DISTANCES]
        assert (square[empty] == 0).all()
        assert (square[:, empty] == 0).all()
        assert (square[~empty].sum(1) > 0).all()


def test_counts_become_the_truth_as_depth_grows(bench, band):
    transform = chromatin.transform(DISTANCES, 512)
    truth = chromatin.observed_over_expected(reads.window(band, 100, DISTANCES))
    truth = truth[np.triu_indices(DISTANCES, 2)]
    rng = np.random.default_rng(0)
    errors = []
    for depth in (1e2, 1e4, 1e6):
        factor = reads.reads_per_contact(depth, bench.physics, DISTANCES)
        counts = reads.sequence(band, factor, np.zeros(len(band), bool), rng)
        square = reads.window(counts, 100, DISTANCES)
        values = targets.target(square, np.ones(DISTANCES), transform, clip=2.0).values
        errors.append(np.sqrt(np.mean((values - truth) ** 2)))
    assert errors[0] > 3 * errors[1] > 9 * errors[2]
    assert errors[2] < 0.02
