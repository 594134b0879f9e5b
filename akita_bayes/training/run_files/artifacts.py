"""What a run leaves for others: the best model in two formats, and its accuracy per target."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from numpy.typing import NDArray

from akita_bayes import files, moments
from akita_bayes.models import build, weights
from akita_bayes.specs import spec as spec_
from akita_bayes.training.run_files import checkpoint

MODEL = "model_best.keras"
TARGETS = "best_targets.csv"


def basenji_name(spec: spec_.Spec, head: str) -> str:
    """The name of a head's weights in Basenji's format, which is Basenji's own name for them."""
    number = spec.head_names.index(head) if len(spec.head_names) > 1 else ""
    return f"model{number}_best.h5"


def write_best(
    run_dir: Path,
    spec: spec_.Spec,
    arrays: Sequence[NDArray],
    accuracy: Mapping[str, moments.Moments],
) -> None:
    """Writes `model_best.keras`, its weights for Basenji head by head, and `best_targets.csv`.

    Whatever the precision of training, the saved model computes in float32.

    Args:
        run_dir: The run directory.
        spec: Of the model.
        arrays: The model's weights, in order.
        accuracy: On the validation split, head -> moments of every target.

    Raises:
        RunError: The disk is full; the older files are left as they were.
    """
    model = build.Network(spec, precision="float32")
    checkpoint.assign(model.weights, arrays, what="best model")
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
    for head, each in accuracy.items():
        numbers = zip(each.mse(), each.pearson(), each.r2(), strict=True)
        for index, values in enumerate(numbers):
            writer.writerow([head, index, *(float(value) for value in values)])
    return text.getvalue()
