"""Trains a model from a spec and data directories, and writes a run directory (`ab.fit`)."""

import contextlib
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import pandas as pd
import tensorflow as tf

from akita_bayes import errors, files, keywords
from akita_bayes.data.records import dataset
from akita_bayes.models import load, weights
from akita_bayes.specs import spec as spec_
from akita_bayes.training import batches, loop, loop_settings, observers, strategy
from akita_bayes.training.run_files import checkpoint, history, provenance

PARAMS = "params.json"

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]

_MAY_CHANGE = ("train_epochs_min", "train_epochs_max", "patience")

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Run:
    """Describes a finished training.

    Attributes:
        out_dir: Run directory.
        spec: Spec of the model, with every setting of the training.
        epochs: Number of finished epochs.
        best_epoch: Epoch of the best model, counted from 1; `epochs` + 1 means the averaged
            weights.
        history: `history.csv`: a row per epoch, and one of the averaged weights, if any.
    """

    out_dir: Path
    spec: spec_.Spec
    epochs: int
    best_epoch: int
    history: pd.DataFrame

    @property
    def best(self) -> Mapping[str, float]:
        """Returns the best epoch's row of the history."""
        row: dict[str, float] = self.history.iloc[self.best_epoch - 1].to_dict()
        return row

    @property
    def averaged(self) -> bool:
        """Returns True when the best model has the averaged weights."""
        return self.best_epoch > self.epochs

    def model(self) -> keras.Model:
        """Loads the best model."""
        return load.load_model(self.out_dir)


@dataclasses.dataclass(frozen=True)
class FitOptions:
    """Holds the settings of `fit` that the spec does not hold, or that replace those of the spec.

    Attributes:
        seed: Seed of initial weights, order of the data, augmentation and dropout; None takes the
            spec's.
        epochs: Most epochs; None takes the spec's.
        precision: Keras dtype policy; None takes the spec's. float16 uses loss scaling.
        devices: Devices, in the words of `training.strategy.choose`; None takes the first GPU, or
            the first `num_gpu` of the spec, else the CPU.
        heads: Heads to train; None takes all.
        resume: True to continue from the last checkpoint, if there is one.
        deterministic: True to use only operations with reproducible results; slower on a GPU. This
            is a global setting of TensorFlow, which cannot be undone in this process.
        restore: Initial weights, in any format that `load_weights` reads.
        trunk: True to restore only the trunk.
        train_split: Split or splits of the training data.
        valid_split: Split or splits that select the best epoch.
        checkpoint_steps: Steps between further checkpoints; every epoch writes one.
        checkpoint_minutes: Minutes between further checkpoints; None for none.
        tensorboard: True to write TensorBoard events.
    """

    seed: int | None = None
    epochs: int | None = None
    precision: Precision | None = None
    devices: str | None = None
    heads: Sequence[str] | None = None
    resume: bool = False
    deterministic: bool = False
    restore: str | Path | None = None
    trunk: bool = False
    train_split: str | Sequence[str] = "train"
    valid_split: str | Sequence[str] = "valid"
    checkpoint_steps: int | None = None
    checkpoint_minutes: float | None = 15.0
    tensorboard: bool = True


def fit(
    spec: spec_.Spec,
    data_dirs: str | Path | Sequence[str | Path],
    *,
    out_dir: str | Path,
    options: FitOptions = FitOptions(),
    observer: observers.Observer | None = None,
    **changes: Any,
) -> Run:
    """Trains a model and writes a run directory.

    Sets Keras' global random seed. The run directory holds `params.json`, `provenance.json`,
    `history.csv`, `model_best.keras`, `model_best.h5` for Basenji, `best_targets.csv`,
    `checkpoint/` and `tensorboard/`.

    Args:
        spec: Spec, as `load_spec` reads it.
        data_dirs: One data directory, or one for each of several heads in the order of `heads`;
            the trunk learns from all of them.
        out_dir: Run directory; must be empty or absent, or contain the run to `resume`.
        options: Settings of the training.
        observer: Observer of every step.
        changes: Fields of `options` to replace, such as `epochs=2`.

    Raises:
        SpecError: Spec and data disagree; names the two numbers.
        DataError: A data directory, split or record is bad.
        RunError: The run directory is not empty or belongs to another training, a device is
            absent, the loss is not finite, or the disk is full.
        TypeError: A keyword is not a field of `options`.
    """
    options = keywords.replaced(options, changes)
    out_dir = Path(out_dir)
    if isinstance(data_dirs, (str, Path)):
        data_dirs = [data_dirs]
    directories = [Path(data_dir) for data_dir in data_dirs]
    spec = loop_settings.adapt(
        spec,
        directories,
        heads=options.heads,
        seed=options.seed,
        epochs=options.epochs,
        precision=options.precision,
    )
    devices = options.devices or (f"gpu:{spec.train.num_gpu}" if spec.train.num_gpu > 1 else None)
    replication = strategy.choose(devices)
    writes = strategy.writes(replication)
    if writes and out_dir.exists() and any(out_dir.iterdir()):
        _check_occupied(out_dir, resume=options.resume)
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    feeds = {
        head: loop.Feeds(
            _feed(spec, directory, options.train_split, replication, training=True),
            _feed(spec, directory, options.valid_split, replication, training=False),
        )
        for head, directory in zip(spec.head_names, directories, strict=True)
    }
    first = next(iter(feeds.values()))
    origin = provenance.record(
        dict(zip(spec.head_names, directories, strict=True)),
        {"train": first.train.split.names, "valid": first.valid.split.names},
        spec.train.seed,
        strategy.describe(replication),
        provenance.first_weights(options.restore, trunk=options.trunk),
    )
    if options.resume:
        _check_same_training(out_dir, spec, origin)
    training = loop.Loop(
        spec,
        feeds,
        replication,
        out_dir,
        observer=observer or observers.Silent(),
        checkpoint_steps=options.checkpoint_steps,
        checkpoint_minutes=options.checkpoint_minutes,
    )
    if options.restore is not None:
        weights.load_weights(training.model, options.restore, trunk=options.trunk)
    if writes:
        _begin(out_dir, spec, origin)
    saved = checkpoint.read(out_dir) if options.resume else None
    if saved is not None:
        training.restore(saved)
        _log.info("Continuing after epoch %d, step %d.", training.epoch, training.step_in_epoch)
    with contextlib.ExitStack() as stack:
        events = None
        if options.tensorboard and writes:
            events = stack.enter_context(history.tensorboard(out_dir))
        training.run(events)
    return Run(
        out_dir, spec, training.epoch, training.stopper.best_epoch, pd.DataFrame(training.rows)
    )


