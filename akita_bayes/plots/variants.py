"""One variant as a figure: REF, ALT, their difference and its sd, insulation and genes below."""

import matplotlib.axes
import matplotlib.axis
import matplotlib.figure
import matplotlib.layout_engine
import matplotlib.ticker
import numpy as np
from numpy.typing import NDArray

from akita_bayes.plots import maps
from akita_bayes.variants import shown, tracks

_REF, _ALT, _SITE, _GENE = "#4D4D4D", "#D55E00", "#009E73", "#0072B2"
WIDTH = 8  # bins, half diagonal of the insulation diamond
LANES = 3  # of genes


def figure(
    what: shown.Shown, *, width: int = WIDTH, least: float = 0.0
) -> matplotlib.figure.Figure:
    """Draws a variant: maps in the top row, insulation of both alleles, genes when there are any.

    Grey pixels show different contacts in the two alleles. The difference has its own scale, for
    most differences are far smaller than the maps.

    Args:
        what: As `shown.collect` gives it.
        width: Half diagonal of the insulation diamond, in bins.
        least: Half width, at least, of the colour scale of both alleles.
    """
    change = np.where(what.mask, what.alt - what.ref, np.nan)
    limit = max(least, maps.symmetric_limit([what.ref, what.alt])) or 1e-6
    step = maps.symmetric_limit([change], 0.999) or 1e-6
    panels = [
        ("REF", what.ref, (-limit, limit), maps.DIVERGING, maps.LOG_RATIO),
        ("ALT", what.alt, (-limit, limit), maps.DIVERGING, maps.LOG_RATIO),
        ("ALT - REF", change, (-step, step), "PuOr_r", f"difference of {maps.LOG_RATIO}"),
    ]
    if what.sd is not None:
        sd = np.where(what.mask, what.sd, np.nan)
        top = float(np.nanquantile(sd, 0.995)) if np.isfinite(sd).any() else 1.0
        panels.append(
            ("sd of ALT - REF", sd, (0.0, top or 1e-6), maps.SEQUENTIAL, "sd of the difference")
        )
    heights = [1.0, 0.28, 0.22] if what.genes else [1.0, 0.28]
    made = matplotlib.figure.Figure(
        figsize=(3.2 * len(panels), 2.7 * sum(heights) + 0.5),
        layout=matplotlib.layout_engine.ConstrainedLayoutEngine(h_pad=0.03, w_pad=0.06),
    )
    grid = made.add_gridspec(len(heights), len(panels), height_ratios=heights)
    for column, (name, matrix, limits, colours, unit) in enumerate(panels):
        axes = made.add_subplot(grid[0, column])
        image = maps.square(axes, matrix, what.region, limits=limits, colours=colours)
        _places(axes.xaxis, what, room=0.24, across=True)
        _places(axes.yaxis, what, room=0.08)
        axes.set_title(name, fontsize=10)
        axes.set_xlabel(_chromosome(what), fontsize=8)
        axes.tick_params(labelsize=7, labelleft=column == 0)
        bar = made.colorbar(image, cax=axes.inset_axes((1.03, 0.0, 0.045, 1.0)))
        bar.ax.tick_params(labelsize=7)
        bar.set_label(unit, fontsize=8)
    _insulation(made.add_subplot(grid[1, :]), what, width)
    if what.genes:
        _genes(made.add_subplot(grid[2, :]), what)
    made.suptitle(what.title, fontsize=11)
    return made


def _chromosome(what: shown.Shown) -> str:
    """The name of the only chromosome; of several none, since the ticks name them."""
    names = {stretch.region.chrom for stretch in what.stretches} or {what.region.chrom}
    return names.pop() if len(names) == 1 else ""


def _edges(what: shown.Shown) -> NDArray:
    """Genomic positions of the bins' borders. [N + 1]."""
    return np.linspace(what.region.start, what.region.end, len(what.ref) + 1)


def _places(
    axis: matplotlib.axis.Axis, what: shown.Shown, *, room: float, across: bool = False
) -> None:
    """Where the frame is no single stretch of the genome, the true positions of its bins.

    Ticks keep `room` between them, as a share of the axis.
    """
    if len(what.stretches) < 2 and all(each.strand == 1 for each in what.stretches):
        return
    edges, label = _edges(what), axis.get_major_formatter()
    bin_width = edges[1] - edges[0]
    wanted = (edges[-1] - edges[0]) / 4
    decade = 10 ** np.floor(np.log10(wanted))
    step = decade * max(factor for factor in (1, 2, 5) if factor * decade <= wanted)
    several = len({each.region.chrom for each in what.stretches}) > 1
    at: list[float] = []
    texts: list[str] = []
    for each in what.stretches:
        left, right = each.region.start, each.region.end
        inside = np.arange(-(-left // step) * step, right, step)
        if not len(inside) and each.last - each.first > len(what.ref) / 6:
            inside = np.array([(left + right) / 2])
        chrom = f"{each.region.chrom}{chr(10) if across else ':'}" if several else ""
        for place in inside[:: each.strand]:
            beyond = place - left if each.strand == 1 else right - place
            tick = edges[0] + each.first * bin_width + beyond
            if not at or tick - at[-1] >= room * (edges[-1] - edges[0]):
                at.append(float(tick))
                texts.append(chrom + label(place, 0))
    axis.set_major_locator(matplotlib.ticker.FixedLocator(at))
    axis.set_major_formatter(matplotlib.ticker.FixedFormatter(texts))


def _insulation(axes: matplotlib.axes.Axes, what: shown.Shown, width: int) -> None:
    edges = _edges(what)
    mask = what.mask & np.isfinite(what.ref)
    for name, matrix, colour in (("REF", what.ref, _REF), ("ALT", what.alt, _ALT)):
        filled = np.where(np.isfinite(matrix), matrix, 0)[..., None]
        track = tracks.insulation(filled, mask, width=width)[:, 0]
        axes.plot(edges[:-1], track, color=colour, lw=1.2, label=name)
    axes.axvspan(edges[what.site[0]], edges[what.site[1]], color=_SITE, alpha=0.2, lw=0)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylabel(f"insulation\n{2 * width} bins", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
    maps.genomic(axes.xaxis, what.region)
    _places(axes.xaxis, what, room=0.06, across=True)
    axes.set_xlabel(_chromosome(what), fontsize=8)


def _genes(axes: matplotlib.axes.Axes, what: shown.Shown) -> None:
    edges = _edges(what)
    bin_width = edges[1] - edges[0]
    room = 0.012 * (edges[-1] - edges[0])
    free = [-np.inf] * LANES
    for gene in sorted(what.genes, key=lambda each: each.spans[0][0]):
        start = edges[0] + gene.spans[0][0] * bin_width
        label = f"{gene.name} {'>' if gene.strand == '+' else '<' if gene.strand == '-' else ''}"
        left_most = min(start, edges[-1] - room * len(label))
        lane = next((k for k in range(LANES) if free[k] <= left_most), None)
        if lane is None:
            continue
        for first, last in gene.spans:
            left, right = edges[0] + first * bin_width, edges[0] + last * bin_width
            axes.plot([left, right], [-lane, -lane], color=_GENE, lw=4, solid_capstyle="butt")
        side = "right" if start + room * len(label) > edges[-1] else "left"
        anchor = edges[-1] if side == "right" else start
        axes.text(anchor, -lane + 0.28, label.strip(), fontsize=7, va="bottom", ha=side)
        end = edges[0] + gene.spans[-1][1] * bin_width
        free[lane] = max(end, start + room * len(label)) + room
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(-LANES + 0.4, 1.0)
    axes.axis("off")
