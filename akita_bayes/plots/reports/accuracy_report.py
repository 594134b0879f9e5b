"""Writes the accuracy of a model as `akita_test.py` does: tables and figures."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.figure
import pandas as pd

from akita_bayes import triangle
from akita_bayes.evaluate import accuracy_files
from akita_bayes.evaluate.accuracy import Report
from akita_bayes.plots import accuracy_plots, figure_files, map_plots

SCATTERED = 16
"""Most targets in `scatter.png`, unless they are named."""

_MAP_TARGETS = 2
"""Most targets of each window in `maps.png`."""


def write(
    report: Report,
    names: pd.DataFrame,
    out_dir: str | Path,
    *,
    scattered: Sequence[int] | None = None,
) -> None:
    """Writes `acc.txt`, `metrics.json` and the figures of a report.

    Args:
        report: Accuracy on a split, from `evaluate.accuracy.assess`.
        names: Identifier and description of its targets, from `accuracy_files.target_names`.
        out_dir: Folder of the files; is created.
        scattered: Rows of `names` to show in `scatter.png`; None for the first 16.
    """
    accuracy_files.write(report, names, out_dir)
    panels = range(len(names))[:SCATTERED] if scattered is None else scattered
    figure_files.write(figures(report, list(names["identifier"]), panels), out_dir)


def figures(
    report: Report, names: Sequence[str], scattered: Sequence[int]
) -> dict[str, matplotlib.figure.Figure]:
    """Returns the figures of a report by name; `by_distance` and `maps` exist for maps only.

    Args:
        report: Accuracy on a split.
        names: Names of all targets of the report.
        scattered: Indices of the targets in `scatter`.
    """
    offset, pearson = report.diagonal_offset, report.model.table()["pearsonr"]
    drawings = {
        "scatter": accuracy_plots.scatter(
            [report.scatter[target] for target in scattered],
            [names[target] for target in scattered],
            [pearson[target] for target in scattered],
            unit="coverage" if offset is None else map_plots.LOG_RATIO,
        )
    }
    if offset is None:
        return drawings
    curves = {"the data": report.by_distance}
    if report.truth_by_distance is not None:
        curves["the noise-free truth"] = report.truth_by_distance
    drawings["by_distance"] = accuracy_plots.by_distance(report.strata, curves, names)
    if rows := _map_rows(report, names, offset):
        drawings["maps"] = map_plots.compare(
            rows, grey="pixels that were not measured, and pairs of bins too close to one another"
        )
    return drawings


def _map_rows(report: Report, names: Sequence[str], offset: int) -> list[map_plots.Row]:
    rows = []
    for example in report.examples:
        measured = example.target.copy()
        measured[~example.mask] = float("nan")
        maps = {"measured": measured, "predicted": example.prediction}
        if example.truth is not None:
            maps["noise-free truth"] = example.truth
        rows += [
            map_plots.Row(
                names[target],
                example.region,
                {
                    title: triangle.to_matrix(values, diagonal_offset=offset)[..., target]
                    for title, values in maps.items()
                },
            )
            for target in range(min(_MAP_TARGETS, len(names)))
        ]
    return rows
