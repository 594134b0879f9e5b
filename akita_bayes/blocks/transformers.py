"""Basenji's transformer, with relative positions, and the encoder of Vaswani et al. (2017)."""

from typing import Any, Literal

import keras

from akita_bayes.blocks import parts, registry
from akita_bayes.layers import attention, normalization
from akita_bayes.specs import geometry_rules


@registry.block(geometry=geometry_rules.keep)
def transformer(
    x: Any,
    *,
    heads: int = 1,
    key_size: int | None = None,
    num_position_features: int | None = None,
    attention_dropout: float = 0.05,
    position_dropout: float = 0.01,
    dropout: float = 0.25,
    dense_expansion: float = 2.0,
    dense_activation: parts.Activation = "relu",
    l2_scale: float = 0.0,
    mha_initializer: str = "he_normal",
    mha_l2_scale: float = 0.0,
    layer_scale: float | None = None,
    kernel_initializer: str = "he_normal",
) -> Any:
    """Applies Basenji's transformer: pre-norm relative attention, then a pre-norm dense pair.

    [B, L, C] -> [B, L, C]. `dense_expansion` 0 leaves the dense pair out. The model's global
    activation applies to convolutions, not to the dense pair. `layer_scale` is the initial value
    of a learned factor per channel on both branches (Touvron et al. 2021), which Basenji lacks. It
    must not be 0: the last kernel of the attention starts at 0, so that neither would ever change.
    """
    if layer_scale == 0:
        raise ValueError(
            "transformer: layer_scale is 0, with which the attention never learns; give a small "
            "number, as 0.01, or null."
        )
    branch = keras.layers.LayerNormalization()(x)
    branch = attention.RelativeAttention(
        heads=heads,
        key_size=key_size,
        num_position_features=num_position_features,
        attention_dropout=attention_dropout,
        position_dropout=position_dropout,
        initializer=mha_initializer,
        l2_scale=mha_l2_scale,
    )(branch)
    x = keras.layers.Add()([x, _scaled(parts.drop(branch, dropout), layer_scale)])
    if not dense_expansion:
        return x
    branch = keras.layers.LayerNormalization()(x)
    branch = _dense_pair(
        branch,
        width=round(dense_expansion * x.shape[-1]),
        activation=dense_activation,
        dropout=dropout,
        l2_scale=l2_scale,
        kernel_initializer=kernel_initializer,
    )
    return keras.layers.Add()([x, _scaled(branch, layer_scale)])


@registry.block(forwards=transformer, geometry=geometry_rules.keep)
def transformer_tower(x: Any, *, repeat: int = 2, **transformer_keywords: Any) -> Any:
    """Repeats `transformer`. [B, L, C] -> [B, L, C]."""
    for _ in range(repeat):
        x = transformer(x, **transformer_keywords)
    return x


@registry.block(geometry=geometry_rules.keep)
def transformer_encoder(
    x: Any,
    *,
    repeat: int = 3,
    heads: int = 6,
    key_size: int | None = None,
    dense_width: int = 256,
    activation: parts.Activation = "relu",
    dropout: float = 0.1,
    attention_dropout: float | None = None,
    pre_norm: bool = False,
    positions: Literal["sinusoidal", "learned"] | None = "sinusoidal",
    layer_scale: float | None = None,
    l2_scale: float = 0.0,
    kernel_initializer: str = "glorot_uniform",
) -> Any:
    """Adds positions, then `repeat` times attention and a dense pair, each with a residual.

    Post-norm, as in the original: x = LN(x + f(x)). `pre_norm`: x = x + f(LN(x)), with one LN
    after the last. [B, L, C] -> [B, L, C].

    Args:
        x: The track.
        repeat: Number of encoder layers.
        heads: Number of attention heads.
        key_size: Width of queries and keys per head; null takes C / heads, a whole number.
        dense_width: Hidden width of the dense pair.
        activation: Activation of the dense pair.
        dropout: Dropout after the positions, in the dense pair, and on every branch.
        attention_dropout: Dropout of the attention weights; null takes `dropout`.
        pre_norm: True to normalise before each branch, not after each sum.
        positions: 'sinusoidal', 'learned', or null for none.
        layer_scale: Initial value of a learned factor per channel on every branch (Touvron et al.
            2021); with 0 the encoder first adds only its positions. null for no factor.
        l2_scale: L2 penalty of the dense kernels.
        kernel_initializer: Initializer of all kernels.
    """
    channels = x.shape[-1]
    if key_size is None and channels % heads:
        raise ValueError(
            f"transformer_encoder: {channels} channels cannot be divided among {heads} heads. "
            "Choose other heads, or give key_size."
        )
    if positions is not None:
        learned = positions == "learned"
        x = (attention.LearnedPositions() if learned else attention.SinusoidalPositions())(x)
        x = parts.drop(x, dropout)
    for _ in range(repeat):
        branch = _layer_norm(x) if pre_norm else x
        branch = keras.layers.MultiHeadAttention(
            heads,
            key_size or channels // heads,
            dropout=dropout if attention_dropout is None else attention_dropout,
            kernel_initializer=kernel_initializer,
        )(branch, branch)
        x = keras.layers.Add()([x, _scaled(parts.drop(branch, dropout), layer_scale)])
        # Pre-norm normalises the input of a branch, post-norm the sum after it.
        x = x if pre_norm else _layer_norm(x)
        branch = _dense_pair(
            _layer_norm(x) if pre_norm else x,
            width=dense_width,
            activation=activation,
            dropout=dropout,
            l2_scale=l2_scale,
            kernel_initializer=kernel_initializer,
        )
        x = keras.layers.Add()([x, _scaled(branch, layer_scale)])
        x = x if pre_norm else _layer_norm(x)
    return _layer_norm(x) if pre_norm and repeat else x


def _layer_norm(x: Any) -> Any:
    return keras.layers.LayerNormalization(epsilon=1e-5)(x)


def _scaled(branch: Any, initial: float | None) -> Any:
    if initial is None:
        return branch
    return normalization.Scale(keras.initializers.Constant(initial))(branch)


def _dense_pair(
    x: Any,
    *,
    width: int,
    activation: parts.Activation,
    dropout: float,
    l2_scale: float,
    kernel_initializer: str,
) -> Any:
    channels = x.shape[-1]
    options = {
        "kernel_initializer": kernel_initializer,
        "kernel_regularizer": parts.l2(l2_scale),
    }
    x = keras.layers.Dense(width, **options)(x)
    x = parts.drop(parts.activate(x, activation), dropout)
    x = keras.layers.Dense(channels, **options)(x)
    return parts.drop(x, dropout)
