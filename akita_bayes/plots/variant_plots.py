"""Plots one variant: REF, ALT, their difference and its sd, with insulation and genes below."""

from typing import Any

import matplotlib.axes
import matplotlib.axis
import matplotlib.figure
import matplotlib.layout_engine
import matplotlib.ticker
import numpy as np
from numpy.typing import NDArray

from akita_bayes.numerics import colour_limits
from akita_bayes.plots import map_plots
from akita_bayes.variants import figure_data
from akita_bayes.variants.scores import tracks

_REF, _ALT, _SITE, _GENE = "#4D4D4D", "#D55E00", "#009E73", "#0072B2"
WIDTH = 8  # largest half diagonal of the insulation diamond, in bins
NARROWER = 8  # in maps of fewer than 64 bins, this part of the map, so that the track is not short
LANES = 3  # rows of genes


def figure(
    window: figure_data.FigureWindow, *, width: int | None = None, least: float = 0.0
) -> matplotlib.figure.Figure:
    """Draws a variant: maps in the top row, then insulation of both alleles, then genes, if any.

    Grey pixels hold different contacts in the two alleles. The difference has its own colour scale,
    because most differences are far smaller than the maps; the scale has a least width, so that an
    edit without effect looks empty (`numerics.colour_limits`).

    Args:
        window: Data that `figure_data.collect` returns.
        width: Half diagonal of the insulation diamond, in bins; None for 8, or an eighth of a map
            of fewer than 64 bins.
        least: Smallest half width of the colour scale of both alleles.
    """
    change = np.where(window.mask, window.alt - window.ref, np.nan)
    if width is None:
        width = min(WIDTH, max(2, len(window.ref) // NARROWER))
    limit = max(least, colour_limits.symmetric([window.ref, window.alt])) or 1e-6
    step = colour_limits.difference(change, limit)
    largest = float(np.nanmax(np.abs(change))) if np.isfinite(change).any() else 0.0
    panels = [
        ("REF", window.ref, (-limit, limit), map_plots.DIVERGING, map_plots.LOG_RATIO),
        ("ALT", window.alt, (-limit, limit), map_plots.DIVERGING, map_plots.LOG_RATIO),
        ("ALT - REF", change, (-step, step), "PuOr_r", f"difference, at most {largest:.2g}"),
    ]
    if window.sd is not None:
        sd = np.where(window.mask, window.sd, np.nan)
        top = float(np.nanquantile(sd, 0.995)) if np.isfinite(sd).any() else 1.0
        panels.append(
            (
                map_plots.HOW_UNSURE,
                sd,
                (0.0, top or 1e-6),
                map_plots.SEQUENTIAL,
                "sd of ALT - REF over draws",
            )
        )
    heights = [1.0, 0.28, 0.22] if window.genes else [1.0, 0.28]
    drawing = matplotlib.figure.Figure(
        figsize=(3.2 * len(panels), 2.7 * sum(heights) + 0.5),
        layout=matplotlib.layout_engine.ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.06),
    )
    grid = drawing.add_gridspec(len(heights), len(panels), height_ratios=heights)
    for column, (name, matrix, limits, colours, unit) in enumerate(panels):
        axes = drawing.add_subplot(grid[0, column])
        image = map_plots.square(axes, matrix, window.region, limits=limits, colours=colours)
        _genomic_ticks(axes.xaxis, window, room=0.24, across=True)
        _genomic_ticks(axes.yaxis, window, room=0.08)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel(_chromosome(window), fontsize=8)
        axes.tick_params(labelsize=7, labelleft=column == 0)
        bar = drawing.colorbar(image, cax=axes.inset_axes((1.03, 0.0, 0.045, 1.0)))
        bar.ax.tick_params(labelsize=7)
        bar.set_label(unit, fontsize=8)
    _insulation(drawing.add_subplot(grid[1, :]), window, width)
    if window.genes:
        _genes(drawing.add_subplot(grid[2, :]), window)
    drawing.suptitle(window.title, fontsize=11)
    map_plots.explain_grey(
        drawing,
        "contacts that an allele lacks or moves, and pairs of bins too close to one another",
    )
    return drawing


def _chromosome(window: figure_data.FigureWindow) -> str:
    """Returns the name of the only chromosome; "" for several, because then the ticks name them."""
    names = {stretch.region.chrom for stretch in window.stretches} or {window.region.chrom}
    return names.pop() if len(names) == 1 else ""


def _edges(window: figure_data.FigureWindow) -> NDArray[Any]:
    """Returns the genomic positions of the edges of the bins. [N + 1]."""
    return np.linspace(window.region.start, window.region.end, len(window.ref) + 1)


def _genomic_ticks(
    axis: matplotlib.axis.Axis,
    window: figure_data.FigureWindow,
    *,
    room: float,
    across: bool = False,
) -> None:
    """Sets ticks at true genomic positions when the frame joins several stretches of the genome.

    Args:
        axis: Axis of a map or a track.
        window: Data of the figure.
        room: Least distance of two ticks, as a share of the axis.
        across: True to write the chromosome above the position, False to write it before.
    """
    if len(window.stretches) < 2 and all(stretch.strand == 1 for stretch in window.stretches):
        return
    edges, label = _edges(window), axis.get_major_formatter()
    bin_width = edges[1] - edges[0]
    # The largest of 1, 2 and 5 times a power of ten up to a quarter of the axis: 830 kb has a step
    # of 200 kb.
    largest_step = (edges[-1] - edges[0]) / 4
    decade = 10 ** np.floor(np.log10(largest_step))
    step = decade * max(factor for factor in (1, 2, 5) if factor * decade <= largest_step)
    several = len({stretch.region.chrom for stretch in window.stretches}) > 1
    at: list[float] = []
    texts: list[str] = []
    for stretch in window.stretches:
        left, right = stretch.region.start, stretch.region.end
        inside = np.arange(-(-left // step) * step, right, step)
        if not len(inside) and stretch.last - stretch.first > len(window.ref) / 6:
            inside = np.array([(left + right) / 2])
        chrom = f"{stretch.region.chrom}{chr(10) if across else ':'}" if several else ""
        # A stretch on the reverse strand is drawn from its end to its start.
        for position in inside[:: stretch.strand]:
            offset = position - left if stretch.strand == 1 else right - position
            tick = edges[0] + stretch.first * bin_width + offset
            if not at or tick - at[-1] >= room * (edges[-1] - edges[0]):
                at.append(float(tick))
                texts.append(chrom + label(position, 0))
    axis.set_major_locator(matplotlib.ticker.FixedLocator(at))
    axis.set_major_formatter(matplotlib.ticker.FixedFormatter(texts))


def _insulation(axes: matplotlib.axes.Axes, window: figure_data.FigureWindow, width: int) -> None:
    """Draws the insulation of both alleles, and the site of the variant."""
    edges = _edges(window)
    mask = window.mask & np.isfinite(window.ref)
    for name, matrix, colour in (("REF", window.ref, _REF), ("ALT", window.alt, _ALT)):
        filled = np.where(np.isfinite(matrix), matrix, 0)[..., None]
        track = tracks.insulation(filled, mask, width=width)[:, 0]
        axes.plot(edges[:-1], track, color=colour, lw=1.2, label=name)
    axes.axvspan(edges[window.site[0]], edges[window.site[1]], color=_SITE, alpha=0.2, lw=0)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylabel(f"insulation\n{2 * width} bins", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    map_plots.genomic(axes.xaxis, window.region)
    _genomic_ticks(axes.xaxis, window, room=0.06, across=True)
    axes.set_xlabel(_chromosome(window), fontsize=8)


def _genes(axes: matplotlib.axes.Axes, window: figure_data.FigureWindow) -> None:
    """Draws genes as bars with names; says how many have no free lane."""
    edges = _edges(window)
    bin_width = edges[1] - edges[0]
    room = 0.012 * (edges[-1] - edges[0])
    # free[k] is the position from which lane k is empty.
    free = [-np.inf] * LANES
    hidden = 0
    for gene in sorted(window.genes, key=lambda gene: gene.spans[0][0]):
        start = edges[0] + gene.spans[0][0] * bin_width
        label = f"{gene.name} {'>' if gene.strand == '+' else '<' if gene.strand == '-' else ''}"
        left_most = min(start, edges[-1] - room * len(label))
        lane = next((k for k in range(LANES) if free[k] <= left_most), None)
        if lane is None:
            hidden += 1
            continue
        for first, last in gene.spans:
            left, right = edges[0] + first * bin_width, edges[0] + last * bin_width
            axes.plot([left, right], [-lane, -lane], color=_GENE, lw=4, solid_capstyle="butt")
        side = "right" if start + room * len(label) > edges[-1] else "left"
        anchor = edges[-1] if side == "right" else start
        axes.text(anchor, -lane + 0.28, label.strip(), fontsize=7, va="bottom", ha=side)
        end = edges[0] + gene.spans[-1][1] * bin_width
        free[lane] = max(end, start + room * len(label)) + room
    if hidden:
        axes.text(
            1.0, 0.0, f"+{hidden} not shown", transform=axes.transAxes, fontsize=7, ha="right"
        )
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(-LANES + 0.4, 1.0)
    axes.axis("off")
