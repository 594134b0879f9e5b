import cooler
import numpy as np
import pytest
from cooltools.lib import numutils

from akita_bayes.data.contacts import coarsegrain


def cooltools_twin(values, counts, **options):
    with np.errstate(invalid="ignore"):
        return numutils.adaptive_coarsegrain(values.copy(), counts.astype(float), **options)


@pytest.mark.parametrize("bins", [13, 16, 50, 64, 100, 129])
@pytest.mark.parametrize("depth", [0.05, 0.5, 5.0])
def test_it_equals_cooltools_pixel_by_pixel(bins, depth):
    random = np.random.default_rng([bins, int(100 * depth)])
    rate = depth * 10 / (1 + np.abs(np.subtract.outer(np.arange(bins), np.arange(bins))))
    counts = np.triu(random.poisson(rate))
    counts = counts + np.triu(counts, 1).T
    weights = random.uniform(0.5, 2, bins)
    weights[random.random(bins) < 0.15] = np.nan
    values = counts * weights[:, None] * weights
    expected = cooltools_twin(values, counts, cutoff=2, max_levels=8)
    coarse = coarsegrain.coarsegrain(values, counts, np.isfinite(weights))
    upper = np.triu_indices(bins)
    np.testing.assert_array_equal(coarse[upper], expected[upper])
    np.testing.assert_allclose(coarse, expected, rtol=1e-13)


@pytest.mark.parametrize(
    "options", [{"cutoff": 5}, {"max_levels": 2}, {"min_shape": 2}, {"max_levels": 1, "cutoff": 9}]
)
def test_options_mean_what_they_mean_in_cooltools(options):
    random = np.random.default_rng(3)
    counts = random.poisson(1.5, (64, 64))
    counts = np.triu(counts) + np.triu(counts, 1).T
    valid = random.random(64) > 0.1
    values = np.where(valid[:, None] & valid, counts / 7, np.nan)
    expected = cooltools_twin(values, counts, **{"cutoff": 2, "max_levels": 8, **options})
    np.testing.assert_allclose(
        coarsegrain.coarsegrain(values, counts, valid, **options), expected, rtol=1e-13
    )


def test_a_map_too_small_to_coarsen_is_left_as_it_is():
    values = np.arange(64.0).reshape(8, 8)
    values = values + values.T
    coarse = coarsegrain.coarsegrain(values, np.zeros((8, 8)), np.arange(8) != 3)
    np.testing.assert_array_equal(np.delete(coarse, 3, 0)[:, 3], np.nan)
    np.testing.assert_array_equal(coarse[4:, 4:], values[4:, 4:])


def test_real_yeast_contacts(real_data):
    clr = cooler.Cooler(str(real_data / "hic" / "scer_w303_g1_2kb_SRR8769554.cool"))
    where = "chr12:0-1024000"
    values = clr.matrix(balance=True).fetch(where)
    counts = clr.matrix(balance=False).fetch(where)
    valid = np.isfinite(clr.bins().fetch(where)["weight"].to_numpy())
    coarse = coarsegrain.coarsegrain(values, counts, valid)
    assert not valid.all()
    np.testing.assert_allclose(coarse, cooltools_twin(values, counts, cutoff=2), rtol=1e-13)
