"""The table and the figure of `benchmarks.accuracy`, from its result file.

python -m benchmarks.accuracy_report
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.axes
import matplotlib.figure
import numpy as np
import pandas as pd

from akita_bayes import files

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "benchmarks" / "results" / "accuracy.json"
PAGE = ROOT / "docs" / "uncertainty_tests.md"
FIGURE = ROOT / "docs" / "images" / "posteriors.png"
START, END = "<!-- table: benchmarks.accuracy -->", "<!-- end of table -->"

COLUMNS = {
    "pearson": ("r, data", 3),
    "pearson_truth": ("r, truth", 3),
    "spearman": ("rho, data", 3),
    "spearman_truth": ("rho, truth", 3),
    "mse": ("MSE", 4),
    "crps": ("CRPS", 4),
    "crps_constant_sd": ("CRPS, constant sd", 4),
    "coverage_90": ("90 % covers", 3),
    "coverage_90_lowest": ("lowest stratum", 3),
    "coverage_90_highest": ("highest", 3),
    "truth_90_stated": ("truth in 90 %, as stated", 2),
    "truth_90": ("truth in 90 %, recalibrated", 2),
    "epistemic_shuffled": ("sd shuffled / test", 2),
    "epistemic_gc": ("sd GC-shifted / test", 2),
    "kl": ("KL, nats", 0),
    "bound": ("bound, nats", 0),
    "active_units": ("active units", 1),
    "active_with_gradient": ("of them with a gradient of the KL", 2),
    "epochs": ("epochs", 0),
    "seconds": ("processor seconds", 0),
}
"""Field of a row -> its heading and decimals."""

INTERVALS = tuple(COLUMNS)[7:-2]
"""Fields of the second table, so that both fit into a page: all between accuracy and cost."""
BETWEEN = "The intervals of the same models, and their uncertainty on strange sequences:"

LEARNED = 0.5
"""Pearson's r with the truth below which a row is off the figure's scale."""


def main() -> None:
    """Writes the table into the page and draws the figure."""
    write(files.read_json(RESULT))


def write(result: Mapping[str, Any]) -> None:
    """Writes the table into docs/uncertainty_tests.md and draws docs/images/posteriors.png."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(START)
    after = rest.partition(END)[2]
    text = f"{before}{START}\n{table(result['rows'])}\n{END}{after}"
    PAGE.write_text(text, encoding="utf-8")
    figure(result).savefig(FIGURE, dpi=110)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns mean and standard deviation over seeds, a Markdown row per model, in two tables."""
    accuracy = [field for field in COLUMNS if field not in INTERVALS]
    return "\n\n".join([_table(rows, accuracy), BETWEEN, _table(rows, INTERVALS)])


def _table(rows: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> str:
    columns = {field: COLUMNS[field] for field in fields}
    lines = [
        "| model | " + " | ".join(heading for heading, _ in columns.values()) + " |",
        "|---|" + "---|" * len(columns),
    ]
    for name, group in pd.DataFrame(list(rows)).groupby("model", sort=False):
        cells = [_cell(group[field], decimals) for field, (_, decimals) in columns.items()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def figure(result: Mapping[str, Any]) -> matplotlib.figure.Figure:
    """Draws accuracy, width of intervals, coverage and strange sequences: a point per seed.

    Dashed: the correlation of the truth itself with the data, 90 %, and 1.
    """
    frame = pd.DataFrame(list(result["rows"]))
    names = list(dict.fromkeys(frame["model"]))
    drawing = matplotlib.figure.Figure(
        figsize=(13.5, 0.42 * len(names) + 1.4), layout="constrained"
    )
    panels = drawing.subplots(1, 5, sharey=True)
    for axes, fields, title in zip(
        panels,
        (
            {"pearson": "data", "pearson_truth": "noise-free truth"},
            {"crps": "own sd", "crps_constant_sd": "constant sd"},
            {"coverage_90": "all pixels; line: strata of distance"},
            {"truth_90_stated": "as stated", "truth_90": "recalibrated"},
            {"epistemic_shuffled": "shuffled", "epistemic_gc": "GC-shifted"},
        ),
        (
            "Pearson r with",
            "CRPS (low is good)",
            "90 % interval covers data",
            "90 % epistemic, the truth",
            "epistemic sd, strange / test",
        ),
        strict=True,
    ):
        _points(axes, frame, names, fields)
        axes.set_title(title, fontsize=10)
    ceiling = np.mean(result["ceiling"]["test"]["target_truth_pearson"])
    panels[0].axvline(ceiling, color="#777777", lw=0.8, ls="--")
    _coverage(panels[2], frame, names)
    panels[3].axvline(0.9, color="#777777", lw=0.8, ls="--")
    panels[4].axvline(1, color="#777777", lw=0.8, ls="--")
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    return drawing


def _points(
    axes: matplotlib.axes.Axes, frame: pd.DataFrame, names: list[str], fields: Mapping[str, str]
) -> None:
    """A point per row; collapsed rows, which would squeeze all others, are told in words."""
    learned = frame[frame["pearson_truth"] > LEARNED]
    heights = [names.index(name) for name in learned["model"]]
    for colour, (field, label) in zip(("#0072B2", "#D55E00"), fields.items(), strict=False):
        values = learned[field].astype(float)
        axes.plot(values, heights, "o", ms=5, alpha=0.7, mew=0, color=colour, label=label)
    for name in set(names) - set(learned["model"]):
        means = frame.loc[frame["model"] == name, list(fields)].astype(float).mean()
        text = " and ".join(f"{mean:.2f}" for mean in means if np.isfinite(mean))
        transform = axes.get_yaxis_transform()
        axes.text(0.5, names.index(name), text, transform=transform, ha="center", va="center")
    axes.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.06), ncols=2)
    axes.grid(axis="x", lw=0.3)
    axes.tick_params(labelsize=9)


def _coverage(axes: matplotlib.axes.Axes, frame: pd.DataFrame, names: list[str]) -> None:
    for name, group in frame[frame["pearson_truth"] > LEARNED].groupby("model"):
        height = names.index(str(name))
        low, high = group["coverage_90_lowest"].min(), group["coverage_90_highest"].max()
        axes.plot([low, high], [height, height], color="#0072B2", lw=1, alpha=0.6)
    axes.axvline(0.9, color="#777777", lw=0.8, ls="--")


def _cell(column: pd.Series, decimals: int) -> str:
    values = column.dropna().astype(float).to_numpy()
    if not values.size:
        return "-"
    spread = f" ± {np.std(values, ddof=1):.{decimals}f}" if values.size > 1 else ""
    return f"{values.mean():.{decimals}f}{spread}"


if __name__ == "__main__":
    main()
