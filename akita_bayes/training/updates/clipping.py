"""Clips the gradients of a global batch."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from keras import ops

from akita_bayes.specs import train_spec

Tensor: TypeAlias = Any
Clip: TypeAlias = Callable[[Sequence[Tensor], Sequence[Any]], list[Tensor]]

_SMALLEST_WEIGHT_NORM = 1e-3
_SMALLEST_GRADIENT_NORM = 1e-6


def none(gradients: Sequence[Tensor], variables: Sequence[Any]) -> list[Tensor]:
    """Returns the gradients as they are."""
    return list(gradients)


def by_norm(limit: float) -> Clip:
    """Scales down each variable's gradient whose norm is above `limit`: Basenji's `clip_norm`."""

    def clip(gradients: Sequence[Tensor], variables: Sequence[Any]) -> list[Tensor]:
        # The factor is 1 up to the limit; no division by a norm of 0.
        return [g * limit / ops.maximum(_norm(g), limit) for g in gradients]

    return clip


def by_global_norm(limit: float) -> Clip:
    """Scales all gradients down equally when their joint norm is above `limit`: `global_clipnorm`.

    The ratios between gradients stay the same.
    """

    def clip(gradients: Sequence[Tensor], variables: Sequence[Any]) -> list[Tensor]:
        norm = ops.sqrt(sum(ops.sum(ops.square(g)) for g in gradients))
        return [g * limit / ops.maximum(norm, limit) for g in gradients]

    return clip


def adaptive(ratio: float) -> Clip:
    """Limits each unit's gradient norm to `ratio` times its weights' norm: `agc_clip`.

    A unit is one output channel: norms run over all axes but the last, over all axes of a vector.
    Brock et al. 2021, "High-performance large-scale image recognition without normalization",
    eq. 3, with weight norms of at least 1e-3. (Basenji takes the norm of a 1-D convolution kernel
    over positions only, so that its units are pairs of channels.)
    """

    def clip(gradients: Sequence[Tensor], variables: Sequence[Any]) -> list[Tensor]:
        return [_clip_units(g, v, ratio) for g, v in zip(gradients, variables, strict=True)]

    return clip


def from_spec(train: train_spec.TrainSpec) -> Clip:
    """Returns the clipping that the train section of a spec specifies."""
    if train.clip_norm is not None:
        return by_norm(train.clip_norm)
    if train.global_clipnorm is not None:
        return by_global_norm(train.global_clipnorm)
    if train.agc_clip is not None:
        return adaptive(train.agc_clip)
    return none


def _norm(x: Tensor, axis: tuple[int, ...] | None = None) -> Tensor:
    return ops.sqrt(ops.sum(ops.square(x), axis=axis, keepdims=axis is not None))


def _clip_units(gradient: Tensor, variable: Any, ratio: float) -> Tensor:
    rank = len(gradient.shape)
    axis = tuple(range(rank - 1)) if rank > 1 else tuple(range(rank))
    weights = ops.convert_to_tensor(variable)
    limit = ratio * ops.maximum(_norm(weights, axis), _SMALLEST_WEIGHT_NORM)
    norm = _norm(gradient, axis)
    scale = limit / ops.maximum(norm, _SMALLEST_GRADIENT_NORM)
    return ops.where(norm > limit, gradient * scale, gradient)
