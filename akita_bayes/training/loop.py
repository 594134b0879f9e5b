"""The training loop: epochs of steps, validation, best model, checkpoints; exactly resumable.

Everything that decides what comes next is either a function of (spec, seed, epoch) or inside the
checkpoint. `history.csv` and the best model are written from the checkpoint's content, so that a
process killed anywhere leaves nothing behind that a resumed one would not write again.
"""

import dataclasses
import itertools
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import errors, moments
from akita_bayes.models import build, swag
from akita_bayes.specs import spec as spec_
from akita_bayes.training import batches, loop_settings, progress, step, stopping
from akita_bayes.training import strategy as strategy_
from akita_bayes.training.objectives import metrics
from akita_bayes.training.run_files import artifacts, checkpoint, history
from akita_bayes.training.updates import averaging, clipping, optimizers, precision, schedules

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Feeds:
    """One head's data.

    Attributes:
        train: Batches to learn from.
        valid: Batches to judge by.
    """

    train: batches.Feed
    valid: batches.Feed


class Loop:
    """A run between two steps, and how to go on.

    Args:
        spec: Whose every head has a feed.
        feeds: Head name -> data, in the order of the spec's heads.
        strategy: Where to run.
        run_dir: The run directory, which is there.
        watch: Told what happens.
        checkpoint_steps: Also write a checkpoint every so many steps.
        checkpoint_minutes: Also write a checkpoint every so many minutes.
    """

    def __init__(
        self,
        spec: spec_.Spec,
        feeds: Mapping[str, Feeds],
        strategy: tf.distribute.Strategy,
        run_dir: Path,
        *,
        watch: progress.Progress,
        checkpoint_steps: int | None = None,
        checkpoint_minutes: float | None = None,
    ) -> None:
        train = spec.train
        self.spec, self.feeds, self.run_dir, self.watch = spec, feeds, run_dir, watch
        self.strategy, self.writes = strategy, strategy_.writes(strategy)
        self.heads = list(feeds)
        self.checkpoint_steps, self.checkpoint_minutes = checkpoint_steps, checkpoint_minutes
        self.epoch_steps = [feed.train.steps for feed in feeds.values()]
        self.schedule = schedules.from_spec(train, sum(self.epoch_steps))
        keras.utils.set_random_seed(train.seed)
        with strategy.scope():
            self.model = build.build(spec)
            self.optimizer = optimizers.from_spec(train)
            self.optimizer.build(self.model.trainable_variables)
            networks = {head: build.one_head(self.model, head) for head in self.heads}
            records = {head: feed.train.split.records for head, feed in feeds.items()}
            self.objectives = loop_settings.objectives(train, networks, records)
            self.targets = {head: int(networks[head].output.shape[-1]) for head in self.heads}
            clip = clipping.from_spec(train)
            self.steps = [
                step.Step(networks[head], self.objectives[head], self.optimizer, clip, strategy)
                for head in self.heads
            ]
        self.averager = (
            averaging.Averager(self.model.trainable_variables, train.swa) if train.swa else None
        )
        self.scale = precision.LossScale.of(train.precision)
        self.rate = math.nan
        self.stopper = stopping.Stopper()
        self.epoch = self.step_in_epoch = self.step_in_all = 0
        self.rows: list[history.Row] = []
        self.seen = self._zeros()
        self.best_weights: list[NDArray] = []
        self.best_moments: dict[str, moments.Moments] = {}
        self._written = time.monotonic()

    @property
    def epochs_max(self) -> int:
        """The last epoch that can be."""
        return self.spec.train.train_epochs_max

    def run(self, events: history.Events | None = None) -> None:
        """Goes on until the stopper says so.

        Raises:
            RunError: The loss or a gradient is not finite, or the disk is full.
            DataError: A record is bad.
        """
        while not self.stopper.done(self.epoch, self.spec.train):
            started = time.monotonic()
            self._train_epoch()
            row = self._end_epoch()
            self._record(row, events)
            self.watch.end_epoch(row, time.monotonic() - started)
            for objective in self.objectives.values():
                if remark := objective.remark(row):
                    _log.warning("Epoch %d: %s", self.epoch, remark)
        if self.averager is not None:
            started = time.monotonic()
            if self.averager.count:
                row = self._end_averaging(self.averager)
                self._record(row, events)
                self.watch.end_averaging(row, time.monotonic() - started)
            else:
                _log.warning(
                    "Nothing was averaged: training ended after %d epochs, before averaging starts "
                    "at epoch %d; the model is the best epoch's, %d. Set swa.start earlier, or "
                    "patience higher, to average.",
                    self.epoch,
                    self.averager.start + 1,
                    self.stopper.best_epoch,
                )

    def _record(self, row: history.Row, events: history.Events | None) -> None:
        if events is not None:
            events.epoch(row)

    def _train_epoch(self) -> None:
        order = batches.interleaving(self.epoch_steps, seed=self.spec.train.seed, epoch=self.epoch)
        for objective in self.objectives.values():
            objective.begin_epoch(self.epoch)
        self.watch.begin_epoch(self.epoch + 1, self.epochs_max, len(order), self.step_in_epoch)
        behind = np.bincount(order[: self.step_in_epoch], minlength=len(self.heads))
        sources = [
            feed.train.epoch(self.epoch, skip=int(skip))
            for feed, skip in zip(self.feeds.values(), behind, strict=True)
        ]
        for index in order[self.step_in_epoch :]:
            rate = self._rate(len(order))
            self._train_step(int(index), sources[index], int(behind[index]), rate)
            behind[index] += 1
            self.step_in_epoch += 1
            self.step_in_all += 1
            self.rate = rate
            if self.averager is not None:
                self.averager.collect(self.epoch, self.step_in_epoch, len(order))
            self.watch.end_step(self._mean_loss(), rate)
            if self.step_in_epoch < len(order) and self._checkpoint_due():
                self.save()

    def _rate(self, steps: int) -> float:
        rate = self.schedule(self.step_in_all)
        if self.averager is not None:
            rate = self.averager.rate(self.epoch + self.step_in_epoch / steps, rate)
        return rate

    def _train_step(self, index: int, source: Iterator[Any], position: int, rate: float) -> None:
        batch = next(source, None)
        if batch is None:
            raise self._short(index, position)
        self.optimizer.learning_rate = rate
        found = self.steps[index].gradients(batch, loss_scale=self.scale.scale)
        finite = math.isfinite(found.norm)
        if not math.isfinite(found.outcome.loss) or not (finite or self.scale.dynamic):
            raise self._not_finite(index, position, found.outcome.loss)
        if self.scale.update(finite):
            self.steps[index].apply(found)
        self.seen[self.heads[index]].add(found.outcome)

    def _end_epoch(self) -> history.Row:
        self.epoch += 1
        row = self._judge(self.epoch, columns("train", self.seen))
        self.step_in_epoch, self.seen = 0, self._zeros()
        self.save()
        self.write_results(model=bool(row["best"]))
        return row

    def _judge(self, epoch: int, train: Mapping[str, float]) -> history.Row:
        """Validates the weights as they are, and keeps them when they are the best so far."""
        valid = self.validate()
        row = {
            "epoch": epoch,
            "step": self.step_in_all,
            "learning_rate": self.rate,
            **train,
            **columns("valid", valid),
        }
        if not math.isfinite(row["valid_loss"]):
            raise errors.RunError(
                f"the validation loss is not finite after epoch {epoch}. Lower the learning rate, "
                "clip gradients, or look at the validation targets; the last checkpoint is from "
                "before."
            )
        best = self.stopper.update(stopping.score(row, self.spec.train.criterion), epoch)
        row["best"] = int(best)
        self.rows.append(row)
        if best:
            self.best_weights = checkpoint.values(self.model.weights)
            self.best_moments = {head: each.moments for head, each in valid.items()}
        return row

    def _end_averaging(self, averager: averaging.Averager) -> history.Row:
        """Judges the averaged weights like one more epoch, and writes SWAG draws around them.

        Nothing of it enters the checkpoint, so that a run which is continued goes on from the last
        epoch of training.
        """
        networks = {head: each.model for head, each in zip(self.heads, self.steps, strict=True)}
        renewal = averaging.Renewal(
            networks, lambda run: lambda x: self.strategy.run(run, args=(x,))
        )
        averager.assign_mean()
        self._renew_statistics(renewal, None)
        trained = {name: math.nan for name in self.rows[-1] if name.startswith("train_")}
        row = self._judge(self.epoch + 1, trained)
        self.write_results(model=bool(row["best"]))
        if averager.options.swag_rank and averager.count < averaging.SNAPSHOTS_MIN:
            _log.warning(
                "No SWAG posterior is written: the weights after epoch %d alone were averaged, "
                "which have no spread. Set swa.start earlier, or patience or swa.snapshots higher.",
                self.epoch,
            )
        elif averager.options.swag_rank:
            posterior, draws = averager.posterior(), []
            for seed in range(averager.options.swag_draws):
                swag.unflatten(averager.variables, posterior.draw(seed))
                self._renew_statistics(renewal, averaging.RENEWAL_BATCHES)
                draws.append(swag.flatten(swag.drawn_variables(self.model)))
            if self.writes:
                with checkpoint.disk_full_explained(self.run_dir / swag.FILE):
                    swag.save(self.run_dir / swag.FILE, posterior, np.stack(draws))
        return row

    def _renew_statistics(self, renewal: averaging.Renewal, limit: int | None) -> None:
        """Recomputes batch statistics on training data, `limit` batches of each head or all."""
        if renewal.layers:
            self.watch.begin_renewal(sum(min(limit or steps, steps) for steps in self.epoch_steps))
            renewal(self._watched(limit))

    def _watched(self, limit: int | None) -> Iterator[tuple[str, batches.Batch]]:
        for head, feed in self.feeds.items():
            for batch in itertools.islice(feed.train.epoch(0), limit):
                yield head, batch
                self.watch.end_renewal_step()

    def validate(self) -> dict[str, metrics.Accumulator]:
        """Loss and metrics of every head on its whole validation split, at inference.

        Raises:
            DataError: A record is bad or a file is cut short.
        """
        found = self._zeros()
        self.watch.begin_validation(sum(feed.valid.steps for feed in self.feeds.values()))
        for judge, (head, feed) in zip(self.steps, self.feeds.items(), strict=True):
            for batch in feed.valid.epoch(0):
                found[head].add(judge.evaluate(batch))
                self.watch.end_validation_step()
            feed.valid.split.check_count(round(found[head].examples))
        return found

    def save(self) -> None:
        """Writes the checkpoint; of several machines one does."""
        self._written = time.monotonic()
        if not self.writes:
            return
        arrays: dict[str, Sequence[NDArray]] = {
            "model": checkpoint.values(self.model.variables),
            "optimizer": checkpoint.values(self.optimizer.variables),
            "best": self.best_weights,
        }
        if self.averager is not None:
            for name, value in self.averager.state().items():
                arrays[f"averager/{name}"] = [value]
        state = {
            "epoch": self.epoch,
            "step_in_epoch": self.step_in_epoch,
            "step_in_all": self.step_in_all,
            "rate": self.rate,
            "stopper": dataclasses.asdict(self.stopper),
            "scale": dataclasses.asdict(self.scale),
            "rows": self.rows,
            "seen": {head: each.state() for head, each in self.seen.items()},
            "best_moments": {head: m.values.tolist() for head, m in self.best_moments.items()},
        }
        checkpoint.write(self.run_dir, checkpoint.Checkpoint(arrays, state))

    def restore(self, saved: checkpoint.Checkpoint) -> None:
        """Takes up a checkpoint, and writes anew what follows from it.

        Raises:
            RunError: It belongs to another model.
        """
        arrays, state = saved
        checkpoint.assign(self.model.variables, arrays["model"], what="model")
        checkpoint.assign(self.optimizer.variables, arrays["optimizer"], what="optimizer")
        if self.averager is not None:
            prefix = "averager/"
            self.averager.restore(
                {name.removeprefix(prefix): a[0] for name, a in arrays.items() if prefix in name}
            )
        self.best_weights = list(arrays.get("best", []))
        self.epoch, self.step_in_epoch = state["epoch"], state["step_in_epoch"]
        self.step_in_all, self.rate = state["step_in_all"], state.get("rate", math.nan)
        self.stopper = stopping.Stopper(**state["stopper"])
        self.scale = precision.LossScale(**state["scale"])
        self.rows = list(state["rows"])
        self.seen = {
            head: metrics.Accumulator.from_state(each) for head, each in state["seen"].items()
        }
        self.best_moments = {
            head: moments.Moments(np.array(each)) for head, each in state["best_moments"].items()
        }
        if self.writes:  # Written at the end, around weights that may not be these.
            (self.run_dir / swag.FILE).unlink(missing_ok=True)
        self.write_results(model=bool(self.best_weights))

    def write_results(self, *, model: bool) -> None:
        """Writes `history.csv` and, when there is a new one, the best model."""
        if not self.writes:
            return
        history.write(self.run_dir, self.rows)
        if model:
            artifacts.write_best(self.run_dir, self.spec, self.best_weights, self.best_moments)

    def _mean_loss(self) -> float:
        seen = self.seen.values()
        return sum(each.loss for each in seen) / sum(each.examples for each in seen)

    def _checkpoint_due(self) -> bool:
        if self.checkpoint_steps and self.step_in_all % self.checkpoint_steps == 0:
            return True
        minutes = (time.monotonic() - self._written) / 60
        return self.checkpoint_minutes is not None and minutes >= self.checkpoint_minutes

    def _zeros(self) -> dict[str, metrics.Accumulator]:
        return {head: metrics.Accumulator.zeros(n) for head, n in self.targets.items()}

    def _not_finite(self, index: int, position: int, loss: float) -> errors.RunError:
        what = "a gradient" if math.isfinite(loss) else "the loss"
        where = ", ".join(self.feeds[self.heads[index]].train.regions(self.epoch, position))
        return errors.RunError(
            f"{what} is not finite at epoch {self.epoch + 1}, step {self.step_in_epoch + 1}, in "
            f"the batch of {where}. Lower the learning rate, clip gradients, or look at these "
            "targets; the last checkpoint is from before."
        )

    def _short(self, index: int, position: int) -> errors.DataError:
        split = self.feeds[self.heads[index]].train.split
        split.reread()
        return errors.DataError(
            f"{split.data_dir}: the record files of split {'+'.join(split.names)} end after "
            f"{position} batches where statistics.json promises {split.steps}; correct the count."
        )


def columns(prefix: str, found: Mapping[str, metrics.Accumulator]) -> dict[str, float]:
    """Columns of `history.csv`: means over heads, and behind them each of several heads."""
    per_head = {head: each.means() for head, each in found.items()}
    names = dict.fromkeys(name for means in per_head.values() for name in means)
    row = {
        f"{prefix}_{name}": float(np.mean([m[name] for m in per_head.values() if name in m]))
        for name in names
    }
    if len(per_head) > 1:
        for head, means in per_head.items():
            row |= {f"{prefix}_{name}_{head}": value for name, value in means.items()}
    return row
