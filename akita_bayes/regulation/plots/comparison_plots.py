"""Plots mechanisms side by side: how well they predict, and the values of their constants."""

from collections.abc import Mapping, Sequence

import matplotlib.artist
import matplotlib.figure
import numpy as np
import pandas as pd

from akita_bayes.regulation.plots.mechanism_plots import COLOURS

REJECTED = "#BBBBBB"


def comparison(table: pd.DataFrame) -> matplotlib.figure.Figure:
    """Plots the held-out distance of mechanisms to the best one, and their information in bits.

    Args:
        table: Table that `ranking.compare` returns.
    """
    bits = "predictive_bits" in table
    figure = matplotlib.figure.Figure(figsize=(9, 1.4 + 0.4 * len(table)), layout="constrained")
    panels = figure.subplots(1, 2 if bits else 1, squeeze=False, sharey=True)[0]
    y = np.arange(len(table))
    reach = np.abs(
        table[["behind_lower", "behind_upper"]].to_numpy().T - table["behind"].to_numpy()
    )
    panels[0].errorbar(table["behind"], y, xerr=reach, fmt="o", capsize=3, color=COLOURS[0])
    panels[0].axvline(0, color="black", lw=0.8)
    panels[0].set(xlabel="nats behind the best, held out", yticks=y, yticklabels=table["name"])
    panels[0].invert_yaxis()
    if bits:
        for shift, kind, colour in ((-0.1, "predictive", 0), (0.1, "variational", 1)):
            panels[1].errorbar(
                table[f"{kind}_bits"],
                y + shift,
                xerr=1.96 * table[f"{kind}_error"],
                fmt="o",
                capsize=3,
                color=COLOURS[colour],
                label=kind,
            )
        panels[1].set_xlabel("information about the bin (bits per read)")
        panels[1].legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
    for axes in panels:
        axes.locator_params(axis="x", nbins=5)
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(y=0.2)
    return figure


def assumptions(
    constants: pd.DataFrame,
    ranges: pd.DataFrame,
    supported: Sequence[str],
    *,
    truth: Mapping[str, float] | None = None,
) -> matplotlib.figure.Figure:
    """Plots 95 % intervals and ranges, with a panel for each constant and a row for each mechanism.

    Args:
        constants: Columns mechanism, name, mean, lower, upper; mechanisms top to bottom.
        ranges: Columns name, unit, lower, upper; one row for each constant to draw.
        supported: Mechanisms that the data do not reject; rejected mechanisms are drawn pale.
        truth: True values by name, where they are known.
    """
    mechanisms = list(dict.fromkeys(constants["mechanism"]))
    figure = matplotlib.figure.Figure(
        figsize=(2.2 + 2.6 * len(ranges), 1.2 + 0.3 * len(mechanisms)), layout="constrained"
    )
    panels = figure.subplots(1, len(ranges), squeeze=False, sharey=True)[0]
    for axes, row in zip(panels, ranges.to_dict("records"), strict=True):
        for estimate in constants[constants["name"] == row["name"]].to_dict("records"):
            is_supported = estimate["mechanism"] in supported
            axes.errorbar(
                estimate["mean"],
                mechanisms.index(estimate["mechanism"]),
                xerr=[
                    [estimate["mean"] - estimate["lower"]],
                    [estimate["upper"] - estimate["mean"]],
                ],
                fmt="o",
                ms=4,
                capsize=2,
                color=COLOURS[0] if is_supported else REJECTED,
                label="not rejected" if is_supported else "rejected",
            )
        axes.axvspan(
            row["lower"], row["upper"], color=COLOURS[0], alpha=0.12, lw=0, label="range of these"
        )
        if truth and row["name"] in truth:
            axes.axvline(truth[row["name"]], color="black", ls="--", lw=1, label="truth")
        axes.set(xlabel=f"{row['name']} ({row['unit']})", yticks=range(len(mechanisms)))
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set(yticklabels=mechanisms, ylim=(len(mechanisms) - 0.5, -0.5))
    labelled: dict[str, matplotlib.artist.Artist] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        labelled |= dict(zip(labels, handles, strict=True))
    order = [
        name for name in ("not rejected", "range of these", "rejected", "truth") if name in labelled
    ]
    figure.legend(
        [labelled[name] for name in order],
        order,
        frameon=False,
        fontsize=8,
        ncols=4,
        loc="outside upper right",
    )
    return figure
