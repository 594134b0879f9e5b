"""What tells the weights of one saved model from those of another, however often they are saved."""

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

_WEIGHTS = "model.weights.h5"


def fingerprint(path: str | Path) -> str:
    """A SHA-256 of the weights in a `.keras` file, as hexadecimal text.

    Dates inside the file do not count: a run that is taken up again writes its best model anew.
    """
    digest = hashlib.sha256()

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            values = np.asarray(item)
            digest.update(f"{name} {values.dtype} {values.shape}".encode() + values.tobytes())

    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read(_WEIGHTS))
    with h5py.File(content) as file:
        file.visititems(add)
    return digest.hexdigest()
