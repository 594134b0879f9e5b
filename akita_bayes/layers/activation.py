"""Activations by the names that specs use."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("akita_bayes")
def gelu(x: Any) -> Any:
    """Applies the Gaussian error linear unit in its tanh approximation, as Basenji does."""
    return ops.gelu(x, approximate=True)


@keras.saving.register_keras_serializable("akita_bayes")
def clipped_softplus(x: Any) -> Any:
    """Computes log(1 + e^x), with x clipped to +-10,000."""
    return ops.softplus(ops.clip(x, -10000, 10000))


NAMED: dict[str, Callable[[Any], Any]] = {
    "relu": keras.activations.relu,
    "gelu": gelu,
    "sigmoid": keras.activations.sigmoid,
    "tanh": keras.activations.tanh,
    "exp": keras.activations.exponential,
    "softplus": clipped_softplus,
    "elu": keras.activations.elu,
    "selu": keras.activations.selu,
    "silu": keras.activations.silu,
    "softmax": keras.activations.softmax,
}


def named(activation: str | None) -> Callable[[Any], Any] | None:
    """Returns the function that a spec calls `activation`; None for null and 'linear'.

    Raises:
        ValueError: The name is unknown.
    """
    if activation in (None, "linear"):
        return None
    if activation not in NAMED:
        raise ValueError(
            f"activation is one of {', '.join(NAMED)}, linear or null; got {activation!r}."
        )
    return NAMED[activation]
