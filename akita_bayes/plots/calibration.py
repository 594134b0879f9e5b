"""Is the stated uncertainty true? Reliability, PIT, where the error lies, single pixels."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.figure
import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes import triangle

_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#777777"


def reliability(
    summaries: Mapping[str, Mapping[str, Any]], *, title: str = ""
) -> matplotlib.figure.Figure:
    """Observed against nominal coverage with bootstrap intervals, and the PIT histogram.

    Args:
        summaries: Name of each model or state ("before", "recalibrated") -> the dictionary that
            `evaluate.calibration.Calibration.summary` returns.
        title: Text above the figure.
    """
    figure = matplotlib.figure.Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot([0.4, 1], [0.4, 1], color=_GREY, lw=1, ls="--", label="calibrated")
    colours = [_ORANGE, _BLUE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00"]
    for colour, (name, summary) in zip(colours, summaries.items(), strict=False):
        levels = summary["levels"]
        found = [summary["overall"][f"coverage_{level:.0%}"] for level in levels]
        centre = np.array([value["estimate"] for value in found])
        below = centre - [value["lower"] for value in found]
        above = np.array([value["upper"] for value in found]) - centre
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
    """Coverage of one central interval in every distance stratum, a line a target.

    Args:
        summary: As `Calibration.summary` returns.
        targets: Names of the targets.
        bin_width: Width of a map's bin in bp.
        level: Nominal coverage; one of those in the summary.
    """
    figure = matplotlib.figure.Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    edges = np.asarray(summary["distance_edges"], float)
    centres = np.sqrt(edges[:-1] * (edges[1:] - 1).clip(1)) * bin_width / 1000
    for name, strata in zip(targets, summary["strata"], strict=True):
        found = [stratum[f"coverage_{level:.0%}"] for stratum in strata]
        values = [np.nan if value is None else value["estimate"] for value in found]
        axes.plot(centres, values, "o-", ms=4, label=name)
    axes.axhline(level, color=_GREY, lw=1, ls="--")
    axes.set(xscale="log", xlabel="genomic distance (kb)", ylim=(min(0.6, level - 0.2), 1.0))
    axes.set_ylabel(f"coverage of the {level:.0%} interval")
    axes.legend(frameon=False)
    return figure


def sd_beside_error(
    target: NDArray, mean: NDArray, sd: NDArray, *, diagonal_offset: int, title: str = ""
) -> matplotlib.figure.Figure:
    """Target, prediction, stated standard deviation and absolute error of one map. Each [P]."""
    figure = matplotlib.figure.Figure(figsize=(13, 3.6), layout="constrained")
    panels = figure.subplots(1, 4)
    limit = float(np.nanquantile(np.abs(target), 0.99))
    spread = float(np.nanquantile(np.abs(target - mean), 0.98))
    diverging = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
    sequential = {"cmap": "magma", "vmin": 0, "vmax": spread}
    drawn = (
        ("measured", target, diverging),
        ("predicted mean", mean, diverging),
        ("stated sd", sd, sequential),
        ("absolute error", np.abs(target - mean), sequential),
    )
    for axes, (name, values, style) in zip(panels, drawn, strict=True):
        matrix = triangle.to_matrix(values[:, None], diagonal_offset=diagonal_offset)[..., 0]
        image = axes.imshow(matrix, interpolation="nearest", **style)
        axes.set(title=name, xticks=[], yticks=[])
        figure.colorbar(image, ax=axes, shrink=0.8)
    figure.suptitle(title)
    return figure


def pixel_distributions(
    draws: NDArray, aleatoric_sd: NDArray, target: NDArray, names: Sequence[str]
) -> matplotlib.figure.Figure:
    """The predictive distribution of chosen pixels against the value measured.

    The histogram is of the posterior draws of the mean (epistemic); the line adds the observation
    noise, so that it is the distribution of a measurement. Attention to Bayes, appendix A.9, shows
    the histogram alone. Each is scaled to its peak.

    Args:
        draws: Draws of the mean. [S, K].
        aleatoric_sd: Observation noise. [K].
        target: Measured values. [K].
        names: What to call each pixel. [K].
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
        counts, edges = np.histogram(draws[:, k], grid[::10])
        share = counts / counts.max()
        axes.stairs(share, edges, fill=True, color=_BLUE, alpha=0.35, label="draws of the mean")
        noise = max(float(aleatoric_sd[k]), 1e-6)
        density = scipy.stats.norm.pdf(grid[:, None], draws[:, k], noise).mean(1)
        axes.plot(grid, density / density.max(), color=_BLUE, label="with observation noise")
        axes.axvline(target[k], color=_ORANGE, label="measured")
        axes.set(title=names[k], yticks=[])
        axes.title.set_fontsize(9)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure
