"""Scatter and distance figures hold the numbers they are given."""

import numpy as np

from akita_bayes.plots import accuracy_plots


def test_scatter_has_a_panel_for_each_target_with_every_pixel():
    random = np.random.default_rng(0)
    pixels = [random.normal(size=(500, 2)) for _ in range(5)]
    names = ["a", "b", "c", "d", "x" * 40]
    figure = accuracy_plots.scatter(pixels, names, [0.1, 0.2, 0.3, 0.4, 0.5], unit="unit")
    panels = [axes for axes in figure.axes if axes.collections]
    assert len(panels) == 5
    assert [axes.texts[0].get_text() for axes in panels] == [f"r = 0.{n}00" for n in range(1, 6)]
    assert panels[-1].get_title() == "x" * 27 + "…"
    for axes in panels:
        assert np.ma.sum(axes.collections[0].get_array()) == 500


def test_distance_lines_are_the_strata():
    curves = {"the data": np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])}
    figure = accuracy_plots.by_distance(["1", "2", "3"], curves, ["a", "b"])
    lines = [list(line.get_ydata()) for line in figure.axes[0].lines if len(line.get_ydata()) == 3]
    assert lines == [[0.1, 0.3, 0.5], [0.2, 0.4, 0.6]]


def test_many_targets_are_drawn_as_their_mean():
    values = np.random.default_rng(0).random((3, 10))
    names = [f"t{n}" for n in range(10)]
    figure = accuracy_plots.by_distance(["1", "2", "3"], {"x": values}, names)
    lines = [line.get_ydata() for line in figure.axes[0].lines if len(line.get_ydata()) == 3]
    np.testing.assert_allclose(lines, [values.mean(axis=1)])
