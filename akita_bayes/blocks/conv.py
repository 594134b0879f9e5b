"""Convolutions along the sequence with activation before convolution, as in Akita."""

from typing import Any

import keras

from akita_bayes.blocks import parts, registry
from akita_bayes.layers import normalization
from akita_bayes.specs import geometry_rules


@registry.block(geometry=geometry_rules.Convolution())
def conv_block(
    x: Any,
    *,
    filters: int | None = None,
    kernel_size: int = 1,
    activation: parts.Activation = "relu",
    activation_end: parts.Activation = None,
    stride: int = 1,
    dilation_rate: int = 1,
    l2_scale: float = 0.0,
    dropout: float = 0.0,
    conv_type: parts.Conv = "standard",
    residual: bool = False,
    pool_size: int = 1,
    pool_type: parts.Pool = "max",
    norm_type: parts.Norm = None,
    bn_momentum: float = 0.99,
    norm_gamma: str = "ones",
    kernel_initializer: str = "he_normal",
    padding: parts.Padding = "same",
) -> Any:
    """Applies activation, convolution, normalisation, dropout, [+ x], [activation_end], pooling.

    [B, L, C] -> [B, L / (stride pool_size), filters]. The convolution has a bias only without
    normalisation; `padding` applies to the pooling. `filters` null keeps the channels.
    """
    inputs = x
    x = parts.activate(x, activation)
    x = parts.convolve(
        x,
        parts.Convolution(
            filters=filters,
            kernel_size=kernel_size,
            stride=stride,
            dilation_rate=dilation_rate,
            use_bias=norm_type is None,
            l2_scale=l2_scale,
            conv_type=conv_type,
            kernel_initializer=kernel_initializer,
        ),
    )
    x = parts.normalize(x, norm_type, momentum=bn_momentum, gamma=norm_gamma)
    x = parts.drop(x, dropout)
    if residual:
        x = keras.layers.Add()([inputs, x])
    x = parts.activate(x, activation_end)
    return parts.pool(x, pool_size, pool_type=pool_type, padding=padding)


@registry.block(
    forwards=conv_block,
    sets=["filters"],
    geometry=geometry_rules.Convolution(widens=True),
)
def conv_tower(
    x: Any,
    *,
    filters_init: int,
    filters_end: int | None = None,
    filters_mult: float | None = None,
    divisible_by: int = 1,
    repeat: int = 1,
    **conv: Any,
) -> Any:
    """Repeats `conv_block` with a geometric series of filters. [B, L, C] -> [B, L / s^r, F]."""
    for filters in parts.filter_counts(
        filters_init,
        filters_end=filters_end,
        filters_mult=filters_mult,
        divisible_by=divisible_by,
        repeat=repeat,
    ):
        x = conv_block(x, filters=filters, **conv)
    return x


_SHAPE_KEPT = ["dilation_rate", "residual", "stride", "pool_size", "pool_type", "padding"]


@registry.block(
    forwards=conv_block,
    sets=[*_SHAPE_KEPT, "norm_gamma"],
    geometry=geometry_rules.keep,
)
def dilated_residual(
    x: Any,
    *,
    filters: int,
    kernel_size: int = 3,
    rate_mult: float = 2.0,
    dropout: float = 0.0,
    repeat: int = 1,
    conv_type: parts.Conv = "standard",
    norm_type: parts.Norm = None,
    round: bool = False,
    **conv: Any,
) -> Any:
    """Adds residual pairs of a dilated and a pointwise convolution. [B, L, C] -> [B, L, C].

    The dilation grows by `rate_mult`. It is rounded when used, or after each growth when `round`.
    A branch starts at zero: its last normalisation has gamma 0; without normalisation, a learned
    scale starts at 0.
    """
    channels = x.shape[-1]
    conv = {**conv, "norm_type": norm_type}
    for rate in parts.dilation_rates(rate_mult, repeat=repeat, round_each=round):
        branch = conv_block(
            x,
            filters=filters,
            kernel_size=kernel_size,
            dilation_rate=rate,
            conv_type=conv_type,
            **conv,
        )
        branch = conv_block(branch, filters=channels, dropout=dropout, norm_gamma="zeros", **conv)
        if norm_type is None:
            branch = normalization.Scale()(branch)
        x = keras.layers.Add()([x, branch])
    return x


@registry.block(forwards=conv_block, sets=_SHAPE_KEPT, geometry=geometry_rules.widen)
def dilated_dense(
    x: Any,
    *,
    filters: int,
    kernel_size: int = 3,
    rate_mult: float = 2.0,
    repeat: int = 1,
    **conv: Any,
) -> Any:
    """Appends the filters of each of `repeat` dilated convolutions to the channels (DenseNet).

    [B, L, C] -> [B, L, C + repeat filters].
    """
    for rate in parts.dilation_rates(rate_mult, repeat=repeat):
        grown = conv_block(x, filters=filters, kernel_size=kernel_size, dilation_rate=rate, **conv)
        x = keras.layers.Concatenate()([x, grown])
    return x
