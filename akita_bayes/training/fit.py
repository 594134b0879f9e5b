"""Trains a model from a spec and data directories, and writes a run directory (`ab.fit`)."""

import contextlib
import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import pandas as pd
import tensorflow as tf

from akita_bayes import errors, files, keywords
from akita_bayes.data.records import dataset
from akita_bayes.files import damage, output_directory
from akita_bayes.models import load
from akita_bayes.origins import training_regions
from akita_bayes.specs import spec as spec_
from akita_bayes.training import (
    batches,
    first_weights,
    loop,
    loop_settings,
    observers,
    preemption,
    strategy,
)
from akita_bayes.training.run_files import checkpoint, history, run_record
from akita_bayes.training.teachers import labels

PARAMS = "params.json"

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]

NOT_EMPTY = "choose another -o, or continue the run in it with --resume"

_MAY_CHANGE = ("train_epochs_min", "train_epochs_max", "patience")

_DEFAULTS = spec_.TrainSpec.model_validate({}).model_dump(mode="json")

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
        restore: Initial weights: a run directory, the name of a shipped model, or a file in any
            format that `load_weights` reads.
        trunk: True to restore only the trunk.
        trunk_rate: Factor of the learning rate for the trunk, 0 to freeze it; None takes the
            spec's.
        train_split: Split or splits of the training data.
        valid_split: Split or splits that select the best epoch.
        checkpoint_steps: Steps between further checkpoints; every epoch writes one.
        checkpoint_minutes: Minutes between further checkpoints; None for none.
        tensorboard: True to write TensorBoard events.
        stop: Function that returns True when the training must stop; it then writes a checkpoint
            and raises `preemption.Preempted`.
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
    trunk_rate: float | None = None
    train_split: str | Sequence[str] = "train"
    valid_split: str | Sequence[str] = "valid"
    checkpoint_steps: int | None = None
    checkpoint_minutes: float | None = 15.0
    tensorboard: bool = True
    stop: Callable[[], bool] = preemption.never


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
    `training_regions.json` where the data name their regions, `history.csv`, `model_best.keras`,
    `model_best.h5` for Basenji, `best_targets.csv`, `checkpoint/` and `tensorboard/`.

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
        RunError: The run directory is not empty or belongs to another training, another process
            writes to it, a device is absent, the loss is not finite, or the disk is full.
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
        trunk_rate=options.trunk_rate,
    )
    source = None if options.restore is None else first_weights.file_of(options.restore)
    devices = options.devices or (f"gpu:{spec.train.num_gpu}" if spec.train.num_gpu > 1 else None)
    replication = strategy.choose(devices)
    writes = strategy.writes(replication)
    content: output_directory.Content = "own" if options.resume else "new"
    if writes:
        output_directory.check(out_dir, kind="run", content=content, advice=NOT_EMPTY)
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
    origin = run_record.record(
        spec,
        dict(zip(spec.head_names, directories, strict=True)),
        {"train": first.train.split.names, "valid": first.valid.split.names},
        strategy.describe(replication),
        run_record.first_weights(source, trunk=options.trunk),
    )
    with contextlib.ExitStack() as stack:
        if writes:
            claim = output_directory.claim(out_dir, kind="run", content=content, advice=NOT_EMPTY)
            stack.enter_context(claim)
        if options.resume:
            _check_same_inputs(out_dir, _inputs(spec.to_json(), origin))
        training = loop.Loop(
            spec,
            feeds,
            replication,
            out_dir,
            observer=observer or observers.Silent(),
            checkpoint_steps=options.checkpoint_steps,
            checkpoint_minutes=options.checkpoint_minutes,
            stop=options.stop,
        )
        if source is not None:
            first_weights.restore(training.model, source, trunk=options.trunk)
        for head, directory in zip(spec.head_names, directories, strict=True):
            labels.set_noise(training.model, head, directory)
        if writes:
            _begin(out_dir, spec, origin)
            splits = {head: feed.train.split for head, feed in feeds.items()}
            training_regions.write(out_dir, run_record.regions_of(splits))
        saved = checkpoint.read(out_dir) if options.resume else None
        if saved is not None:
            training.restore(saved)
            _log.info("Continuing after epoch %d, step %d.", training.epoch, training.step_in_epoch)
        events = None
        if options.tensorboard and writes:
            events = stack.enter_context(history.tensorboard(out_dir))
        stack.enter_context(strategy.lost_workers_named(replication))
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


def _inputs(params: Mapping[str, Any], origin: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what must stay the same when a run continues, from its params and its provenance."""
    inputs: dict[str, Any] = {
        part: {key: value for key, value in params[part].items() if key not in _MAY_CHANGE}
        for part in ("model", "train")
        if part in params
    }
    if "splits" in origin:
        inputs["splits"] = origin["splits"]
    if "data" in origin:
        inputs["data"] = [data["sha256"] for data in origin["data"]]
    if "weights" in origin:
        inputs["weights"] = _named(origin["weights"])
    return inputs


def _recorded_inputs(out_dir: Path) -> dict[str, Any]:
    """Reads the inputs of the run in a directory; those that its version did not write are absent.

    The first weights are absent when a checkpoint replaces them.
    """
    params_path, provenance_path = out_dir / PARAMS, out_dir / run_record.FILE
    params = files.read_json(params_path) if params_path.exists() else {}
    origin = files.read_json(provenance_path) if provenance_path.exists() else {}
    kind, advice = "the params.json and provenance.json of a run", "choose another -o"
    with damage.explained(out_dir, kind, advice, error=errors.RunError):
        if params:
            # Settings that are younger than the run had their defaults when it was made.
            params["train"] = {**_DEFAULTS, **params["train"]}
            loop_settings.settle_averaging(params["train"])
        if checkpoint.exists(out_dir):
            origin.pop("weights", None)
        return _inputs(params, origin)


def _check_same_inputs(out_dir: Path, inputs: Mapping[str, Any]) -> None:
    """Raises a RunError when model, settings, data or splits differ from those of the run."""
    recorded = _recorded_inputs(out_dir)
    comparable = {name: value for name, value in inputs.items() if name in recorded}
    advice = _advice(recorded, comparable)
    output_directory.check_inputs(out_dir, "run", comparable, recorded, advice=advice)


def _advice(recorded: Mapping[str, Any], inputs: Mapping[str, Any]) -> str:
    """Returns what a user can do when the inputs of a run differ."""
    old, new = (sections.get("train", {}).get("swa") for sections in (recorded, inputs))
    if old and new and old != new and old | {"start": new["start"]} == new:
        return (
            "--epochs moves the start of averaging: continue with the --epochs that the run began "
            f'with, write "start": {old["start"]} under train.swa, or choose another -o'
        )
    return "continue with the same spec, data and options, or choose another -o"


def _named(weights: Mapping[str, Any] | None) -> str:
    """Returns the first weights of a run, as "the trunk of model_best.h5 (1a2b3c4d)"."""
    if not weights:
        return "random"
    part = "the trunk" if weights["trunk"] else "all"
    return f"{part} of {Path(weights['path']).name} ({str(weights['sha256'])[:8]})"


def _begin(out_dir: Path, spec: spec_.Spec, origin: Mapping[str, Any]) -> None:
    """Writes the first files of a run directory."""
    with checkpoint.disk_full_explained(out_dir):
        (out_dir / checkpoint.FILE.parent).mkdir(exist_ok=True)  # First: it marks a run directory.
        files.write_json(out_dir / PARAMS, spec.to_json())
        if not (out_dir / run_record.FILE).exists():
            files.write_json(out_dir / run_record.FILE, origin)
