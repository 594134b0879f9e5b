"""One page per run: what the mechanism is, what was measured, and how sure that is."""

import matplotlib.figure
import numpy as np

from akita_bayes.plots import regulation
from akita_bayes.regulation import page as pages


def summary(page: pages.Page) -> matplotlib.figure.Figure:
    """Logos above, responses in the middle, measurement and intervals below."""
    logos, responses = len(page.matrices), len(page.responses)
    figure = matplotlib.figure.Figure(
        figsize=(11, 2.3 * logos + 3.2 * bool(responses) + 3.4), layout="constrained"
    )
    figure.suptitle(page.title, fontsize=10)
    ratios = [2.3] * logos + [3.2] * bool(responses) + [3.2]
    grid = figure.add_gridspec(len(ratios), 1, height_ratios=ratios)
    for row, (name, matrix) in enumerate(page.matrices.items()):
        regulation.logo(figure.add_subplot(grid[row]), matrix, first=page.starts[name], title=name)
    if responses:
        middle = grid[logos].subgridspec(1, responses)
        for column, response in enumerate(page.responses):
            axes = figure.add_subplot(middle[column])
            regulation.occupancies(
                axes,
                response.term,
                response.probability,
                response.activity,
                states=response.states,
                label=response.label,
            )
            axes.axvline(response.wild_type, color="grey", lw=0.8, ls=":")
    lower = grid[len(ratios) - 1].subgridspec(1, 2)
    if page.activity is not None and page.bins is not None:
        regulation.bins_given_activity(figure.add_subplot(lower[0]), page.activity, page.bins)
    axes = figure.add_subplot(lower[1])
    table = page.intervals
    y = np.arange(len(table))
    reach = np.abs(table[["lower", "upper"]].to_numpy().T - table["mean"].to_numpy())
    axes.errorbar(table["mean"], y, xerr=reach, fmt="o", capsize=3, color=regulation.COLOURS[0])
    axes.axvline(0, color="black", lw=0.8)
    axes.set(yticks=y, yticklabels=table["name"], xlabel="mean and 95 % interval (kT, or ln 1/s)")
    axes.invert_yaxis()
    axes.margins(y=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
