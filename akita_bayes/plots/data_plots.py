"""Plots windows of a data directory: maps and masks of all targets, and decay with distance."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from akita_bayes.plots import map_plots, palette

if TYPE_CHECKING:
    import matplotlib.axes

    from akita_bayes.data.preparation import quality

_SIDE = 2.6  # inches of one map


def figure(examples: "Sequence[quality.Example]") -> matplotlib.figure.Figure:
    """Plots one row for each window.

    The map shows the target above the diagonal, and the mask below it: pixels that were not
    measured are grey. Two panels follow, with the mean at each distance: of balanced contacts, and
    of the target.

    Args:
        examples: One window or more, all with the same targets.
    """
    names = examples[0].identifiers
    columns = len(names) + 2
    drawing = matplotlib.figure.Figure(
        figsize=(_SIDE * columns + 0.6, _SIDE * len(examples) + 0.7), layout="constrained"
    )
    panels = drawing.subplots(len(examples), columns, squeeze=False)
    # A NaN does not equal itself, so `where` leaves out pixels that were not measured.
    limit = float(
        np.nanquantile([np.abs(e.maps).max(where=e.maps == e.maps, initial=0) for e in examples], 1)
    )
    for row, example in zip(panels, examples, strict=True):
        for index, name in enumerate(names):
            image = _map(row[index], example, index, limit)
            panels[0, index].set_title(name, fontsize=9)
        row[0].set_ylabel(f"{example.region}\n{example.split}", fontsize=7)
        _decay(row[-2], example, example.before, log=True)
        _decay(row[-1], example, example.after, log=False)
    panels[0, -2].set_title("balanced contacts", fontsize=9)
    panels[0, -1].set_title("target", fontsize=9)
    panels[0, -2].legend(fontsize=6, frameon=False)
    for panel in panels[-1, -2:]:
        panel.set_xlabel("distance", fontsize=8)
    maps = panels[:, : len(names)].ravel().tolist()
    bar = drawing.colorbar(image, ax=maps, shrink=0.6, aspect=30, pad=0.04)
    bar.set_label(f"target, {map_plots.LOG_RATIO}", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    map_plots.explain_grey(drawing, "pixels that were not measured (drawn below the diagonal)")
    return drawing


def _map(
    panel: "matplotlib.axes.Axes", example: "quality.Example", index: int, limit: float
) -> "matplotlib.image.AxesImage":
    """Draws the map and the mask of one target."""
    values = example.maps[..., index]
    upper = np.triu(np.ones(values.shape, bool))
    masked = ~upper & ~example.masks[..., index]
    panel.imshow(
        np.where(masked, 1.0, np.nan), cmap="gray", vmin=0, vmax=1.35, interpolation="none"
    )
    image = panel.imshow(
        np.where(upper, values, np.nan),
        cmap=map_plots.DIVERGING,
        vmin=-limit,
        vmax=limit,
        interpolation="none",
    )
    panel.set_xticks([])
    panel.set_yticks([])
    return image


def _decay(
    panel: "matplotlib.axes.Axes", example: "quality.Example", values: np.ndarray, *, log: bool
) -> None:
    """Draws the mean at each distance, a line for each target."""
    for index, name in enumerate(example.identifiers):
        colour = palette.target(index)
        panel.plot(example.distances[1:], values[1:, index], lw=1, label=name, color=colour)
    panel.set_xscale("log")
    panel.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 3)))
    panel.xaxis.set_major_formatter(lambda base, _: f"{base / 1000:g} kb")
    panel.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    if log and np.isfinite(values[1:]).any():
        panel.set_yscale("log")
    elif not log:
        panel.axhline(0, color="0.6", lw=0.6)
    panel.tick_params(labelsize=7)
