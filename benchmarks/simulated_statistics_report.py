"""Table and figure of `benchmarks.simulated_statistics`, for docs/simulator.md."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np

from akita_bayes import triangle
from benchmarks import run

PAGE = run.ROOT / "docs" / "simulator.md"
FIGURE = run.ROOT / "docs" / "images" / "simulated_statistics.png"
START, END = "<!-- table: {} -->", "<!-- end of table -->"
COLOURS = {
    "human chr11": "#000000",
    "yeast": "#999999",
    "small": "#D55E00",
    "realistic": "#0072B2",
}
_OFFSET = 2


def write(result: Mapping[str, Any], human: Path) -> None:
    """Writes the tables into the page and draws the figure.

    Args:
        result: Content of the result file.
        human: The human target, of which the figure shows a part.
    """
    write_tables(tables(result))
    figure(result, human).savefig(FIGURE, dpi=80)


def write_tables(tables_by_name: Mapping[str, str]) -> None:
    """Writes tables into docs/simulator.md, between their marks."""
    text = PAGE.read_text(encoding="utf-8")
    for name, table in tables_by_name.items():
        before, mark, rest = text.partition(START.format(name))
        if not mark:
            raise SystemExit(f"{PAGE}: has no mark {START.format(name)}; add it.")
        text = f"{before}{mark}\n{table}\n{END}{rest.partition(END)[2]}"
    PAGE.write_text(text, encoding="utf-8")


def tables(result: Mapping[str, Any]) -> dict[str, str]:
    """Returns each Markdown table of the page by its name."""
    return {
        "statistics": _statistics(result["maps"]),
        "replicates": _replicates(result["replicates"]),
    }


def _statistics(maps: Mapping[str, Any]) -> str:
    """Returns a row for each statistic, by the keys that lead to it, and a column for each map."""
    rows: dict[str, tuple[str, ...]] = {
        "sd": ("sd",),
        "skewness": ("skewness",),
        "excess kurtosis": ("excess_kurtosis",),
        "insulation, sd": ("insulation_sd",),
    }
    for direction, label in (
        ("row", "next column"),
        ("along", "along the diagonal"),
        ("across", "away from the diagonal"),
    ):
        for lag in ("1", "2", "4"):
            rows[f"r of pixels, {label}, lag {lag}"] = ("correlation", direction, lag)
    for distance in ("2-3", "4-7", "8-15", "16-31"):
        rows[f"sd at {distance} bins"] = ("sd_by_distance", distance)
    rows |= {"share of masked pixels": ("masked",), "share without a read": ("zero_counts",)}
    rows |= {"r of replicates": ("replicate_r",), "r with the truth": ("truth_r",)}
    lines = [f"| | {' | '.join(maps)} |", "|---|" + "---|" * len(maps)]
    for label, keys in rows.items():
        cells = [_range([_value(target, keys) for target in m["targets"]]) for m in maps.values()]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _value(target: Mapping[str, Any], keys: tuple[str, ...]) -> float | None:
    """Returns the number at these keys, or None where the map does not have it."""
    value: Any = target
    for key in keys:
        value = value.get(key, {})
    return value if isinstance(value, float) else None


def _range(values: list[float | None]) -> str:
    """Returns the mean over targets, and least and largest value where they differ."""
    numbers = [value for value in values if value is not None]
    if not numbers:
        return ""
    least, most = f"{min(numbers):.2f}", f"{max(numbers):.2f}"
    mean = f"{np.mean(numbers):.3f}"
    return mean if least == most else f"{mean} ({least} to {most})"


def _replicates(rows: list[Mapping[str, Any]]) -> str:
    lines = [
        "| solved for | r wanted | r of replicates | r with the truth | depth | bias |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['solve_for']} | {row['wanted']:g} | {row['replicate_r']:.3f} | "
            f"{row['truth_r']:.3f} | {row['depth']:,.0f} | {row['replicate_bias']:.3f} |"
        )
    return "\n".join(lines)


def figure(result: Mapping[str, Any], human: Path) -> matplotlib.figure.Figure:
    """Draws maps above correlations of neighbouring pixels, spread by distance, and replicates."""
    canvas = matplotlib.figure.Figure(figsize=(11, 7), layout="constrained")
    axes = canvas.subplots(2, 3)
    first = np.load(human)[0, :, 0].astype(np.float64)
    # A part of the human window with as many bins as a simulated map.
    square = triangle.to_matrix(first[:, None], diagonal_offset=_OFFSET)[200:256, 200:256, 0]
    shown = {"human chr11, 56 bins of 2 kb": square}
    for name, entry in result["maps"].items():
        if "example" in entry:
            vector = np.array(entry["example"])[:, None]
            square = triangle.to_matrix(vector, diagonal_offset=_OFFSET)[..., 0]
            shown[f"{name}, 56 bins of 512 bp"] = square
    for ax, (title, square) in zip(axes[0], shown.items(), strict=False):
        limit = 2.5 * np.nanstd(square)
        image = ax.imshow(square, cmap="RdBu_r", vmin=-limit, vmax=limit)
        canvas.colorbar(image, ax=ax, shrink=0.8)
        ax.set(title=title, xticks=[], yticks=[])
    for name, entry in result["maps"].items():
        style = {"color": COLOURS.get(name), "marker": "o", "label": name}
        for ax, key in ((axes[1, 0], "correlation"), (axes[1, 1], "sd_by_distance")):
            of_targets = [target[key] for target in entry["targets"]]
            if key == "correlation":
                of_targets = [target["row"] for target in of_targets]
            x = [int(label.split("-")[0]) for label in of_targets[0]]
            ax.plot(x, np.mean([list(values.values()) for values in of_targets], axis=0), **style)
    axes[1, 0].set(xlabel="lag, bins", ylabel="r of pixels in a row", xscale="log", ylim=(0, 1))
    axes[1, 1].set(xlabel="distance, bins", ylabel="sd", xscale="log")
    axes[1, 1].legend(frameon=False)
    for solve_for, marker in (("bias", "o"), ("depth", "s")):
        rows = [row for row in result["replicates"] if row["solve_for"] == solve_for]
        x, y = ([row[key] for row in rows] for key in ("wanted", "replicate_r"))
        axes[1, 2].plot(x, y, marker, fillstyle="none", label=f"solved for the {solve_for}")
    axes[1, 2].plot([0.5, 1], [0.5, 1], color="#BBBBBB", zorder=0)
    axes[1, 2].set(xlabel="r of replicates, wanted", ylabel="r of replicates, simulated")
    axes[1, 2].legend(frameon=False)
    return canvas
