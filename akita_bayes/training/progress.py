"""How a caller watches a training: the library itself never prints."""

from collections.abc import Mapping
from typing import Protocol


class Progress(Protocol):
    """Told what happens, from the training's own thread."""

    def begin_epoch(self, epoch: int, epochs: int, steps: int, done: int) -> None:
        """An epoch, counted from 1, of at most `epochs`; `done` of its `steps` are behind us."""
        ...

    def end_step(self, loss: float, learning_rate: float) -> None:
        """A step; `loss` is the mean over the epoch so far."""
        ...

    def begin_validation(self, steps: int) -> None:
        """The epoch's steps are done and `steps` batches of validation follow."""
        ...

    def end_validation_step(self) -> None:
        """A batch of validation."""
        ...

    def end_epoch(self, row: Mapping[str, float], seconds: float) -> None:
        """The epoch's row of `history.csv`, and how long it took."""
        ...

    def begin_renewal(self, steps: int) -> None:
        """Batch statistics of averaged or drawn weights are computed anew from `steps` batches."""
        ...

    def end_renewal_step(self) -> None:
        """A batch of them."""
        ...

    def end_averaging(self, row: Mapping[str, float], seconds: float) -> None:
        """The averaged weights' row of `history.csv`, without numbers of training."""
        ...


class Silent:
    """Watches nothing."""

    def begin_epoch(self, epoch: int, epochs: int, steps: int, done: int) -> None:
        """Nothing."""

    def end_step(self, loss: float, learning_rate: float) -> None:
        """Nothing."""

    def begin_validation(self, steps: int) -> None:
        """Nothing."""

    def end_validation_step(self) -> None:
        """Nothing."""

    def end_epoch(self, row: Mapping[str, float], seconds: float) -> None:
        """Nothing."""

    def begin_renewal(self, steps: int) -> None:
        """Nothing."""

    def end_renewal_step(self) -> None:
        """Nothing."""

    def end_averaging(self, row: Mapping[str, float], seconds: float) -> None:
        """Nothing."""
