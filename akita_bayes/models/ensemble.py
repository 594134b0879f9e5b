"""Several trained models of one question, read as one."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from akita_bayes import errors
from akita_bayes.models.recalibration import Recalibration
from akita_bayes.specs import geometry
from akita_bayes.specs.spec import Spec


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """Models that answer alike: the same window, heads and outputs.

    Attributes:
        members: The models, at least one.
        recalibrations: Head -> factors on the standard deviations of these members together.
    """

    members: tuple[Any, ...]
    recalibrations: Mapping[str, Recalibration] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.members:
            raise errors.RunError("an ensemble needs at least one model.")
        first = self.members[0]
        for number, member in enumerate(self.members[1:], 1):
            if _outputs(member) != _outputs(first):
                raise errors.RunError(
                    f"model {number} of the ensemble has outputs {_outputs(member)}, "
                    f"model 0 {_outputs(first)}; only like models make an ensemble."
                )

    @property
    def spec(self) -> Spec:
        """The spec of the first member; the others may differ in all but outputs."""
        return self.members[0].spec


def _outputs(model: Any) -> dict[str, geometry.Geometry]:
    return {name: model.spec.geometry(name) for name in model.spec.head_names}
