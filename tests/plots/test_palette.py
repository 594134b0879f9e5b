"""A target has one colour in every figure and in the report."""

import numpy as np

from akita_bayes.plots import accuracy_plots, calibration_plots, palette
from akita_bayes.report import charts

NAMES = ["GM12878", "H1hESC", "HFF"]


def test_the_report_uses_the_same_colours():
    assert charts.COLOURS[: len(palette.TARGETS)] == palette.TARGETS


def test_lines_of_accuracy_and_of_calibration_agree():
    curves = {"the data": np.random.default_rng(0).random((2, 3))}
    figure = accuracy_plots.by_distance(["1", "2"], curves, NAMES)
    lines = [line for line in figure.axes[0].lines if len(line.get_ydata()) == 2]
    accuracy = [line.get_color() for line in lines[:3]]
    stratum = {"coverage_90%": {"estimate": 0.9}}
    summary = {"distance_edges": [1, 4, 9], "strata": [[stratum, stratum]] * 3}
    figure = calibration_plots.coverage_by_distance(summary, NAMES, bin_width=10)
    coverage = [line.get_color() for line in figure.axes[0].lines[:3]]
    assert accuracy == coverage == list(palette.TARGETS[:3])


def test_colours_repeat_after_the_last():
    assert palette.target(len(palette.TARGETS)) == palette.target(0)
