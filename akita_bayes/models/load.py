"""Trained models from disk, whatever form they were kept in."""

import os
import zipfile
from pathlib import Path
from typing import Any

import keras

from akita_bayes import errors
from akita_bayes.models import build, export, recalibration, swag, weights, zoo
from akita_bayes.models.ensemble import Ensemble
from akita_bayes.specs.spec import Spec

Source = str | os.PathLike[str] | tuple[str | os.PathLike[str], str | os.PathLike[str]]


def load_model(source: Source | list[Source], *, head: str | int | None = None) -> Any:
    """Loads a trained model.

    Args:
        source: A run directory, a `.keras` file, an exported SavedModel directory; the pair
            `(params.json, weights)`, whose second half may be any of these or an HDF5 of Basenji;
            or a list of such, for an ensemble.
        head: The head whose weights an HDF5 of Basenji holds, where the spec has several and
            shapes do not tell.

    Returns:
        A `build.Network`, an `export.Exported`, or an `Ensemble` of them. All carry their `spec`.
        What is built from a pair computes in float32, as the best model of a run does.

    Raises:
        RunError: There is no model, or it does not fit the spec beside it.
    """
    if isinstance(source, list):
        return _ensemble(source, head)
    if isinstance(source, tuple):
        if len(source) != 2:
            raise errors.RunError(
                "a pair (params.json, weights) makes a model; a list an ensemble."
            )
        return _pair(Path(source[0]), Path(source[1]), head)
    path = Path(source)
    if export.is_exported(path):
        return export.Exported(path)
    if path.is_dir():
        best = path / recalibration.WEIGHTS
        if not best.is_file():
            raise errors.RunError(
                f"{path}: neither a run directory (it has no {best.name}) nor a SavedModel."
            )
        return _run(path, best)
    if not path.is_file():
        raise errors.RunError(f"{path}: no such model.")
    if path.suffix != ".keras":
        raise errors.RunError(
            f"{path}: holds weights without a spec; give (params.json, {path.name}) as a pair."
        )
    return _keras(path)


def _ensemble(sources: list[Source], head: str | int | None) -> Ensemble:
    """The members, with what was fitted to them together where all are runs."""
    members = tuple(load_model(each, head=head) for each in sources)
    places = [Path(each[1] if isinstance(each, tuple) else each) for each in sources]
    if len(members) == 1 or not all((place / recalibration.WEIGHTS).is_file() for place in places):
        return Ensemble(members)
    return Ensemble(members, recalibration.load(places, members[0].spec.head_names))


def _run(run: Path, best: Path) -> build.Network:
    """The best model of a run, with what the run knows of its uncertainty."""
    model = _keras(best)
    model.recalibrations = recalibration.load([run], model.spec.head_names)
    if (run / swag.FILE).is_file():
        _, model.swag_draws = swag.load(run / swag.FILE)
    return model


def _keras(path: Path) -> build.Network:
    if not zipfile.is_zipfile(path):
        raise errors.RunError(
            f"{path}: cannot be loaded as a Keras model: it is no .keras archive, or was cut "
            "short; copy or train it again."
        )
    try:
        model = keras.models.load_model(path, compile=False)
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise errors.RunError(f"{path}: cannot be loaded as a Keras model: {error}") from error
    if not isinstance(model, build.Network):
        raise errors.RunError(f"{path}: is a Keras model, but none that akita_bayes built.")
    return model


def _pair(params: Path, path: Path, head: str | int | None) -> Any:
    spec = zoo.load_network(params)
    if path.is_dir() or path.suffix == ".keras":
        model = load_model(path)
        if _network(model.spec) != _network(spec, model.spec.head_names):
            raise errors.RunError(
                f"{path}: was built from another model than {params} says; give the params.json "
                "that it was trained with."
            )
        return model
    if not path.is_file():
        raise errors.RunError(f"{path}: no such weights file.")
    if head is None and len(spec.head_names) > 1:
        whole = _in_float32(spec)
        if not weights.is_keras_2(path):
            weights.load_weights(whole, path)
            return whole
        heads = [
            name for name in spec.head_names if weights.fits(build.one_head(whole, name), path)
        ]
        if len(heads) > 1:
            raise errors.RunError(
                f"{path}: may be of head {' or '.join(heads)}; choose one with head=."
            )
        head = heads[0] if heads else spec.head_names[0]
    model = _in_float32(spec if head is None else spec.only(head))
    weights.load_weights(model, path)
    return model


def _in_float32(spec: Spec) -> build.Network:
    """Built to predict, as a run's best model is, whatever the precision of training."""
    return build.Network(spec, precision="float32")


def _network(spec: Spec, heads: tuple[str, ...] | None = None) -> tuple[Any, ...]:
    """What decides a network's predictions, of some heads or all."""
    model = spec.model
    chosen = [head for head in model.heads if heads is None or head.name in heads]
    return model.seq_length, model.activation, model.trunk, chosen
