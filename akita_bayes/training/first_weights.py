"""Sets the first weights of a training from another one, all of them or those of the trunk."""

import logging
from pathlib import Path

import keras

from akita_bayes import errors
from akita_bayes.layers import noise
from akita_bayes.models import build, load, recalibration, shipped, weights
from akita_bayes.models.checkpoints.stored_layer import StoredLayer
from akita_bayes.training import deterministic_twin

_log = logging.getLogger(__name__)


def file_of(source: str | Path) -> Path:
    """Returns the file of weights behind a path, a run directory or the name of a shipped model.

    Raises:
        RunError: The directory has no best model, or no shipped model has this name.
    """
    path = shipped.model_path(source)
    if not path.is_dir():
        return path
    best = path / recalibration.WEIGHTS
    if not best.is_file():
        raise errors.RunError(
            f"{path}: holds no weights to start from (it has no {best.name}); give a run "
            "directory, a .keras file or HDF5 of Basenji."
        )
    return best


def restore(model: build.Network, path: Path, *, trunk: bool) -> None:
    """Sets all weights of a model from a file, or those of its trunk alone.

    The file may hold the same network without its posterior layers, or without its branches with a
    `layer_scale` (`deterministic_twin`). It may also hold the same network with another number of
    targets: the final layer then starts at random, and a warning says so.

    Args:
        model: The network to train.
        path: `.keras`, `.weights.h5` of Keras 3, or HDF5 of Keras 2, as Basenji saves it.
        trunk: True to set the trunk only; the file may then belong to a model with other heads.

    Raises:
        RunError: The file is damaged or does not fit the model; the error names the layer.
    """
    if trunk and path.suffix == ".keras":
        weights.copy_trunk(_network(path), model, path)
        return
    stored = None if trunk else _layers(path)
    if stored is None:
        weights.load_weights(model, path, trunk=trunk)
        return
    stored = _with_own_targets(model, stored, path)
    try:
        stored = deterministic_twin.complete(model, stored)
    except ValueError as error:
        raise errors.RunError(
            f"{path}: cannot start this model: {error}; set the units of normal_latent to the "
            "channels of its input."
        ) from None
    weights.assign(model, stored, path)


def _with_own_targets(
    model: build.Network, stored: list[StoredLayer], path: Path
) -> list[StoredLayer]:
    """Returns the stored layers with the first weights of the model where its targets are others.

    These are the last dense layer, and the noise of every target. Layers that differ otherwise are
    returned as they are, and are refused later.
    """
    layers = [layer for layer in model.layers if layer.weights]
    own = weights.stored_layers(model)
    if len(own) != len(stored):
        return stored
    final = [layer for layer in layers if isinstance(layer, keras.layers.Dense)][-1:]
    completed = []
    for layer, of_model, of_file in zip(layers, own, stored, strict=True):
        own_shapes, file_shapes = (
            [array.shape for array in side.arrays] for side in (of_model, of_file)
        )
        of_targets = layer in final or isinstance(layer, noise.ObservationNoise)
        differs = own_shapes != file_shapes and [shape[:-1] for shape in own_shapes] == [
            shape[:-1] for shape in file_shapes
        ]
        if of_targets and differs and layer in final:
            _log.warning(
                "%s: has %d targets, and this model %d; its final layer starts at random.",
                *(path, file_shapes[0][-1], own_shapes[0][-1]),
            )
        completed.append(of_model if of_targets and differs else of_file)
    return completed


def _layers(path: Path) -> list[StoredLayer] | None:
    """Reads the layers of a file; None for `.weights.h5` of Keras 3, which has no order."""
    if path.suffix == ".keras":
        return weights.stored_layers(_network(path))
    return weights.read(path)


def _network(path: Path) -> build.Network:
    network = load.load_model(path)
    assert isinstance(network, build.Network)
    return network
