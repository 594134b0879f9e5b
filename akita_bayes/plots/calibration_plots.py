"""Plots the calibration of a model: reliability, PIT, sd beside error, single pixels."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.figure
import matplotlib.ticker
import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes import triangle
from akita_bayes.plots import map_plots, palette
from akita_bayes.regions import Region

_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#777777"
_STATES = ("#999999", "#000000", "#CC79A7", "#56B4E9")
"""Colours of models or states; none is that of a target in the same directory."""


def reliability(
    summaries: Mapping[str, Mapping[str, Any]], *, title: str = ""
) -> matplotlib.figure.Figure:
    """Plots observed against nominal coverage with bootstrap intervals, and the PIT histogram.

    Args:
        summaries: Dictionaries that `Calibration.summary` of `evaluate.intervals.calibration`
            returns, by the name of the model or state ("before", "recalibrated").
        title: Text above the figure.
    """
    figure = matplotlib.figure.Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0.4, 1], [0.4, 1], color=_GREY, lw=1, ls="--", label="calibrated")
    for colour, (name, summary) in zip(_STATES, summaries.items(), strict=False):
        levels = summary["levels"]
        coverage = [summary["overall"][f"coverage_{level:.0%}"] for level in levels]
        centre = np.array([value["estimate"] for value in coverage])
        below = centre - [value["lower"] for value in coverage]
        above = np.array([value["upper"] for value in coverage]) - centre
        spread = np.maximum([below, above], 0)
        left.errorbar(levels, centre, spread, fmt="o-", ms=4, capsize=2, color=colour, label=name)
        cells = len(summary["pit"])
        edges = np.linspace(0, 1, cells + 1)
        right.stairs(np.array(summary["pit"]) * cells, edges, color=colour, lw=1.5, label=name)
    right.axhline(1, color=_GREY, lw=1, ls="--")
    left.set(xlabel="nominal coverage of the central interval", ylabel="share of pixels inside")
    right.set(
        xlabel="predicted probability of a smaller value (PIT)", ylabel="density", xlim=(0, 1)
    )
    right.set_ylim(bottom=0)
    left.legend(frameon=False)
    figure.suptitle(title)
    return figure


def coverage_by_distance(
    summary: Mapping[str, Any], targets: Sequence[str], *, bin_width: int, level: float = 0.9
) -> matplotlib.figure.Figure:
    """Plots the coverage of one central interval by distance, a line for each target.

    Args:
        summary: Dictionary that `Calibration.summary` returns.
        targets: Names of the targets.
        bin_width: Width of a map's bin in bp.
        level: Nominal coverage; a level of the summary.
    """
    figure = matplotlib.figure.Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    edges = np.asarray(summary["distance_edges"], float)
    centres = np.sqrt(edges[:-1] * (edges[1:] - 1).clip(1)) * bin_width / 1000
    for number, (name, strata) in enumerate(zip(targets, summary["strata"], strict=True)):
        coverage = [stratum[f"coverage_{level:.0%}"] for stratum in strata]
        values = [np.nan if value is None else value["estimate"] for value in coverage]
        axes.plot(centres, values, "o-", ms=4, color=palette.target(number), label=name)
    axes.axhline(level, color=_GREY, lw=1, ls="--")
    axes.set(xscale="log", xlabel="genomic distance (kb)", ylim=(min(0.6, level - 0.2), 1.0))
    axes.set_ylabel(f"coverage of the {level:.0%} interval")
    axes.set_xticks(centres, [f"{centre:.3g}" for centre in centres])
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def sd_beside_error(
    target: NDArray[Any],
    mean: NDArray[Any],
    sd: NDArray[Any],
    *,
    diagonal_offset: int,
    region: Region | None = None,
    title: str = "",
) -> matplotlib.figure.Figure:
    """Plots target, prediction, stated standard deviation and absolute error of one map.

    Args:
        target: Measured values. [P]
        mean: Predicted values. [P]
        sd: Standard deviation of the prediction. [P]
        diagonal_offset: First diagonal of the map, in bins.
        region: Bases of the map; None to number its bins.
        title: Text above the figure.
    """
    figure = matplotlib.figure.Figure(figsize=(13, 3.6), layout="constrained")
    panels = figure.subplots(1, 4, sharey=True)
    limit = float(np.nanquantile(np.abs(target), 0.99))
    spread = float(np.nanquantile(np.abs(target - mean), 0.98))
    contents = (
        ("measured", target, (-limit, limit), map_plots.DIVERGING),
        ("predicted mean", mean, (-limit, limit), map_plots.DIVERGING),
        ("how unsure (stated sd)", sd, (0, spread), "magma"),
        ("absolute error", np.abs(target - mean), (0, spread), "magma"),
    )
    for axes, (name, values, limits, colours) in zip(panels, contents, strict=True):
        matrix = triangle.to_matrix(values[:, None], diagonal_offset=diagonal_offset)[..., 0]
        extent = Region("", 0, len(matrix)) if region is None else region
        image = map_plots.square(axes, matrix, extent, limits=limits, colours=colours)
        if region is None:
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter("{x:.0f}")
        axes.set_xlabel("bin" if region is None else region.chrom)
        axes.tick_params(labelsize=8)
        axes.set_title(name)
        figure.colorbar(image, ax=axes, shrink=0.8, label=map_plots.LOG_RATIO)
    figure.suptitle(title)
    return figure


def pixel_distributions(
    draws: NDArray[Any],
    aleatoric_sd: NDArray[Any],
    target: NDArray[Any],
    names: Sequence[str],
    *,
    title: str = "",
) -> matplotlib.figure.Figure:
    """Plots the predictive distribution of single pixels, and the measured value.

    The histogram shows the posterior draws of the mean (epistemic). The line adds the observation
    noise, so it shows the distribution of a measurement. Attention to Bayes, appendix A.9, shows
    the histogram alone. Each curve is scaled to its peak. Draws that all agree become one line.

    Args:
        draws: Draws of the mean. [S, K]
        aleatoric_sd: Observation noise. [K]
        target: Measured values. [K]
        names: Names of the pixels. [K]
        title: Text above the figure.
    """
    count = len(names)
    columns = min(4, count)
    rows = -(-count // columns)
    figure = matplotlib.figure.Figure(figsize=(3.2 * columns, 2.6 * rows), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns)).ravel()
    for axes in panels[count:]:
        axes.axis("off")
    for k, axes in enumerate(panels[:count]):
        centre, spread = draws[:, k].mean(), np.hypot(draws[:, k].std(), aleatoric_sd[k])
        reach = max(3.5 * spread, 1.2 * abs(target[k] - centre))
        grid = np.linspace(centre - reach, centre + reach, 300)
        style = {"color": _BLUE, "alpha": 0.35, "label": "draws of the mean"}
        if np.ptp(draws[:, k]) < 1e-3 * spread:
            axes.axvline(centre, lw=3, **style)
        else:
            counts, edges = np.histogram(draws[:, k], grid[::10])
            axes.stairs(counts / counts.max(), edges, fill=True, **style)
        noise = max(float(aleatoric_sd[k]), 1e-6)
        density = scipy.stats.norm.pdf(grid[:, None], draws[:, k], noise).mean(1)
        axes.plot(grid, density / density.max(), color=_BLUE, label="with observation noise")
        axes.axvline(target[k], color=_ORANGE, label="measured")
        axes.set(title=names[k], yticks=[], ylim=(0, 1.05))
        axes.title.set_fontsize(9)
        axes.tick_params(labelsize=8)
        axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
        if k >= count - columns:
            axes.set_xlabel(map_plots.LOG_RATIO, fontsize=8)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=10)
    return figure
