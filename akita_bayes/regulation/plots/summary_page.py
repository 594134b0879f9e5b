"""Plots the page of a run: the mechanism, its measurement, and its intervals."""

from collections.abc import Mapping

import matplotlib.figure

from akita_bayes.regulation.fits import summary_data as pages
from akita_bayes.regulation.plots import mechanism_plots


def summary(
    page: pages.Page, *, truth: Mapping[str, float] | None = None
) -> matplotlib.figure.Figure:
    """Plots logos above, responses in the middle, and measurement and intervals below.

    Args:
        page: Content of the page.
        truth: True constants by name, where they are known, for example of simulated data.
    """
    logos, responses = len(page.matrices), len(page.responses)
    ratios = [2.3] * logos + [3.2] * bool(responses) + [3.2]
    figure = matplotlib.figure.Figure(figsize=(11, sum(ratios) + 0.2), layout="constrained")
    figure.suptitle(page.title, fontsize=10)
    grid = figure.add_gridspec(len(ratios), 1, height_ratios=ratios)
    for row, (name, matrix) in enumerate(page.matrices.items()):
        axes = figure.add_subplot(grid[row])
        mechanism_plots.logo(
            axes, matrix, first=page.starts[name], title=name, label=page.matrix_label
        )
    if responses:
        middle = grid[logos].subgridspec(1, responses)
        for column, response in enumerate(page.responses):
            axes = figure.add_subplot(middle[column])
            mechanism_plots.occupancies(
                axes,
                response.term,
                response.probability,
                response.activity,
                states=response.states,
                label=response.label,
                wild_type=response.wild_type,
                legend=column == responses - 1,
            )
    lower = grid[len(ratios) - 1].subgridspec(1, 2)
    if page.activity is not None and page.bins is not None:
        axes = figure.add_subplot(lower[0])
        mechanism_plots.bins_given_activity(
            axes, page.activity, page.bins, bins=page.columns, label=page.activity_label
        )
    axes = figure.add_subplot(lower[1])
    names = list(page.intervals["name"])
    mechanism_plots.interval_rows(axes, {"": page.intervals}, names, truth=truth, unit=page.unit)
    truth_note = " (diamonds: truth)" if truth else ""
    axes.set_title(f"the wild type's terms, and constants{truth_note}", fontsize=10)
    return figure
