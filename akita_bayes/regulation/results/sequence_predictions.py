"""Predicts the sequences of a file with a fit, and compares them with measurements of the file."""

import logging
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from akita_bayes import errors, files
from akita_bayes.regulation.assay import assay_files, assay_table, new_sequences
from akita_bayes.regulation.fits import fitted_mechanism, prediction_accuracy
from akita_bayes.regulation.plots import accuracy_panels, mechanism_plots

_log = logging.getLogger(__name__)

PREDICTIONS, ACCURACY, FIGURE = "predictions.tsv", "accuracy.json", "predicted"


class SequencePredictions(NamedTuple):
    """Holds the predictions for a file of sequences.

    Attributes:
        table: A row for each sequence: `name`, `sequence`, `library` of a fit with several, a
            column for each energy in kT (or log rate), `activity`, `expected` read-out, and the
            parameters of its distribution.
        left_out: Number of sequences with the letter N.
        accuracies: Comparison with the measurements of each library; empty without any.
        label: Name of the read-out.
        summary: The contents of `accuracy.json`.
    """

    table: pd.DataFrame
    left_out: int
    accuracies: tuple[prediction_accuracy.Accuracy, ...]
    label: str

    @property
    def summary(self) -> list[dict[str, Any]]:
        """Returns the numbers of each library, without its rows."""
        return [
            {
                "library": accuracy.library,
                "held_out_sequences": accuracy.sequences,
                "fitted_sequences": accuracy.fitted,
                "r": accuracy.r,
                "r2": accuracy.r2,
                "predictive_bits": accuracy.predictive._asdict(),
                "variational_bits": accuracy.variational and accuracy.variational._asdict(),
            }
            for accuracy in self.accuracies
        ]


def predict(
    fit: fitted_mechanism.FittedMechanism, path: str | Path, *, library: str | None = None
) -> SequencePredictions:
    """Predicts every sequence of a file.

    Args:
        fit: A fit, from `fit_files.read`.
        path: FASTA, plain lines, or a table with a column of sequences (`new_sequences.read`); or a
            directory with files of bins. Sequences with N are left out.
        library: Library of the fit whose constants and measurement are used, for sequences that
            name none; the first one when None.

    Raises:
        DataError: The file cannot be read, a sequence has another length or another letter, or the
            fit lacks a library.
    """
    path = Path(path)
    measured = _measurements(fit, path)
    if path.is_dir():
        if measured is None:
            raise errors.DataError(f"{path}: has no measurements that the fit describes.")
        sequences = _of_table(measured)
    else:
        sequences = new_sequences.read(path, length=fit.mechanism.sequence_length)
    several = len(fit.parameters.libraries) > 1
    default = fit.parameters.libraries[0] if library is None else library
    names = sequences.libraries if several and sequences.libraries and library is None else []
    libraries = pd.Series(names or [default] * len(sequences.sequences), dtype=object)
    parts = []
    for name, rows in libraries.groupby(libraries, sort=False).groups.items():
        letters = [sequences.sequences[row] for row in rows]
        parts.append(_columns(fit, fit.predict(letters, library=str(name)), rows))
    table = pd.concat(parts).sort_index()
    if several:
        table.insert(0, "library", libraries)
    table.insert(0, "sequence", sequences.sequences)
    table.insert(0, "name", sequences.names)
    accuracies = () if measured is None else _compare(fit, measured, library)
    return SequencePredictions(table, sequences.left_out, accuracies, _label(fit))


def _columns(
    fit: fitted_mechanism.FittedMechanism, prediction: fitted_mechanism.Prediction, rows: pd.Index
) -> pd.DataFrame:
    kind = fit.mechanism.measurement.kind
    outputs = {
        "gaussian": ("mean", "sd"),
        "outliers": ("mean", "sd", "sd_outliers", "share_outliers"),
        "skewed": ("mode", "sd_below", "sd_above"),
        "poisson": ("count_per_exposure",),
    }.get(kind) or tuple(f"p_{number}" for number in range(prediction.measurement.shape[1]))
    expected = prediction_accuracy.expected_read_out(kind, prediction.measurement)
    columns = {
        **prediction.energies,
        "activity": prediction.activity,
        "expected": expected,
        **dict(zip(outputs, prediction.measurement.T, strict=True)),
    }
    return pd.DataFrame(columns, index=rows)


def _label(fit: fitted_mechanism.FittedMechanism) -> str:
    kind = fit.mechanism.measurement.kind
    if kind.endswith("bins"):
        return "mean bin of a sequence"
    return "count per exposure" if kind == "poisson" else "read-out"


def _measurements(fit: fitted_mechanism.FittedMechanism, path: Path) -> assay_table.Table | None:
    """Reads the measurements of a file, when it has those that the fit describes."""
    kind = fit.mechanism.measurement.kind
    if not path.is_dir() and not _has_measurements(path, kind):
        return None
    table = assay_files.read(path)
    return table.leave_out(fit.mechanism.measurement.leave_out)


def _has_measurements(path: Path, kind: str) -> bool:
    if new_sequences.kind_of(path) != "table":
        return False
    names = set(assay_files.read_frame(path))
    if kind.endswith("bins"):
        return "bin" in names or any(name.startswith("ct_") for name in names)
    return bool(names & set(assay_table.COUNT if kind == "poisson" else assay_files.VALUE))


def _of_table(table: assay_table.Table) -> new_sequences.NewSequences:
    """Returns all sequences of a table, with numbers as names."""
    sequences = [sequence for library in table.libraries for sequence in library.sequences]
    libraries = [library.name for library in table.libraries for _ in range(len(library.index))]
    names = [str(number) for number in range(1, len(sequences) + 1)]
    return new_sequences.NewSequences(names, sequences, libraries, 0)


def _compare(
    fit: fitted_mechanism.FittedMechanism, table: assay_table.Table, library: str | None
) -> tuple[prediction_accuracy.Accuracy, ...]:
    accuracies = []
    bins = dict(fit.parameters.columns)
    for measured in table.libraries:
        name = measured.name if measured.name in bins and library is None else library
        name = fit.parameters.libraries[0] if name is None else name
        if len(measured.columns) != bins.get(name):
            raise errors.DataError(
                f"{measured.label}: has {len(measured.columns)} columns of data, and the fit "
                f"describes {bins.get(name)}; give the columns that were fitted."
            )
        accuracy = prediction_accuracy.assess(fit, measured, name=name)
        if accuracy is None:
            _log.warning(
                "%s: nearly all of its sequences were used by the fit; none are left to judge it.",
                measured.label,
            )
        else:
            accuracies.append(accuracy)
    return tuple(accuracies)


def write(predictions: SequencePredictions, out_dir: str | Path) -> None:
    """Writes the files of `mpra_predict.py` into a directory.

    Args:
        predictions: Predictions of `predict`.
        out_dir: Directory, which is created.
    """
    out = Path(out_dir)
    with files.atomic(out / PREDICTIONS) as path:
        predictions.table.to_csv(path, sep="\t", index=False, float_format="%.6g")
    if predictions.accuracies:
        files.write_json(out / ACCURACY, predictions.summary)
        figure = accuracy_panels.predicted_against_measured(
            predictions.accuracies, label=predictions.label
        )
        mechanism_plots.write({FIGURE: figure}, out)
