"""Collects the report of a directory of `akita_test.py`: accuracy by target, distance, window."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from akita_bayes.evaluate import window_maps
from akita_bayes.files import damage
from akita_bayes.origins import provenance
from akita_bayes.report import contents, frame_tracks, provenance_facts, table_columns
from akita_bayes.variants import genes
from akita_bayes.variants.alleles import bin_loci

MARK = "metrics.json"
TABLE = "acc.txt"

_ADVICE = "test again with akita_test.py"
_MAP_NOTE = (
    "Some tested windows, spread evenly over the split (akita_test.py --maps N chooses how many); "
    "pixels that were not measured are empty. The sd exists for tests with --draws."
)
_NO_RECORD = (
    "The directory records no versions, seeds or digests; those of the model are in its run "
    "directory, which akita_report.py shows too."
)
_CURVES = 6  # most targets with curves of their own
_BY_DISTANCE = {
    "pearsonr_by_distance": "measured maps",
    "truth_pearsonr_by_distance": "noise-free truth",
}
_PICTURES = {"scatter": "Predicted and measured pixels", "maps": "Windows"}
_LAYERS: dict[str, tuple[str, contents.Palette]] = {
    "measured": ("ln(observed / expected)", "map"),
    "predicted": ("ln(observed / expected)", "map"),
    "sd": ("sd of a measurement around the prediction", "spread"),
    "truth": ("ln(observed / expected), without noise", "map"),
}
_INTERVAL = contents.PixelInterval("predicted", "sd", "90 % of measurements, if normal")
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
    "pearsonr_low": "low end of the 90 % interval of pearsonr, over blocks of windows",
    "pearsonr_high": "high end of the 90 % interval of pearsonr, over blocks of windows",
    "stratum_adjusted": "Pearson correlation at each distance, averaged over pixels (HiCRep)",
    "insulation_pearsonr": "Pearson correlation of insulation profiles",
    "training_mean_mse": "mean squared error of the mean training map",
    "zero_mse": "mean squared error of a map of zeros",
    "noise_ceiling_pearsonr": "Pearson correlation of a perfect map, given the noise of the data",
    "ceiling_pearsonr": "highest Pearson correlation that the noise of the measurement allows",
}


def collect(
    folder: Path,
    *,
    annotation: Sequence[genes.Gene] = (),
    tracks: frame_tracks.BigWigs | None = None,
    maps: int = 0,
) -> contents.Report:
    """Reads a directory of accuracy.

    Args:
        folder: Output directory of `akita_test.py`.
        annotation: Genes to show under the maps.
        tracks: Open bigWig files.
        maps: Largest number of windows whose maps are shown.

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
    has_record = (folder / provenance.FILE).is_file()
    has_maps = (folder / window_maps.FILE).is_file()
    views = _maps(folder, annotation, tracks, maps) if has_maps else []
    return contents.Report(
        title=f"Accuracy of {folder.resolve().name}",
        summary=_summary(metrics, len(frame)),
        notes=[] if has_record else [_NO_RECORD],
        tables=tables,
        charts=charts,
        pictures=contents.pictures(folder, _PICTURES),
        maps=views,
        map_note=_MAP_NOTE if views else "",
        provenance=provenance_facts.flat(
            provenance_facts.read_object(folder / provenance.FILE, _ADVICE) if has_record else {}
        ),
    )


def _maps(
    folder: Path,
    annotation: Sequence[genes.Gene],
    tracks: frame_tracks.BigWigs | None,
    count: int,
) -> list[contents.Map]:
    """Returns the maps of some tested windows, measured beside predicted, for each target."""
    saved = window_maps.read(folder / window_maps.FILE)
    views = []
    for number, region in enumerate(saved.regions[:count]):
        stretches = [bin_loci.Stretch(0.0, float(saved.bins), region, 1)]
        spans = genes.spans(annotation, stretches)
        signals = [] if tracks is None else tracks.signals(stretches, saved.bins, saved.bin_width)
        for k, target in enumerate(saved.targets):
            layers = [
                contents.Layer(name, *_LAYERS[name], values[number, :, k])
                for name, values in saved.layers.items()
            ]
            views.append(
                contents.Map(
                    title=str(region),
                    target=target,
                    row=None,
                    bins=saved.bins,
                    bin_width=saved.bin_width,
                    diagonal_offset=saved.diagonal_offset,
                    stretches=stretches,
                    site=None,
                    layers=layers,
                    interval=_INTERVAL if "sd" in saved.layers else None,
                    genes=spans,
                    signals=signals,
                )
            )
    return views


def _summary(metrics: Mapping[str, Any], targets: int) -> list[contents.Fact]:
    facts = [
        contents.Fact("windows", provenance_facts.text(metrics.get("windows"))),
        contents.Fact("targets", str(targets)),
    ]
    for key, label in _SUMMARY.items():
        value = _number(metrics, key, "pearsonr", "mean")
        if math.isfinite(value):
            facts.append(contents.Fact(label, f"{value:.4f}"))
    for key, label in (
        ("stratum_adjusted_pearsonr", "stratum-adjusted correlation"),
        ("insulation_pearsonr", "r of insulation"),
    ):
        scores = metrics.get(key)
        if isinstance(scores, dict) and scores:
            mean = sum(float(value) for value in scores.values()) / len(scores)
            facts.append(contents.Fact(label, f"{mean:.4f}"))
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
