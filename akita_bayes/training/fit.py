"""`ab.fit`: a spec and data directories in, a run directory out."""

import contextlib
import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import pandas as pd
import tensorflow as tf

from akita_bayes import errors, files
from akita_bayes.data.records import dataset
from akita_bayes.models import load, weights
from akita_bayes.specs import spec as spec_
from akita_bayes.training import batches, loop, loop_settings, progress, strategy
from akita_bayes.training.run_files import checkpoint, history, provenance

PARAMS = "params.json"

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]

_MAY_CHANGE = ("train_epochs_min", "train_epochs_max", "patience")

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished training.

    Attributes:
        out_dir: The run directory.
        spec: What was trained, with every setting as it was used.
        epochs: Epochs done.
        best_epoch: The one whose model was kept, counted from 1; the one after the last stands for
            the averaged weights.
        history: `history.csv`: a row per epoch, and one of the averaged weights, if any.
    """

    out_dir: Path
    spec: spec_.Spec
    epochs: int
    best_epoch: int
    history: pd.DataFrame

    @property
    def best(self) -> Mapping[str, float]:
        """The best epoch's row of the history."""
        return self.history.iloc[self.best_epoch - 1].to_dict()

    @property
    def averaged(self) -> bool:
        """Whether the averaged weights were better than those of every epoch, and kept."""
        return self.best_epoch > self.epochs

    def model(self) -> keras.Model:
        """The best model."""
        return load.load_model(self.out_dir)


def fit(
    spec: spec_.Spec,
    data_dirs: str | Path | Sequence[str | Path],
    *,
    out_dir: str | Path,
    seed: int | None = None,
    epochs: int | None = None,
    precision: Precision | None = None,
    devices: str | None = None,
    heads: Sequence[str] | None = None,
    resume: bool = False,
    deterministic: bool = False,
    restore: str | Path | None = None,
    trunk: bool = False,
    train_split: str | Sequence[str] = "train",
    valid_split: str | Sequence[str] = "valid",
    checkpoint_steps: int | None = None,
    checkpoint_minutes: float | None = 15.0,
    tensorboard: bool = True,
    watch: progress.Progress | None = None,
) -> Run:
    """Trains a model and writes a run directory.

    Sets Keras' global random seed. The run directory holds `params.json`, `provenance.json`,
    `history.csv`, `model_best.keras`, `model_best.h5` for Basenji, `best_targets.csv`,
    `checkpoint/` and `tensorboard/`.

    Args:
        spec: As `load_spec` reads it.
        data_dirs: One data directory, or one for each of several heads in the order of `heads`;
            the trunk learns from all of them.
        out_dir: The run directory; must be empty or absent, or hold the run to `resume`.
        seed: Of initial weights, order of the data, augmentation and dropout; None takes the
            spec's.
        epochs: At most so many; None takes the spec's.
        precision: Keras dtype policy; None takes the spec's. float16 brings loss scaling.
        devices: As `training.strategy.choose` understands; None takes the first GPU, or the
            spec's `num_gpu` of them, else the CPU.
        heads: Heads to train; None takes all.
        resume: Continue from the last checkpoint, if there is one.
        deterministic: Only operations whose result is the same every time; slower on a GPU. A
            global setting of TensorFlow, which cannot be taken back in this process.
        restore: Weights to start from, in any format that `load_weights` reads.
        trunk: Restore the trunk alone.
        train_split: Split, or splits, to learn from.
        valid_split: Split, or splits, that choose the best epoch.
        checkpoint_steps: Write a checkpoint every so many steps too; one is written every epoch.
        checkpoint_minutes: Write a checkpoint every so many minutes too.
        tensorboard: Write TensorBoard events.
        watch: Told about every step.

    Raises:
        SpecError: Spec and data disagree; names the two numbers.
        DataError: A data directory, split or record is bad.
        RunError: The run directory is not empty or belongs to another training, a device is
            absent, the loss is not finite, or the disk is full.
    """
    out_dir = Path(out_dir)
    if isinstance(data_dirs, (str, Path)):
        data_dirs = [data_dirs]
    directories = [Path(each) for each in data_dirs]
    spec = loop_settings.adapt(
        spec, directories, heads=heads, seed=seed, epochs=epochs, precision=precision
    )
    devices = devices or (f"gpu:{spec.train.num_gpu}" if spec.train.num_gpu > 1 else None)
    chosen = strategy.choose(devices)
    writes = strategy.writes(chosen)
    if writes and out_dir.exists() and any(out_dir.iterdir()):
        _check_occupied(out_dir, resume=resume)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    feeds = {
        head: loop.Feeds(
            _feed(spec, directory, train_split, chosen, training=True),
            _feed(spec, directory, valid_split, chosen, training=False),
        )
        for head, directory in zip(spec.head_names, directories, strict=True)
    }
    first = next(iter(feeds.values()))
    origin = provenance.record(
        dict(zip(spec.head_names, directories, strict=True)),
        {"train": first.train.split.names, "valid": first.valid.split.names},
        spec.train.seed,
        strategy.describe(chosen),
        provenance.first_weights(restore, trunk=trunk),
    )
    if resume:
        _check_same_training(out_dir, spec, origin)
    training = loop.Loop(
        spec,
        feeds,
        chosen,
        out_dir,
        watch=watch or progress.Silent(),
        checkpoint_steps=checkpoint_steps,
        checkpoint_minutes=checkpoint_minutes,
    )
    if restore is not None:
        weights.load_weights(training.model, restore, trunk=trunk)
    if writes:
        _begin(out_dir, spec, origin)
    saved = checkpoint.read(out_dir) if resume else None
    if saved is not None:
        training.restore(saved)
        _log.info("Continuing after epoch %d, step %d.", training.epoch, training.step_in_epoch)
    with contextlib.ExitStack() as stack:
        told = tensorboard and writes
        training.run(stack.enter_context(history.tensorboard(out_dir)) if told else None)
    return Run(
        out_dir, spec, training.epoch, training.stopper.best_epoch, pd.DataFrame(training.rows)
    )


