"""Blocks for maps of bin pairs, from the track through 2-D convolutions to the upper triangle."""

from typing import Any, Literal

import keras

from akita_bayes.blocks import parts, registry
from akita_bayes.layers import pairwise
from akita_bayes.specs import geometry_rules


@registry.block(geometry=geometry_rules.pairs)
def one_to_two(
    x: Any, *, operation: Literal["mean", "max", "concat", "multiply", "multiply1"] = "mean"
) -> Any:
    """Joins the features of every two bins. [B, N, C] -> [B, N, N, C], 2C for 'concat'."""
    return pairwise.OneToTwo(operation)(x)


@registry.block(geometry=geometry_rules.widen)
def concat_dist_2d(x: Any) -> Any:
    """Appends the distance |i - j| in bins as a channel. [B, N, N, C] -> [B, N, N, C + 1]."""
    return pairwise.ConcatDist2D()(x)


@registry.block(geometry=geometry_rules.keep)
def symmetrize_2d(x: Any) -> Any:
    """Averages a map with its transpose. [B, N, N, C] -> [B, N, N, C]."""
    return pairwise.Symmetrize2D()(x)


@registry.block(geometry=geometry_rules.Convolution())
def conv_block_2d(
    x: Any,
    *,
    filters: int = 128,
    kernel_size: int = 1,
    activation: parts.Activation = "relu",
    stride: int = 1,
    dilation_rate: int = 1,
    l2_scale: float = 0.0,
    dropout: float = 0.0,
    conv_type: parts.Conv = "standard",
    pool_size: int = 1,
    norm_type: parts.Norm = None,
    bn_momentum: float = 0.99,
    norm_gamma: str = "ones",
    kernel_initializer: str = "he_normal",
    symmetric: bool = False,
) -> Any:
    """Applies activation, 2-D convolution, normalisation, dropout, pooling, [symmetrisation].

    [B, N, N, C] -> [B, N / (stride pool_size), N / (stride pool_size), filters]. The convolution
    has a bias only without normalisation.
    """
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
    x = parts.pool(x, pool_size)
    return pairwise.Symmetrize2D()(x) if symmetric else x


@registry.block(
    forwards=conv_block_2d,
    sets=["dilation_rate", "stride", "pool_size", "norm_gamma"],
    geometry=geometry_rules.keep,
)
def dilated_residual_2d(
    x: Any,
    *,
    filters: int,
    kernel_size: int = 3,
    rate_mult: float = 2.0,
    dropout: float = 0.0,
    repeat: int = 1,
    symmetric: bool = True,
    round: bool = False,
    **conv: Any,
) -> Any:
    """Adds residual pairs of a dilated and a pointwise 2-D convolution to a symmetric map.

    [B, N, N, C] -> [B, N, N, C]. Dilations as in `dilated_residual`.
    """
    channels = x.shape[-1]
    for rate in parts.dilation_rates(rate_mult, repeat=repeat, round_each=round):
        branch = conv_block_2d(
            x, filters=filters, kernel_size=kernel_size, dilation_rate=rate, **conv
        )
        branch = conv_block_2d(
            branch, filters=channels, dropout=dropout, norm_gamma="zeros", **conv
        )
        x = keras.layers.Add()([x, branch])
        if symmetric:
            x = pairwise.Symmetrize2D()(x)
    return x


@registry.block(geometry=geometry_rules.crop)
def cropping_2d(x: Any, *, cropping: int) -> Any:
    """Cuts `cropping` bins from every side. [B, N, N, C] -> [B, N - 2c, N - 2c, C]."""
    return keras.layers.Cropping2D(cropping)(x)


@registry.block(geometry=geometry_rules.upper_triangle)
def upper_tri(x: Any, *, diagonal_offset: int = 2) -> Any:
    """Reads the upper triangle, row by row. [B, N, N, C] -> [B, P, C]."""
    return pairwise.UpperTri(diagonal_offset)(x)
