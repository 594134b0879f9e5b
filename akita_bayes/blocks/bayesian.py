"""Blocks with a distribution over a latent, or over the weights of a dense layer."""

from typing import Any

import keras

from akita_bayes.blocks import parts, registry
from akita_bayes.layers import latent, variational
from akita_bayes.specs import geometry_rules


@registry.block(geometry=geometry_rules.dense)
def bottleneck(
    x: Any,
    *,
    units: int,
    dropout: float = 0.0,
    l2_scale: float = 0.0,
    kernel_initializer: str = "he_normal",
) -> Any:
    """Applies dense, GELU, dropout. [B, ..., C] -> [B, ..., units]."""
    x = keras.layers.Dense(
        units,
        kernel_initializer=kernel_initializer,
        kernel_regularizer=parts.l2(l2_scale),
    )(x)
    return parts.drop(parts.activate(x, "gelu"), dropout)


@registry.block(geometry=geometry_rules.dense, posterior=True)
def normal_latent(
    x: Any,
    *,
    units: int = 64,
    prior_mean: float = 0.0,
    prior_scale: float = 1.0,
    initial_scale: float = 0.1,
) -> Any:
    """Adds a Gaussian latent at every position, with an isotropic prior.

    Passes a sample in training or when drawing, the mean otherwise. [B, ..., C] -> [B, ..., units].
    """
    return latent.NormalLatent(
        units, prior_mean=prior_mean, prior_scale=prior_scale, initial_scale=initial_scale
    )(x)


@registry.block(geometry=geometry_rules.dense, posterior=True, output=True)
def dense_variational(
    x: Any,
    *,
    units: int,
    activation: parts.Activation = "linear",
    prior_mean: float = 0.0,
    prior_scale: float = 1.0,
    initial_scale: float = 0.02,
    kl_weight: float | None = None,
    kl_use_exact: bool = True,
    use_bias: bool = True,
) -> Any:
    """Applies a dense layer with normal weights and an isotropic prior.

    Weights are samples in training or when drawing, their means otherwise. `kl_weight` null is
    1 / (training examples), filled in by the objective. [B, ..., C] -> [B, ..., units].
    """
    return variational.DenseVariational(
        units,
        variational.MeanField(initial_scale),
        variational.NormalPrior(prior_mean, prior_scale),
        kl_weight=kl_weight,
        kl_use_exact=kl_use_exact,
        activation=activation,
        use_bias=use_bias,
    )(x)