def _feed(
    spec: spec_.Spec,
    directory: Path,
    split: str | Sequence[str],
    chosen: tf.distribute.Strategy,
    *,
    training: bool,
) -> batches.Feed:
    opened = dataset.open_split(
        directory,
        split,
        batch_size=spec.train.batch_size,
        shuffle=training,
        seed=spec.train.seed,
        shuffle_buffer=spec.train.shuffle_buffer,
        drop_remainder=training,
    )
    if opened.steps == 0:
        raise errors.DataError(
            f"{directory}: split {'+'.join(opened.names)} has {opened.records} records, fewer than "
            f"train.batch_size {spec.train.batch_size}; lower the one or add to the other."
        )
    return batches.Feed(opened, chosen)


def _check_occupied(out_dir: Path, *, resume: bool) -> None:
    """Refuses to fill a directory that holds something, unless it is a run to be continued."""
    if not resume:
        raise errors.RunError(
            f"{out_dir}: not empty. Choose another directory, or continue what is in it with "
            "--resume."
        )
    if not (out_dir / PARAMS).exists():
        raise errors.RunError(
            f"{out_dir}: not empty, and no run to continue, which would hold {PARAMS}. Choose "
            "another directory."
        )


def _check_same_training(out_dir: Path, spec: spec_.Spec, origin: Mapping[str, Any]) -> None:
    """Refuses to continue a run with another model, another recipe, or other data or splits."""
    params, told = out_dir / PARAMS, out_dir / provenance.FILE
    if params.exists():
        before, now = files.read_json(params), spec.to_json()
        loop_settings.settle_averaging(before["train"])
        for part in ("model", "train"):
            for key in sorted(set(before[part]) | set(now[part])):
                old, new = before[part].get(key), now[part].get(key)
                if old != new and key not in _MAY_CHANGE:
                    raise errors.RunError(f"{params}: {_difference(f'{part}.{key}', old, new)}")
    if told.exists():
        begun = files.read_json(told)
        _check_same_data(told, begun, origin)
        if "weights" in begun and not (out_dir / checkpoint.FILE).exists():
            _check_same_weights(told, begun["weights"] or {}, origin["weights"] or {})


def _check_same_data(told: Path, begun: Mapping[str, Any], origin: Mapping[str, Any]) -> None:
    for name, members in begun.get("splits", {}).items():
        if members != origin["splits"][name]:
            raise errors.RunError(
                f"{told}: this run began with {'+'.join(members)} as its {name} split, and "
                f"would continue with {'+'.join(origin['splits'][name])}; continue with the "
                "same, or start in another directory."
            )
    hashes = [[each["sha256"] for each in o["data"]] for o in (begun, origin)]
    if hashes[0] != hashes[1]:
        raise errors.RunError(
            f"{told}: the data directories are not those that this run began with; "
            "start in another directory."
        )


def _check_same_weights(told: Path, begun: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """A run that was killed before its first checkpoint begins again."""
    if any(begun.get(key) != now.get(key) for key in ("sha256", "trunk")):
        raise errors.RunError(
            f"{told}: this run began with {_named(begun)}, has no checkpoint yet, and would begin "
            f"again with {_named(now)}; give the same --restore and --trunk, or start in another "
            "directory."
        )


def _difference(name: str, old: Any, new: Any) -> str:
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
    """Makes the run directory, or takes it up again."""
    with checkpoint.disk_full_explained(out_dir):
        files.write_json(out_dir / PARAMS, spec.to_json())  # first: without it, it is no run
        (out_dir / checkpoint.FILE.parent).mkdir(exist_ok=True)
        checkpoint.remove_partial(out_dir)
        if not (out_dir / provenance.FILE).exists():
            files.write_json(out_dir / provenance.FILE, origin)
