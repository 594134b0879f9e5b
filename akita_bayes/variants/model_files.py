"""Names the files of a trained model, and loads it with the names of its targets."""

import dataclasses
from pathlib import Path
from typing import Any

from akita_bayes.data.preparation import targets
from akita_bayes.models import load, predict
from akita_bayes.models.protocol import Model


@dataclasses.dataclass(frozen=True)
class ModelFiles:
    """Names the files of a model, so that another process can load it.

    Attributes:
        params: JSON spec of the model.
        runs: Run directories or files of weights; several make an ensemble.
        head: Name or number of the head; None for a model with one.
        targets_file: Table with the names of the targets; None for what the run records.
        trust: True to open SavedModels of other programs.
    """

    params: str | Path
    runs: tuple[str | Path, ...]
    head: str | int | None = None
    targets_file: str | Path | None = None
    trust: bool = False

    def load(self) -> Model:
        """Loads the model, or the ensemble of several."""
        pairs: list[Any] = [(self.params, run) for run in self.runs]
        source = pairs if len(pairs) > 1 else pairs[0]
        return load.load_model(source, head=self.head, trust=self.trust)

    def labels(self, model: Model) -> list[targets.Label] | None:
        """Returns the labels of the targets; None without labels, or for all of several heads."""
        head = predict.head_name(model, self.head)
        if head is None:
            return None
        count = model.spec.geometry(head).units or 1
        return targets.of_head(self.runs[0], head, count, table=self.targets_file)
