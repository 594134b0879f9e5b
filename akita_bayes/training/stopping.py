"""Chooses the best epoch, and stops a training early."""

import dataclasses
import math
from collections.abc import Mapping

from akita_bayes.specs import train_spec


def score(row: Mapping[str, float], criterion: str) -> float:
    """Returns the score to maximise: minus the validation loss, mean r, or Basenji's r + R2/4."""
    if criterion == "loss":
        return -row["valid_loss"]
    if criterion == "r":
        return row["valid_r"]
    return row["valid_r"] + row["valid_r2"] / 4


@dataclasses.dataclass
class Stopper:
    """Decides when to stop, by early stopping with patience.

    Attributes:
        best: Highest score so far.
        best_epoch: Epoch of the highest score, counted from 1; 0 before the first.
        unimproved: Epochs since then.
    """

    best: float = -math.inf
    best_epoch: int = 0
    unimproved: int = 0

    def update(self, value: float, epoch: int) -> bool:
        """Records the score of an epoch, counted from 1; returns True for the best so far."""
        if value > self.best:
            self.best, self.best_epoch, self.unimproved = value, epoch, 0
            return True
        self.unimproved += 1
        return False

    def done(self, epochs: int, train: train_spec.TrainSpec) -> bool:
        """Returns True when training must stop after `epochs`: the last, or patience exceeded."""
        if epochs >= train.train_epochs_max:
            return True
        return epochs >= train.train_epochs_min and self.unimproved > train.patience
