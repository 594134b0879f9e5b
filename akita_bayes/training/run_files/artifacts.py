"""Writes the results of a run: the best model in two formats, and its accuracy per target."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from akita_bayes import files
from akita_bayes.models import build, weights
from akita_bayes.numerics import moments
from akita_bayes.specs import spec as spec_
from akita_bayes.training.run_files import checkpoint

MODEL = "model_best.keras"
TARGETS = "best_targets.csv"


def basenji_name(spec: spec_.Spec, head: str) -> str:
    """Returns the file name of a head's weights in Basenji's format, as Basenji names it."""
    number = spec.head_names.index(head) if len(spec.head_names) > 1 else ""
    return f"model{number}_best.h5"


def write_best(
    run_dir: Path,
    spec: spec_.Spec,
    arrays: Sequence[NDArray[Any]],
    accuracy: Mapping[str, moments.Moments],
) -> None:
    """Writes `model_best.keras`, its weights for Basenji head by head, and `best_targets.csv`.

    The saved model computes in float32, whatever the precision of training.

    Args:
        run_dir: Run directory.
        spec: Spec of the model.
        arrays: Weights of the model, in order.
        accuracy: Head -> moments of every target on the validation split.

    Raises:
        RunError: The disk is full; the older files stay as they were.
    """
    model = build.Network(spec, precision="float32")
    checkpoint.assign(model.weights, arrays, group="best model")
    with checkpoint.disk_full_explained(run_dir / MODEL):
        with files.atomic(run_dir / MODEL) as temporary:
            model.save(temporary)
        for head in spec.head_names:
            path = run_dir / basenji_name(spec, head)
            weights.save_weights(build.one_head(model, head), path, format="basenji")
        with files.atomic(run_dir / TARGETS) as temporary:
            temporary.write_text(_table(accuracy), encoding="utf-8")


def _table(accuracy: Mapping[str, moments.Moments]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["head", "index", "mse", "pearsonr", "r2"])
    for head, target_moments in accuracy.items():
        measures = (target_moments.mse(), target_moments.pearson(), target_moments.r2())
        for index, values in enumerate(zip(*measures, strict=True)):
            writer.writerow([head, index, *(float(value) for value in values)])
    return text.getvalue()
