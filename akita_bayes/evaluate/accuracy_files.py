"""Writes the accuracy of a model: tables, maps of some windows, `preds.h5` and `targets.h5`."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, files
from akita_bayes.data.preparation import targets as target_tables
from akita_bayes.data.records import dataset, split_arrays, statistics
from akita_bayes.evaluate import accuracy_tables, window_maps
from akita_bayes.evaluate.accuracy import Report
from akita_bayes.evaluate.comparison import Scores
from akita_bayes.origins import provenance


def target_names(data_dir: str | Path, table: str | Path | None = None) -> pd.DataFrame:
    """Returns a table with identifier and description of each target, indexed by its number.

    Args:
        data_dir: A data directory.
        table: Tab-separated table of some of its targets: their numbers in the first column, and a
            column `identifier`. None takes all targets, with the names of `targets.txt`.

    Raises:
        DataError: The table cannot be read, or its numbers are not those of targets.
    """
    path = Path(table or Path(data_dir) / target_tables.FILE_NAME)
    count = statistics.read(data_dir).num_targets
    if table is None and not path.is_file():
        return pd.DataFrame(
            {"identifier": target_tables.names(data_dir, count), "description": [""] * count}
        )
    labels = target_tables.labels(path)
    wrong = [label.number for label in labels if label.number not in map(str, range(count))]
    if wrong or (table is None and len(labels) != count):
        raise errors.DataError(
            f"{path}: its first column must hold the numbers of the {count} targets of "
            f"{data_dir}; got {wrong[0] if wrong else len(labels)}."
        )
    columns = {
        "identifier": [label.identifier for label in labels],
        "description": [label.description for label in labels],
    }
    return pd.DataFrame(columns, index=[int(label.number) for label in labels])


def write(report: Report, names: pd.DataFrame, out_dir: str | Path) -> None:
    """Writes `acc.txt`, `metrics.json` and `windows.h5`, without figures.

    `plots.reports.accuracy_report.write` adds the figures.

    Args:
        report: Accuracy on a split.
        names: Identifier and description of its targets, as `target_names` returns them.
        out_dir: Folder of the files; is created.
    """
    with files.atomic(Path(out_dir) / "acc.txt") as temporary:
        table(report, names).to_csv(temporary, sep="\t", float_format="%.5f", index_label="index")
    files.write_json(Path(out_dir) / "metrics.json", metrics(report, names))
    window_maps.write(report, list(names["identifier"]), out_dir)


def table(report: Report, names: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of `acc.txt`: one for each target, beginning with Basenji's columns."""
    count = len(names)  # each list has one more number, for all targets pooled
    model, baseline = report.model.table(), report.baseline.table()
    columns: dict[str, Any] = {
        name: model[name][:count] for name in ("pearsonr", "spearmanr", "r2") if name in model
    }
    columns |= {name: list(names[name]) for name in ("identifier", "description")}
    columns["mse"] = model["mse"][:count]
    columns |= {f"distance_{name}": baseline[name][:count] for name in ("pearsonr", "r2", "mse")}
    if report.truth is not None:
        truth = report.truth.table()
        columns |= {f"truth_{name}": truth[name][:count] for name in truth if name in columns}
    if report.ceiling is not None:
        columns["ceiling_pearsonr"] = report.ceiling["target_truth_pearson"]
    if report.details is not None:
        columns |= accuracy_tables.columns(report.details)
    return pd.DataFrame(columns, index=names.index)


def metrics(report: Report, names: pd.DataFrame) -> dict[str, Any]:
    """Returns the content of `metrics.json`: each score pooled, as a mean, and for each target."""
    identifiers = list(names["identifier"])

    def by_target(values: Any) -> dict[str, float]:
        return {name: float(value) for name, value in zip(identifiers, values, strict=True)}

    def described(scores: Scores | None) -> dict[str, Any] | None:
        if scores is None:
            return None
        return {
            name: {
                "pooled": values[-1],
                "mean": sum(values[:-1]) / len(identifiers),
                "targets": by_target(values[:-1]),
            }
            for name, values in scores.table().items()
        }

    window_regions, window_r = report.windows
    content = {
        provenance.KEY: dict(report.origin),
        "windows": len(window_regions),
        "windows_in_training": report.learned,
        "pit_test": report.uniformity and report.uniformity._asdict(),
        "model": described(report.model),
        "distance_only": described(report.baseline),
        "against_truth": described(report.truth),
        "ceiling": report.ceiling
        and {key: by_target(values) for key, values in report.ceiling.items() if key != "targets"},
        "ceiling_mean": report.ceiling
        and {
            key: sum(values) / len(values)
            for key, values in report.ceiling.items()
            if key != "targets"
        },
        "insulation_pearsonr": None if report.insulation is None else by_target(report.insulation),
        "pearsonr_by_distance": {
            label: by_target(values)
            for label, values in zip(report.strata, report.by_distance, strict=True)
        },
        "pearsonr_by_window": {
            region: by_target(values)
            for region, values in zip(window_regions, window_r, strict=True)
        },
    }
    if report.truth_by_distance is not None:
        content["truth_pearsonr_by_distance"] = {
            label: by_target(values)
            for label, values in zip(report.strata, report.truth_by_distance, strict=True)
        }
    if report.details is not None:
        content |= accuracy_tables.entries(
            report.details, identifiers, report.strata, window_regions
        )
    if report.geometry is not None:
        content["geometry"] = {
            name: getattr(report.geometry, name)
            for name in ("seq_length", "bin_width", "bins", "crop_bp", "diagonal_offset")
        }
    return {name: value for name, value in content.items() if value or value == 0}


@contextlib.contextmanager
def saved_predictions(
    out_dir: str | Path,
    data_dir: str | Path,
    split: str,
    *,
    targets: Sequence[int] | None = None,
    step: int = 1,
) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Yields a function for `assess(save=...)`, which appends a prediction to `preds.h5`.

    `targets.h5` is written when the predictions are complete. Both files are float16, as Basenji's.

    Args:
        out_dir: Folder of the files; is created.
        data_dir: A data directory.
        split: Split that is predicted.
        targets: Indices of the targets to write; None for all.
        step: Keep every `step`-th position.
    """
    out_dir = Path(out_dir)
    with split_arrays.appended(out_dir / "preds.h5", split_arrays.PREDICTIONS, step=step) as append:
        yield append
        records = dataset.open_split(data_dir, split, batch_size=1)
        split_arrays.write_targets(out_dir / "targets.h5", records, targets=targets, step=step)
