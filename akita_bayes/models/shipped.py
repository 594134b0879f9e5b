"""Finds the specs and trained models that come with the package, by their bare names.

In a clone they lie in `models/`; a wheel holds the same files in `akita_bayes/model_zoo/`. Models
that `akita_download.py` installed are found by their names too.
"""

import os
from pathlib import Path

from akita_bayes import errors

_PACKAGE = Path(__file__).parents[1]
MODELS_VARIABLE = "AKITA_BAYES_MODELS"
"""Environment variable that names the folder of downloaded models."""

DOWNLOADS = ("akita_pt", "akita_v1", "akita_v2", "akita_v2_mouse")
"""Models that `akita_download.py` installs."""

_WHEEL, _CLONE = _PACKAGE / "model_zoo", _PACKAGE.parent / "models"


def folder() -> Path:
    """Returns the folder of `json/` and `pretrained/`, in the installed package or in the clone."""
    return _WHEEL if (_WHEEL / "json").is_dir() else _CLONE


def spec_names() -> list[str]:
    """Returns the names of all shipped specs, of networks and of mechanisms."""
    return sorted(path.stem for path in (folder() / "json").glob("*.json"))


def user_folder() -> Path:
    """Returns the folder of downloaded models: $AKITA_BAYES_MODELS, or one in the user's data."""
    if models := os.environ.get(MODELS_VARIABLE):
        return Path(models)
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "akita_bayes" / "models"


def model_names() -> list[str]:
    """Returns the names of all trained models, shipped and downloaded."""
    return sorted(_models())


def _models() -> dict[str, Path]:
    """Returns the folders of all models by name; a shipped model comes before a downloaded one."""
    return {
        path.name: path
        for parent in (user_folder(), folder() / "pretrained")
        for path in parent.glob("*")
        if path.is_dir() and not path.name.startswith(".")
    }


def spec_path(source: str | os.PathLike[str]) -> Path:
    """Returns the path of a JSON spec; a bare name such as "akita_tiny" means a shipped one.

    Raises:
        DataError: There is no such file, and no shipped spec has this name.
    """
    path = Path(source)
    if path.is_file() or not _is_bare(source):
        return path
    if path.name in spec_names():
        return folder() / "json" / f"{path.name}.json"
    raise errors.DataError(_unknown(path.name, "file", "spec", spec_names()))


def model_path(source: str | os.PathLike[str]) -> Path:
    """Returns the path of a trained model; a bare name means a shipped or downloaded one.

    Raises:
        RunError: There is no such file or directory, and no shipped or downloaded model has this
            name.
    """
    path = Path(source)
    if path.exists() or not _is_bare(source):
        return path
    models = _models()
    if path.name in models:
        return models[path.name]
    if path.name in DOWNLOADS:
        raise errors.RunError(
            f"{path.name}: is not installed in {user_folder()}; run akita_download.py {path.name}"
        )
    raise errors.RunError(_unknown(path.name, "file or directory", "model", sorted(models)))


def params_of(source: str) -> Path | None:
    """Returns the params.json of a run directory or of a named model; None for other sources."""
    path = Path(source)
    if not path.exists() and _is_bare(source):
        path = _models().get(source, path)
    params = path / "params.json"
    return params if params.is_file() else None


def background_path(model: str | os.PathLike[str]) -> Path | None:
    """Returns where the random variants of a model are stored; None where no file can be written.

    Those of a run lie in its directory, those of other files beside them. Those of a shipped model
    lie in the folder of downloaded models, since the files of the package do not change.
    """
    path = Path(model)
    if path.parent == folder() / "pretrained":
        path = user_folder() / ".random_variants" / f"{path.name}.h5"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return None
    else:
        path = path / "null.h5" if path.is_dir() else path.with_name(f"{path.name}.null.h5")
    return path if os.access(path.parent, os.W_OK) else None


def _is_bare(source: str | os.PathLike[str]) -> bool:
    """Returns True for a name without a folder and without a suffix."""
    path = Path(source)
    return bool(path.name) and str(source) == path.name and not path.suffix


def _unknown(name: str, kind: str, shipped_kind: str, names: list[str]) -> str:
    listed = f" The package has {', '.join(names)}." if names else ""
    hint = errors.did_you_mean(name, names)
    return f"{name}: no such {kind}, and no {shipped_kind} of this package.{hint}{listed}"
