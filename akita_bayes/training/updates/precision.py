"""Loss scaling for float16; the dtype policy itself is that of the network (`models.build`)."""

import dataclasses

from akita_bayes import errors

_GROWTH_STEPS = 2000
_SMALLEST = 2.0**-14


@dataclasses.dataclass
class LossScale:
    """Dynamic loss scaling, which keeps small float16 gradients from vanishing.

    The loss is multiplied by `scale` and the gradients are divided by it. Gradients that overflow
    halve it and their step is left out; 2,000 finite steps in a row double it.
    (Micikevicius et al. 2018, "Mixed precision training".)

    Attributes:
        scale: Factor of the loss; 1 and constant unless float16 is in use.
        finite_steps: Steps since it last changed.
        dynamic: False for float32 and bfloat16, whose range needs no scaling.
    """

    scale: float = 1.0
    finite_steps: int = 0
    dynamic: bool = False

    @classmethod
    def of(cls, policy_name: str) -> "LossScale":
        """The loss scale that a dtype policy needs."""
        return cls(2.0**15, 0, True) if policy_name == "mixed_float16" else cls()

    def update(self, finite: bool) -> bool:
        """Learns whether a step's gradients were finite; returns whether to apply them.

        Raises:
            RunError: No scale, however small, gives finite gradients.
        """
        if not self.dynamic or finite:
            self.finite_steps += 1
            if self.dynamic and self.finite_steps >= _GROWTH_STEPS:
                self.scale, self.finite_steps = self.scale * 2, 0
            return finite
        self.scale, self.finite_steps = self.scale / 2, 0
        if self.scale < _SMALLEST:
            raise errors.RunError(
                "float16 gradients overflow at any loss scale; train with mixed_bfloat16."
            )
        return False
