"""Tables and figure of the yeast benchmark, from its result file.

python -m benchmarks.yeast --stage collect -o runs/yeast
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np

from akita_bayes import files, regions, triangle
from akita_bayes.evaluate import strata
from akita_bayes.plots import map_plots
from benchmarks import yeast_data

_MODEL, _CEILING, _BASELINE = "#0072B2", "#777777", "#D55E00"
QUANTILES = (0.9, 0.5, 0.1)
"""Windows to draw, by their own correlation: a good one, the median, a poor one."""


PAGE = Path(__file__).resolve().parents[1] / "docs" / "real.md"
TRIALS = Path(__file__).with_name("results") / "yeast_trials.json"
START, END = "<!-- table: {} -->", "<!-- end of table -->"


def write_tables(tables_by_name: Mapping[str, str], page: Path = PAGE) -> None:
    """Writes tables into docs/real.md, between their marks."""
    text = page.read_text(encoding="utf-8")
    for name, table in tables_by_name.items():
        before, mark, rest = text.partition(START.format(name))
        text = f"{before}{mark}\n{table}\n{END}{rest.partition(END)[2]}"
    page.write_text(text, encoding="utf-8")


def tables(result: Mapping[str, Any]) -> dict[str, str]:
    """Returns each Markdown table of the page by its name."""
    return {
        "accuracy": _accuracy(result),
        "distance": _distance(result),
        "choices": _choices(result["genome"]["choices"]),
        "calibration": _calibration(result),
        "trials": _trials(files.read_json(TRIALS)["trials"]),
    }


def _accuracy(result: Mapping[str, Any]) -> str:
    rows = []
    for row in (*result["rows"], *result["ensembles"]):
        limits = result["ceilings"][str(row["fold"])]
        name = f"{row['spec']}, fold {row['fold']}, {_seeds(row)}"
        rows.append(
            [
                name,
                "{:.3f} ({:.2f} to {:.2f})".format(row["pearsonr"], *row["pearsonr_95%"]),
                f"{row['spearmanr']:.3f}",
                f"{row['mse']:.4f}",
                f"{100 * row['share_of_ceiling']:.0f} %",
                f"{row['plain']['pearsonr']:.3f}",
                f"{row['insulation']:.3f}",
                f"{stratum_adjusted(row['by_distance']):.3f}",
            ]
        )
        baseline = row["distance_only"]
        rows.append(
            [
                f"distance alone, fold {row['fold']}",
                *(f"{baseline[score]:.3f}" for score in ("pearsonr", "spearmanr")),
                f"{baseline['mse']:.4f}",
                f"{100 * baseline['pearsonr'] / limits['test']['ceiling']:.0f} %",
                *("", "", ""),
            ]
        )
        for name, key in (("GC content", "gc"), ("4-mer ridge", "ridge")):
            share = limits[key]["map_r"] / limits["test"]["ceiling"]
            rows.append(
                [
                    f"{name}, fold {row['fold']}",
                    f"{limits[key]['map_r']:.3f}",
                    *("", "", f"{100 * share:.0f} %", ""),
                    f"{limits[key]['insulation_r']:.3f}",
                    "",
                ]
            )
        test = limits["test"]
        rows.append(
            [
                f"ceiling, fold {row['fold']}",
                f"{test['ceiling']:.3f}",
                *("", "", "100 %", ""),
                f"{test['insulation_ceiling']:.3f}",
                f"{stratum_adjusted(test['ceiling_by_distance']):.3f}",
            ]
        )
    headings = (
        *("", "Pearson", "Spearman", "MSE", "of the ceiling", "Pearson, plain", "insulation"),
        "stratum-adjusted",
    )
    return markdown(headings, _distinct(rows))


def stratum_adjusted(by_distance: Sequence[float]) -> float:
    """Returns the mean of correlations within groups of distance, weighted by their pixels.

    HiCRep weights by pixels and by the spread of ranks, which is the same in every group (Yang et
    al. 2017, Genome Research 27:1939).
    """
    transform = yeast_data.TRANSFORM
    groups = strata.log_spaced(transform.map_bins, transform.diagonal_offset)
    return float(np.average(by_distance, weights=np.bincount(groups.index)))


def _distinct(rows: Sequence[list[str]]) -> list[list[str]]:
    """Returns rows without repetitions, in their order."""
    return [list(row) for row in dict.fromkeys(map(tuple, rows))]


def _distance(result: Mapping[str, Any]) -> str:
    rows = []
    for row in (*result["rows"], *result["ensembles"]):
        name = f"{row['spec']}, fold {row['fold']}, {_seeds(row)}"
        rows.append([name, *(f"{r:.2f}" for r in row["by_distance"])])
        ceiling = result["ceilings"][str(row["fold"])]["test"]["ceiling_by_distance"]
        rows.append([f"ceiling, fold {row['fold']}", *(f"{r:.2f}" for r in ceiling)])
    labels = next(iter(result["ceilings"].values()))["test"]["strata"]
    return markdown(("Pearson", *labels), _distinct(rows))


def _choices(rows: Sequence[Mapping[str, float]]) -> str:
    kernels = sorted({row["kernel_bins"] for row in rows})
    lines = []
    for length in sorted({row["window_bp"] for row in rows}):
        cells = {row["kernel_bins"]: row for row in rows if row["window_bp"] == length}
        values = (cells[kernel] for kernel in kernels)
        lines.append(
            [
                f"{length / 1000:.0f} kb",
                *(f"{cell['reliability']:.2f} ({cell['ceiling']:.2f})" for cell in values),
            ]
        )
    return markdown(("window", *(f"kernel {2 * kernel:g} kb" for kernel in kernels)), lines)


def _calibration(result: Mapping[str, Any]) -> str:
    names = ("coverage_50%", "coverage_90%", "crps", "nll")
    rows = []
    for row in (*result["rows"], *result["ensembles"]):
        for state, scores in row["calibration"].items():
            name = f"{row['spec']}, fold {row['fold']}, {_seeds(row)}, {state}"
            rows.append([name, *(f"{scores[key]:.3f}" for key in names)])
    return markdown(("", "50 % covers", "90 % covers", "CRPS", "NLL"), rows)


def _trials(trials: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            f"`{trial['name']}`",
            trial["change"],
            " ".join(f"{r:.2f}" for r in trial["valid_r"]),
            trial["ended"],
        ]
        for trial in trials
    ]
    return markdown(("trial", "network", "validation r by epoch", "end"), rows)


def _seeds(row: Mapping[str, Any]) -> str:
    seeds = ", ".join(map(str, row["seeds"]))
    return f"seed {seeds}" if len(row["seeds"]) == 1 else f"ensemble of seeds {seeds}"


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    rule = "|" + "---|" * len(headings)
    body = (f"| {' | '.join(cells)} |" for cells in rows)
    return "\n".join([f"| {' | '.join(headings)} |", rule, *body])


def figure(row: dict[str, Any], ceilings: dict[str, Any], run: Path, data: Path) -> Any:
    """Draws measured and predicted maps of three test windows, and the accuracy beside its limits.

    Args:
        row: Test of the run, from `yeast.judge`.
        ceilings: Ceiling and baselines of the fold.
        run: The run directory.
        data: The data directory of the fold.
    """
    result = matplotlib.figure.Figure(figsize=(13, 5.2), layout="constrained")
    panels: Any = result.subfigures(1, 2, width_ratios=(1.5, 1))
    left, right = panels
    _maps(left, row, run, data)
    top, bottom = right.subplots(2, 1)
    _by_distance(top, row, ceilings["test"])
    _bars(bottom, row, ceilings)
    return result


def _maps(panel: Any, row: dict[str, Any], run: Path, data: Path) -> None:
    from akita_bayes.data.records import dataset
    from akita_bayes.models import load, predict

    names = sorted(row["by_window"], key=row["by_window"].get)
    shown = [names[round(q * (len(names) - 1))] for q in QUANTILES]
    model = load.load_model(run)
    head = model.spec.head_names[0]
    crop = model.spec.geometry(head).crop_bp
    grid = panel.subplots(2, len(shown))
    windows = {}
    for batch in dataset.open_split(data, "test", batch_size=1).batches():
        windows[batch["region"].numpy()[0].decode()] = batch
    limit = 0.6
    for column, name in enumerate(shown):
        batch = windows[name]
        measured = batch["target"].numpy()[0].astype(np.float32)
        measured[~batch["mask"].numpy()[0]] = np.nan
        predicted = predict.predict(
            model, batch["sequence"].numpy(), rc=True, shifts=yeast_data.SHIFTS, head=head
        )[0]
        window = regions.parse(name)
        inner = regions.Region(window.chrom, window.start + crop, window.end - crop)
        for axes, (title, vector) in zip(
            grid[:, column], (("measured", measured), ("predicted", predicted)), strict=True
        ):
            matrix = triangle.to_matrix(vector, diagonal_offset=2)[..., 0]
            image = map_plots.square(axes, matrix, inner, limits=(-limit, limit))
            axes.tick_params(labelsize=6)
            if title == "measured":
                axes.set_title(f"{inner}\nr = {row['by_window'][name]:.2f}", fontsize=8)
            axes.set_ylabel(title if column == 0 else "", fontsize=9)
    bar = panel.colorbar(image, ax=grid, shrink=0.5, aspect=30)
    bar.set_label(map_plots.LOG_RATIO, fontsize=8)
    bar.ax.tick_params(labelsize=7)


def _by_distance(axes: Any, row: dict[str, Any], ceiling: dict[str, Any]) -> None:
    positions = range(len(row["strata"]))
    axes.plot(positions, ceiling["ceiling_by_distance"], "--", color=_CEILING, label="ceiling")
    axes.plot(positions, row["by_distance"], "o-", color=_MODEL, label="model")
    axes.set_xticks(positions, row["strata"], rotation=35, ha="right", fontsize=7)
    axes.set_ylim(0, 1)
    axes.set_ylabel("Pearson r, test chromosomes", fontsize=8)
    axes.legend(fontsize=8, frameon=False)
    axes.grid(lw=0.3)


def _bars(axes: Any, row: dict[str, Any], ceilings: dict[str, Any]) -> None:
    bars = (
        ("map: distance alone", row["distance_only"]["pearsonr"], _BASELINE),
        ("map: GC content", ceilings["gc"]["map_r"], _BASELINE),
        ("map: 4-mer ridge", ceilings["ridge"]["map_r"], _BASELINE),
        ("map: model", row["pearsonr"], _MODEL),
        ("map: ceiling", ceilings["test"]["ceiling"], _CEILING),
        ("insulation: 4-mer ridge", ceilings["ridge"]["insulation_r"], _BASELINE),
        ("insulation: model", row["insulation"], _MODEL),
        ("insulation: ceiling", ceilings["test"]["insulation_ceiling"], _CEILING),
    )
    labels, values, colours = zip(*bars, strict=True)
    positions = [0, 1, 2, 3, 4, 5.6, 6.6, 7.6]
    axes.barh(positions, values, color=colours, height=0.8)
    for height, value in zip(positions, values, strict=True):
        axes.text(value + 0.01, height, f"{value:.2f}", va="center", fontsize=8)
    axes.set_yticks(positions, labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.1)
    axes.set_xlabel("Pearson r, test chromosomes", fontsize=8)
