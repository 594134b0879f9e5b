"""Opens HDF5 files that may be damaged, or that claim more than they hold."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import h5py

from akita_bayes import errors
from akita_bayes.files import damage, seals


@contextlib.contextmanager
def opened(
    path: str | Path,
    kind: str,
    advice: str,
    *,
    error: type[errors.AkitaBayesError] = errors.DataError,
) -> Iterator[h5py.File]:
    """Opens a file for reading; all errors of a damaged one are one sentence.

    The arguments are those of `damage.explained`.

    Raises:
        AkitaBayesError: The file is damaged or differs from its seal (`seals`), or a dataset claims
            to be much larger than the file.
    """
    with damage.explained(path, kind, advice, error=error):
        seals.check(path)
        with h5py.File(path, "r") as file:
            check_claims(file, path, os.path.getsize(path))
            yield file


def check_content(content: IO[bytes], path: str | Path, size: int) -> None:
    """Refuses an HDF5 file inside an archive whose datasets claim too much.

    Args:
        content: The HDF5 file.
        path: The archive, for messages.
        size: Bytes of the HDF5 file.
    """
    with h5py.File(content, "r") as file:
        check_claims(file, path, size)


def check_claims(file: h5py.File, path: str | Path, size: int) -> None:
    """Refuses a file with a dataset that claims to be much larger than the file."""

    def check(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            damage.check_expansion(path, size, item.nbytes)

    file.visititems(check)
