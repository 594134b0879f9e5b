"""Writes `history.csv`, with a row per epoch, and the same numbers as TensorBoard events.

Weights averaged over epochs have their own row. It is the last, and its training columns are nan.
"""

import contextlib
import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
import tensorflow as tf

from akita_bayes import files
from akita_bayes.training.objectives import metrics
from akita_bayes.training.run_files import checkpoint

FILE = "history.csv"

Row: TypeAlias = Mapping[str, float]


def write(run_dir: Path, rows: Sequence[Row]) -> None:
    """Writes the rows of all epochs, numbers in full precision, in place of the last version.

    Raises:
        RunError: The disk is full; the last version stays as it was.
    """
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    path = run_dir / FILE
    with checkpoint.disk_full_explained(path), files.atomic(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")


class Events(Protocol):
    """Receives each new row of `history.csv`."""

    def epoch(self, row: Row) -> None:
        """Receives the row of a finished epoch."""
        ...


@contextlib.contextmanager
def tensorboard(run_dir: Path) -> Iterator[Events]:
    """Opens event files in `tensorboard/train` and `tensorboard/valid`, with a curve per column.

    Args:
        run_dir: Run directory.
    """
    writers = {
        name: tf.summary.create_file_writer(str(run_dir / "tensorboard" / name))
        for name in ("train", "valid")
    }
    try:
        yield _TensorBoard(writers)
    finally:
        for writer in writers.values():
            writer.close()


class _TensorBoard:
    def __init__(self, writers: Mapping[str, tf.summary.SummaryWriter]) -> None:
        self.writers = writers

    def epoch(self, row: Row) -> None:
        for name, value in row.items():
            if math.isnan(value):
                continue
            # "valid_loss" becomes "loss" of the writer `valid`; "learning_rate" stays whole.
            part, _, metric = name.partition("_")
            with self.writers.get(part, self.writers["train"]).as_default():
                tf.summary.scalar(
                    metric if part in self.writers else name, value, int(row["epoch"])
                )
        for writer in self.writers.values():
            writer.flush()


def columns(prefix: str, sums: Mapping[str, metrics.Accumulator]) -> dict[str, float]:
    """Computes columns of `history.csv`: means over heads, then those of each of several heads."""
    per_head = {head: head_sums.means() for head, head_sums in sums.items()}
    names = dict.fromkeys(name for means in per_head.values() for name in means)
    row = {
        f"{prefix}_{name}": float(np.mean([m[name] for m in per_head.values() if name in m]))
        for name in names
    }
    if len(per_head) > 1:
        for head, means in per_head.items():
            row |= {f"{prefix}_{name}_{head}": value for name, value in means.items()}
    return row
