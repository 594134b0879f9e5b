import io
import itertools

import matplotlib.colors
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from akita_bayes.plots import figure_files
from akita_bayes.regulation.fits import summary_data
from akita_bayes.regulation.plots import comparison_plots, mechanism_plots, summary_page

MATRIX = np.array([[-1.0, 0, 0, 1], [0.5, 0.5, -1.5, 0.5], [0, 0, 0, 0]])


def test_binding_stands_up_in_a_logo_and_the_axis_says_energy():
    figure = mechanism_plots.logos({"crp": MATRIX}, {"crp": 10})
    (axes,) = figure.axes
    formatted = axes.yaxis.get_major_formatter()
    assert formatted(1.5, 0) == "-1.5"
    assert formatted(0.0, 0) == "0"
    # G of the second position binds best: the tallest letter stands on 0, up to 1.5 kT of binding.
    top = max(
        patch.get_extents().transformed(axes.transData.inverted()).y1 for patch in axes.patches
    )
    np.testing.assert_allclose(top, 1.5, atol=0.05)
    assert axes.get_xlim()[0] < 10 < 12 < axes.get_xlim()[1]


def test_matrices_beside_their_references_say_the_correlation_of_centred_entries():
    shifted = 2 * MATRIX + np.array([[1.0], [-3.0], [0.3]])
    figure = mechanism_plots.against_reference(
        {"a": MATRIX}, {"a": shifted, "other": MATRIX}, {"a": 10}
    )
    assert "r = 1.0000" in [axes.get_title() for axes in figure.axes]
    images = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    np.testing.assert_allclose(images[1], 2 * images[0])
    beside = [axes for axes in figure.axes if axes.get_xlabel() == "reference"]
    assert [text.get_text() for axes in beside for text in axes.texts] == ["slope 0.50"]
    assert [line.get_slope() for line in beside[0].lines if hasattr(line, "get_slope")] == [1]
    # Cells are centred on the bases of the promoter: the site begins at base 10.
    assert [tuple(axes.get_xlim()) for axes in figure.axes if axes.images] == [(9.5, 12.5)] * 2


def test_a_reference_of_unknown_unit_has_a_line_of_equality_in_either():
    figure = mechanism_plots.against_reference(
        {"a": MATRIX}, {"a": 0.616 * MATRIX}, {"a": 0}, kcal_per_kt=0.616
    )
    axes = figure.axes[-1]
    slopes = {
        line.get_label(): line.get_slope() for line in axes.lines if hasattr(line, "get_slope")
    }
    assert slopes == {"equal in kT": 1, "equal in kcal/mol": pytest.approx(1 / 0.616)}
    assert {text.get_text() for text in axes.get_legend().get_texts()} > set(slopes)
    assert [text.get_text() for text in axes.texts] == ["slope 1.62"]


def test_chains_have_a_trace_each_and_a_dashed_truth():
    draws = {"ab": np.random.default_rng(0).normal(size=(3, 50))}
    figure = mechanism_plots.chains(draws, truth={"ab": 0.25})
    trace, marginal = figure.axes
    np.testing.assert_array_equal(trace.lines[2].get_ydata(), draws["ab"][2])
    assert trace.lines[3].get_ydata()[0] == 0.25
    assert len(marginal.patches) == 3
    assert trace.get_ylabel() == "ab\n(kT)"
    rates = mechanism_plots.chains({"k": draws["ab"]}, units={"k": "ln(1/s)"})
    assert rates.axes[0].get_ylabel() == "k\n(ln(1/s))"
    assert rates.legends == []


@pytest.mark.parametrize(("count", "bins"), [(50, 8), (200, 20), (2000, 40)])
def test_marginals_have_as_many_bins_as_their_draws_fill(count, bins):
    values = np.random.default_rng(0).normal(size=(2, count))
    for patch in mechanism_plots.chains({"a": values}).axes[1].patches:
        assert len(patch.get_data().values) == bins


