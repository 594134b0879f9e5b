"""Runs the training loop: steps, validation, the best model, checkpoints; a run can be resumed.

The next step depends only on (spec, seed, epoch) and on the checkpoint. `history.csv` and the best
model are written from the content of the checkpoint. So a process that resumes a run writes the
same files, wherever the first process was killed.
"""

import dataclasses
import itertools
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.models import build, swag
from akita_bayes.numerics import moments
from akita_bayes.specs import spec as spec_
from akita_bayes.training import batches, loop_settings, observers, preemption, step, stopping
from akita_bayes.training import strategy as strategy_
from akita_bayes.training.objectives import metrics
from akita_bayes.training.run_files import artifacts, checkpoint, history
from akita_bayes.training.updates import averaging, clipping, optimizers, precision, schedules

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Feeds:
    """Holds the data of one head.

    Attributes:
        train: Training batches.
        valid: Validation batches.
    """

    train: batches.Feed
    valid: batches.Feed


class Loop:
    """Holds the state of a run between two steps, and continues it.

    Args:
        spec: Spec of the model.
        feeds: Head name -> data, for all heads of the spec, in their order.
        strategy: Strategy that runs the steps.
        run_dir: Existing run directory.
        observer: Observer of every step.
        checkpoint_steps: Steps between further checkpoints; every epoch writes one.
        checkpoint_minutes: Minutes between further checkpoints.
        stop: Returns True when the run must stop; asked after every step.
    """

    def __init__(
        self,
        spec: spec_.Spec,
        feeds: Mapping[str, Feeds],
        strategy: tf.distribute.Strategy,
        run_dir: Path,
        *,
        observer: observers.Observer,
        checkpoint_steps: int | None = None,
        checkpoint_minutes: float | None = None,
        stop: Callable[[], bool] = preemption.never,
    ) -> None:
        train = spec.train
        self.spec, self.feeds, self.run_dir, self.observer = spec, feeds, run_dir, observer
        self.strategy, self.writes = strategy, strategy_.writes(strategy)
        self.heads = list(feeds)
        self.checkpoint_steps, self.checkpoint_minutes = checkpoint_steps, checkpoint_minutes
        self.epoch_steps = [feed.train.steps for feed in feeds.values()]
        self.schedule = schedules.from_spec(train, sum(self.epoch_steps))
        keras.utils.set_random_seed(train.seed)
        with strategy.scope():
            self.model = build.build(spec)
            weights = self.model.trainable_variables
            self.optimizer = optimizers.for_network(train, self.model)
            networks = {head: build.one_head(self.model, head) for head in self.heads}
            records = {head: feed.train.split.records for head, feed in feeds.items()}
            self.objectives = loop_settings.objectives(train, networks, records)
            self.targets = {head: int(networks[head].output.shape[-1]) for head in self.heads}
            networks = loop_settings.trained_networks(train, networks)
            clip = clipping.from_spec(train)
            memory = step.Memory(train.accumulate, train.recompute)
            common = (self.optimizer, clip, strategy, memory)
            self.steps = [
                step.Step(networks[head], self.objectives[head], *common) for head in self.heads
            ]
        self.averager = averaging.Averager(weights, train.swa) if train.swa else None
        self.scale = precision.LossScale.of(train.precision)
        self._stop, self._agreement = stop, strategy_.Agreement(strategy)
        self.rate = math.nan
        self.stopper = stopping.Stopper()
        self.epoch = self.step_in_epoch = self.step_in_all = 0
        self.rows: list[history.Row] = []
        self.running_sums = self._zeros()
        self.best_weights: list[NDArray[Any]] = []
        self.best_moments: dict[str, moments.Moments] = {}
        self._written = time.monotonic()

    @property
    def epochs_max(self) -> int:
        """Returns the largest number of epochs."""
        return self.spec.train.train_epochs_max

    def run(self, events: history.Events | None = None) -> None:
        """Trains until the stopper ends the run, then averages weights when the spec asks for it.

        Raises:
            RunError: The loss or a gradient is not finite, or the disk is full.
            DataError: A record is bad.
            Preempted: The run was asked to stop, and has written a checkpoint.
        """
        while not self.stopper.done(self.epoch, self.spec.train):
            self._stop_if_requested()
            started = time.monotonic()
            self._train_epoch()
            row = self._end_epoch()
            self._record(row, events)
            self.observer.end_epoch(row, time.monotonic() - started)
            for objective in self.objectives.values():
                if remark := objective.remark(row):
                    _log.warning("Epoch %d: %s", self.epoch, remark)
        if self.averager is not None:
            started = time.monotonic()
            if self.averager.count:
                row = self._end_averaging(self.averager)
                self._record(row, events)
                self.observer.end_averaging(row, time.monotonic() - started)
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
        self.observer.begin_epoch(self.epoch + 1, self.epochs_max, len(order), self.step_in_epoch)
        # A resumed epoch skips the batches that each head has already used: with heads in the
        # order 0 1 0 0 and 3 steps done, head 0 skips 2 batches and head 1 skips 1.
        used = np.bincount(order[: self.step_in_epoch], minlength=len(self.heads))
        sources = [
            feed.train.epoch(self.epoch, skip=int(skip))
            for feed, skip in zip(self.feeds.values(), used, strict=True)
        ]
        for index in order[self.step_in_epoch :]:
            rate = self._rate(len(order))
            self._train_step(int(index), sources[index], int(used[index]), rate)
            used[index] += 1
            self.step_in_epoch += 1
            self.step_in_all += 1
            self.rate = rate
            if self.averager is not None:
                self.averager.collect(self.epoch, self.step_in_epoch, len(order))
            self.observer.end_step(self._mean_loss(), rate)
            if self.step_in_epoch < len(order):
                self._stop_if_requested()
                if self._checkpoint_due():
                    self.save()

    def _stop_if_requested(self) -> None:
        """Writes a checkpoint and raises Preempted, in all workers at the same step."""
        if self._agreement(self._stop()):
            self.save()
            where = f"stopped in epoch {self.epoch + 1} after step {self.step_in_epoch}"
            raise preemption.Preempted(f"{where}; --resume goes on from {self.run_dir}.")

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
        gradients = self.steps[index].gradients(batch, loss_scale=self.scale.scale)
        finite = math.isfinite(gradients.norm)
        # A smaller loss scale can make gradients finite, but not the loss.
        if not math.isfinite(gradients.outcome.loss) or not (finite or self.scale.dynamic):
            raise self._not_finite(index, position, gradients.outcome.loss)
        if self.scale.update(finite):
            self.steps[index].apply(gradients)
        self.running_sums[self.heads[index]].add(gradients.outcome)

    def _end_epoch(self) -> history.Row:
        self.epoch += 1
        row = self._judge(self.epoch, history.columns("train", self.running_sums))
        self.step_in_epoch, self.running_sums = 0, self._zeros()
        self.save()
        self.write_results(model=bool(row["best"]))
        return row

    def _judge(self, epoch: int, train: Mapping[str, float]) -> history.Row:
        """Validates the current weights, and keeps a copy of the best so far."""
        valid = self.validate()
        row = {
            "epoch": epoch,
            "step": self.step_in_all,
            "learning_rate": self.rate,
            **train,
            **history.columns("valid", valid),
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
            self.best_moments = {head: sums.moments for head, sums in valid.items()}
        return row

    def _end_averaging(self, averager: averaging.Averager) -> history.Row:
        """Validates the averaged weights as a further epoch, and writes SWAG draws around them.

        The checkpoint stays as it was, so that a continued run starts from the last epoch of
        training.
        """
        networks = {
            head: head_step.model for head, head_step in zip(self.heads, self.steps, strict=True)
        }
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
                "No SWAG posterior is written: only the weights after epoch %d were averaged, "
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
            self.observer.begin_renewal(
                sum(min(limit or steps, steps) for steps in self.epoch_steps)
            )
            renewal(self._watched_batches(limit))

    def _watched_batches(self, limit: int | None) -> Iterator[tuple[str, batches.Batch]]:
        for head, feed in self.feeds.items():
            for batch in itertools.islice(feed.train.epoch(0), limit):
                yield head, batch
                self.observer.end_renewal_step()

    def validate(self) -> dict[str, metrics.Accumulator]:
        """Computes loss and metrics of every head on its whole validation split, at inference.

        Raises:
            DataError: A record is bad or a file is cut short.
        """
        sums = self._zeros()
        self.observer.begin_validation(sum(feed.valid.steps for feed in self.feeds.values()))
        for head_step, (head, feed) in zip(self.steps, self.feeds.items(), strict=True):
            for batch in feed.valid.epoch(0):
                sums[head].add(head_step.evaluate(batch))
                self.observer.end_validation_step()
            feed.valid.split.check_count(round(sums[head].examples))
        return sums

    def save(self) -> None:
        """Writes the checkpoint, on one machine of several."""
        self._written = time.monotonic()
        if not self.writes:
            return
        arrays: dict[str, Sequence[NDArray[Any]]] = {
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
            "seen": {head: sums.state() for head, sums in self.running_sums.items()},
            "best_moments": {
                head: best.values.tolist() for head, best in self.best_moments.items()
            },
        }
        checkpoint.write(self.run_dir, checkpoint.Checkpoint(arrays, state))

    def restore(self, saved: checkpoint.Checkpoint) -> None:
        """Restores a checkpoint, and rewrites `history.csv` and the best model from it.

        Raises:
            RunError: The checkpoint belongs to another model.
        """
        arrays, state = saved
        checkpoint.assign(self.model.variables, arrays["model"], group="model")
        checkpoint.assign(self.optimizer.variables, arrays["optimizer"], group="optimizer")
        if self.averager is not None:
            prefix = "averager/"
            self.averager.restore(
                {
                    name.removeprefix(prefix): group[0]
                    for name, group in arrays.items()
                    if prefix in name
                }
            )
        self.best_weights = list(arrays.get("best", []))
        self.epoch, self.step_in_epoch = state["epoch"], state["step_in_epoch"]
        self.step_in_all, self.rate = state["step_in_all"], state.get("rate", math.nan)
        self.stopper = stopping.Stopper(**state["stopper"])
        self.scale = precision.LossScale(**state["scale"])
        self.rows = list(state["rows"])
        self.running_sums = {
            head: metrics.Accumulator.from_state(sums) for head, sums in state["seen"].items()
        }
        self.best_moments = {
            head: moments.Moments(np.array(values))
            for head, values in state["best_moments"].items()
        }
        if self.writes:  # A SWAG file of an earlier end of this run may hold other weights.
            (self.run_dir / swag.FILE).unlink(missing_ok=True)
        self.write_results(model=bool(self.best_weights))

    def write_results(self, *, model: bool) -> None:
        """Writes `history.csv` and, if `model`, the best model."""
        if not self.writes:
            return
        history.write(self.run_dir, self.rows)
        if model:
            artifacts.write_best(self.run_dir, self.spec, self.best_weights, self.best_moments)

    def _mean_loss(self) -> float:
        loss = sum(sums.loss for sums in self.running_sums.values())
        return loss / sum(sums.examples for sums in self.running_sums.values())

    def _checkpoint_due(self) -> bool:
        if self.checkpoint_steps and self.step_in_all % self.checkpoint_steps == 0:
            return True
        minutes = (time.monotonic() - self._written) / 60
        return self.checkpoint_minutes is not None and minutes >= self.checkpoint_minutes

    def _zeros(self) -> dict[str, metrics.Accumulator]:
        return {head: metrics.Accumulator.zeros(n) for head, n in self.targets.items()}

    def _not_finite(self, index: int, position: int, loss: float) -> errors.RunError:
        quantity = "a gradient" if math.isfinite(loss) else "the loss"
        regions = ", ".join(self.feeds[self.heads[index]].train.regions(self.epoch, position))
        return errors.RunError(
            f"{quantity} is not finite at epoch {self.epoch + 1}, step {self.step_in_epoch + 1}, "
            f"in the batch of {regions}. Lower the learning rate, clip gradients, or look at these "
            "targets; the last checkpoint is from before."
        )

    def _short(self, index: int, position: int) -> errors.DataError:
        split = self.feeds[self.heads[index]].train.split
        split.reread()
        return errors.DataError(
            f"{split.data_dir}: the record files of split {'+'.join(split.names)} end after "
            f"{position} batches where statistics.json promises {split.steps}; correct the count."
        )
