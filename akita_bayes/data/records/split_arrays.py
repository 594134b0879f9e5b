"""Writes predictions and targets of a whole split as Basenji's `preds.h5` and `targets.h5`.

Each file has one dataset, `preds` or `targets`: float16 [W, P or N, T], windows W in the order of
the split's record files. Every `step`-th position is kept, as Basenji's --step does.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from akita_bayes.data import predictions
from akita_bayes.data.records import dataset, tfrecord
from akita_bayes.files import hdf5_writer

PREDICTIONS, TARGETS = "preds", "targets"


@contextlib.contextmanager
def appended(
    path: str | Path, name: str, *, step: int = 1, attributes: Mapping[str, str] | None = None
) -> Iterator[Callable[[NDArray[Any]], None]]:
    """Writes a dataset window by window; the file appears after the last window.

    Args:
        path: The file to write.
        name: Name of its dataset, PREDICTIONS or TARGETS.
        step: Keep every `step`-th position.
        attributes: Attributes of the file.

    Yields:
        A function that appends one window, [P or N, T].
    """
    with hdf5_writer.create(path) as file:
        file.attrs.update(attributes or {})

        def append(window: NDArray[Any]) -> None:
            # A value beyond float16 becomes infinite, as in Basenji.
            with np.errstate(over="ignore"):
                values = window[None, ::step].astype(np.float16)
            predictions.append(file, name, values)
            file.check()

        yield append


def write_targets(
    path: str | Path, split: dataset.Split, *, targets: Sequence[int] | None = None, step: int = 1
) -> None:
    """Writes the targets of a split as its records hold them, including masked pixels.

    Args:
        path: The file to write.
        split: An opened split.
        targets: Indices of the targets to write; None for all.
        step: Keep every `step`-th position.
    """
    columns = slice(None) if targets is None else list(targets)
    with appended(path, TARGETS, step=step) as append:
        for file in split.files:
            for record in tfrecord.read_records(file, split.statistics):
                append(record.target[:, columns])
