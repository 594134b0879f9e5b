"""Combines several trained models into one ensemble."""

import dataclasses
from collections.abc import Mapping

from akita_bayes import errors
from akita_bayes.models.protocol import Member
from akita_bayes.models.recalibration import Recalibration
from akita_bayes.specs import geometry
from akita_bayes.specs.spec import Spec


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """Holds models with the same window, heads and outputs.

    Attributes:
        members: The models, at least one.
        recalibrations: Head -> factors on the standard deviations of the whole ensemble.
    """

    members: tuple[Member, ...]
    recalibrations: Mapping[str, Recalibration] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.members:
            raise errors.RunError("an ensemble needs at least one model.")
        first = self.members[0]
        for number, member in enumerate(self.members[1:], 1):
            if _outputs(member) != _outputs(first):
                raise errors.RunError(
                    f"model {number} of the ensemble has outputs {_outputs(member)}, but model 0 "
                    f"has {_outputs(first)}; all members need the same window, heads and outputs."
                )

    @property
    def spec(self) -> Spec:
        """Returns the spec of the first member; other members share its outputs only."""
        return self.members[0].spec


def _outputs(model: Member) -> dict[str, geometry.Geometry]:
    return {name: model.spec.geometry(name) for name in model.spec.head_names}
