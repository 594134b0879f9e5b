"""Each key of a measurement changes counts as it says, and leaves everything else as it is."""

import dataclasses

import numpy as np
import pytest
from scipy import ndimage

from akita_bayes import triangle
from akita_bayes.simulate import designs, experiment, reads
from akita_bayes.simulate.measurement.settings import Measurement

NAME = "chr3"
DEEP = dataclasses.replace(
    designs.PRESETS["tiny"], genome_mb=0.14, depth=2e7, unmappable=0.0, replicates=3
)
"""So deep that counting noise changes the logarithm of a pixel by less than 1 %."""

KEYS = {
    "dispersion": {"dispersion": 0.05},
    "coverage_smooth": {"coverage_smooth": 0.3},
    "coverage_bin": {"coverage_bin": 0.3},
    "unmappable_stretches": {"unmappable_stretches": 0.1},
    "replicate_bias": {"replicate_bias": 0.2},
    "target_bias": {"target_bias": 0.2},
    "target_depth": {"target_depth": 0.5},
    "kernel_sigma": {"kernel_sigma": 1.0, "kernel_width": 5},
}


class Measured:
    """Holds a chromosome and its counts under a measurement."""

    def __init__(self, **keys):
        self.design = dataclasses.replace(DEEP, measurement=Measurement(**keys))
        source = experiment.generator(0, NAME)
        self.chromatin = experiment.fold(NAME, self.design, 0, source)
        self.counts = experiment.measure(self.chromatin, NAME, self.design, 0, source)

    def log_ratio(self, cell, number):
        """Returns ln(counts / expected counts without any bias) of distances 2 to 40. [M', 39]."""
        distances = self.design.max_distance // self.design.physics.bin_size
        unit = reads.reads_per_contact(
            self.design.depth / self.design.replicates, self.design.physics, distances
        )
        counts = self.counts[cell].replicates[number]
        band = self.chromatin.bands[cell] * unit
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log(counts / band)
        return ratio[:-distances, 2:41]


@pytest.fixture(scope="module")
def plain():
    return Measured()


@pytest.fixture(scope="module")
def changed():
    cache = {}

    def measured(name):
        if name not in cache:
            cache[name] = Measured(**KEYS[name])
        return cache[name]

    return measured


@pytest.mark.parametrize("name", KEYS)
def test_a_key_leaves_letters_and_contacts_as_they_are(name, plain, changed):
    chromatin = changed(name).chromatin
    assert chromatin.chromosome == plain.chromatin.chromosome
    for band, expected in zip(chromatin.bands, plain.chromatin.bands, strict=True):
        np.testing.assert_array_equal(band, expected)
    unmappable = chromatin.unmappable
    assert unmappable.any() == (name == "unmappable_stretches")
    assert (chromatin.coverage is not None) == name.startswith("coverage")


@pytest.mark.parametrize("name", KEYS)
def test_only_coverage_needs_balancing(name, changed):
    mappable = ~changed(name).chromatin.unmappable
    for cell in changed(name).counts:
        flat = (cell.weights[mappable] == 1).all()
        assert flat != name.startswith("coverage")
        np.testing.assert_array_equal(cell.pooled, sum(cell.replicates))


def test_without_biases_counts_are_those_of_the_contacts(plain):
    for cell in range(2):
        for number in range(3):
            assert np.abs(plain.log_ratio(cell, number)).max() < 0.1


def test_dispersion_is_the_relative_variance_of_deep_counts(changed):
    """Every pixel of every replicate has a gamma factor of its own."""
    ratios = np.stack([np.exp(changed("dispersion").log_ratio(0, number)) for number in range(3)])
    count = ratios.size
    assert ratios.mean() == pytest.approx(1, abs=4 * np.sqrt(0.05 / count))
    # The fourth moment of a gamma variable of shape 20 is 3.3 squares of its variance.
    assert ratios.var() == pytest.approx(0.05, abs=4 * 0.05 * np.sqrt(2.3 / count) + 2e-4)
    limit = 4 / np.sqrt(ratios[0].size)
    for shifted in (ratios[1], np.roll(ratios[0], 1, axis=0), np.roll(ratios[0], 1, axis=1)):
        assert abs(np.corrcoef(ratios[0].ravel(), shifted.ravel())[0, 1]) < limit


@pytest.mark.parametrize("name", ["coverage_smooth", "coverage_bin"])
def test_coverage_multiplies_counts_and_balancing_removes_it(name, changed):
    measured = changed(name)
    coverage = measured.chromatin.coverage
    log = np.log(coverage)
    rows, distances = np.indices(measured.log_ratio(0, 0).shape)
    expected = log[rows] + log[rows + distances + 2]
    for cell, number in ((0, 0), (0, 1), (1, 2)):
        np.testing.assert_allclose(measured.log_ratio(cell, number), expected, atol=0.1)
    for cell in measured.counts:
        for weights in (cell.weights, *cell.replicate_weights):
            # Away from the ends; totals of bins without bias differ by a few percent.
            product = np.log(weights * coverage)[64:-64]
            assert product.std() < 0.05 < 0.2 < log.std()


