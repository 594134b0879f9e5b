"""Collects the report of a run directory of `akita_train.py`: curves, accuracy, provenance."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from akita_bayes.report import contents, provenance_facts, table_columns

MARK = "params.json"

_HISTORY, _TARGETS, _RECORD = "history.csv", "best_targets.csv", "provenance.json"
_ADVICE = "train again with akita_train.py"
_METRICS = {"loss": "loss", "r": "Pearson r, mean over targets", "r2": "R2, mean over targets"}
_SETTINGS = ("batch_size", "optimizer", "learning_rate", "loss")


def collect(folder: Path) -> contents.Report:
    """Reads a run directory, also one whose training goes on.

    Raises:
        DataError: A file is missing or damaged.
    """
    provenance = provenance_facts.read_object(folder / _RECORD, _ADVICE)
    params = provenance_facts.read_object(folder / MARK, _ADVICE)
    tables, charts, notes = [], [], []
    summary = _settings(params)
    if (folder / _HISTORY).is_file():
        history = table_columns.read(
            folder / _HISTORY, "a history", _ADVICE, separator=",", numeric=lambda name: True
        )
        charts = _charts(history)
        if (best := _best(history)) is not None:
            summary = [*best, *summary]
    else:
        history = None
        notes.append(f"{_HISTORY} is missing, so no epoch has ended.")
    if (folder / _TARGETS).is_file():
        tables.append(_accuracy(folder / _TARGETS, provenance))
    if history is not None:
        columns = [table_columns.column(history, str(name)) for name in history]
        tables.append(table_columns.table("Epochs", columns, source=_HISTORY))
        if charts and np.isnan(history.iloc[-1].get("train_loss", 0)):
            notes.append("The last row of the epochs is that of weights averaged over epochs.")
    extras = {
        "swag.npz": "The run holds draws of weights (swag.npz).",
        "recalibration.json": "The run holds a recalibration of its uncertainty.",
    }
    notes += [text for name, text in extras.items() if (folder / name).is_file()]
    return contents.Report(
        title=f"Training of {folder.resolve().name}",
        summary=summary,
        notes=notes,
        tables=tables,
        charts=charts,
        provenance=[
            *provenance_facts.flat(provenance),
            *provenance_facts.flat(provenance_facts.member(params, "train"), "train: "),
        ],
    )


def _settings(params: Mapping[str, Any]) -> list[contents.Fact]:
    training, model = (provenance_facts.member(params, name) for name in ("train", "model"))
    facts = [
        contents.Fact(name.replace("_", " "), provenance_facts.text(training[name]))
        for name in _SETTINGS
        if name in training
    ]
    if "seq_length" in model:
        facts.append(contents.Fact("window", f"{model['seq_length']} bp"))
    return facts


def _best(history: pd.DataFrame) -> list[contents.Fact] | None:
    """Returns the validation results of the row that was saved."""
    if "valid_loss" not in history or not len(history):
        return None
    row = history.loc[history["best"] == 1].iloc[-1:] if "best" in history else history[:0]
    if not len(row):
        row = history.loc[[history["valid_loss"].idxmin()]]
    facts = [contents.Fact("best epoch", provenance_facts.text(int(row["epoch"].iloc[0])))]
    for name, label in (("valid_loss", "validation loss"), ("valid_r", "validation r")):
        if name in row:
            facts.append(contents.Fact(label, f"{row[name].iloc[0]:.4f}"))
    return facts


def _charts(history: pd.DataFrame) -> list[contents.Chart]:
    charts = []
    epochs = [float(epoch) for epoch in history.get("epoch", range(1, len(history) + 1))]
    for metric, label in _METRICS.items():
        curves = [
            contents.Curve(name, epochs, [float(value) for value in history[f"{part}_{metric}"]])
            for part, name in (("train", "training"), ("valid", "validation"))
            if f"{part}_{metric}" in history
        ]
        if curves:
            charts.append(contents.Chart(label, "epoch", label, curves))
    if "learning_rate" in history:
        rates = [float(value) for value in history["learning_rate"]]
        curve = contents.Curve("learning rate", epochs, rates)
        charts.append(contents.Chart("learning rate", "epoch", "learning rate", [curve]))
    return charts


def _accuracy(path: Path, provenance: Mapping[str, Any]) -> contents.Table:
    """Returns the accuracy of the saved model for each target, with its name if it is known."""
    frame = table_columns.read(
        path, "a table of targets", _ADVICE, separator=",", numeric=lambda name: name != "head"
    )
    columns = [table_columns.column(frame, str(name)) for name in frame]
    if {"head", "index"} <= set(frame):
        names = _names(provenance.get("data"))
        identifiers = [
            names.get((str(head), int(index)), "")
            for head, index in zip(frame["head"], frame["index"], strict=True)
        ]
        if any(identifiers):
            columns.insert(2, contents.Column("target", identifiers))
    return table_columns.table("Accuracy on the validation split", columns, source=path.name)


def _names(data: Any) -> dict[tuple[str, int], str]:
    """Returns the identifier of each head and number of a target."""
    heads: Sequence[Any] = data if isinstance(data, list) else []
    return {
        (str(head.get("head")), number): str(target[0])
        for head in heads
        if isinstance(head, dict)
        for number, target in enumerate(head.get("targets") or [])
        if target
    }
