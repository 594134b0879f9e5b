"""Defines what the package needs of a model: a network, a SavedModel, or an ensemble of them."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from akita_bayes.models.recalibration import Recalibration
from akita_bayes.origins.training_regions import TrainingRegions
from akita_bayes.specs.spec import Spec


@runtime_checkable
class Model(Protocol):
    """Describes what `load_model` and `build` return."""

    @property
    def spec(self) -> Spec:
        """Returns the spec; all members share its window, heads and outputs."""
        ...

    @property
    def members(self) -> "tuple[Member, ...]":
        """Returns the members of an ensemble; a single model is its own only member."""
        ...

    @property
    def recalibrations(self) -> Mapping[str, Recalibration]:
        """Returns the factors on the standard deviations of the whole model, by head."""
        ...


@runtime_checkable
class Member(Model, Protocol):
    """Describes a single model, which predicts.

    Attributes:
        swag_draws: Draws of all weights, or None when there are none. [S, W].
        training_regions: Head -> regions from which it learned; empty where they are not recorded.
    """

    swag_draws: NDArray[np.float32] | None
    training_regions: Mapping[str, TrainingRegions]

    def digest_parts(self) -> Iterator[bytes]:
        """Yields the bytes that identify its weights and SWAG draws."""
        ...

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Returns predictions, or a dict of them by head. [B, L, 4] -> [B, P, T] or [B, N, T]."""
        ...
