"""Packed maps: the numbers come back to half a step, in few bytes, within any budget."""

import dataclasses

import numpy as np
import pytest

from akita_bayes import regions, triangle
from akita_bayes.report import contents, quantised_maps
from akita_bayes.variants.alleles import bin_loci

BINS, OFFSET = 192, 2


def smooth(bins=BINS, offset=OFFSET, seed=0):
    """A map whose neighbours are similar, as predictions are. [P]."""
    random = np.random.default_rng(seed)
    waves = random.normal(size=(6, bins)).cumsum(axis=1) / np.sqrt(bins)
    matrix = (waves[:, :, None] * waves[:, None, :]).sum(axis=0)
    return triangle.to_vector(matrix[..., None], diagonal_offset=offset)[:, 0].astype(np.float32)


def view(values, bins=BINS, offset=OFFSET):
    stretch = bin_loci.Stretch(0.0, float(bins), regions.Region("chr1", 0, bins * 10), 1)
    layers = [contents.Layer("REF", "unit", "map", values)]
    return contents.Map("v", "t", 0, bins, 10, offset, [stretch], None, layers)


@pytest.mark.parametrize("levels", quantised_maps.LEVELS)
def test_values_come_back_to_half_a_step(levels):
    values = smooth()
    values[::7] = np.nan
    lowest, step = quantised_maps._scale(values, levels)
    codes = quantised_maps.encoded(values, lowest, step, BINS, OFFSET)
    decoded = quantised_maps.decoded(codes, lowest, step, BINS, OFFSET)
    np.testing.assert_array_equal(np.isnan(decoded), np.isnan(values))
    assert np.nanmax(np.abs(decoded - values)) <= 0.5001 * step
    width = np.nanmax(values) - np.nanmin(values)
    assert width / levels <= step <= 10 * width / levels


def test_a_difference_has_a_least_scale_of_the_maps():
    layers = [contents.Layer("REF", "", "map", np.full(6, 2.0, np.float32))]
    layers.append(contents.Layer("ALT - REF", "", "difference", np.full(6, 1e-4, np.float32)))
    both = dataclasses.replace(view(layers[0].values, 4, 1), layers=layers)
    packed = quantised_maps.pack(both, 1_000)
    assert [layer["limit"] for layer in packed.layers] == pytest.approx([2.0, 0.1])


@pytest.mark.parametrize("values", [np.zeros(6), np.full(6, np.nan), np.full(6, -3.5), [1e-9] * 6])
def test_maps_of_one_value_or_none(values):
    values = np.asarray(values, np.float32)
    packed = quantised_maps.pack(view(values, 4, 1), 1_000)
    layer = packed.layers[0]
    decoded = quantised_maps.decoded(layer["codes"], layer["lowest"], layer["step"], 4, 1)
    np.testing.assert_allclose(decoded, values, rtol=1e-6)
    assert layer["limit"] > 0


def test_zero_stays_zero():
    """Most contacts far from a variant do not change; a picture must not give them a sign."""
    values = smooth()
    values[100:900] = 0
    lowest, step = quantised_maps._scale(values, 250)
    codes = quantised_maps.encoded(values, lowest, step, BINS, OFFSET)
    decoded = quantised_maps.decoded(codes, lowest, step, BINS, OFFSET)
    assert np.abs(decoded[100:900]).max() < 1e-12


def test_a_smaller_budget_gives_coarser_values_then_coarser_bins():
    map_view = view(smooth())
    sizes, factors, steps = [], [], []
    for budget in (10**6, 25_000, 14_000, 6_000):
        packed = quantised_maps.pack(map_view, budget)
        assert packed.size <= budget
        sizes.append(packed.size)
        factors.append(packed.factor)
        steps.append(packed.layers[0]["step"])
    assert sizes == sorted(sizes, reverse=True)
    assert factors[0] == 1
    assert factors == sorted(factors)
    assert factors[-1] == 2
    assert steps[0] < steps[2]
    assert quantised_maps.pack(map_view, 100) is None


def test_a_coarse_bin_is_the_mean_of_its_pixels():
    values = smooth()
    values[5] = np.nan
    coarse = quantised_maps.coarsened(values, view(values), 2)
    matrix = triangle.to_matrix(values[:, None], diagonal_offset=OFFSET)[..., 0]
    expected = triangle.to_matrix(coarse[:, None], diagonal_offset=0)[..., 0]
    for i, j in ((0, 5), (3, 3), (10, 90), (0, 3)):
        block = matrix[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        if np.isfinite(block).any():
            assert expected[i, j] == pytest.approx(np.nanmean(block), rel=1e-5)
        else:
            assert np.isnan(expected[i, j])


def test_a_full_size_map_needs_a_few_hundred_kilobytes():
    packed = quantised_maps.pack(view(smooth(448), 448), 10**6)
    assert packed.factor == 1
    assert packed.layers[0]["step"] < 2e-4
    assert packed.size < 300_000
