"""Defines learning rates as plain functions of the step.

A schedule is `step -> rate`, with step 0 the first update. The values are those of Basenji.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

from akita_bayes.specs import train_spec

Schedule: TypeAlias = Callable[[int], float]


def constant(rate: float) -> Schedule:
    """Returns the schedule with the same rate at every step."""
    return lambda step: rate


def cyclical(initial: float, maximal: float, final: float, half_cycle: int) -> Schedule:
    """Returns the schedule of one triangle from `initial` to `maximal` and back, then `final`.

    Args:
        initial: Rate at step 0 and at step 2 `half_cycle`.
        maximal: Rate at step `half_cycle`.
        final: Rate of every step after 2 `half_cycle`.
        half_cycle: Steps from the start of the triangle to its peak.
    """

    def rate(step: int) -> float:
        # |s / h - 1| is 1 at step 0, 0 at the peak h, and 1 again at step 2 h.
        if step > 2 * half_cycle:
            return final
        return initial + (maximal - initial) * (1 - abs(step / half_cycle - 1))

    return rate


def staircase(initial: float, decay_steps: int, decay_rate: float) -> Schedule:
    """Returns the schedule `initial` x `decay_rate` ^ floor(step / `decay_steps`)."""
    return lambda step: initial * decay_rate ** math.floor(step / decay_steps)


def warm_up(steps: int, then: Schedule) -> Schedule:
    """Returns a schedule from 0 to `then(0)`, linear over `steps` steps, followed by `then`."""
    return lambda step: then(0) * step / steps if step < steps else then(step - steps)


def from_spec(train: train_spec.TrainSpec, steps_per_epoch: int) -> Schedule:
    """Returns the schedule that the train section of a spec specifies.

    Args:
        train: Section of the spec. {initial, maximal, final}_learning_rate and
            train_epochs_cycle1 together give one cycle, decay_steps and decay_rate a staircase;
            warmup_steps precede either.
        steps_per_epoch: Updates per epoch, of all data sets together.
    """
    schedule = constant(train.learning_rate)
    if train.decay_steps is not None and train.decay_rate is not None:
        schedule = staircase(train.learning_rate, train.decay_steps, train.decay_rate)
    if (
        train.train_epochs_cycle1 is not None
        and train.initial_learning_rate is not None
        and train.maximal_learning_rate is not None
        and train.final_learning_rate is not None
    ):
        schedule = cyclical(
            train.initial_learning_rate,
            train.maximal_learning_rate,
            train.final_learning_rate,
            train.train_epochs_cycle1 * steps_per_epoch,
        )
    return warm_up(train.warmup_steps, schedule)
