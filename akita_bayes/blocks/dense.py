"""Dense layers, gates of channels, and the output of a model."""

import math
from typing import Any

import keras

from akita_bayes.blocks import bayesian, parts, registry
from akita_bayes.layers import activation as activations
from akita_bayes.layers import gating, noise
from akita_bayes.specs import geometry_rules


@registry.block(geometry=geometry_rules.dense, output=True)
def dense(
    x: Any,
    *,
    units: int,
    activation: parts.Activation = "linear",
    kernel_initializer: str = "he_normal",
    l1_scale: float = 0.0,
    l2_scale: float = 0.0,
) -> Any:
    """Applies a dense layer with bias at every position. [B, ..., C] -> [B, ..., units]."""
    return keras.layers.Dense(
        units,
        activation=activations.named(activation),
        kernel_initializer=kernel_initializer,
        kernel_regularizer=parts.l1_l2(l1_scale, l2_scale),
    )(x)


@registry.block(
    forwards=dense,
    geometry=geometry_rules.dense,
    posterior="variational",
    output=True,
)
def final(
    x: Any,
    *,
    flatten: bool = False,
    variational: bool = False,
    prior_scale: float = 1.0,
    kl_weight: float | None = None,
    **keywords: Any,
) -> Any:
    """Computes the output by `dense`, over all positions together when `flatten`.

    [B, ..., C] -> [B, ..., units], or [B, 1, units] when flattened. `variational` selects
    `dense_variational`, whose prior replaces the penalties.
    """
    x = parts.flatten(x) if flatten else x
    if not variational:
        return dense(x, **keywords)
    return bayesian.dense_variational(
        x,
        units=keywords["units"],
        activation=keywords.get("activation", "linear"),
        prior_scale=prior_scale,
        kl_weight=kl_weight,
    )


@registry.block(forwards=dense, geometry=geometry_rules.dense, spread=True, output=True)
def normal_final(x: Any, *, units: int, initial_sd: float = 0.1, **keywords: Any) -> Any:
    """Computes the output by `dense`, and its standard deviation, which draws show.

    Both are linear in `x`, the standard deviation through a softplus; it is `initial_sd` at first.
    Only the loss "distillation" trains it. [B, ..., C] -> [B, ..., units].
    """
    mean = dense(x, units=units, **keywords)
    sd = keras.layers.Dense(
        units,
        activation="softplus",
        kernel_initializer="zeros",
        # softplus(log(expm1(s))) = s.
        bias_initializer=keras.initializers.Constant(math.log(math.expm1(initial_sd))),
    )(x)
    return noise.NormalOutput()([mean, sd])


@registry.block(geometry=geometry_rules.dense)
def dense_block(
    x: Any,
    *,
    units: int | None = None,
    activation: parts.Activation = "relu",
    activation_end: parts.Activation = None,
    flatten: bool = False,
    dropout: float = 0.0,
    l1_scale: float = 0.0,
    l2_scale: float = 0.0,
    residual: bool = False,
    norm_type: parts.Norm = None,
    bn_momentum: float = 0.99,
    norm_gamma: str | None = None,
    kernel_initializer: str = "he_normal",
) -> Any:
    """Applies activation, [flattening], dense, normalisation, dropout, [+ x], [activation_end].

    [B, L, C] -> [B, L, units]; `units` null keeps the channels. The dense layer has a bias only
    without normalisation. `norm_gamma` null: 'zeros' for a residual, 'ones' otherwise.
    """
    inputs = x
    x = parts.activate(x, activation)
    if flatten:
        x = parts.flatten(x)
    x = keras.layers.Dense(
        units or x.shape[-1],
        use_bias=norm_type is None,
        kernel_initializer=kernel_initializer,
        kernel_regularizer=parts.l1_l2(l1_scale, l2_scale),
    )(x)
    gamma = norm_gamma or ("zeros" if residual else "ones")
    x = parts.normalize(x, norm_type, momentum=bn_momentum, gamma=gamma)
    x = parts.drop(x, dropout)
    if residual:
        x = keras.layers.Add()([inputs, x])
    return parts.activate(x, activation_end)


@registry.block(geometry=geometry_rules.keep)
def global_context(x: Any) -> Any:
    """Adds a transform of the attention-pooled sequence to every position.

    [B, L, C] -> [B, L, C].
    """
    return gating.GlobalContext()(x)


@registry.block(geometry=geometry_rules.keep)
def squeeze_excite(
    x: Any,
    *,
    activation: parts.Activation = "relu",
    bottleneck_ratio: int = 8,
    additive: bool = False,
    norm_type: parts.Norm = None,
    bn_momentum: float = 0.9,
) -> Any:
    """Applies activation, then gates (or shifts) channels by their means over positions.

    [B, N, C] -> [B, N, C], [B, N, N, C] -> [B, N, N, C].
    """
    x = parts.activate(x, activation)
    return gating.SqueezeExcite(
        bottleneck_ratio=bottleneck_ratio,
        additive=additive,
        norm_type=norm_type,
        bn_momentum=bn_momentum,
    )(x)
