"""Reads and writes weights: the format of Keras 3, and the HDF5 of Keras 2 that Basenji uses.

Checkpoints of AkitaPT are read as well (`checkpoints.akita_pt`).

Keras 2 pairs layers by their order, not by name. The group `model_weights` lists `layer_names` in
topological order. Each layer is a group that lists its `weight_names`, trainable weights first.
"""

import contextlib
import io
import logging
import re
import shutil
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import h5py
import keras
import numpy as np

from akita_bayes import errors, files
from akita_bayes.files import damage, hdf5_reader, hdf5_writer, torch_reader
from akita_bayes.models import build
from akita_bayes.models.checkpoints import akita_pt
from akita_bayes.models.checkpoints.stored_layer import StoredLayer

KERAS_2 = "2.15.0"
"""Version that our files name; Keras 2 chooses its reader by it."""

MEMBER = "model.weights.h5"
"""Name of the weights inside `.keras`."""

_ADVICE = "copy it again, or train again"

_log = logging.getLogger(__name__)


class ModelLayer(NamedTuple):
    """Holds the variables of one layer of a model, and the name that Keras 2 would give it."""

    layer: str
    variables: list[Any]


def load_weights(model: keras.Model, path: str | Path, *, trunk: bool = False) -> None:
    """Sets a model's weights from a file, whose content shows its format; all of them or none.

    Args:
        model: The network.
        path: HDF5 of Keras 2, as Basenji saves it, a checkpoint of AkitaPT, `.weights.h5` of
            Keras 3, or `.keras`.
        trunk: Set the trunk alone, from HDF5 of Keras 2 with or without a head.

    Raises:
        RunError: The file is missing, is not a weights file, or does not fit; the error names the
            layer.
    """
    path = Path(path)
    if not path.is_file():
        raise errors.RunError(f"{path}: no such weights file.")
    if not (zipfile.is_zipfile(path) or h5py.is_hdf5(path)):
        raise errors.RunError(
            f"{path}: does not fit the model: it is neither HDF5 nor a .keras archive nor a "
            "checkpoint of PyTorch, or was cut short; copy it again."
        )
    stored = read(path)
    if stored is None and not trunk:
        with damage.explained(path, "weights of Keras", _ADVICE, error=errors.RunError):
            check_claims(path)
            with _all_or_none(model):
                _load_keras_3(model, path)
        return
    if stored is None:
        raise errors.RunError(
            f"{path}: a trunk is read from HDF5 of Keras 2 only; load the model from this file."
        )
    if trunk:
        model = build.trunk(model)
        stored = stored[: len(_model_layers(model))]
    assign(model, stored, path)


def copy_trunk(donor: build.Network, model: build.Network, path: Path) -> None:
    """Sets the trunk of a model to that of another one, which was read from `path`.

    Raises:
        RunError: The trunks have different layers; the error names the first difference.
    """
    assign(build.trunk(model), stored_layers(build.trunk(donor)), path)


def save_weights(
    model: keras.Model, path: str | Path, *, format: Literal["keras", "basenji"] = "keras"
) -> None:
    """Writes a model's weights, atomically.

    Args:
        model: The network; for Basenji a network of one head, see `build.one_head`.
        path: Name of the file; the format of Keras 3 needs a name that ends in `.weights.h5`.
        format: "keras" for the format of Keras 3; "basenji" for HDF5 of Keras 2, in layer order.

    Raises:
        RunError: The format is unknown, or the file name does not fit it.
    """
    path = Path(path)
    if format not in ("keras", "basenji"):
        raise errors.RunError(f'weights are saved in format "keras" or "basenji", not "{format}".')
    keras_name = path.name.endswith(".weights.h5")
    if format == "keras" and not keras_name:
        raise errors.RunError(f"{path}: Keras saves weights in *.weights.h5; give such a name.")
    if format == "basenji" and keras_name:
        _log.warning("%s: Keras 2 opens it only under a name without .weights.", path)
    if format == "basenji":
        _write(model, path)
        return
    # Keras writes this HDF5 by name, which crashes on a full disk; inside `.keras` it does not.
    with files.atomic(path) as temporary:
        whole = temporary.with_name(temporary.name.removesuffix(".weights.h5") + ".keras")
        try:
            model.save(whole)
            with zipfile.ZipFile(whole) as archive, open(temporary, "wb") as file:
                shutil.copyfileobj(archive.open(MEMBER), file)
        finally:
            files.remove(whole)


def read(path: str | Path) -> list[StoredLayer] | None:
    """Reads the layers with weights from HDF5 of Keras 2 or AkitaPT; None for other files."""
    if torch_reader.is_checkpoint(path):
        return akita_pt.read(path)
    if not h5py.is_hdf5(path):
        return None
    kind = "HDF5 of Keras"
    with hdf5_reader.opened(path, kind, _ADVICE, error=errors.RunError) as file:
        group = file.get("model_weights", file)
        names = _attribute(group, "layer_names")
        if names is None:
            return None
        stored = []
        for name in names:
            weights = _attribute(group[name], "weight_names") or []
            if weights:
                arrays = [np.asarray(group[name][weight][()]) for weight in weights]
                if any(array.dtype.kind not in "fiu" for array in arrays):
                    raise ValueError(f"weights of layer {name} are not numbers")
                stored.append(StoredLayer(name, weights, arrays))
    return stored


