"""Defines observers of a training; the library itself never prints."""

from collections.abc import Mapping
from typing import Protocol


class Observer(Protocol):
    """Receives the events of a training, in the thread of the training."""

    def begin_epoch(self, epoch: int, epochs: int, steps: int, done: int) -> None:
        """Receives the start of an epoch, counted from 1 of at most `epochs`.

        A resumed epoch has `done` of its `steps` finished.
        """
        ...

    def end_step(self, loss: float, learning_rate: float) -> None:
        """Receives the end of a step; `loss` is the mean over the epoch so far."""
        ...

    def begin_validation(self, steps: int) -> None:
        """Receives the end of an epoch's steps; `steps` batches of validation follow."""
        ...

    def end_validation_step(self) -> None:
        """Receives the end of a batch of validation."""
        ...

    def end_epoch(self, row: Mapping[str, float], seconds: float) -> None:
        """Receives the epoch's row of `history.csv`, and its duration."""
        ...

    def begin_renewal(self, steps: int) -> None:
        """Receives the start of new batch statistics for averaged or drawn weights.

        They are computed from `steps` batches.
        """
        ...

    def end_renewal_step(self) -> None:
        """Receives the end of a batch of these statistics."""
        ...

    def end_averaging(self, row: Mapping[str, float], seconds: float) -> None:
        """Receives the averaged weights' row of `history.csv`, without training columns."""
        ...


class Silent:
    """Discards all events."""

    def begin_epoch(self, epoch: int, epochs: int, steps: int, done: int) -> None:
        """Discards the event."""

    def end_step(self, loss: float, learning_rate: float) -> None:
        """Discards the event."""

    def begin_validation(self, steps: int) -> None:
        """Discards the event."""

    def end_validation_step(self) -> None:
        """Discards the event."""

    def end_epoch(self, row: Mapping[str, float], seconds: float) -> None:
        """Discards the event."""

    def begin_renewal(self, steps: int) -> None:
        """Discards the event."""

    def end_renewal_step(self) -> None:
        """Discards the event."""

    def end_averaging(self, row: Mapping[str, float], seconds: float) -> None:
        """Discards the event."""