def test_unmappable_stretches_hold_no_counts_and_no_other_bin_changes(plain, changed):
    measured = changed("unmappable_stretches")
    empty = measured.chromatin.unmappable
    assert 0.03 < empty.mean() < 0.2
    assert (np.diff(np.flatnonzero(empty)) == 1).mean() > 0.5
    for cell, expected in zip(measured.counts, plain.counts, strict=True):
        for counts, expected_counts in zip(cell.replicates, expected.replicates, strict=True):
            rows, distances = np.indices(counts.shape)
            pair = empty[rows] | empty[np.minimum(rows + distances, len(empty) - 1)]
            assert (counts[pair] == 0).all()
            np.testing.assert_array_equal(counts[~pair], expected_counts[~pair])


def test_replicates_have_fields_of_their_own(changed):
    """Three replicates of two targets: six fields of sd 0.2 that do not correlate."""
    fields = [changed("replicate_bias").log_ratio(c, n).ravel() for c in (0, 1) for n in range(3)]
    independent = fields[0].size / (4 * np.pi * 2.0**2)  # bias_length is two bins
    assert np.std(fields) == pytest.approx(0.2, abs=4 * 0.2 / np.sqrt(2 * 6 * independent))
    correlation = np.corrcoef(fields)[np.triu_indices(6, 1)]
    assert np.abs(correlation).max() < 4 / np.sqrt(independent)


def test_replicates_of_a_target_share_the_field_of_the_target(changed):
    fields = [changed("target_bias").log_ratio(c, n).ravel() for c in (0, 1) for n in range(3)]
    independent = fields[0].size / (4 * np.pi * 2.0**2)
    assert np.std(fields) == pytest.approx(0.2, abs=4 * 0.2 / np.sqrt(2 * 2 * independent))
    correlation = np.corrcoef(fields)
    same = np.kron(np.eye(2), np.ones((3, 3))).astype(bool)
    assert correlation[same].min() > 0.99
    assert np.abs(correlation[~same]).max() < 4 / np.sqrt(independent)


def test_depths_of_targets_differ_and_keep_their_mean(plain, changed):
    ratios = np.array(
        [
            [
                replicate.sum() / expected_replicate.sum()
                for replicate, expected_replicate in zip(
                    cell.replicates, expected.replicates, strict=True
                )
            ]
            for cell, expected in zip(changed("target_depth").counts, plain.counts, strict=True)
        ]
    )
    assert np.ptp(ratios, axis=1).max() < 1e-3
    assert ratios.mean() == pytest.approx(1, abs=1e-3)
    assert abs(np.log(ratios[0, 0] / ratios[1, 0])) > 0.05


def test_the_spread_of_depths_is_that_of_the_key():
    """ln of the ratio of two targets has sqrt(2) times the sd of one."""
    design = dataclasses.replace(DEEP, measurement=Measurement(target_depth=0.5))
    depths = [experiment.depths(design, seed) for seed in range(400)]
    log = [np.log(depth["alpha"] / depth["beta"]) for depth in depths]
    assert np.std(log) == pytest.approx(0.5 * np.sqrt(2), rel=4 / np.sqrt(2 * 400))


def test_the_kernel_smooths_targets_and_leaves_counts(plain, changed):
    smooth = changed("kernel_sigma")
    crop = DEEP.crop // 512
    for cell, expected in zip(smooth.counts, plain.counts, strict=True):
        np.testing.assert_array_equal(cell.pooled, expected.pooled)
        start = 64 * 512
        uncropped = dataclasses.replace(DEEP, crop=0)
        raw = experiment.target(expected.pooled, expected.weights, start, uncropped).values
        square = triangle.to_matrix(raw[:, None], diagonal_offset=2, fill=0)[..., 0]
        square = ndimage.gaussian_filter(square, 1.0, mode="constant", radius=2)
        inner = square[crop:-crop, crop:-crop]
        values = experiment.target(cell.pooled, cell.weights, start, smooth.design).values
        np.testing.assert_allclose(values, inner[np.triu_indices(len(inner), 2)], atol=1e-12)


def test_a_bias_is_longer_where_its_length_is():
    ratios = {}
    for length in (512.0, 2048.0):
        log = Measured(replicate_bias=0.3, bias_length=length).log_ratio(0, 0)
        sigma = length / 512
        independent = log.size / (4 * np.pi * sigma**2)
        expected = np.exp(-1 / (4 * sigma**2))
        r = np.corrcoef(log[:, 1:].ravel(), log[:, :-1].ravel())[0, 1]
        assert r == pytest.approx(expected, abs=4 / np.sqrt(independent) * (1 - expected**2) + 0.01)
        ratios[length] = r
    assert ratios[2048.0] > ratios[512.0]
