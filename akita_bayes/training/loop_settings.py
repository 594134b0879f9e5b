"""Settles a training loop's settings from a spec and the options of the command line."""

import collections
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from akita_bayes import errors
from akita_bayes.data.records import statistics
from akita_bayes.models.passes import cut
from akita_bayes.specs import spec as spec_
from akita_bayes.training.objectives import distillation, elbo, losses
from akita_bayes.training.objectives import objective as objective_


def adapt(
    spec: spec_.Spec,
    data_dirs: Sequence[Path],
    *,
    heads: Sequence[str] | None = None,
    seed: int | None = None,
    epochs: int | None = None,
    precision: str | None = None,
    trunk_rate: float | None = None,
) -> spec_.Spec:
    """Returns the spec of one training: selected heads, changed settings, strand pairs; checked.

    Args:
        spec: Spec as read from its file.
        data_dirs: One data directory for each selected head.
        heads: Names of the heads to train; None takes all.
        seed: Replacement of `train.seed`.
        epochs: Replacement of `train.train_epochs_max`; averaging then includes at least the last
            epoch. A default start of averaging is written out.
        precision: Replacement of `train.precision`.
        trunk_rate: Replacement of `train.trunk_rate`.

    Raises:
        SpecError: There are more or fewer directories than heads, or a head and its data disagree.
        DataError: A directory lacks `statistics.json`.
    """
    selected = [spec.head(name) for name in heads or spec.head_names]
    if len(selected) != len(data_dirs):
        raise errors.SpecError(
            f"model: {len(selected)} heads ({', '.join(head.name for head in selected)}) for "
            f"{len(data_dirs)} data directories; give one directory for each head, in this order, "
            "or choose heads with --heads."
        )
    names = [head.name for head in selected]
    ordered = [name for name in spec.head_names if name in names]
    if names != ordered:
        raise errors.SpecError(
            f"model: write heads and their data directories in the order of the spec, "
            f"{', '.join(ordered)}."
        )
    changes: dict[str, Any] = {
        "seed": seed,
        "train_epochs_max": epochs,
        "precision": precision,
        "trunk_rate": trunk_rate,
    }
    changes = {key: value for key, value in changes.items() if value is not None}
    longest = changes.get("train_epochs_max", spec.train.train_epochs_max)
    changes["train_epochs_min"] = min(spec.train.train_epochs_min, longest)
    if (swa := spec.train.swa) is not None:
        start = _averaging_start(longest) if swa.start is None else swa.start
        start = start if epochs is None else min(start, epochs - 1)
        changes["swa"] = swa.model_copy(update={"start": start})
    pairs = _strand_pairs(spec, selected, data_dirs)
    adapted = spec.with_model(heads=names, strand_pair=pairs).with_training(**changes)
    by_head = {head.name: directory for head, directory in zip(selected, data_dirs, strict=True)}
    for name, directory in by_head.items():
        of_data = statistics.read(directory)
        adapted.check_statistics(of_data.to_json(), name)
        if adapted.train.distillation is not None and not of_data.spread:
            raise errors.SpecError(
                f'train.loss: "distillation" needs the predictions of teachers, but {directory} '
                "holds measured targets; label its windows with akita_distill.py."
            )
    return adapted


def trained_networks(
    train: spec_.TrainSpec, models: Mapping[str, keras.Model]
) -> dict[str, keras.Model]:
    """Returns the networks that the steps of each head run, with the outputs that the loss needs.

    Args:
        train: Section of the spec with the loss.
        models: Head -> model from sequence to head.
    """
    if train.distillation is None:
        return dict(models)
    return {head: distillation.stated(model) for head, model in models.items()}


def settle_averaging(train: dict[str, Any]) -> None:
    """Fills in the default start of averaging in the `train` section of a spec (JSON values).

    The default depends on the number of epochs, which may change when a run is continued.
    """
    swa = train.get("swa")
    if swa and swa["start"] is None:
        swa["start"] = _averaging_start(train["train_epochs_max"])


def _averaging_start(epochs: int) -> int:
    return 3 * epochs // 4


def objectives(
    train: spec_.TrainSpec, models: Mapping[str, keras.Model], examples: Mapping[str, int]
) -> dict[str, objective_.Objective]:
    """Makes the objectives of all heads; the divergence of a shared layer is divided among them.

    Args:
        train: Section of the spec with the loss and its options.
        models: Head -> model from sequence to head; they share the layers of the trunk.
        examples: Head -> number of training examples.
    """
    layer_examples: collections.Counter[str] = collections.Counter()
    for head, model in models.items():
        for layer in cut.posteriors(model):
            layer_examples[layer.name] += examples[head]
    return {head: objective(train, models[head], examples[head], layer_examples) for head in models}


def objective(
    train: spec_.TrainSpec,
    model: keras.Model,
    examples: int,
    layer_examples: Mapping[str, int] | None = None,
) -> objective_.Objective:
    """Makes the objective of one head; call it in the strategy's scope, as it may own variables.

    Args:
        train: Section of the spec with the loss and its options.
        model: Model from sequence to the head.
        examples: Number of training examples.
        layer_examples: Examples for each layer, as `elbo.Elbo` takes them.

    Raises:
        SpecError: The loss has an unknown name.
    """
    if train.distillation is not None:
        return distillation.Distillation(train.distillation)
    if train.elbo is not None:
        return elbo.Elbo(model, train.elbo, examples, layer_examples)
    return objective_.PixelObjective(
        losses.named(train.loss, spec_weight=train.spec_weight, total_weight=train.total_weight)
    )


def _strand_pairs(
    spec: spec_.Spec, heads: Sequence[spec_.HeadSpec], data_dirs: Sequence[Path]
) -> list[list[int]]:
    """Returns the strand pairs of each head: the spec's, or else those of the data of a track."""
    pairs: list[Any] = []
    for head, directory in zip(heads, data_dirs, strict=True):
        if spec.model.strand_pair:
            pairs.append(list(spec.model.strand_pair[spec.model.heads.index(head)]))
        elif spec.model.augment_rc and not spec.geometry(head.name).pairwise:
            pairs.append(_pairs_of(directory / "targets.txt"))
        else:
            pairs.append([])
    return pairs if any(pairs) else []


def _pairs_of(path: Path) -> list[int]:
    if not path.is_file():
        return []
    table = pd.read_csv(path, sep="\t", index_col=0)
    return [int(index) for index in table["strand_pair"]] if "strand_pair" in table else []
