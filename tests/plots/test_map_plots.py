"""Figures of maps: the right pixel has the right colour at the right place."""

import matplotlib.colors
import numpy as np
import pytest

from akita_bayes.plots import map_plots
from akita_bayes.regions import Region

REGION = Region("chr1", 10_000, 18_000)
BINS = 8


@pytest.fixture
def matrix():
    values = np.zeros((BINS, BINS))
    values[1, 5] = values[5, 1] = 1.0
    values[2, 3] = values[3, 2] = -1.0
    values[0, 7] = values[7, 0] = np.nan
    return values


def _pixels(figure):
    """The figure as it is drawn, [height, width, 4]."""
    import matplotlib.backends.backend_agg

    canvas = matplotlib.backends.backend_agg.FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()) / 255


def _colour(figure, axes, x, y):
    """What is drawn at a place of an axes."""
    pixels = _pixels(figure)
    column, row = axes.transData.transform((x, y))
    return pixels[len(pixels) - 1 - int(row), int(column)]


def _is(colour, expected):
    return np.abs(colour[:3] - np.array(matplotlib.colors.to_rgb(expected))).max() < 0.02


def test_a_square_has_its_first_bin_at_the_top_left(matrix):
    figure = map_plots.compare(
        [map_plots.Row("row", REGION, {"one": matrix, "two": -matrix})], limit=1.0
    )
    left, right = figure.axes[0], figure.axes[1]
    assert [axes.get_title() for axes in (left, right)] == ["one", "two"]
    red, blue = (matplotlib.colormaps[map_plots.DIVERGING](end)[:3] for end in (1.0, 0.0))
    assert _is(_colour(figure, left, 15_500, 11_500), red)
    assert _is(_colour(figure, left, 11_500, 15_500), red)
    assert _is(_colour(figure, left, 13_500, 12_500), blue)
    assert _is(_colour(figure, right, 15_500, 11_500), blue)
    # a pixel without a value is grey, not zero
    assert _is(_colour(figure, left, 17_500, 10_500), "#DDDDDD")
    assert left.get_ylim() == (18_000, 10_000)


def test_a_triangle_shows_pairs_at_their_middle_and_distance(matrix):
    figure = map_plots.face_to_face(("up", matrix), ("down", -matrix), REGION, limit=1.0)
    up, _, down = figure.axes[:3]
    red, blue = (matplotlib.colormaps[map_plots.DIVERGING](end)[:3] for end in (1.0, 0.0))
    middle, apart = (11_500 + 15_500) / 2, 4_000
    assert _is(_colour(figure, up, middle, apart), red)
    assert _is(_colour(figure, down, middle, apart), blue)
    assert up.get_ylim()[0] < up.get_ylim()[1]
    assert down.get_ylim()[0] > down.get_ylim()[1]


def test_sites_point_the_way_they_face(matrix):
    marks = map_plots.Marks(np.array([11_000, 16_000]), np.array([1, -1]), np.array([1.0, 0.2]))
    figure = map_plots.compare([map_plots.Row("row", REGION, {"one": matrix}, marks)], limit=1.0)
    sites = {
        float(offset[0]): (collection.get_facecolor()[0], collection.get_paths()[0])
        for collection in figure.axes[0].child_axes[0].collections
        for offset in collection.get_offsets()
    }
    assert set(sites) == {11_000.0, 16_000.0}
    for position, tip in ((11_000.0, 1), (16_000.0, -1)):
        vertices = sites[position][1].vertices[:3]
        # one vertex at the tip, two at the base
        assert (np.sign(vertices[:, 0]) == tip).sum() == 1
    assert sites[16_000.0][0][3] == pytest.approx(0.2)


def test_the_scale_fits_the_maps_and_zero_is_its_middle(matrix):
    figure = map_plots.compare([map_plots.Row("row", REGION, {"one": matrix * 3, "two": matrix})])
    images = [axes.images[0] for axes in figure.axes[:2]]
    assert {image.get_clim() for image in images} == {(-3.0, 3.0)}


def test_grey_pixels_are_explained_where_there_are_any(matrix):
    row = map_plots.Row("row", REGION, {"one": matrix})
    figure = map_plots.compare([row], grey="not measured")
    assert figure.get_supxlabel() == "grey: not measured"
    full = map_plots.compare([row._replace(maps={"one": np.nan_to_num(matrix)})])
    assert full.get_supxlabel() == ""


def test_each_map_has_the_coordinates_of_its_own_window(matrix):
    windows = [
        Region("chr1", 10_000, 18_000),
        Region("chr12", 101_000_000, 101_008_000),
        Region("chrX", 5_000_000, 9_000_000),
        Region("chrY", 224, 416),
    ]
    rows = [
        map_plots.Row(f"cell{n}", w, {"a": matrix, "b": -matrix}) for n, w in enumerate(windows)
    ]
    figure = map_plots.compare(rows)
    _pixels(figure)
    panels = [axes for axes in figure.axes if axes.images]
    assert len(panels) == 8
    ticks = []
    for number, axes in enumerate(panels):
        window = windows[number // 2]
        assert axes.get_xlim() == (window.start, window.end)
        assert axes.get_ylim() == (window.end, window.start)
        assert axes.get_xlabel() == window.chrom
        assert axes.get_ylabel() == ("" if number % 2 else f"cell{number // 2}")
        labels = [label.get_text() for label in axes.get_xticklabels()]
        inside = [
            text
            for text, tick in zip(labels, axes.get_xticks(), strict=True)
            if window.start <= tick <= window.end
        ]
        for text, tick in zip(labels, axes.get_xticks(), strict=True):
            number_, unit = text.split()
            scale = {"bp": 1, "kb": 1e3, "Mb": 1e6}[unit]
            assert float(number_.replace(",", "")) * scale == pytest.approx(tick)
        assert len(inside) >= 2
        assert all(label.get_visible() for label in axes.get_xticklabels())
        assert axes.xaxis.get_visible()
        ticks.append(tuple(inside))
    assert ticks[::2] == ticks[1::2]
    assert len(set(ticks)) == 4
    assert figure.axes[-1].get_ylabel() == "ln(observed / expected)"


@pytest.mark.parametrize(("end", "expected"), [(11_500, "bp"), (18_000, "kb"), (6_010_000, "Mb")])
def test_axes_read_in_bases_kilobases_or_megabases(matrix, end, expected):
    figure = map_plots.compare(
        [map_plots.Row("row", Region("chr1", 10_000, end), {"one": matrix})], limit=1
    )
    _pixels(figure)
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert any(label.endswith(expected) for label in labels)


def test_each_colour_scale_stands_beside_what_it_explains(matrix):
    names = ("a", "b")
    row = map_plots.Row(
        "row", REGION, dict.fromkeys(names, matrix), spread={f"{n}, sd": matrix**2 for n in names}
    )
    figure = map_plots.compare([row])
    figure.canvas.draw()
    *panels, map_scale, spread_scale = [axes.get_position().x0 for axes in figure.axes]
    assert panels[0] < panels[1] < map_scale < panels[2] < panels[3] < spread_scale
    assert figure.axes[-2].get_ylabel() == map_plots.LOG_RATIO
    assert figure.axes[-1].get_ylabel() == f"sd of {map_plots.LOG_RATIO}"
