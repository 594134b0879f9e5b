"""Reads archives of NumPy arrays that may be damaged, or that claim more than they hold."""

import math
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.files import damage


def read(
    path: str | Path,
    kind: str,
    advice: str,
    *,
    error: type[errors.AkitaBayesError] = errors.DataError,
) -> dict[str, NDArray[Any]]:
    """Reads all arrays of an `.npz`, by name.

    The arguments are those of `damage.explained`.

    Raises:
        AkitaBayesError: The file is damaged, or an array claims to be larger than its content.
    """
    with damage.explained(path, kind, advice, error=error):
        with zipfile.ZipFile(path) as archive:
            damage.check_archive(archive, path)
            for member in archive.infolist():
                with archive.open(member) as content:
                    _check_claim(content, member.file_size)
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)


def _check_claim(content: Any, size: int) -> None:
    """Refuses an array whose header claims more bytes than there are."""
    version = npy.read_magic(content)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read_header(content)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize > size:
        raise ValueError(f"an array of shape {shape} and type {dtype} in {size:,} bytes")
