"""The parts of the yeast benchmark, on data of which the answer is known."""

import numpy as np
import pytest

from akita_bayes import regions
from akita_bayes.models import zoo
from benchmarks import kmer_ridge, map_ceiling, yeast_data
from benchmarks import yeast as yeast_benchmark
from tests import coolers

SIZES = {"chr1": 40_000}


def test_folds_share_no_chromosome():
    names = [name for fold in (*yeast_data.FOLDS, yeast_data.VALID) for name in fold]
    assert len(names) == len(set(names)) == 12


def test_the_preset_makes_the_data_of_the_spec():
    spec = zoo.load_network(yeast_benchmark.SPEC)
    geometry = spec.model.geometry(spec.model.heads[0])
    transform = yeast_data.TRANSFORM
    assert (geometry.seq_length, geometry.bin_width) == (transform.seq_length, transform.pool_width)
    assert (geometry.bins, geometry.crop_bp) == (transform.map_bins, transform.crop)
    assert 2 * transform.kernel_radius + 1 == 13  # As docs/formats.md says.


def test_both_halves_of_a_map_add_up_to_its_counts(tmp_path):
    path = coolers.write(tmp_path / "a.cool", sizes=SIZES, depth=200.0, filtered=0.0)
    halves = map_ceiling.thinned(path, 0)
    whole = map_ceiling.read(path)["chr1"].counts
    np.testing.assert_array_equal(sum(half["chr1"].counts for half in halves), whole)


def test_reliability_follows_the_formula_of_spearman_and_brown():
    assert map_ceiling.reliability(0.5) == pytest.approx(2 / 3)


def test_maps_of_noise_have_no_reliability(tmp_path):
    """Independent Poisson counts of one mean per distance: obs / exp is noise alone."""
    path = coolers.write(tmp_path / "a.cool", sizes=SIZES, depth=200.0, filtered=0.0)
    windows = [regions.Region("chr1", start, start + 3200) for start in range(0, 36_000, 1600)]
    measured = map_ceiling.measure(path, windows, coolers.TRANSFORM, seeds=(0,))
    assert abs(measured["r_of_halves"]) < 0.2  # some 600 pixels, the sd of r is 0.04


def test_a_ridge_finds_a_linear_rule():
    random = np.random.default_rng(0)
    features = random.normal(size=(400, 5))
    values = features @ [1.0, -2.0, 0.0, 0.5, 0.0] + 3.0
    predict = kmer_ridge.fit(features, values, 1e-6)
    np.testing.assert_allclose(predict(features[:10]), values[:10], atol=1e-3)


def test_4_mers_of_both_strands_are_counted_together(tmp_path):
    (tmp_path / "genome.fa").write_text(">a\n" + "AAAC" * 400 + "\n>b\n" + "GTTT" * 400 + "\n")
    counts = kmer_ridge.kmer_counts(tmp_path / "genome.fa")
    assert counts["a"].shape == (4, 136)
    np.testing.assert_allclose(counts["a"][-1], counts["b"][-1], atol=1)
    assert counts["a"][-1].sum() == 1500
