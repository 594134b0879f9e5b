"""Random chromosomes: planted sites are there, decoys are not, the same seed is the same genome."""

import dataclasses

import numpy as np
import pytest

from akita_bayes import dna
from akita_bayes.simulate import chromosomes, sites

LENGTH = 1 << 19
LANDSCAPE = chromosomes.Landscape()


@pytest.fixture(scope="module")
def chromosome(bench):
    return chromosomes.chromosome("chr1", LENGTH, bench.physics, LANDSCAPE, seed=1)


def test_the_seed_decides(bench, chromosome):
    again = chromosomes.chromosome("chr1", LENGTH, bench.physics, LANDSCAPE, seed=1)
    second = chromosomes.chromosome("chr1", LENGTH, bench.physics, LANDSCAPE, seed=2)
    assert again == chromosome
    assert second.sequence != chromosome.sequence
    assert len(chromosome.sequence) == LENGTH
    assert set(chromosome.sequence) == set("ACGT")


def test_planted_sites_are_found_and_decoys_are_not(bench, chromosome):
    located = sites.find(chromosome.sequence, bench.physics)
    strength = dict(
        zip(zip(located.start, located.strand, strict=True), located.occupancy.max(1), strict=True)
    )
    width = bench.physics.site.width
    kinds = {}
    for planted in chromosome.planted:
        start = planted.start if planted.strand > 0 else planted.end - width
        kinds.setdefault(planted.kind, []).append(strength.get((start, planted.strand), 0.0))
    assert set(kinds) == {"site", "weak", "shuffled", "split"}
    assert np.mean(kinds["site"]) > 0.8
    assert np.std(kinds["site"]) > 0.05
    for decoy in ("weak", "shuffled", "split"):
        assert len(kinds[decoy]) > 5
        assert np.mean(kinds[decoy]) < 0.1


def test_cell_types_differ_in_some_sites(bench, chromosome):
    located = sites.find(chromosome.sequence, bench.physics)
    differs = np.abs(located.occupancy[:, 0] - located.occupancy[:, 1]) > 0.5
    assert 0.15 < differs.mean() < 0.6
    same = dataclasses.replace(LANDSCAPE, regulated=0.0)
    plain = chromosomes.chromosome("chr1", LENGTH, bench.physics, same, seed=1)
    located = sites.find(plain.sequence, bench.physics)
    assert np.mean(np.abs(located.occupancy[:, 0] - located.occupancy[:, 1]) > 0.5) < 0.05


def test_gc_comes_in_isochores(chromosome):
    index = dna.to_index(chromosome.sequence).reshape(-1, 2048)
    gc = np.isin(index, (1, 2)).mean(1)
    low, high = LANDSCAPE.gc
    near = np.minimum(np.abs(gc - low), np.abs(gc - high)) < 0.03
    assert near.mean() > 0.75
    # neighbours are alike, far pieces are not
    assert np.corrcoef(gc[:-1], gc[1:])[0, 1] > 0.5


def test_drawn_sites_follow_their_matrix(bench):
    rng = np.random.default_rng(0)
    motifs = np.stack([chromosomes.draw(bench.physics.site, rng) for _ in range(4000)])
    frequency = np.eye(4)[motifs].mean(0)
    np.testing.assert_allclose(frequency, bench.physics.site.probabilities, atol=0.03)
