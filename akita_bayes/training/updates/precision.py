"""Scales the loss for float16; the network itself has the dtype policy (`models.build`)."""

import dataclasses

from akita_bayes import errors

_GROWTH_STEPS = 2000
_SMALLEST = 2.0**-14


@dataclasses.dataclass
class LossScale:
    """Scales the loss dynamically, so that small float16 gradients do not vanish.

    The loss is multiplied by `scale` and the gradients are divided by it. Gradients that overflow
    halve the scale, and their step is skipped; 2,000 finite steps in a row double it.
    (Micikevicius et al. 2018, "Mixed precision training".)

    Attributes:
        scale: Factor of the loss; constant 1 unless float16 is in use.
        finite_steps: Steps since the scale last changed.
        dynamic: False for float32 and bfloat16, whose range needs no scaling.
    """

    scale: float = 1.0
    finite_steps: int = 0
    dynamic: bool = False

    @classmethod
    def of(cls, policy_name: str) -> "LossScale":
        """Returns the loss scale that a dtype policy needs."""
        return cls(2.0**15, 0, True) if policy_name == "mixed_float16" else cls()

    def update(self, finite: bool) -> bool:
        """Adapts the scale to a step with finite gradients or not; returns True to apply them.

        Raises:
            RunError: Not even the smallest scale gives finite gradients.
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
