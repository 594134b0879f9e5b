"""Figures show the numbers they were given."""

import numpy as np

from akita_bayes import triangle
from akita_bayes.evaluate import strata
from akita_bayes.evaluate.intervals import calibration as statistics
from akita_bayes.plots import calibration_plots

BINS, OFFSET = 24, 2
PIXELS = triangle.length(BINS, OFFSET)


def summary():
    generator = np.random.default_rng(0)
    accumulator = statistics.Calibration(strata.log_spaced(BINS, OFFSET, 4), 2)
    for _ in range(12):
        sd = generator.uniform(0.2, 0.5, (PIXELS, 2))
        target = sd * generator.normal(size=sd.shape)
        accumulator.update(target, np.zeros_like(sd), sd, np.ones(sd.shape, bool))
    return accumulator.summary(bootstrap=20)


def test_reliability_draws_every_level_and_the_whole_histogram():
    numbers = summary()
    figure = calibration_plots.reliability({"model": numbers})
    left, right = figure.axes
    np.testing.assert_allclose(
        left.lines[1].get_ydata(),
        [numbers["overall"][f"coverage_{level:.0%}"]["estimate"] for level in numbers["levels"]],
    )
    heights = right.patches[0].get_data().values
    np.testing.assert_allclose(heights.mean(), 1)


def test_coverage_by_distance_draws_one_line_a_target():
    numbers = summary()
    axes = calibration_plots.coverage_by_distance(numbers, ["HFF", "H1"], bin_width=2048).axes[0]
    np.testing.assert_allclose(
        axes.lines[1].get_ydata(), [s["coverage_90%"]["estimate"] for s in numbers["strata"][1]]
    )


def test_sd_beside_error_shows_the_error_in_the_unit_of_the_sd():
    generator = np.random.default_rng(1)
    target, mean = generator.normal(size=(2, PIXELS))
    figure = calibration_plots.sd_beside_error(
        target, mean, np.ones(PIXELS), diagonal_offset=OFFSET
    )
    sd, error = (figure.axes[k].images[0] for k in (2, 3))
    assert sd.get_clim() == error.get_clim()
    assert error.get_array()[0, OFFSET] == abs(target[0] - mean[0])


def test_pixel_distributions_mark_the_measured_value():
    generator = np.random.default_rng(2)
    figure = calibration_plots.pixel_distributions(
        generator.normal(size=(50, 3)), np.full(3, 0.5), np.array([0.0, 1.0, 4.0]), list("abc")
    )
    for axes, value in zip(figure.axes, (0.0, 1.0, 4.0), strict=False):
        assert axes.lines[-1].get_xdata()[0] == value
        low, high = axes.get_xlim()
        assert low < value < high


def test_distances_are_plain_numbers_of_kb():
    axes = calibration_plots.coverage_by_distance(summary(), ["HFF", "H1"], bin_width=2048).axes[0]
    labels = [float(label.get_text()) for label in axes.get_xticklabels()]
    np.testing.assert_allclose(labels, axes.lines[0].get_xdata(), rtol=5e-3)


def test_maps_have_bins_and_units():
    generator = np.random.default_rng(1)
    target, mean = generator.normal(size=(2, PIXELS))
    figure = calibration_plots.sd_beside_error(
        target, mean, np.ones(PIXELS), diagonal_offset=OFFSET
    )
    assert figure.axes[0].images[0].get_extent() == [0, BINS, BINS, 0]
    assert [axes.get_ylabel() for axes in figure.axes[4:]] == ["ln(observed / expected)"] * 4


def test_draws_that_agree_are_a_line_at_the_mean():
    figure = calibration_plots.pixel_distributions(
        np.full((4, 1), 0.3), np.array([0.5]), np.array([1.0]), ["a"]
    )
    (axes,) = figure.axes
    assert not axes.patches
    assert [line.get_xdata()[0] for line in axes.lines if len(line.get_xdata()) == 2] == [0.3, 1.0]
