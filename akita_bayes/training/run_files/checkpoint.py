"""Stores the complete state of a run in one file; a rename replaces it completely or not at all.

`checkpoint/state.npz` holds every variable of model and optimizer by order, the weights of the best
model so far, those averaged so far, and a JSON text with counters, histories and running sums.
All other results in a run directory follow from it. `checkpoint/previous.npz` is the checkpoint
before, from which a run continues when the newest one is damaged.
"""

import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files
from akita_bayes.files import damage, npz_reader

FILE = Path("checkpoint") / "state.npz"
PREVIOUS = FILE.with_name("previous.npz")

_log = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """Holds the state of a run between two steps.

    Attributes:
        arrays: Group -> values of its variables, in order.
        state: Everything else, as JSON values.
    """

    arrays: Mapping[str, Sequence[NDArray[Any]]]
    state: Mapping[str, Any]


def write(run_dir: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint; the last one becomes the one before.

    Raises:
        RunError: The disk is full; the last checkpoint stays as it was.
    """
    flat: dict[str, Any] = {
        f"{group}/{index:05d}": array
        for group, arrays in checkpoint.arrays.items()
        for index, array in enumerate(arrays)
    }
    flat["state"] = np.frombuffer(json.dumps(checkpoint.state).encode(), np.uint8)
    path = run_dir / FILE
    with disk_full_explained(path), files.atomic(path) as temporary:
        np.savez(temporary, **flat)
        # A process that is killed between the two renames leaves the previous checkpoint.
        if path.exists():
            os.replace(path, run_dir / PREVIOUS)


def exists(run_dir: Path) -> bool:
    """Returns True for a run with a checkpoint."""
    return any((run_dir / file).exists() for file in (FILE, PREVIOUS))


def read(run_dir: Path) -> Checkpoint | None:
    """Reads the last checkpoint of a run, or the one before when the last is damaged or missing.

    Returns None when the run has none yet.

    Raises:
        RunError: The file is not a checkpoint, and there is none before.
    """
    newest, previous = run_dir / FILE, run_dir / PREVIOUS
    if not previous.exists():
        return _read(newest) if newest.exists() else None
    try:
        if newest.exists():
            return _read(newest)
    except errors.RunError as error:
        _log.warning("%s The run continues from the checkpoint before, %s.", error, previous)
    return _read(previous)


def _read(path: Path) -> Checkpoint:
    kind, advice = "a checkpoint of this program", "start again in another directory"
    arrays = npz_reader.read(path, kind, advice, error=errors.RunError)
    with damage.explained(path, kind, advice, error=errors.RunError):
        state = json.loads(bytes(arrays.pop("state")))
        if not isinstance(state, dict):
            raise ValueError("its state is not an object")
    groups: dict[str, list[NDArray[Any]]] = {}
    # Five digits keep the sorted names in the order of the variables.
    for name in sorted(arrays):
        groups.setdefault(name.rpartition("/")[0], []).append(arrays[name])
    return Checkpoint(groups, state)


def values(variables: Sequence[Any]) -> list[NDArray[Any]]:
    """Returns the values of variables, in order."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assign(variables: Sequence[Any], arrays: Sequence[NDArray[Any]], *, group: str) -> None:
    """Sets the values of the variables of a group.

    Raises:
        RunError: Number or shapes differ; names the group.
    """
    expected = [tuple(variable.shape) for variable in variables]
    shapes = [array.shape for array in arrays]
    if shapes != expected:
        raise errors.RunError(
            f"the checkpoint's {group} has {len(shapes)} arrays, this run's {len(expected)}, or "
            "their shapes differ: it belongs to another model; choose another output directory."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


@contextlib.contextmanager
def disk_full_explained(path: Path) -> Iterator[None]:
    """Turns the errors that libraries raise for a full disk into one `RunError`."""
    try:
        yield
    except OSError as error:
        if damage.number_of(error) not in damage.DISK_FULL:
            raise
        raise errors.RunError(
            f"{path}: the disk is full; the earlier files are intact. "
            "Free some space and continue with --resume."
        ) from None
