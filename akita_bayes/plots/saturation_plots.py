"""Plots a scan: a logo or bars with one value for each base, and every change as a heat map."""

import matplotlib.axes
import matplotlib.figure
import matplotlib.layout_engine
import matplotlib.ticker
import numpy as np

from akita_bayes import dna
from akita_bayes.plots import lettering, map_plots
from akita_bayes.variants.saturation.region_scan import GRADIENTS, Scan

LETTERS = 150  # a longer region is drawn as bars, because its letters would be too small to read
_BAR = "#0072B2"


def figure(
    scan: Scan,
    name: str,
    *,
    column: int = 0,
    label: str | None = None,
    inches: float | None = None,
    least: float = 0.0,
) -> matplotlib.figure.Figure:
    """Draws one score of one target.

    Args:
        scan: Scan that `saturation` returns.
        name: Name of the score.
        column: Index on the last axis of the values; the target is `scan.targets[column]`.
        label: Name of the target; None for its number.
        inches: Width of the figure; None to follow the number of bases.
        least: Smallest end of the heat map's colour scale.
    """
    track = scan.track(name)[:, column]
    every = scan.method == "ism"
    width = inches or float(np.clip(0.16 * len(track), 6, 16))
    drawing = matplotlib.figure.Figure(
        figsize=(width, 3.6 if every else 2.3),
        layout=matplotlib.layout_engine.ConstrainedLayoutEngine(h_pad=0.03),
    )
    rows = drawing.subplots(2 if every else 1, 1, squeeze=False, sharex=True)[:, 0]
    edges = scan.region.start + np.arange(len(track) + 1) - 0.5
    if len(track) <= LETTERS and scan.method in ("ism", *GRADIENTS):
        letters = dna.to_one_hot(scan.letters) * track[:, None]
        lettering.draw(rows[0], letters, first=scan.region.start)
    else:
        rows[0].bar(edges[:-1] + 0.5, np.nan_to_num(track), width=1, color=_BAR)
    rows[0].axhline(0, color="black", lw=0.6)
    rows[0].set_ylabel(f"{name}, {scan.method}", fontsize=9)
    rows[0].spines[["top", "right"]].set_visible(False)
    if every:
        _changes(drawing, rows[1], scan.values[name][..., column].T, edges, name, least)
    rows[-1].set_xlim(edges[0], edges[-1])
    rows[-1].xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(8, integer=True))
    rows[-1].xaxis.set_major_formatter("{x:,.0f}")
    rows[-1].set_xlabel(scan.region.chrom, fontsize=9)
    for axes in rows:
        axes.tick_params(labelsize=8)
    target = scan.targets[column] if label is None else label
    region = f"{scan.region} with {scan.allele}" if scan.allele else str(scan.region)
    drawing.suptitle(f"{region}, target {target}", fontsize=10)
    return drawing


def _changes(
    drawing: matplotlib.figure.Figure,
    axes: matplotlib.axes.Axes,
    values: np.ndarray,
    edges: np.ndarray,
    name: str,
    least: float,
) -> None:
    """Draws every change of every base as a heat map. Values [4, L]."""
    signed = (values < 0).any()
    top = max(least, float(np.nan_to_num(np.abs(values)).max())) or 1e-6
    image = axes.imshow(
        values,
        aspect="auto",
        cmap=map_plots.DIVERGING if signed else "Blues",
        vmin=-top if signed else 0,
        vmax=top,
        extent=(edges[0], edges[-1], 4, 0),
        interpolation="nearest",
    )
    axes.set_yticks(np.arange(4) + 0.5, list(dna.ALPHABET))
    bar = drawing.colorbar(image, ax=axes, pad=0.01, aspect=12)
    bar.ax.tick_params(labelsize=7)
    bar.set_label(name, fontsize=8)
    axes.set_ylabel("changed to", fontsize=9)
