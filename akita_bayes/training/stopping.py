"""Which epoch was best, and when to stop."""

import dataclasses
import math
from collections.abc import Mapping

from akita_bayes.specs import train_spec


def score(row: Mapping[str, float], criterion: str) -> float:
    """What is maximised: minus the validation loss, the mean Pearson r, or Basenji's r + R2/4."""
    if criterion == "loss":
        return -row["valid_loss"]
    if criterion == "r":
        return row["valid_r"]
    return row["valid_r"] + row["valid_r2"] / 4


@dataclasses.dataclass
class Stopper:
    """Early stopping with patience.

    Attributes:
        best: Highest score so far.
        best_epoch: The epoch that had it, counted from 1; 0 before any.
        unimproved: Epochs since.
    """

    best: float = -math.inf
    best_epoch: int = 0
    unimproved: int = 0

    def update(self, value: float, epoch: int) -> bool:
        """Takes in the score of an epoch, counted from 1; returns whether it is the best so far."""
        if value > self.best:
            self.best, self.best_epoch, self.unimproved = value, epoch, 0
            return True
        self.unimproved += 1
        return False

    def done(self, epochs: int, train: train_spec.TrainSpec) -> bool:
        """Whether to stop after so many epochs: more than `patience` of them brought nothing."""
        if epochs >= train.train_epochs_max:
            return True
        return epochs >= train.train_epochs_min and self.unimproved > train.patience