def test_chains_of_modes_may_differ_in_length_and_weight():
    random = np.random.default_rng(0)
    values = [random.normal(at, 1, size) for at, size in ((0, 300), (0, 300), (8, 200))]
    trace, marginal = mechanism_plots.chains({"a": values}, weights=[0.75, 0.75, 0.25]).axes
    assert [len(line.get_ydata()) for line in trace.lines] == [300, 300, 200]
    assert trace.get_xlim() == (0, 300)
    areas = []
    for patch in marginal.patches:
        heights, edges, _ = patch.get_data()
        areas.append((heights * np.diff(edges)).sum())
    np.testing.assert_allclose(areas, [0.75, 0.75, 0.25])


def test_one_legend_of_the_chains_lies_beside_the_panels():
    draws = {name: np.random.default_rng(0).normal(size=(2, 50)) for name in "abc"}
    figure = mechanism_plots.chains(draws, truth={"b": 0.1, "c": 0.2})
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["truth"]
    figure.canvas.draw()
    extent = legend.get_window_extent()
    assert all(axes.get_legend() is None for axes in figure.axes)
    assert not any(extent.overlaps(axes.get_window_extent()) for axes in figure.axes)


def test_intervals_show_mean_and_ends_of_every_method():
    table = pd.DataFrame({"name": ["a", "b"], "mean": [1.0, 2], "lower": [0.5, 1], "upper": [3, 4]})
    figure = mechanism_plots.intervals({"NUTS": table, "Laplace": table}, ["b", "a"])
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["b", "a"]
    bars = axes.collections[0].get_segments()
    np.testing.assert_allclose(bars[0][:, 0], [1, 4])
    np.testing.assert_allclose(bars[1][:, 0], [0.5, 3])
    assert axes.get_xlabel() == "mean and 95 % interval (kT)"


