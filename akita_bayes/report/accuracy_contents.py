"""Collects the report of a directory of `akita_test.py`: accuracy by target, distance, window."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from akita_bayes.files import damage
from akita_bayes.report import contents, provenance_facts, table_columns

MARK = "metrics.json"
TABLE = "acc.txt"

_ADVICE = "test again with akita_test.py"
_CURVES = 6  # most targets with curves of their own
_BY_DISTANCE = {
    "pearsonr_by_distance": "measured maps",
    "truth_pearsonr_by_distance": "noise-free truth",
}
_PICTURES = {"scatter": "Predicted and measured pixels", "maps": "Windows"}
_SUMMARY = {
    "model": "Pearson r",
    "distance_only": "of distance alone",
    "against_truth": "against the noise-free truth",
}
_COLUMNS = {
    "pearsonr": "Pearson correlation with the measured maps",
    "spearmanr": "Spearman correlation with the measured maps",
    "r2": "share of the variance of the measured maps that is explained",
    "mse": "mean squared error",
    "distance_pearsonr": "Pearson correlation of the mean training map at each distance",
    "truth_pearsonr": "Pearson correlation with the noise-free truth of a simulation",
    "ceiling_pearsonr": "highest Pearson correlation that the noise of the measurement allows",
}


def collect(folder: Path) -> contents.Report:
    """Reads a directory of accuracy.

    Raises:
        DataError: A file is missing or damaged.
    """
    metrics = provenance_facts.read_object(folder / MARK, _ADVICE)
    frame = table_columns.read(folder / TABLE, "a table of accuracy", _ADVICE)
    columns = [
        table_columns.column(frame, str(name), _COLUMNS.get(str(name), "")) for name in frame
    ]
    tables = [table_columns.table("Targets", columns, source=TABLE)]
    with damage.explained(folder / MARK, "the metrics of a test", _ADVICE):
        charts = _charts(metrics)
        if windows := _windows(metrics.get("pearsonr_by_window")):
            tables.append(windows)
    return contents.Report(
        title=f"Accuracy of {folder.resolve().name}",
        summary=_summary(metrics, len(frame)),
        notes=[
            "The directory records no versions, seeds or digests; those of the model are in its "
            "run directory, which akita_report.py shows too."
        ],
        tables=tables,
        charts=charts,
        pictures=contents.pictures(folder, _PICTURES),
    )


def _summary(metrics: Mapping[str, Any], targets: int) -> list[contents.Fact]:
    facts = [
        contents.Fact("windows", provenance_facts.text(metrics.get("windows"))),
        contents.Fact("targets", str(targets)),
    ]
    for key, label in _SUMMARY.items():
        value = _number(metrics, key, "pearsonr", "mean")
        if math.isfinite(value):
            facts.append(contents.Fact(label, f"{value:.4f}"))
    best = _number(metrics, "ceiling_mean", "target_truth_pearson")
    if math.isfinite(best):
        facts.append(contents.Fact("best possible on these data", f"{best:.4f}"))
    return facts


def _number(value: Any, *path: str) -> float:
    """Returns a number of nested objects; NaN when it is not there."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return float(value) if isinstance(value, int | float) else math.nan


def _charts(metrics: Mapping[str, Any]) -> list[contents.Chart]:
    ticks: tuple[str, ...] = ()
    curves: list[contents.Curve] = []
    for key, name in _BY_DISTANCE.items():
        strata = metrics.get(key)
        if not isinstance(strata, dict) or not strata:
            continue
        ticks = tuple(map(str, strata))
        targets = list(dict.fromkeys(target for values in strata.values() for target in values))
        lines = {
            f"{target}, {name}": [_number(values, target) for values in strata.values()]
            for target in targets
        }
        if len(targets) > _CURVES:
            means = [sum(column) / len(targets) for column in zip(*lines.values(), strict=True)]
            lines = {f"mean of {len(targets)} targets, {name}": means}
        curves += [contents.Curve(text, range(len(ticks)), line) for text, line in lines.items()]
    if not curves:
        return []
    label = "Pearson correlation by distance"
    return [contents.Chart(label, "distance", "Pearson r", curves, ticks)]


def _windows(windows: Any) -> contents.Table | None:
    """Returns the correlation of every window, a column for each target."""
    if not isinstance(windows, dict) or not windows:
        return None
    targets = list(dict.fromkeys(target for values in windows.values() for target in values))
    columns = [contents.Column("window", [str(region) for region in windows])]
    for target in targets:
        numbers = [_number(values, target) for values in windows.values()]
        values = [number if math.isfinite(number) else None for number in numbers]
        columns.append(
            contents.Column(f"pearsonr:{target}", values, "Pearson correlation of this window")
        )
    return table_columns.table("Windows", columns, source=MARK)
