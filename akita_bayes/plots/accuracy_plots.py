"""Plots the accuracy of a model: prediction against measurement, and accuracy by distance."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.colors
import matplotlib.figure
import numpy as np
from numpy.typing import NDArray

from akita_bayes.plots import palette

_GREY = "#777777"
_COLUMNS = 4


def scatter(
    pixels: Sequence[NDArray[Any]],
    names: Sequence[str],
    pearson: Sequence[float],
    *,
    unit: str,
    title: str = "",
) -> matplotlib.figure.Figure:
    """Plots the density of predicted against measured pixels, a panel for each target.

    Args:
        pixels: Measured and predicted values of pixels, for each target. [n, 2] each.
        names: Names of the targets.
        pearson: r of each target over all pixels.
        unit: Measured quantity, for the labels of the axes.
        title: Text above the figure.
    """
    columns = min(_COLUMNS, len(pixels))
    rows = math.ceil(len(pixels) / columns)
    figure = matplotlib.figure.Figure(
        figsize=(2.9 * columns + 0.6, 2.9 * rows + 0.3), layout="constrained"
    )
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(pixels) :]:
        axes.axis("off")
    for axes, points, name, r in zip(grid.flat, pixels, names, pearson, strict=False):
        low, high = _range(points)
        axes.hexbin(
            *np.clip(points, low, high).T,
            gridsize=40,
            extent=(low, high, low, high),
            cmap="viridis",
            norm=matplotlib.colors.LogNorm(),
            linewidths=0,
        )
        axes.plot([low, high], [low, high], color=_GREY, lw=0.8, ls="--")
        axes.set_title(name if len(name) <= 28 else name[:27] + "…", fontsize=10)
        axes.text(0.04, 0.96, f"r = {r:.3f}", transform=axes.transAxes, va="top", fontsize=9)
        axes.set_aspect("equal")
        axes.set(xlim=(low, high), ylim=(low, high))
        axes.tick_params(labelsize=8)
    figure.supxlabel(f"measured, {unit}", fontsize=10)
    figure.supylabel(f"predicted, {unit}", fontsize=10)
    figure.suptitle(title)
    return figure


def by_distance(
    strata: Sequence[str],
    curves: Mapping[str, NDArray[Any]],
    names: Sequence[str],
    *,
    title: str = "",
) -> matplotlib.figure.Figure:
    """Plots Pearson's r within strata of genomic distance.

    Each target has its own colour, and each reference its own line style.

    Args:
        strata: Labels of the strata. [D]
        curves: r by reference ("measured", "noise-free truth"). [D, T] each.
        names: Names of the targets; with more than six only their mean is drawn. [T]
        title: Text above the figure.
    """
    figure = matplotlib.figure.Figure(figsize=(7.6, 3.6), layout="constrained")
    axes = figure.subplots()
    few = len(names) <= len(palette.TARGETS)
    for (reference, values), style in zip(curves.items(), ("-", "--", ":"), strict=False):
        lines = values.T if few else values.mean(axis=1)[None]
        for colour, line in zip(palette.TARGETS, lines, strict=False):
            axes.plot(range(len(strata)), line, style, color=colour, lw=1.6, marker="o", ms=4)
        axes.plot([], [], style, color=_GREY, lw=1.6, label=f"against {reference}")
    labels = names if few else [f"mean over {len(names)} targets"]
    for colour, name in zip(palette.TARGETS, labels, strict=False):
        axes.plot([], [], color=colour, lw=4, label=name)
    axes.axhline(0, color=_GREY, lw=0.8)
    axes.set_ylim(min(-0.05, axes.get_ylim()[0]), 1.02)
    axes.set_xticks(range(len(strata)), strata, rotation=30, ha="right", fontsize=8)
    axes.set(xlabel="genomic distance", ylabel="Pearson r within the stratum")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(frameon=False, fontsize=8, loc="outside right upper")
    figure.suptitle(title)
    return figure


def _range(points: NDArray[Any]) -> tuple[float, float]:
    """Returns limits of both axes that leave out only the most extreme pixels."""
    if not points.size:
        return 0.0, 1.0
    low, high = np.quantile(points, (0.001, 0.999))
    margin = 0.05 * (high - low) or 0.5
    return float(low - margin), float(high + margin)
