"""Sets the first weights of a training from another one, all of them or those of the trunk."""

from pathlib import Path

from akita_bayes import errors
from akita_bayes.models import build, load, recalibration, shipped, weights


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

    Args:
        model: The network to train.
        path: `.keras`, `.weights.h5` of Keras 3, or HDF5 of Keras 2, as Basenji saves it.
        trunk: True to set the trunk only; the file may then belong to a model with other heads.

    Raises:
        RunError: The file is damaged or does not fit the model; the error names the layer.
    """
    if trunk and path.suffix == ".keras":
        donor = load.load_model(path)
        assert isinstance(donor, build.Network)
        weights.copy_trunk(donor, model, path)
    else:
        weights.load_weights(model, path, trunk=trunk)
