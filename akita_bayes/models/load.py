"""Loads trained models from run directories, `.keras` files, SavedModels and HDF5 files."""

import os
import zipfile
from pathlib import Path
from typing import Any

import keras

from akita_bayes import errors
from akita_bayes.files import damage
from akita_bayes.models import (
    build,
    export,
    fingerprint,
    recalibration,
    shipped,
    swag,
    weights,
    zoo,
)
from akita_bayes.models.ensemble import Ensemble
from akita_bayes.models.intervals import novelty
from akita_bayes.models.protocol import Member, Model
from akita_bayes.origins import training_regions
from akita_bayes.specs.spec import Spec

Source = str | os.PathLike[str] | tuple[str | os.PathLike[str], str | os.PathLike[str]]


def load_model(
    source: Source | list[Source], *, head: str | int | None = None, trust: bool = False
) -> Model:
    """Loads a trained model.

    Args:
        source: A run directory, a `.keras` file, an exported SavedModel directory; the bare name of
            a shipped model, such as "akita_yeast"; the pair `(params.json, weights)`, where
            `weights` is any of these or an HDF5 of Basenji; or a list of sources, for an ensemble.
        head: The head whose weights an HDF5 of Basenji holds; needed when the spec has several
            heads of the same shapes.
        trust: True to open a SavedModel that another program may have written. It is a program,
            which may read and write files.

    Returns:
        A `build.Network`, an `export.Exported`, or an `Ensemble` of them. All carry their `spec`.
        A network from a pair computes in float32, as the best model of a run does.

    Raises:
        RunError: The source holds no model, the weights do not fit the spec, or a SavedModel needs
            trust.
    """
    if isinstance(source, list):
        return _ensemble(source, head, trust)
    return _member(source, head, trust)


def _member(source: Source, head: str | int | None, trust: bool) -> Member:
    """Loads a single model."""
    if isinstance(source, tuple):
        if len(source) != 2:
            raise errors.RunError(
                f"a tuple of {len(source)} is not a model; expected a pair (params.json, weights), "
                "or a list for an ensemble."
            )
        return _pair(shipped.spec_path(source[0]), shipped.model_path(source[1]), head, trust)
    path = shipped.model_path(source)
    if export.is_exported(path):
        return export.Exported(path, trust=trust)
    if path.is_dir():
        best = path / recalibration.WEIGHTS
        if not best.is_file():
            raise errors.RunError(
                f"{path}: is neither a run directory (it has no {best.name}) nor a SavedModel."
            )
        return _run(path, best)
    if not path.is_file():
        raise errors.RunError(f"{path}: no such model.")
    if path.suffix != ".keras":
        raise errors.RunError(
            f"{path}: holds weights without a spec; give (params.json, {path.name}) as a pair."
        )
    return _keras(path)


def _ensemble(sources: list[Source], head: str | int | None, trust: bool) -> Ensemble:
    """Loads the members, and the recalibrations of the ensemble when all are run directories."""
    members = tuple(_member(source, head, trust) for source in sources)
    paths = [
        shipped.model_path(source[1] if isinstance(source, tuple) else source) for source in sources
    ]
    if len(members) == 1 or not all((path / recalibration.WEIGHTS).is_file() for path in paths):
        return Ensemble(members)
    return Ensemble(members, recalibration.load(paths, members[0].spec.head_names))


def _run(run: Path, best: Path) -> build.Network:
    """Loads the best model of a run, with its recalibrations and its draws of weights."""
    model = _keras(best)
    model.recalibrations = recalibration.load([run], model.spec.head_names)
    model.training_regions = training_regions.read(run)
    if (run / novelty.FILE).is_file():
        model.novelty = novelty.load(run, fingerprint.fingerprint(best))
    if (run / swag.FILE).is_file():
        _, model.swag_draws = swag.load(run / swag.FILE)
    return model


def _keras(path: Path) -> build.Network:
    if not zipfile.is_zipfile(path):
        raise errors.RunError(
            f"{path}: cannot be loaded as a Keras model: it is not a .keras archive, or was cut "
            "short; copy or train it again."
        )
    advice = "copy it again, or train again"
    with damage.explained(path, "a Keras model", advice, error=errors.RunError):
        weights.check_claims(path)
        model = keras.models.load_model(path, compile=False)
    if not isinstance(model, build.Network):
        raise errors.RunError(
            f"{path}: is a Keras model that akita_bayes did not build; expected a network "
            "that it built."
        )
    return model


def _pair(params: Path, path: Path, head: str | int | None, trust: bool) -> Member:
    spec = zoo.load_network(params)
    if path.is_dir() or path.suffix == ".keras":
        model = _member(path, None, trust)
        if _network(model.spec) != _network(spec, model.spec.head_names):
            raise errors.RunError(
                f"{path}: was built from another model than {params} describes; give the "
                "params.json of its training."
            )
        return model
    if not path.is_file():
        raise errors.RunError(f"{path}: no such weights file.")
    if head is None and len(spec.head_names) > 1:
        all_heads = _in_float32(spec)
        if not weights.is_layered(path):
            weights.load_weights(all_heads, path)
            return all_heads
        heads = [
            name for name in spec.head_names if weights.fits(build.one_head(all_heads, name), path)
        ]
        if len(heads) > 1:
            raise errors.RunError(
                f"{path}: may be of head {' or '.join(heads)}; choose one with head=."
            )
        head = heads[0] if heads else spec.head_names[0]
    network = _in_float32(spec if head is None else spec.only(head))
    weights.load_weights(network, path)
    return network


def _in_float32(spec: Spec) -> build.Network:
    """Builds a network that predicts in float32, whatever the precision of its training."""
    return build.Network(spec, precision="float32")


def _network(spec: Spec, heads: tuple[str, ...] | None = None) -> tuple[Any, ...]:
    """Returns the parts of a spec that decide the predictions of some heads, or of all."""
    model = spec.model
    head_specs = [head for head in model.heads if heads is None or head.name in heads]
    return model.seq_length, model.activation, model.trunk, head_specs