def test_what_is_known_is_a_diamond_in_the_row_of_its_name():
    table = pd.DataFrame({"name": ["a", "b"], "mean": [1.0, 2], "lower": [0.5, 1], "upper": [3, 4]})
    figure = mechanism_plots.intervals(
        {"NUTS": table}, ["b", "a"], truth={"a": 2.5, "c": 9}, unit="x"
    )
    (axes,) = figure.axes
    (diamonds,) = [line for line in axes.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(diamonds.get_xydata(), [[2.5, 1]])
    assert "truth" in [text.get_text() for text in axes.get_legend().get_texts()]
    assert axes.get_xlabel().endswith("(x)")


def test_comparison_draws_nats_behind_and_bits():
    table = pd.DataFrame(
        {
            "name": ["best", "next"],
            "behind": [0.0, 12],
            "behind_lower": [0.0, 5],
            "behind_upper": [0.0, 20],
            "predictive_bits": [0.7, 0.6],
            "predictive_error": [0.01, 0.01],
            "variational_bits": [0.68, 0.6],
            "variational_error": [0.01, 0.01],
        }
    )
    figure = comparison_plots.comparison(table)
    nats, bits = figure.axes
    np.testing.assert_allclose(nats.collections[0].get_segments()[1][:, 0], [5, 20])
    assert len(bits.containers) == 2
    alone = comparison_plots.comparison(table[[c for c in table if "bits" not in c]])
    assert len(alone.axes) == 1


def test_assumptions_have_a_panel_per_constant_and_pale_what_is_rejected():
    constants = pd.DataFrame(
        {
            "mechanism": ["m", "m", "n", "n"],
            "name": ["x", "y", "x", "y"],
            "mean": [0.0, 5.0, 3.0, 6.0],
            "lower": [-1.0, 4.0, 2.0, 5.0],
            "upper": [2.0, 6.0, 4.0, 8.0],
        }
    )
    ranges = pd.DataFrame({"name": ["x", "y"], "unit": "kT", "lower": [-1.0, 4], "upper": [2.0, 6]})
    figure = comparison_plots.assumptions(constants, ranges, ["m"], truth={"y": 5.5, "z": 1.0})
    x, y = figure.axes
    assert (x.get_xlabel(), y.get_xlabel()) == ("x (kT)", "y (kT)")
    assert [label.get_text() for label in x.get_yticklabels()] == ["m", "n"]
    segments = [bars.get_segments()[0] for bars in x.collections]
    np.testing.assert_allclose(segments, [[[-1, 0], [2, 0]], [[2, 1], [4, 1]]])
    colours = [matplotlib.colors.to_hex(bars.get_color()[0]) for bars in x.collections]
    assert colours == [mechanism_plots.COLOURS[0].lower(), comparison_plots.REJECTED.lower()]
    (legend,) = figure.legends
    shown = [text.get_text() for text in legend.get_texts()]
    assert shown == ["not rejected", "range of these", "rejected", "truth"]
    assert [line.get_xdata()[0] for line in y.lines if line.get_label() == "truth"] == [5.5]


def test_design_draws_one_line_per_setting_and_one_panel_per_term():
    rows = [
        {"reads": reads, "bins": bins, "mutation_rate": 0.1, "ab": 1 / reads**0.5, "a": bins}
        for reads in (100, 400)
        for bins in (3, 9)
    ]
    figure = mechanism_plots.design(pd.DataFrame(rows))
    titled = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    assert set(titled) == {"ab", "a"}
    assert [label.get_text() for label in titled["a"].get_xticklabels()] == ["100", "400"]
    # No two labels of an axis touch, and the legend lies outside the panels.
    figure.savefig(io.BytesIO())
    for axes in titled.values():
        low, high = axes.get_ylim()
        assert high / low > 9.99  # what reads do not change is level
        for axis in (axes.xaxis, axes.yaxis):
            boxes = [label.get_window_extent() for label in axis.get_ticklabels()]
            assert boxes
            assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        assert not figure.legends[0].get_window_extent().overlaps(axes.get_window_extent())
    assert len(titled["ab"].lines) == 2
    np.testing.assert_allclose(titled["ab"].lines[0].get_ydata(), [0.1, 0.05])


@pytest.mark.parametrize("bins", [True, False])
def test_summary_has_logos_responses_measurement_and_intervals(bins, tmp_path):
    grid = np.geomspace(1e-3, 1, 7)
    probability = np.full((3, 7), 1 / 3)
    response = summary_data.Response(
        "dG a (kT)", np.linspace(-1, 1, 5), 0.2, ("free", "a"), np.full((5, 2), 0.5), np.ones(5)
    )
    shown = summary_data.Page(
        title="toy",
        matrices={"a": MATRIX, "b": MATRIX},
        matrix_label="energy (kT)",
        starts={"a": 0, "b": 3},
        responses=(response, response),
        activity=grid if bins else None,
        bins=probability if bins else None,
        columns=("0", "low", "high"),
        intervals=pd.DataFrame({"name": ["ab"], "mean": [-2.0], "lower": [-3.0], "upper": [-1.0]}),
        unit="kT",
    )
    figure = summary_page.summary(shown, truth={"ab": -1.5})
    titles = [axes.get_title() for axes in figure.axes]
    assert titles.count("a") == titles.count("b") == 1
    rows = [[t.get_text() for t in axes.get_yticklabels()] for axes in figure.axes]
    assert (["0", "low", "high"] in rows) == bins
    responses = [axes for axes in figure.axes if axes.get_xlabel() == "dG a (kT)"]
    assert [axes.get_legend() is None for axes in responses] == [True, False]
    legend_labels = [text.get_text() for text in responses[1].get_legend().get_texts()]
    assert legend_labels == ["free", "a", "activity t", "wild type"]
    labels = [axes.get_xlabel() for axes in figure.axes]
    assert labels.count("dG a (kT)") == 2
    figure_files.write({"summary": figure}, tmp_path)
    assert plt.imread(tmp_path / "summary.png").std() > 0.05


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.015, 0.8, [0.02, 0.05, 0.2, 0.5]), (1e-9, 1, [1e-9, 1e-6, 1e-3, 1]), (0.41, 0.49, None)],
)
def test_activities_have_few_ticks_that_keep_apart(low, high, expected):
    axes = plt.Figure().subplots()
    activity = np.geomspace(low, high, 20)
    mechanism_plots.bins_given_activity(axes, activity, np.full((3, 20), 1 / 3), bins=list("012"))
    np.testing.assert_allclose(axes.get_xticks(), expected or [low, high])
    assert len(axes.xaxis.get_minorticklocs()) == 0
