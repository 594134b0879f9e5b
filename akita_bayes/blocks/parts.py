"""Parts that blocks share: activation, normalisation, pooling and convolution by name."""

import math
from typing import Any, Literal, NamedTuple

import keras

from akita_bayes.layers import activation as activations
from akita_bayes.layers import convolution as convolutions
from akita_bayes.layers import normalization, pooling

Activation = (
    Literal[
        "linear",
        "relu",
        "gelu",
        "sigmoid",
        "tanh",
        "exp",
        "softplus",
        "elu",
        "selu",
        "silu",
        "softmax",
    ]
    | None
)
Norm = Literal["batch", "batch-sync", "layer"] | None
Conv = Literal["standard", "separable"]
Pool = Literal["max", "softmax"]
Padding = Literal["same", "valid"]


def activate(x: Any, activation: Activation) -> Any:
    """Applies the named activation; null and 'linear' change nothing."""
    function = activations.named(activation)
    return x if function is None else keras.layers.Activation(function)(x)


def normalize(x: Any, norm_type: Norm, *, momentum: float, gamma: str = "ones") -> Any:
    """Applies the named normalisation; null changes nothing."""
    layer = normalization.normalization(norm_type, momentum=momentum, gamma=gamma)
    return x if layer is None else layer(x)


def drop(x: Any, rate: float) -> Any:
    """Applies dropout when the rate is above 0."""
    return keras.layers.Dropout(rate)(x) if rate > 0 else x


def l2(scale: float) -> keras.regularizers.Regularizer | None:
    """Returns the penalty scale * sum(w^2), or None for 0."""
    return keras.regularizers.L2(scale) if scale else None


def l1_l2(l1_scale: float, l2_scale: float) -> keras.regularizers.Regularizer | None:
    """Returns the penalty l1 sum|w| + l2 sum(w^2), or None for 0 and 0."""
    return keras.regularizers.L1L2(l1_scale, l2_scale) if l1_scale or l2_scale else None


def flatten(x: Any) -> Any:
    """Joins positions and channels into one position. [B, L, C] -> [B, 1, L C]."""
    return keras.layers.Reshape((1, math.prod(x.shape[1:])))(x)


def pool(x: Any, size: int, *, pool_type: Pool = "max", padding: Padding = "same") -> Any:
    """Pools a track [B, L, C] or a map [B, N, N, C] by `size`; 1 changes nothing."""
    if size <= 1:
        return x
    if len(x.shape) == 4:
        return keras.layers.MaxPooling2D(size, padding=padding)(x)
    if pool_type == "softmax":
        return pooling.SoftmaxPool1D(size)(x)
    return keras.layers.MaxPooling1D(size, padding=padding)(x)


class Convolution(NamedTuple):
    """Describes a convolution.

    Attributes:
        filters: Channels of the output; None keeps those of the input.
        kernel_size: Bins that a kernel covers without dilation.
        use_bias: True to add a number to each channel.
        l2_scale: L2 penalty of the kernel.
        conv_type: "separable" for one kernel per channel, then a pointwise one.
        kernel_initializer: Initializer of the kernel, the pointwise one of a separable convolution.
        stride: Bins from one output to the next.
        dilation_rate: Bins from one weight of the kernel to the next.
        padding: "same" for as many bins as before, "valid" for those that the kernel fits.
    """

    filters: int | None
    kernel_size: int
    use_bias: bool
    l2_scale: float
    conv_type: Conv
    kernel_initializer: str
    stride: int = 1
    dilation_rate: int = 1
    padding: Padding = "same"


def convolve(x: Any, convolution: Convolution) -> Any:
    """Convolves a track [B, L, C] or a map [B, N, N, C]."""
    penalty, initializer = l2(convolution.l2_scale), convolution.kernel_initializer
    arguments: dict[str, Any] = {
        "filters": convolution.filters or x.shape[-1],
        "kernel_size": convolution.kernel_size,
        "strides": convolution.stride,
        "dilation_rate": convolution.dilation_rate,
        "padding": convolution.padding,
        "use_bias": convolution.use_bias,
    }
    on_map = len(x.shape) == 4
    if convolution.conv_type == "separable":
        layer = keras.layers.SeparableConv2D if on_map else keras.layers.SeparableConv1D
        arguments["pointwise_initializer"] = initializer
        arguments |= {"depthwise_regularizer": penalty, "pointwise_regularizer": penalty}
    else:
        layer = keras.layers.Conv2D if on_map else convolutions.Conv1D
        arguments |= {"kernel_initializer": initializer, "kernel_regularizer": penalty}
    return layer(**arguments)(x)


def filter_counts(
    filters_init: int,
    *,
    filters_end: int | None,
    filters_mult: float | None,
    divisible_by: int,
    repeat: int,
) -> list[int]:
    """Computes the filters of every repeat of a tower: a geometric series, rounded half to even.

    The series itself is not rounded. Without `filters_mult` it ends at `filters_end`; without
    both it is constant.
    """
    if filters_mult is None:
        filters_mult = 1.0
        if filters_end is not None and repeat > 1:
            # The factor m with filters_init m^(repeat - 1) = filters_end.
            filters_mult = math.exp(math.log(filters_end / filters_init) / (repeat - 1))
    filters, counts = float(filters_init), []
    for _ in range(repeat):
        counts.append(round(filters / divisible_by) * divisible_by)
        filters *= filters_mult
    return counts


def dilation_rates(rate_mult: float, *, repeat: int, round_each: bool = False) -> list[int]:
    """Computes dilations 1, m, m^2, ..., rounded half to even; `round_each` rounds each factor.

    For example m = 1.5 gives 1, 2, 2, 3 and, with `round_each`, 1, 2, 3, 4.
    """
    rate, rates = 1.0, []
    for _ in range(repeat):
        rates.append(round(rate))
        rate *= rate_mult
        if round_each:
            rate = float(round(rate))
    return rates
