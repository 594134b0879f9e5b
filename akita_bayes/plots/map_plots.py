"""Plots contact maps: squares side by side, or triangles face to face, with their sites."""

import types
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.axes
import matplotlib.collections
import matplotlib.figure
import matplotlib.image
import matplotlib.layout_engine
import matplotlib.ticker
import numpy as np
from numpy.typing import NDArray

from akita_bayes.numerics import colour_limits
from akita_bayes.regions import Region

DIVERGING = "RdBu_r"
"""Red for more contacts than expected, blue for fewer; readable with common colour blindness."""

SEQUENTIAL = "viridis"
"""Colours of values without a middle, for example standard deviations."""

LOG_RATIO = "ln(observed / expected)"

HOW_UNSURE = "how unsure"
"""Words for a standard deviation, in the titles of figures."""

_FORWARD, _REVERSE, _MISSING = "#D55E00", "#0072B2", "#DDDDDD"


class Marks(NamedTuple):
    """Holds oriented sites to draw under a map.

    Attributes:
        position: Middle of each site, bp on the chromosome. [K]
        strand: +1 or -1. [K]
        strength: Opacity of each site, from 0 (invisible) to 1. [K]
    """

    position: NDArray[Any]
    strand: NDArray[Any]
    strength: NDArray[Any]


class Row(NamedTuple):
    """Holds the maps of one region, which are drawn in one row on one colour scale.

    Attributes:
        label: Label of the row.
        region: Region of the maps.
        maps: Symmetric map by column title; NaN pixels are drawn grey. [N, N] each.
        marks: Sites to draw under the maps.
        spread: Standard deviations by column title. They are drawn to the right of the maps, on
            their own colour scale. [N, N] each.
    """

    label: str
    region: Region
    maps: Mapping[str, NDArray[Any]]
    marks: Marks | None = None
    spread: Mapping[str, NDArray[Any]] = types.MappingProxyType({})


def square(
    axes: matplotlib.axes.Axes,
    matrix: NDArray[Any],
    region: Region,
    *,
    limits: tuple[float, float],
    colours: str = DIVERGING,
) -> matplotlib.image.AxesImage:
    """Draws a map as a square with genomic axes; bin 0 is at the top left. [N, N]."""
    extent = (region.start, region.end, region.end, region.start)
    image = axes.imshow(
        np.ma.masked_invalid(matrix),
        cmap=colours,
        vmin=limits[0],
        vmax=limits[1],
        extent=extent,
        interpolation="nearest",
    )
    axes.set_facecolor(_MISSING)
    for axis in (axes.xaxis, axes.yaxis):
        genomic(axis, region)
    return image


def triangle(
    axes: matplotlib.axes.Axes,
    matrix: NDArray[Any],
    region: Region,
    *,
    limits: tuple[float, float],
    colours: str = DIVERGING,
    downwards: bool = False,
) -> matplotlib.collections.QuadMesh:
    """Draws the upper triangle of a map with the diagonal horizontal. [N, N].

    The horizontal axis shows the middle of a pair of bins, and the vertical axis their distance.
    """
    bins = len(matrix)
    edge = np.arange(bins + 1)
    # Corners of the pixel (i, j): x is the mean of the edges i and j, and y their difference. The
    # edges 2 and 6 of bins of 1 kb meet at x = 4 kb, y = 4 kb.
    width = region.width / bins
    middle = region.start + width * np.add.outer(edge, edge) / 2
    apart = width * np.subtract.outer(edge, edge).T
    rows, columns = np.indices(matrix.shape)
    shown = np.ma.masked_where((columns < rows) | ~np.isfinite(matrix), matrix)
    mesh = axes.pcolormesh(
        middle, apart, shown, cmap=colours, vmin=limits[0], vmax=limits[1], rasterized=True
    )
    axes.set_xlim(region.start, region.end)
    axes.set_ylim((region.width, 0) if downwards else (0, region.width))
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    axes.yaxis.set_visible(False)
    genomic(axes.xaxis, region)
    return mesh


def sites(axes: matplotlib.axes.Axes, marks: Marks, region: Region) -> None:
    """Draws sites as arrow heads: orange to the right for +, blue to the left for -."""
    for strand, marker, colour in ((1, ">", _FORWARD), (-1, "<", _REVERSE)):
        on_strand = marks.strand == strand
        axes.scatter(
            marks.position[on_strand],
            np.zeros(on_strand.sum()),
            marker=marker,
            color=colour,
            s=26,
            alpha=np.clip(marks.strength[on_strand], 0, 1),
            linewidths=0,
        )
    axes.set_xlim(region.start, region.end)
    axes.set_ylim(-1, 1)
    axes.axis("off")


