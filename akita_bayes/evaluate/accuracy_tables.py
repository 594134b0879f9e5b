"""Arranges the details of an accuracy as columns of `acc.txt` and entries of `metrics.json`."""

from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from akita_bayes.evaluate.accuracy_details import Details, Estimate
from akita_bayes.numerics import block_bootstrap

_COLUMNS = ("stratum_adjusted", "insulation_pearsonr")


def columns(details: Details) -> dict[str, list[float]]:
    """Returns the columns of `acc.txt` that details add, a value for each target."""
    table: dict[str, list[float]] = {}
    interval = details.scores["pearsonr"].interval
    if interval is not None:
        table |= {"pearsonr_low": interval.low.tolist(), "pearsonr_high": interval.high.tolist()}
    for name in _COLUMNS:
        if name in details.scores:
            table[name] = details.scores[name].value.tolist()
    table["training_mean_mse"] = details.baselines["training_mean"]["mse"].tolist()
    table["zero_mse"] = details.baselines["zero"]["mse"].tolist()
    if details.ceiling is not None:
        table["noise_ceiling_pearsonr"] = details.ceiling.tolist()
    return table


def entries(
    details: Details, targets: Sequence[str], strata: Sequence[str], windows: Sequence[str]
) -> dict[str, Any]:
    """Returns the entries of `metrics.json` that details add.

    Args:
        details: Scores with intervals.
        targets: Identifiers of the targets.
        strata: Labels of the strata.
        windows: Locations of the windows.
    """

    def by_target(values: NDArray[Any]) -> dict[str, float]:
        return {name: float(value) for name, value in zip(targets, values, strict=True)}

    def labelled(labels: Sequence[str], rows: NDArray[Any]) -> dict[str, dict[str, float]]:
        return {label: by_target(row) for label, row in zip(labels, rows, strict=True)}

    content: dict[str, Any] = {
        "stratum_adjusted_pearsonr": (
            by_target(details.scores["stratum_adjusted"].value)
            if "stratum_adjusted" in details.scores
            else None
        ),
        "baselines": {
            baseline: {name: by_target(values) for name, values in scores.items()}
            for baseline, scores in details.baselines.items()
        },
        "mse_below_baseline": {
            baseline: by_target(gain.value) for baseline, gain in details.gains.items()
        },
        "intervals": _intervals(details, targets, strata),
    }
    if details.by_distance:
        content["mse_by_distance"] = labelled(strata, details.by_distance["mse"].value)
    for name, values in details.by_window.items():
        content[f"{name}_by_window"] = labelled(windows, values)
    if details.ceiling is not None and details.ceiling_by_distance is not None:
        content["noise_ceiling"] = {
            "pearsonr": by_target(details.ceiling),
            "pearsonr_by_distance": labelled(strata, details.ceiling_by_distance),
        }
    return content


def _intervals(details: Details, targets: Sequence[str], strata: Sequence[str]) -> dict[str, Any]:
    """Returns the intervals of all scores; only the number of blocks when there are too few."""
    content: dict[str, Any] = {
        "blocks": details.blocks,
        "block": "windows of a chromosome that overlap, directly or through others",
    }

    def add(name: str, estimate: Estimate, arrange: Callable[[Any, Any], Any]) -> None:
        if estimate.interval is not None:
            content[name] = arrange(*estimate.interval)

    def of_targets(low: Any, high: Any) -> dict[str, list[float]]:
        pairs = zip(targets, low, high, strict=True)
        return {target: [float(a), float(b)] for target, a, b in pairs}

    def of_strata(low: Any, high: Any) -> dict[str, dict[str, list[float]]]:
        rows = zip(strata, low, high, strict=True)
        return {label: of_targets(a, b) for label, a, b in rows}

    for name, estimate in details.scores.items():
        add(name, estimate, of_targets)
    for baseline, gain in details.gains.items():
        add(f"mse_below_{baseline}", gain, of_targets)
    for name, estimate in details.by_distance.items():
        add(f"{name}_by_distance", estimate, of_strata)
    if details.blocks >= block_bootstrap.LEAST:
        content |= {"level": block_bootstrap.LEVEL, "resamples": block_bootstrap.RESAMPLES}
    return content
