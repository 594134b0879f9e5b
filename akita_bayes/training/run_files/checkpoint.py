"""The complete state of a run in one file, so that a rename makes it whole or leaves the old one.

`checkpoint/state.npz` holds every variable of model and optimizer by order, the weights of the best
model so far, those averaged so far, and a JSON text with counters, histories and running sums.
Whatever else lies in a run directory follows from it.
"""

import contextlib
import errno
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files

FILE = Path("checkpoint") / "state.npz"

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Checkpoint(NamedTuple):
    """A run between two steps.

    Attributes:
        arrays: Values of variables, group -> in the order of the group's variables.
        state: Everything else, as JSON knows it.
    """

    arrays: Mapping[str, Sequence[NDArray]]
    state: Mapping[str, Any]


def write(run_dir: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint in place of the last one.

    Raises:
        RunError: The disk is full; the last checkpoint is left as it was.
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


def read(run_dir: Path) -> Checkpoint | None:
    """The last checkpoint of a run, or None when it has none yet.

    Raises:
        RunError: The file is not a checkpoint.
    """
    path = run_dir / FILE
    if not path.exists():
        return None
    try:
        with np.load(path) as archive:
            state = json.loads(bytes(archive["state"]))
            groups: dict[str, list[NDArray]] = {}
            for name in sorted(set(archive.files) - {"state"}):
                groups.setdefault(name.rpartition("/")[0], []).append(archive[name])
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        raise errors.RunError(
            f"{path}: not a checkpoint of this program ({error}); start again in another directory."
        ) from None
    return Checkpoint(groups, state)


def values(variables: Sequence[Any]) -> list[NDArray]:
    """The values of variables, in order."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assign(variables: Sequence[Any], arrays: Sequence[NDArray], *, what: str) -> None:
    """Gives variables their values.

    Raises:
        RunError: Number or shapes differ; `what` names the group.
    """
    shapes = [tuple(variable.shape) for variable in variables]
    found = [array.shape for array in arrays]
    if shapes != found:
        raise errors.RunError(
            f"the checkpoint's {what} has {len(found)} arrays, this run's {len(shapes)}, or their "
            "shapes differ: it belongs to another model; choose another output directory."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


@contextlib.contextmanager
def disk_full_explained(path: Path) -> Iterator[None]:
    """Turns the ways in which libraries say that the disk is full into one `RunError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL and f"errno = {errno.ENOSPC}" not in str(error):
            raise
        raise errors.RunError(
            f"{path}: the disk is full; what was there before is intact. "
            "Free some space and continue with --resume."
        ) from None


def remove_partial(run_dir: Path) -> None:
    """Removes what a killed process left half-written."""
    for folder in (run_dir, run_dir / FILE.parent):
        for path in folder.glob(".*.partial.*"):
            files.remove(path)
