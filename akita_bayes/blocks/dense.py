"""Dense layers, gates over channels, and the model's output."""

from typing import Any

import keras

from akita_bayes.blocks import parts, registry
from akita_bayes.layers import activation as activations
from akita_bayes.layers import gating


@registry.block()
def dense(
    x: Any,
    *,
    units: int,
    activation: str | None = "linear",
    kernel_initializer: str = "he_normal",
    l1_scale: float = 0.0,
    l2_scale: float = 0.0,
) -> Any:
    """One dense layer with bias at every position. [B, ..., C] -> [B, ..., units]."""
    return keras.layers.Dense(
        units,
        activation=activations.named(activation),
        kernel_initializer=kernel_initializer,
        kernel_regularizer=parts.l1_l2(l1_scale, l2_scale),
    )(x)


@registry.block(forwards=dense)
def final(x: Any, *, flatten: bool = False, **keywords: Any) -> Any:
    """The output: `dense`, over all positions at once when `flatten`.

    [B, ..., C] -> [B, ..., units], or [B, 1, units] when flattened.
    """
    return dense(parts.flatten(x) if flatten else x, **keywords)


@registry.block()
def squeeze_excite(
    x: Any,
    *,
    activation: str | None = "relu",
    bottleneck_ratio: int = 8,
    additive: bool = False,
    norm_type: parts.Norm = None,
    bn_momentum: float = 0.9,
) -> Any:
    """Activation, then channels gated, or shifted when additive, by their means over positions.

    [B, N, C] -> [B, N, C], [B, N, N, C] -> [B, N, N, C].
    """
    x = parts.activate(x, activation)
    return gating.SqueezeExcite(
        bottleneck_ratio=bottleneck_ratio,
        additive=additive,
        norm_type=norm_type,
        bn_momentum=bn_momentum,
    )(x)
