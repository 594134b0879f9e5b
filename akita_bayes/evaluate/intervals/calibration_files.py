"""Writes the calibration of a model: `calibration.json` and `calibration.tsv`."""

from collections.abc import Sequence
from pathlib import Path

from akita_bayes import errors, files
from akita_bayes.evaluate.intervals.calibrate import Report
from akita_bayes.models import recalibration, shipped
from akita_bayes.origins import provenance

_COLUMNS = ("nll", "crps", "rmse", "mean_sd", "sharpness", "error_sd_spearman", "ause")
_MAP_COLUMNS = {
    "stated_error": "map_sd",
    "error_by_moments": "map_error_by_moments",
    "true_error": "map_true_error",
    "width": "map_width_90%",
    "truth_coverage": "map_truth_coverage_90%",
    "stated_noise": "noise_sd",
}
"""Statistics of intervals of the map, and their columns."""


def check_runs(runs: Sequence[str | Path]) -> None:
    """Checks that every run can store factors, before they are computed.

    Raises:
        RunError: A run is not a run directory, is a model of this package, or is named twice.
    """
    paths = [Path(run).resolve() for run in runs]
    for run, path in zip(runs, paths, strict=True):
        if path.is_file():
            raise errors.RunError(
                f"{run}: a file; give the run directory, which will store the factors."
            )
        if not path.exists() and (folder := shipped.model_path(run)).is_dir():
            raise errors.RunError(
                f"{run}: comes with this package, which stores no factors; copy {folder} and give "
                "the copy."
            )
        if not (path / recalibration.WEIGHTS).is_file():
            raise errors.RunError(
                f"{run}: is not a run directory, as it has no {recalibration.WEIGHTS}; give the "
                "directory that akita_train.py wrote."
            )
        if paths.count(path) > 1:
            raise errors.RunError(f"{run}: is named twice; name each run of an ensemble once.")


def default_folder(runs: Sequence[str | Path], head: str | None = None) -> Path:
    """Returns the folder of a report; each head and the ensemble have their own folder.

    Args:
        runs: The run directory of the model, or all run directories of an ensemble.
        head: Name of the head, for a model with several.
    """
    folder = Path(runs[0]) / ("calibration" if len(runs) == 1 else "calibration_ensemble")
    return folder if head is None else folder / head


def write(report: Report, names: Sequence[str], out_dir: str | Path) -> None:
    """Writes both files; `plots.reports.calibration_report.write` adds the figures.

    Args:
        report: Calibration, from `evaluate.intervals.calibrate.calibrate`.
        names: Names of its targets. [T].
        out_dir: Folder of the files; is created.
    """
    files.write_json(
        Path(out_dir) / "calibration.json",
        {
            provenance.KEY: dict(report.origin),
            "pit_test": report.uniformity and report.uniformity._asdict(),
            "before": report.before,
            "after": report.after,
            "constant": report.constant,
            "map": report.maps,
            "targets": list(names),
        },
    )
    with files.atomic(Path(out_dir) / "calibration.tsv") as temporary:
        temporary.write_text(table(report, names), encoding="utf-8")


def table(report: Report, names: Sequence[str]) -> str:
    """Returns one line for each target, distance stratum and state.

    The states are the model as stated, the baseline of one sd for each target and stratum, and the
    recalibrated model. Columns that begin with map_ describe intervals of the underlying map.
    """
    edges = report.after["distance_edges"]
    columns = [*_COLUMNS, *(f"coverage_{level:.0%}" for level in report.after["levels"])]
    heading = ["target", "from_bp", "to_bp", "state", *columns, *_MAP_COLUMNS.values()]
    lines = ["\t".join(heading)]
    for state, summary, maps in (
        ("stated", report.before, report.maps["before"]),
        ("constant", report.constant, report.maps["constant"]),
        ("recalibrated", report.after, report.maps["after"]),
    ):
        for name, strata, map_strata in zip(names, summary["strata"], maps["strata"], strict=True):
            for d, stratum in enumerate(strata):
                interval = [str(edge * report.bin_width) for edge in (edges[d], edges[d + 1])]
                values = [stratum[c] and stratum[c]["estimate"] for c in columns]
                values += [map_strata[d].get(c) for c in _MAP_COLUMNS]
                cells = ["" if value is None else f"{value:.5f}" for value in values]
                lines.append("\t".join([name, *interval, state, *cells]))
    return "\n".join(lines) + "\n"