def check_claims(path: str | Path) -> None:
    """Refuses HDF5 or `.keras` whose weights claim to be much larger than the file."""
    if not zipfile.is_zipfile(path):
        with hdf5_reader.opened(path, "HDF5 of Keras", _ADVICE, error=errors.RunError):
            return
    with zipfile.ZipFile(path) as archive:
        damage.check_archive(archive, path)
        content = io.BytesIO(archive.read(MEMBER))
        hdf5_reader.check_content(content, path, content.getbuffer().nbytes)


def is_layered(path: str | Path) -> bool:
    """Returns True for HDF5 of Keras 2 and for AkitaPT, whose layers are paired by order."""
    return read(path) is not None


def fits(model: keras.Model, path: str | Path) -> bool:
    """Returns True when a file of layers has the number of layers and the shapes of a model."""
    stored = read(path)
    return stored is not None and not _misfit(_model_layers(model), stored)


def stored_layers(model: keras.Model) -> list[StoredLayer]:
    """Copies the layers with weights of a model, as `read` returns those of a file."""
    return [
        StoredLayer(layer, [], [variable.numpy() for variable in variables])
        for layer, variables in _model_layers(model)
    ]


def assign(model: keras.Model, stored: list[StoredLayer], path: Path) -> None:
    """Sets the weights of all layers of a model, in their order.

    Raises:
        RunError: The stored layers, which were read from `path`, differ from those of the model.
            No weight was set.
    """
    layers = _model_layers(model)
    if problem := _misfit(layers, stored):
        raise errors.RunError(f"{path}: does not fit the model: {problem}.")
    for (_, variables), (_, _, arrays) in zip(layers, stored, strict=True):
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)


def _load_keras_3(model: keras.Model, path: Path) -> None:
    try:
        model.load_weights(path)
    except ValueError as error:
        raise errors.RunError(f"{path}: does not fit the model: {error}") from None


@contextlib.contextmanager
def _all_or_none(model: keras.Model) -> Iterator[None]:
    """Restores a model's variables when the body fails."""
    arrays = [variable.numpy() for variable in model.variables]
    try:
        yield
    except BaseException:
        for variable, array in zip(model.variables, arrays, strict=True):
            variable.assign(array)
        raise


def _model_layers(model: keras.Model) -> list[ModelLayer]:
    """Returns the layers with weights, with the names of Keras 2: conv1d, conv1d_1, ..."""
    counts: Counter[str] = Counter()
    layers = []
    for layer in model.layers:
        kind = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(layer).__name__).lower()
        name = f"{kind}_{counts[kind]}" if counts[kind] else kind
        counts[kind] += 1
        if layer.weights:
            variables = [*layer.trainable_weights, *layer.non_trainable_weights]
            layers.append(ModelLayer(name, variables))
    return layers


def _attribute(group: h5py.Group, name: str) -> list[str] | None:
    """Reads a list of names, which Keras 2 splits into name0, name1, ... when it is long."""
    if name in group.attrs:
        values = list(group.attrs[name])
    elif f"{name}0" in group.attrs:
        parts = sorted(int(key[len(name) :]) for key in group.attrs if key.startswith(name))
        values = [value for part in parts for value in group.attrs[f"{name}{part}"]]
    else:
        return None
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _misfit(layers: list[ModelLayer], stored: list[StoredLayer]) -> str:
    """Describes the first difference between a model and stored weights; '' when they fit."""
    for layer, stored_layer in zip(layers, stored, strict=False):
        expected = [tuple(variable.shape) for variable in layer.variables]
        shapes = [array.shape for array in stored_layer.arrays]
        if expected != shapes:
            return (
                f"layer {layer.layer} has weights of shape {_shapes(expected)}, "
                f"the file's {stored_layer.layer} {_shapes(shapes)}"
            )
    if len(layers) != len(stored):
        unpaired = layers[len(stored) :] or stored[len(layers) :]
        return (
            f"the model has {len(layers)} layers with weights, the file {len(stored)}; the first "
            f"without a partner is {unpaired[0].layer}"
        )
    return ""


def _shapes(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)


def _write(model: keras.Model, path: Path) -> None:
    layers = _model_layers(model)
    with hdf5_writer.create(path) as file:
        group = file.create_group("model_weights")
        for holder in (file, group):
            holder.attrs["backend"] = "tensorflow"
            holder.attrs["keras_version"] = KERAS_2
        group.attrs["layer_names"] = [layer for layer, _ in layers]
        for layer, variables in layers:
            weights = group.create_group(layer)
            names = _weight_names(layer, variables)
            weights.attrs["weight_names"] = names
            for name, variable in zip(names, variables, strict=True):
                weights.create_dataset(name, data=np.asarray(variable))


def _weight_names(layer: str, variables: list[Any]) -> list[str]:
    """Returns `conv1d/kernel:0`, or `squeeze_excite/dense_1/kernel:0` for a layer in a layer."""
    counts: Counter[str] = Counter()
    inner: dict[str, str] = {}
    names = []
    for variable in variables:
        *holders, name = variable.path.split("/")
        if len(holders) > 1:
            if holders[-1] not in inner:
                kind = holders[-1].rstrip("0123456789").rstrip("_")
                inner[holders[-1]] = f"{kind}_{counts[kind]}" if counts[kind] else kind
                counts[kind] += 1
            name = f"{inner[holders[-1]]}/{name}"
        names.append(f"{layer}/{name}:0")
    return names
