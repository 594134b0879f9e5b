"""Identifies the weights of a model, in memory or saved at any time."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from akita_bayes import errors
from akita_bayes.files import damage, hdf5_reader
from akita_bayes.origins import provenance
from akita_bayes.specs import spec as specs

if TYPE_CHECKING:
    import keras

    from akita_bayes.models.protocol import Model

_WEIGHTS = "model.weights.h5"


def model_digest(model: "Model") -> str:
    """Computes the SHA-256 of a model's spec, weights and SWAG draws.

    For an exported model, its graph and variables take the place of the weights; other files in its
    directory, such as a background or figures, do not count.
    """
    digest = hashlib.sha256()
    for member in model.members:
        digest.update(specs.dumps(member.spec).encode())
        for part in member.digest_parts():
            digest.update(part)
    return digest.hexdigest()


def described(model: "Model") -> dict[str, dict[str, str]]:
    """Returns spec and weights of a model as inputs of `provenance.origin`, by their digests."""
    of_spec = hashlib.sha256(specs.dumps(model.spec).encode()).hexdigest()
    return {"spec": {"sha256": of_spec}, "weights": {"sha256": model_digest(model)}}


def origin(model: "Model", seed: int, data_dir: str | Path) -> dict[str, Any]:
    """Returns the origin of results of a model on a data directory (`origins.provenance`)."""
    return provenance.origin(seeds={"seed": seed}, inputs={**described(model), "data": data_dir})


def weight_parts(model: "keras.Model") -> Iterator[bytes]:
    """Yields the bytes of every weight."""
    for weight in model.weights:
        yield weight.numpy().tobytes()


def weight_digest(model: "keras.Model") -> bytes:
    """Returns the SHA-256 of all weights."""
    digest = hashlib.sha256()
    for part in weight_parts(model):
        digest.update(part)
    return digest.digest()


def fingerprint(path: str | Path) -> str:
    """Returns the SHA-256 of the weights in a `.keras` file, as hexadecimal text.

    Dates inside the file do not count, because a resumed run writes its best model again.
    """
    digest = hashlib.sha256()

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            values = np.asarray(item)
            digest.update(f"{name} {values.dtype} {values.shape}".encode() + values.tobytes())

    advice = "copy it again, or train again"
    with damage.explained(path, "a Keras model", advice, error=errors.RunError):
        with zipfile.ZipFile(path) as archive:
            damage.check_archive(archive, path)
            content = io.BytesIO(archive.read(_WEIGHTS))
        hdf5_reader.check_content(content, path, content.getbuffer().nbytes)
        with h5py.File(content) as file:
            file.visititems(add)
    return digest.hexdigest()