def compare(
    rows: Sequence[Row],
    *,
    limit: float | None = None,
    unit: str = LOG_RATIO,
    title: str = "",
    grey: str = "pairs of bins too close to one another",
) -> matplotlib.figure.Figure:
    """Plots maps side by side on one diverging colour scale, and then their spreads.

    Each scale stands to the right of what it explains.

    Each row shows one region. Each map has the coordinates of its own row, and the name of its
    chromosome below.

    Args:
        rows: Rows with the same columns.
        limit: Half width of the colour scale; None to take it from the maps.
        unit: Label of the colour scale.
        title: Text above the figure.
        grey: What grey pixels are; written below the figure where there are any.
    """
    columns = [*rows[0].maps, *rows[0].spread]
    limit = limit or colour_limits.symmetric(
        [matrix for row in rows for matrix in row.maps.values()]
    )
    widest = colour_limits.symmetric([matrix for row in rows for matrix in row.spread.values()])
    images = {}
    figure = matplotlib.figure.Figure(
        figsize=(2.75 * len(columns) + 1.3, 2.85 * len(rows) + 0.3),
        layout=matplotlib.layout_engine.ConstrainedLayoutEngine(h_pad=0.05, w_pad=0.05),
    )
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for number, row in enumerate(rows):
        for column, name in enumerate(columns):
            axes = grid[number, column]
            if name in row.spread:
                limits, colours = (0.0, widest), SEQUENTIAL
            else:
                limits, colours = (-limit, limit), DIVERGING
            matrix = row.spread[name] if name in row.spread else row.maps[name]
            images[colours] = square(axes, matrix, row.region, limits=limits, colours=colours)
            axes.set_title(name if number == 0 else "", fontsize=10)
            axes.tick_params(labelsize=7, labelleft=column == 0)
            axes.set_ylabel(row.label if column == 0 else "", fontsize=10)
            axes.set_xlabel(row.region.chrom, fontsize=8, labelpad=1)
            if row.marks is not None:
                sites(axes.inset_axes((0, -0.08, 1, 0.07)), row.marks, row.region)
                axes.tick_params(axis="x", pad=12)  # labels below the sites
    first_spread = len(rows[0].maps)
    for colours, image in images.items():
        own = grid[:, :first_spread] if colours == DIVERGING else grid[:, first_spread:]
        shrink = min(0.6, 1.2 / len(rows))
        bar = figure.colorbar(image, ax=own, shrink=shrink, aspect=25, pad=0.02)
        bar.set_label(unit if colours == DIVERGING else f"sd of {unit}", fontsize=9)
        bar.ax.tick_params(labelsize=7)
    if any(not np.isfinite(matrix).all() for row in rows for matrix in row.maps.values()):
        explain_grey(figure, grey)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def face_to_face(
    above: tuple[str, NDArray[Any]],
    below: tuple[str, NDArray[Any]],
    region: Region,
    *,
    marks: Marks | None = None,
    limit: float | None = None,
    unit: str = LOG_RATIO,
) -> matplotlib.figure.Figure:
    """Plots two maps as triangles, mirrored at their diagonals, with the sites between them.

    Args:
        above: Name and map of the upper triangle. [N, N]
        below: Name and map of the lower triangle. [N, N]
        region: Region of both maps.
        marks: Sites to draw between the maps.
        limit: Half width of the colour scale; None to take it from the maps.
        unit: Label of the colour scale.
    """
    limit = limit or colour_limits.symmetric([above[1], below[1]])
    figure = matplotlib.figure.Figure(
        figsize=(8.2, 7.4),
        layout=matplotlib.layout_engine.ConstrainedLayoutEngine(h_pad=0.0, hspace=0.0),
    )
    top, middle, bottom = figure.subplots(3, 1, gridspec_kw={"height_ratios": (1, 0.06, 1)})
    for axes, (name, matrix), downwards in ((top, above, False), (bottom, below, True)):
        mesh = triangle(axes, matrix, region, limits=(-limit, limit), downwards=downwards)
        axes.text(
            0.01,
            0.05 if downwards else 0.95,
            name,
            transform=axes.transAxes,
            va="bottom" if downwards else "top",
            fontsize=11,
        )
    top.xaxis.set_visible(False)
    bottom.xaxis.tick_top()
    bottom.tick_params(labelsize=7, length=2)
    middle.axis("off")
    if marks is not None:
        sites(middle, marks, region)
    bar = figure.colorbar(mesh, ax=(top, middle, bottom), shrink=0.5, aspect=25)
    bar.set_label(unit, fontsize=9)
    top.text(0.99, 0.95, str(region), transform=top.transAxes, va="top", ha="right", fontsize=9)
    return figure


def explain_grey(figure: matplotlib.figure.Figure, meaning: str) -> None:
    """Writes below a figure what its grey pixels are."""
    figure.supxlabel(f"grey: {meaning}", fontsize=7, x=0.01, ha="left", color="#555555")


def genomic(axis: matplotlib.axis.Axis, region: Region) -> None:
    """Sets ticks in bp, kb or Mb, with as many digits as make them differ."""
    units = ((1e6, "Mb"), (1e3, "kb"), (1.0, "bp"))
    scale, unit = next((s, u) for s, u in units if region.width >= 2 * s or u == "bp")
    digits = 1 if region.width / scale < 20 and unit != "bp" else 0

    axis.set_major_locator(matplotlib.ticker.MaxNLocator(3))
    axis.set_major_formatter(
        matplotlib.ticker.FuncFormatter(lambda base, _: f"{base / scale:,.{digits}f} {unit}")
    )
