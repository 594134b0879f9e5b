"""Plots mechanisms: energy logos, matrices, occupancies, p(bin | t), chains, designs."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib.axes
import matplotlib.axis
import matplotlib.figure
import matplotlib.ticker
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import dna
from akita_bayes.plots import figure_files, lettering

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")


def write(figures: Mapping[str, matplotlib.figure.Figure], out_dir: str | Path) -> None:
    """Writes figures by the name of their file without ending, as `figure_files.write` does."""
    figure_files.write(figures, out_dir, dpi=150)


def logo(
    axes: matplotlib.axes.Axes,
    matrix: NDArray[np.float64],
    *,
    first: int = 0,
    title: str = "",
    label: str = "energy (kT)",
) -> None:
    """Draws an energy matrix [W, 4] as a logo; energy points down, so that binding stands up."""
    lettering.draw(axes, matrix.mean(1, keepdims=True) - matrix, first=first, upside_down=False)
    axes.yaxis.set_major_formatter(lambda value, _: f"{0 - value:g}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set(title=title, ylabel=label, xlabel="base of the promoter, from 0")


def logos(
    matrices: Mapping[str, NDArray[np.float64]],
    starts: Mapping[str, int],
    *,
    label: str = "energy (kT)",
) -> matplotlib.figure.Figure:
    """Plots one energy logo for each site."""
    figure = matplotlib.figure.Figure(figsize=(10, 2.4 * len(matrices)), layout="constrained")
    for axes, (name, matrix) in zip(
        figure.subplots(len(matrices), squeeze=False)[:, 0], matrices.items(), strict=True
    ):
        logo(axes, matrix, first=starts[name], title=name, label=label)
    return figure


def against_reference(
    matrices: Mapping[str, NDArray[np.float64]],
    references: Mapping[str, NDArray[np.float64]],
    starts: Mapping[str, int],
    *,
    kcal_per_kt: float | None = None,
) -> matplotlib.figure.Figure:
    """Plots matrices above their references as heat maps, and their entries as points.

    Both matrices are centred. Each has its own colour scale, because the reference may have a
    different unit. The least-squares slope is written beside the points.

    Args:
        matrices: Matrix of each site in kT. [W, 4]
        references: Reference of each site. [W, 4]
        starts: First base of each site.
        kcal_per_kt: One kT in kcal/mol when the unit of the references is not known. The dashed
            line then shows equality in kT and the dotted line equality in kcal/mol. None when
            references are in kT.
    """
    names = [name for name in matrices if name in references]
    figure = matplotlib.figure.Figure(figsize=(11, 3.1 * len(names)), layout="constrained")
    grid = figure.add_gridspec(len(names), 2, width_ratios=(3.2, 1))
    for row, name in enumerate(names):
        pair = [m - m.mean(1, keepdims=True) for m in (matrices[name], references[name])]
        maps = grid[row, 0].subgridspec(2, 1)
        for below, (matrix, label) in enumerate(zip(pair, ("fitted", "reference"), strict=True)):
            axes = figure.add_subplot(maps[below])
            limit, first = np.abs(matrix).max(), starts[name]
            image = axes.imshow(
                matrix.T,
                cmap="RdBu",
                vmin=-limit,
                vmax=limit,
                aspect="auto",
                extent=(first - 0.5, first + len(matrix) - 0.5, 3.5, -0.5),
            )
            axes.set(ylabel=label, yticks=range(4), yticklabels=list(dna.ALPHABET))
            bar = figure.colorbar(image, ax=axes, pad=0.01)
            if below:
                axes.set_xlabel("base of the promoter, from 0")
            else:
                axes.set_title(name)
                axes.tick_params(labelbottom=False)
                bar.set_label("kT")
        axes = figure.add_subplot(grid[row, 1])
        axes.axline((0, 0), slope=1, color="grey", lw=0.8, ls="--", label="equal in kT")
        if kcal_per_kt is not None:
            label, scale = "equal in kcal/mol", 1 / kcal_per_kt
            axes.axline((0, 0), slope=scale, color="black", lw=0.8, ls=":", label=label)
        for base, (letter, colour) in enumerate(lettering.BASES.items()):
            axes.plot(pair[1][:, base], pair[0][:, base], ".", color=colour, label=letter)
        correlation = np.corrcoef(pair[0].ravel(), pair[1].ravel())[0, 1]
        slope = (pair[0] * pair[1]).sum() / (pair[1] ** 2).sum()
        axes.text(0.97, 0.03, f"slope {slope:.2f}", transform=axes.transAxes, ha="right")
        axes.set(xlabel="reference", ylabel="fitted (kT)", title=f"r = {correlation:.4f}")
        axes.legend(frameon=False, fontsize=8, handletextpad=0.1, borderpad=0.1)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def occupancies(
    axes: matplotlib.axes.Axes,
    energy: NDArray[np.float64],
    probability: NDArray[np.float64],
    activity: NDArray[np.float64],
    *,
    states: Sequence[str],
    label: str,
    wild_type: float | None = None,
    legend: bool = True,
) -> None:
    """Draws occupancies [G, K] of states and the activity [G] against one energy or log rate."""
    for name, column, colour in zip(states, probability.T, COLOURS * 3, strict=False):
        axes.plot(energy, column, color=colour, lw=1.5, label=name.replace("_", " "))
    axes.plot(energy, activity, color="black", lw=2.5, ls="--", label="activity t")
    if wild_type is not None:
        axes.axvline(wild_type, color="grey", lw=1, ls=":", label="wild type")
    axes.set(xlabel=label, ylabel="probability, activity", ylim=(-0.02, None))
    if legend:
        axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1, 1))
    axes.spines[["top", "right"]].set_visible(False)


def bins_given_activity(
    axes: matplotlib.axes.Axes,
    activity: NDArray[np.float64],
    probability: NDArray[np.float64],
    *,
    bins: Sequence[str],
    label: str = "activity t",
) -> None:
    """Draws p(bin | t), [M, G] on ascending activities [G], as a heat map."""
    rows = np.arange(len(probability))
    mesh = axes.pcolormesh(activity, rows, probability, cmap="viridis", shading="nearest", vmin=0)
    axes.set(xscale="log", xlabel=label, ylabel="bin", yticks=rows, yticklabels=list(bins))
    _few_ticks(axes.xaxis, _decades(float(activity[0]), float(activity[-1])))
    axes.figure.colorbar(mesh, ax=axes, pad=0.01, label="p(bin | t)")


def chains(
    draws: Mapping[str, Sequence[NDArray[np.float64]]],
    *,
    weights: Sequence[float] | None = None,
    units: Mapping[str, str] | None = None,
    truth: Mapping[str, float] | None = None,
) -> matplotlib.figure.Figure:
    """Plots the trace and the marginal of every chain, for each quantity.

    Args:
        draws: Draws of C chains by name; chains may differ in length. [S] each.
        weights: Factors on the marginals, for example the share of a chain's mode. [C]
        units: Unit of each quantity; kT where it is missing.
        truth: True values by name, where they are known.
    """
    figure = matplotlib.figure.Figure(figsize=(9, 1.9 * len(draws)), layout="constrained")
    panels = figure.subplots(len(draws), 2, squeeze=False, width_ratios=(3, 1), sharey="row")
    for (trace, marginal), (name, values) in zip(panels, draws.items(), strict=True):
        low, high = min(map(np.min, values)), max(map(np.max, values))
        length = max(map(len, values))
        edges = np.linspace(low, high, 1 + min(40, max(8, length // 10)))
        weighed = zip(values, weights or [1.0] * len(values), COLOURS * 9, strict=False)
        for chain, weight, colour in weighed:
            trace.plot(chain, color=colour, lw=0.5)
            marginal.stairs(
                weight * np.histogram(chain, edges, density=True)[0],
                edges,
                orientation="horizontal",
                color=colour,
            )
        if truth and name in truth:
            trace.axhline(truth[name], color="black", ls="--", lw=1)
            marginal.axhline(truth[name], color="black", ls="--", lw=1, label="truth")
        unit = (units or {}).get(name, "kT")
        trace.set(ylabel=f"{name}\n({unit})", xlim=(0, length))
        marginal.set_xticks([])
        for axes in (trace, marginal):
            axes.spines[["top", "right"]].set_visible(False)
    panels[-1, 0].set_xlabel("draw")
    panels[-1, 1].set_xlabel("density")
    truths = [axes.get_legend_handles_labels()[0] for axes in panels[:, 1]]
    if any(truths):
        figure.legend(
            handles=next(filter(None, truths)), frameon=False, fontsize=8, loc="outside upper right"
        )
    return figure


def intervals(
    tables: Mapping[str, pd.DataFrame],
    names: Sequence[str],
    *,
    truth: Mapping[str, float] | None = None,
    unit: str = "kT",
) -> matplotlib.figure.Figure:
    """Plots means and 95 % intervals of the same quantities by several methods.

    Args:
        tables: Table by label of the method; columns name, mean, lower, upper.
        names: Quantities, top to bottom.
        truth: True values by name, where they are known.
        unit: Unit of all quantities.
    """
    figure = matplotlib.figure.Figure(
        figsize=(7, 1.2 + 0.25 * len(names) * len(tables)), layout="constrained"
    )
    axes = figure.subplots()
    interval_rows(axes, tables, names, truth=truth, unit=unit)
    if len(tables) > 1 or truth:
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def interval_rows(
    axes: matplotlib.axes.Axes,
    tables: Mapping[str, pd.DataFrame],
    names: Sequence[str],
    *,
    truth: Mapping[str, float] | None = None,
    unit: str = "kT",
) -> None:
    """Draws the rows of `intervals` into axes, without a legend."""
    step = 0.7 / len(tables)
    for i, (label, table) in enumerate(tables.items()):
        rows = table.set_index("name").loc[list(names)]
        y = np.arange(len(names)) + (i - (len(tables) - 1) / 2) * step
        reach = np.abs(rows[["lower", "upper"]].to_numpy().T - rows["mean"].to_numpy())
        axes.errorbar(
            rows["mean"],
            y,
            xerr=reach,
            fmt="o",
            ms=4,
            capsize=2,
            color=COLOURS[i],
            label=label,
        )
    true_values = [(truth[name], row) for row, name in enumerate(names) if truth and name in truth]
    if true_values:
        values, at = zip(*true_values, strict=True)
        axes.plot(values, at, "D", ms=7, mfc="none", mec="black", label="truth")
    axes.axvline(0, color="grey", lw=0.8)
    axes.set(yticks=range(len(names)), yticklabels=list(names))
    axes.set(xlabel=f"mean and 95 % interval ({unit})", ylim=(len(names) - 0.5, -0.5))
    axes.spines[["top", "right"]].set_visible(False)


def design(table: pd.DataFrame, *, unit: str = "kT") -> matplotlib.figure.Figure:
    """Plots expected interval widths against reads, a panel for each term, a line for each design.

    Every panel spans a factor of 10 or more, so that a width looks constant when more reads do not
    change it.
    """
    settings = ["reads", "bins", "mutation_rate", "sequences", "noise", "bits"]
    terms = [name for name in table if name not in settings]
    columns = min(3, len(terms))
    rows = -(-len(terms) // columns)
    figure = matplotlib.figure.Figure(figsize=(3.2 * columns + 1.8, 2.9 * rows))
    figure.set_layout_engine("constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, term in zip(panels, terms, strict=False):
        groups = table.groupby(["bins", "mutation_rate"])
        for ((bins, rate), group), colour in zip(groups, COLOURS * 9, strict=False):
            ordered = group.sort_values("reads")
            label = f"{bins:g} bins, {rate:.0%} mutated"
            axes.plot(ordered["reads"], ordered[term], "o-", ms=4, color=colour, label=label)
        axes.set(title=term.replace(".matrix", ", entries of the matrix"), xlabel="reads")
        axes.set(xscale="log", yscale="log", ylabel=f"95 % interval width ({unit})")
        _few_ticks(axes.xaxis, sorted(table["reads"].unique()))
        axes.set_ylim(*_at_least_a_decade(*axes.get_ylim()))
        _few_ticks(axes.yaxis, _round_numbers(*axes.get_ylim()))
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels[len(terms) :]:
        axes.set_visible(False)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, fontsize=8, loc="outside right upper")
    return figure


def _at_least_a_decade(low: float, high: float) -> tuple[float, float]:
    """Widens the bounds of a logarithmic axis about their middle to a factor of 10 or more."""
    middle, half = np.sqrt(low * high), max(np.sqrt(high / low), np.sqrt(10.0))
    return float(middle / half), float(middle * half)


def _few_ticks(axis: matplotlib.axis.Axis, values: Sequence[float]) -> None:
    """Sets ticks at the values, with plain numbers as labels and no minor ticks."""
    axis.set_major_locator(matplotlib.ticker.FixedLocator(values))
    axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axis.set_minor_locator(matplotlib.ticker.NullLocator())


def _round_numbers(low: float, high: float) -> list[float]:
    """Returns 1, 2, 3 and 5 times powers of ten within bounds, or the bounds if there are none."""
    decades = np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    numbers = [m * 10.0**d for d in decades for m in (1, 2, 3, 5) if low <= m * 10.0**d <= high]
    return numbers or [low, high]


def _decades(low: float, high: float) -> list[float]:
    """Returns powers of ten within bounds; round numbers where there are fewer than two of them.

    It returns at most four numbers, so that their labels do not overlap in a narrow panel.
    """
    exponents = np.arange(np.ceil(np.log10(low)), np.floor(np.log10(high)) + 1)
    if len(exponents) >= 2:
        # The step is len / 4, rounded up: 9 powers have step 3 and give 3 ticks.
        return [float(10.0**exponent) for exponent in exponents[:: -(-len(exponents) // 4)]]
    numbers = _round_numbers(low, high)
    return numbers[:: -(-len(numbers) // 4)]