def _feed(
    spec: spec_.Spec,
    directory: Path,
    split: str | Sequence[str],
    replication: tf.distribute.Strategy,
    *,
    training: bool,
) -> batches.Feed:
    records = dataset.open_split(
        directory,
        split,
        batch_size=spec.train.batch_size,
        shuffle=training,
        seed=spec.train.seed,
        shuffle_buffer=spec.train.shuffle_buffer,
        drop_remainder=training,
    )
    if records.steps == 0:
        raise errors.DataError(
            f"{directory}: split {'+'.join(records.names)} has {records.records} records, fewer "
            f"than train.batch_size {spec.train.batch_size}; lower the batch size or add records."
        )
    return batches.Feed(records, replication)


def _check_occupied(out_dir: Path, *, resume: bool) -> None:
    """Raises a RunError unless the occupied directory is a run to continue."""
    if not resume:
        raise errors.RunError(
            f"{out_dir}: not empty. Choose another directory, or continue the run in it with "
            "--resume."
        )
    if not (out_dir / PARAMS).exists():
        raise errors.RunError(
            f"{out_dir}: not empty, and not a run to continue, because it has no {PARAMS}. Choose "
            "another directory."
        )


def _check_same_training(out_dir: Path, spec: spec_.Spec, origin: Mapping[str, Any]) -> None:
    """Raises a RunError when model, settings, data or splits differ from those of the run."""
    params, provenance_path = out_dir / PARAMS, out_dir / provenance.FILE
    if params.exists():
        before, now = files.read_json(params), spec.to_json()
        loop_settings.settle_averaging(before["train"])
        for part in ("model", "train"):
            for key in sorted(set(before[part]) | set(now[part])):
                old, new = before[part].get(key), now[part].get(key)
                if old != new and key not in _MAY_CHANGE:
                    raise errors.RunError(f"{params}: {_difference(f'{part}.{key}', old, new)}")
    if provenance_path.exists():
        before = files.read_json(provenance_path)
        _check_same_data(provenance_path, before, origin)
        if "weights" in before and not (out_dir / checkpoint.FILE).exists():
            _check_same_weights(provenance_path, before["weights"] or {}, origin["weights"] or {})


def _check_same_data(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    for name, splits in before.get("splits", {}).items():
        if splits != now["splits"][name]:
            raise errors.RunError(
                f"{path}: this run began with {'+'.join(splits)} as its {name} split, and "
                f"would continue with {'+'.join(now['splits'][name])}; continue with the "
                "same, or start in another directory."
            )
    hashes_before, hashes_now = (
        [data["sha256"] for data in origin["data"]] for origin in (before, now)
    )
    if hashes_before != hashes_now:
        raise errors.RunError(
            f"{path}: the data directories are not those that this run began with; "
            "start in another directory."
        )


def _check_same_weights(path: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises a RunError when a run without a checkpoint would restart from other weights."""
    if any(before.get(key) != now.get(key) for key in ("sha256", "trunk")):
        raise errors.RunError(
            f"{path}: this run began with {_named(before)}, has no checkpoint yet, and would begin "
            f"again with {_named(now)}; give the same --restore and --trunk, or start in another "
            "directory."
        )


def _difference(name: str, old: Any, new: Any) -> str:
    # The sections differ only in the start of averaging, which depends on the epochs.
    if name == "train.swa" and old and new and old | {"start": new["start"]} == new:
        return (
            f"this run averages weights after epoch {old['start']}, and would go on to average "
            f"them after epoch {new['start']}: --epochs moves it; continue with the --epochs that "
            f'the run began with, write "start": {old["start"]} under train.swa, or start in '
            "another directory."
        )
    return (
        f"{name} differs from the spec to continue with ({_shown(old)} and {_shown(new)}); "
        "continue with the same spec and options, or start in another directory."
    )


def _named(weights: Mapping[str, Any]) -> str:
    if not weights:
        return "weights drawn at random"
    return f"{'the trunk' if weights['trunk'] else 'all weights'} of {weights['path']}"


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _begin(out_dir: Path, spec: spec_.Spec, origin: Mapping[str, Any]) -> None:
    """Makes the run directory, or cleans an existing one up."""
    with checkpoint.disk_full_explained(out_dir):
        files.write_json(out_dir / PARAMS, spec.to_json())  # First: it marks a run directory.
        (out_dir / checkpoint.FILE.parent).mkdir(exist_ok=True)
        checkpoint.remove_partial(out_dir)
        if not (out_dir / provenance.FILE).exists():
            files.write_json(out_dir / provenance.FILE, origin)
