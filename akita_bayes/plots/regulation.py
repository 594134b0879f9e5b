"""Pictures of regulation: energy logos, matrices, occupancies, p(bin | t), chains, comparisons."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import logomaker
import matplotlib.axes
import matplotlib.figure
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import dna, files

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
BASES = {"A": "#009E73", "C": "#0072B2", "G": "#E69F00", "T": "#D55E00"}


def save(figure: matplotlib.figure.Figure, path: str | Path) -> None:
    """Writes a figure; the suffix chooses the format."""
    with files.atomic(path) as temporary:
        figure.savefig(temporary, dpi=150)


def logo(
    axes: matplotlib.axes.Axes, matrix: NDArray[np.float64], *, first: int = 0, title: str = ""
) -> None:
    """Draws an energy matrix [W, 4] as a logo; energy points down, so that binding stands up."""
    binding = pd.DataFrame(matrix.mean(1, keepdims=True) - matrix, columns=list(dna.ALPHABET))
    binding.index += first
    logomaker.Logo(binding, ax=axes, color_scheme=BASES, flip_below=False, fade_below=0.5)
    axes.yaxis.set_major_formatter(lambda value, _: f"{0 - value:g}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(title=title, ylabel="energy (kT)", xlabel="base of the promoter")


def logos(
    matrices: Mapping[str, NDArray[np.float64]], starts: Mapping[str, int]
) -> matplotlib.figure.Figure:
    """One energy logo per site."""
    figure = matplotlib.figure.Figure(figsize=(10, 2.4 * len(matrices)), layout="constrained")
    for axes, (name, matrix) in zip(
        figure.subplots(len(matrices), squeeze=False)[:, 0], matrices.items(), strict=True
    ):
        logo(axes, matrix, first=starts[name], title=name)
    return figure


def against_reference(
    matrices: Mapping[str, NDArray[np.float64]], references: Mapping[str, NDArray[np.float64]]
) -> matplotlib.figure.Figure:
    """Per site, the matrix above its reference as heat maps, and their entries as points."""
    names = [name for name in matrices if name in references]
    figure = matplotlib.figure.Figure(figsize=(11, 2.8 * len(names)), layout="constrained")
    grid = figure.add_gridspec(2 * len(names), 2, width_ratios=(3, 1))
    for row, name in enumerate(names):
        pair = [m - m.mean(1, keepdims=True) for m in (matrices[name], references[name])]
        for below, (matrix, label) in enumerate(zip(pair, ("fitted", "published"), strict=True)):
            axes = figure.add_subplot(grid[2 * row + below, 0])
            limit = np.abs(matrix).max()
            image = axes.imshow(matrix.T, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
            axes.set(ylabel=f"{name}\n{label}", yticks=range(4), yticklabels=list(dna.ALPHABET))
            axes.set_xticks([])
            figure.colorbar(image, ax=axes, pad=0.01)
        axes = figure.add_subplot(grid[2 * row : 2 * row + 2, 1])
        for base, colour in enumerate(BASES.values()):
            axes.plot(pair[1][:, base], pair[0][:, base], ".", color=colour)
        correlation = np.corrcoef(pair[0].ravel(), pair[1].ravel())[0, 1]
        axes.set(xlabel="published", ylabel="fitted (kT)", title=f"r = {correlation:.4f}")
    return figure


def occupancies(
    axes: matplotlib.axes.Axes,
    energy: NDArray[np.float64],
    probability: NDArray[np.float64],
    activity: NDArray[np.float64],
    *,
    states: Sequence[str],
    label: str,
) -> None:
    """Draws occupancies [G, K] of states and the activity [G] against one energy or log rate."""
    for name, column, colour in zip(states, probability.T, COLOURS * 3, strict=False):
        axes.plot(energy, column, color=colour, lw=1.5, label=name.replace("_", " "))
    axes.plot(energy, activity, color="black", lw=2.5, ls="--", label="activity t")
    axes.set(xlabel=label, ylabel="probability, activity", ylim=(-0.02, None))
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def bins_given_activity(
    axes: matplotlib.axes.Axes, activity: NDArray[np.float64], probability: NDArray[np.float64]
) -> None:
    """Draws p(bin | t), [M, G] on ascending activities [G], as a heat map."""
    mesh = axes.pcolormesh(
        activity, np.arange(len(probability)), probability, cmap="viridis", shading="nearest"
    )
    axes.set(xscale="log", xlabel="activity t", ylabel="bin", title="p(bin | t)")
    axes.figure.colorbar(mesh, ax=axes, pad=0.01)


def chains(
    draws: Mapping[str, NDArray[np.float64]],
    *,
    units: Mapping[str, str] | None = None,
    truth: Mapping[str, float] | None = None,
) -> matplotlib.figure.Figure:
    """Traces of every chain, and the marginal of each, per quantity [C, S]."""
    figure = matplotlib.figure.Figure(figsize=(9, 1.9 * len(draws)), layout="constrained")
    panels = figure.subplots(len(draws), 2, squeeze=False, width_ratios=(3, 1), sharey="row")
    for (trace, marginal), (name, values) in zip(panels, draws.items(), strict=True):
        edges = np.linspace(values.min(), values.max(), 41)
        for chain, colour in zip(values, COLOURS * 9, strict=False):
            trace.plot(chain, color=colour, lw=0.5)
            marginal.stairs(
                np.histogram(chain, edges, density=True)[0],
                edges,
                orientation="horizontal",
                color=colour,
            )
        if truth and name in truth:
            for axes in (trace, marginal):
                axes.axhline(truth[name], color="black", ls="--", lw=1)
        unit = (units or {}).get(name, "kT")
        trace.set(ylabel=f"{name}\n({unit})", xlim=(0, values.shape[1]))
        marginal.set_xticks([])
        for axes in (trace, marginal):
            axes.spines[["top", "right"]].set_visible(False)
    panels[-1, 0].set_xlabel("draw")
    panels[-1, 1].set_xlabel("density")
    return figure


def intervals(tables: Mapping[str, pd.DataFrame], names: Sequence[str]) -> matplotlib.figure.Figure:
    """Means and 95 % intervals of the same quantities by several methods.

    Args:
        tables: Label of the method -> a table with columns name, mean, lower, upper, in kT.
        names: Which quantities, top to bottom.
    """
    figure = matplotlib.figure.Figure(
        figsize=(7, 1.2 + 0.25 * len(names) * len(tables)), layout="constrained"
    )
    axes = figure.subplots()
    step = 0.7 / len(tables)
    for i, (label, table) in enumerate(tables.items()):
        rows = table.set_index("name").loc[list(names)]
        y = np.arange(len(names)) + (i - (len(tables) - 1) / 2) * step
        reach = np.abs(rows[["lower", "upper"]].to_numpy().T - rows["mean"].to_numpy())
        axes.errorbar(
            rows["mean"], y, xerr=reach, fmt="o", ms=4, capsize=2, color=COLOURS[i], label=label
        )
    axes.set(yticks=range(len(names)), yticklabels=list(names), xlabel="kT")
    axes.invert_yaxis()
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def comparison(table: pd.DataFrame) -> matplotlib.figure.Figure:
    """How far mechanisms are behind the best, held out, and the bits that they hold."""
    bits = "predictive_bits" in table
    figure = matplotlib.figure.Figure(figsize=(9, 1.4 + 0.4 * len(table)), layout="constrained")
    panels = figure.subplots(1, 2 if bits else 1, squeeze=False, sharey=True)[0]
    y = np.arange(len(table))
    reach = np.abs(
        table[["behind_lower", "behind_upper"]].to_numpy().T - table["behind"].to_numpy()
    )
    panels[0].errorbar(table["behind"], y, xerr=reach, fmt="o", capsize=3, color=COLOURS[0])
    panels[0].axvline(0, color="black", lw=0.8)
    panels[0].set(xlabel="held-out nats behind the best", yticks=y, yticklabels=table["name"])
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
        panels[1].set_xlabel("information about the bin (bits)")
        panels[1].legend(frameon=False)
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(y=0.2)
    return figure


def design(table: pd.DataFrame) -> matplotlib.figure.Figure:
    """Expected interval widths against reads, one panel per term, one line per other setting."""
    settings = ["reads", "bins", "mutation_rate", "sequences", "noise", "bits"]
    terms = [name for name in table if name not in settings]
    columns = min(3, len(terms))
    rows = -(-len(terms) // columns)
    figure = matplotlib.figure.Figure(figsize=(3.6 * columns, 2.9 * rows), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    for axes, term in zip(panels, terms, strict=False):
        groups = table.groupby(["bins", "mutation_rate"])
        for ((bins, rate), group), colour in zip(groups, COLOURS * 9, strict=False):
            ordered = group.sort_values("reads")
            label = f"{bins:g} bins, {rate:.0%} mutated"
            axes.plot(ordered["reads"], ordered[term], "o-", ms=4, color=colour, label=label)
        axes.set(title=term, xscale="log", yscale="log", xlabel="reads")
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(terms) :]:
        axes.set_visible(False)
    panels[0].set_ylabel("95 % interval width")
    panels[0].legend(frameon=False, fontsize=7)
    return figure
