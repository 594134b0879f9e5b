"""Balancing of a band: equal totals, the weights of cooler, and biases that it removes."""

import warnings

import cooler
import numpy as np
import pandas as pd
import pytest

from akita_bayes.data.contacts import cooler_files
from akita_bayes.simulate.measurement import band_balancing

BINS, DISTANCES = 80, 20


@pytest.fixture(scope="module")
def counts():
    """A band of counts whose bins differ in coverage, with two bins that are filtered."""
    rng = np.random.default_rng(0)
    coverage = np.exp(0.3 * rng.standard_normal(BINS + DISTANCES))
    partner = np.arange(BINS)[:, None] + np.arange(DISTANCES)
    mean = 300 / (1 + np.arange(DISTANCES)) * coverage[:BINS, None] * coverage[partner]
    band = rng.poisson(mean)
    band[partner >= BINS] = 0
    unmappable = np.zeros(BINS, bool)
    unmappable[[7, 50]] = True
    band[unmappable] = 0
    band[unmappable[np.minimum(partner, BINS - 1)]] = 0
    return band, unmappable, coverage[:BINS]


def _square(band):
    rows, distances = np.indices(band.shape)
    inside = rows + distances < BINS
    square = np.zeros((BINS, BINS))
    square[rows[inside], (rows + distances)[inside]] = band[inside]
    return np.maximum(square, square.T)


def test_totals_of_bins_are_equal_without_two_diagonals(counts):
    band, unmappable, _ = counts
    weights = band_balancing.balance(band, unmappable)
    assert np.isnan(weights).tolist() == unmappable.tolist()
    square = _square(band)
    for diagonal in (-1, 0, 1):
        square -= np.diag(np.diagonal(square, diagonal), diagonal)
    filled = np.nan_to_num(weights)
    totals = (filled[:, None] * square * filled).sum(1)[~unmappable]
    assert totals.std() / totals.mean() < 1e-3


def test_weights_are_those_of_cooler(counts, tmp_path):
    band, unmappable, _ = counts
    bin1, distance = np.nonzero(band)
    pixels = {"bin1_id": bin1, "bin2_id": bin1 + distance, "count": band[bin1, distance]}
    path = tmp_path / "map.cool"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cooler_files.write_cooler(
            path, {"chr1": BINS * 512}, 512, pd.DataFrame(pixels), mad_max=0, tol=1e-6
        )
    theirs = cooler.Cooler(str(path)).bins()["weight"][:].to_numpy()
    ours = band_balancing.balance(band, unmappable, tolerance=1e-7)
    ratio = ours[~unmappable] / theirs[~unmappable]
    np.testing.assert_allclose(ratio / ratio.mean(), 1, atol=1e-4)


def test_coverage_is_removed(counts):
    """Weights are the inverse of the coverage but for counting noise and the ends."""
    band, unmappable, coverage = counts
    inner = slice(DISTANCES, BINS - DISTANCES)
    product = (band_balancing.balance(band, unmappable) * coverage)[inner]
    product = product[np.isfinite(product)]
    # A bin has some 1,500 counts, and the bins at filtered ones lose a tenth.
    assert np.std(product) / np.mean(product) < 0.06
    assert np.std(coverage) > 0.2
