"""Convolutions after normalisation and activation, and the towers of Basenji's successors."""

from typing import Any

import keras

from akita_bayes.blocks import dense, parts, registry
from akita_bayes.layers import normalization
from akita_bayes.specs import geometry_rules


@registry.block(geometry=geometry_rules.Convolution(unpadded=("kernel", "pool")))
def conv_nac(
    x: Any,
    *,
    filters: int | None = None,
    kernel_size: int = 1,
    activation: parts.Activation = "relu",
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
    kernel_initializer: str = "he_normal",
    padding: parts.Padding = "same",
    se: bool = False,
) -> Any:
    """Applies normalisation, activation, convolution, [squeeze_excite], dropout, [+ x], pooling.

    [B, L, C] -> [B, L / (stride pool_size), filters]; `filters` null keeps the channels. The
    convolution has a bias.
    """
    inputs = x
    x = parts.normalize(x, norm_type, momentum=bn_momentum)
    x = parts.activate(x, activation)
    x = parts.convolve(
        x,
        parts.Convolution(
            filters=filters,
            kernel_size=kernel_size,
            stride=stride,
            dilation_rate=dilation_rate,
            use_bias=True,
            l2_scale=l2_scale,
            conv_type=conv_type,
            kernel_initializer=kernel_initializer,
            padding=padding,
        ),
    )
    if se:
        x = dense.squeeze_excite(x)
    x = parts.drop(x, dropout)
    if residual:
        x = keras.layers.Add()([inputs, x])
    return parts.pool(x, pool_size, pool_type=pool_type, padding=padding)


@registry.block(geometry=geometry_rules.Convolution())
def conv_dna(
    x: Any,
    *,
    filters: int | None = None,
    kernel_size: int = 15,
    activation: parts.Activation = "relu",
    stride: int = 1,
    l2_scale: float = 0.0,
    residual: bool = False,
    dropout: float = 0.0,
    dropout_residual: float = 0.0,
    pool_size: int = 1,
    pool_type: parts.Pool = "max",
    norm_type: parts.Norm = None,
    bn_momentum: float = 0.99,
    use_bias: bool | None = None,
    conv_type: parts.Conv = "standard",
    kernel_initializer: str = "he_normal",
    padding: parts.Padding = "same",
    se: bool = False,
) -> Any:
    """Applies the first convolution, on the bases, then normalisation and activation.

    `residual` replaces both by the sum with a pointwise `conv_nac`, whose scale starts at 0.
    [B, L, 4] -> [B, L / (stride pool_size), filters]. `use_bias` null: a bias only without
    normalisation and without residual.
    """
    x = parts.convolve(
        x,
        parts.Convolution(
            filters=filters,
            kernel_size=kernel_size,
            stride=stride,
            use_bias=norm_type is None and not residual if use_bias is None else use_bias,
            l2_scale=l2_scale,
            conv_type=conv_type,
            kernel_initializer=kernel_initializer,
        ),
    )
    if se:
        x = dense.squeeze_excite(x)
    if residual:
        branch = conv_nac(
            x,
            activation=activation,
            l2_scale=l2_scale,
            dropout=dropout_residual,
            conv_type=conv_type,
            norm_type=norm_type,
            bn_momentum=bn_momentum,
            kernel_initializer=kernel_initializer,
            se=se,
        )
        x = keras.layers.Add()([x, normalization.Scale()(branch)])
    else:
        x = parts.normalize(x, norm_type, momentum=bn_momentum)
        x = parts.activate(x, activation)
    x = parts.drop(x, dropout)
    return parts.pool(x, pool_size, pool_type=pool_type, padding=padding)


@registry.block(geometry=geometry_rules.Convolution())
def conv_next(
    x: Any,
    *,
    filters: int | None = None,
    kernel_size: int = 7,
    activation: parts.Activation = "relu",
    dense_expansion: float = 2.0,
    dilation_rate: int = 1,
    l2_scale: float = 0.0,
    dropout: float = 0.0,
    residual: bool = False,
    pool_size: int = 1,
    pool_type: parts.Pool = "max",
    kernel_initializer: str = "he_normal",
    padding: parts.Padding = "same",
) -> Any:
    """Applies a ConvNeXt block (Liu et al. 2022).

    Separable convolution, layer norm, a widened dense pair, [+ x].
    [B, L, C] -> [B, L / pool_size, filters]; `filters` null keeps the channels.
    """
    inputs = x
    filters = filters or x.shape[-1]
    x = parts.convolve(
        x,
        parts.Convolution(
            filters=filters,
            kernel_size=kernel_size,
            dilation_rate=dilation_rate,
            use_bias=True,
            l2_scale=l2_scale,
            conv_type="separable",
            kernel_initializer=kernel_initializer,
        ),
    )
    x = keras.layers.LayerNormalization(epsilon=1e-5)(x)
    widened: dict[str, Any] = {"kernel_initializer": kernel_initializer, "l2_scale": l2_scale}
    x = dense.dense(x, units=round(dense_expansion * filters), **widened)
    x = parts.drop(x, dropout)
    x = parts.activate(x, activation)
    x = dense.dense(x, units=filters, **widened)
    if residual:
        x = keras.layers.Add()([inputs, x])
    return parts.pool(x, pool_size, pool_type=pool_type, padding=padding)


@registry.block(
    forwards=conv_nac,
    sets=["filters"],
    geometry=geometry_rules.Convolution(unpadded=("kernel", "pool"), widens=True),
)
def conv_tower_nac(
    x: Any,
    *,
    filters_init: int,
    filters_end: int | None = None,
    filters_mult: float | None = None,
    divisible_by: int = 1,
    repeat: int = 1,
    **conv: Any,
) -> Any:
    """Repeats `conv_nac` with a geometric series of filters. [B, L, C] -> [B, L / s^r, F]."""
    for filters in parts.filter_counts(
        filters_init,
        filters_end=filters_end,
        filters_mult=filters_mult,
        divisible_by=divisible_by,
        repeat=repeat,
    ):
        x = conv_nac(x, filters=filters, **conv)
    return x


@registry.block(
    forwards=conv_nac,
    sets=["filters", "residual", "stride", "dilation_rate"],
    geometry=geometry_rules.Convolution(unpadded=("kernel",), widens=True),
)
def res_tower(
    x: Any,
    *,
    filters_init: int,
    filters_end: int | None = None,
    filters_mult: float | None = None,
    divisible_by: int = 1,
    kernel_size: int = 1,
    dropout: float = 0.0,
    pool_size: int = 2,
    pool_type: parts.Pool = "max",
    num_convs: int = 2,
    repeat: int = 1,
    **conv: Any,
) -> Any:
    """Repeats residual stages of `conv_nac` and pooling with a geometric series of filters.

    A stage is one wide convolution plus a branch of num_convs - 1 pointwise ones, whose scale
    starts at 0. [B, L, C] -> [B, L / pool_size^repeat, F].
    """
    for filters in parts.filter_counts(
        filters_init,
        filters_end=filters_end,
        filters_mult=filters_mult,
        divisible_by=divisible_by,
        repeat=repeat,
    ):
        # x is the wide convolution, and `stage` the branch that starts from it.
        x = stage = conv_nac(x, filters=filters, kernel_size=kernel_size, **conv)
        for _ in range(1, num_convs):
            stage = conv_nac(stage, filters=filters, **conv)
        stage = parts.drop(stage, dropout)
        x = keras.layers.Add()([x, normalization.Scale()(stage)]) if num_convs > 1 else stage
        x = parts.pool(x, pool_size, pool_type=pool_type)
    return x
