"""Plots measured read-outs against those that a fit expects."""

from collections.abc import Sequence

import matplotlib.figure

from akita_bayes.regulation.fits import prediction_accuracy
from akita_bayes.regulation.plots.mechanism_plots import COLOURS

MOST_POINTS = 2000
"""Number of sequences above which hexagons show their density."""


def predicted_against_measured(
    accuracies: Sequence[prediction_accuracy.Accuracy], *, label: str
) -> matplotlib.figure.Figure:
    """Plots a panel for each library; the line is equality.

    Args:
        accuracies: Accuracy of each library.
        label: Name of the read-out.
    """
    count = len(accuracies)
    figure = matplotlib.figure.Figure(figsize=(4.4 * count, 4.4), layout="constrained")
    panels = figure.subplots(1, count, squeeze=False)[0]
    for axes, accuracy in zip(panels, accuracies, strict=True):
        if accuracy.sequences > MOST_POINTS:
            axes.hexbin(accuracy.expected, accuracy.measured, gridsize=60, bins="log", mincnt=1)
        else:
            axes.plot(accuracy.expected, accuracy.measured, ".", ms=4, color=COLOURS[0], alpha=0.5)
        low, high = accuracy.expected.min(), accuracy.expected.max()
        axes.plot([low, high], [low, high], color=COLOURS[1], lw=1)
        bits = accuracy.predictive
        name = f"{accuracy.library}, " if accuracy.library else ""
        axes.set_title(
            f"{name}{accuracy.sequences:,} held-out sequences\nr = {accuracy.r:.3f}, "
            f"R2 = {accuracy.r2:.3f}, I = {bits.bits:.3f} ± {bits.standard_error:.3f} bits",
            fontsize=10,
        )
        axes.set(xlabel=f"predicted {label}", ylabel=f"measured {label}")
        axes.spines[["top", "right"]].set_visible(False)
    return figure
