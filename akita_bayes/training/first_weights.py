"""Sets the first weights of a training from another one, all of them or those of the trunk."""

from pathlib import Path

from akita_bayes import errors
from akita_bayes.models import build, load, recalibration, shipped, weights
from akita_bayes.models.checkpoints.stored_layer import StoredLayer
from akita_bayes.models.passes import cut
from akita_bayes.training import deterministic_twin


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

    The file may hold the deterministic twin of a model with posterior layers, the same network
    without them (`deterministic_twin`).

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
    stored = None if trunk or not cut.posteriors(model) else _layers(path)
    if stored is None:
        weights.load_weights(model, path, trunk=trunk)
        return
    try:
        stored = deterministic_twin.complete(model, stored)
    except ValueError as error:
        raise errors.RunError(
            f"{path}: cannot start this model: {error}; set the units of normal_latent to the "
            "channels of its input."
        ) from None
    weights.assign(model, stored, path)


def _layers(path: Path) -> list[StoredLayer] | None:
    """Reads the layers of a file; None for `.weights.h5` of Keras 3, which has no order."""
    if path.suffix == ".keras":
        return weights.stored_layers(_network(path))
    return weights.read(path)


def _network(path: Path) -> build.Network:
    network = load.load_model(path)
    assert isinstance(network, build.Network)
    return network
