"""Computes pixel losses; a spec chooses one by its name.

Every loss is a function `(truth, prediction, mask) -> [B]`: it reduces per example over the
measured pixels of all targets, and the caller takes the mean over the batch. Without masked pixels
the values are those of Basenji.

    truth, prediction   float32 [B, P, T]
    mask                bool [B, P, T], True where measured; a masked pixel enters no sum
"""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

from keras import ops

from akita_bayes import errors

Tensor: TypeAlias = Any
Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]

_EPSILON = 1e-7
_MULTINOMIAL_EPSILON = 1e-6
_SPECIFICITY_EPSILON = 1e-3


def mse(truth: Tensor, prediction: Tensor, mask: Tensor) -> Tensor:
    """Averages (y - p)^2 over pixels."""
    return _mean(ops.square(truth - prediction), mask)


def poisson(truth: Tensor, prediction: Tensor, mask: Tensor) -> Tensor:
    """Averages p - y log p over pixels: minus the Poisson log-likelihood, but for a constant."""
    return _mean(prediction - truth * ops.log(prediction + _EPSILON), mask)


def bce(truth: Tensor, prediction: Tensor, mask: Tensor) -> Tensor:
    """Averages -y log p - (1 - y) log(1 - p) over pixels, for probabilities p."""
    p = ops.clip(prediction, _EPSILON, 1 - _EPSILON)
    return _mean(-truth * ops.log(p) - (1 - truth) * ops.log(1 - p), mask)


def poisson_mn(
    truth: Tensor, prediction: Tensor, mask: Tensor, *, total_weight: float = 1.0
) -> Tensor:
    """Computes a loss of the total count and of the positions of the counts; mean over targets of

        [w Poisson(s_y, s_p) - sum_l y_l log(p_l / s_p)] / L

    with s the sum over the L measured positions, w = `total_weight`, and 1e-6 added to y and p.
    """
    weight = ops.cast(mask, prediction.dtype)
    y = (truth + _MULTINOMIAL_EPSILON) * weight
    p = (prediction + _MULTINOMIAL_EPSILON) * weight
    y_sum, p_sum = ops.sum(y, axis=1), ops.sum(p, axis=1)
    total = p_sum - y_sum * ops.log(p_sum + _EPSILON)
    # Masked positions get share 1, whose logarithm is 0, not the logarithm of 0.
    share = ops.where(mask, p, 1.0) / ops.where(mask, p_sum[:, None], 1.0)
    multinomial = -ops.sum(y * ops.log(share), axis=1)
    positions = ops.sum(weight, axis=1)
    per_target = (total_weight * total + multinomial) / ops.maximum(positions, 1.0)
    return _mean(per_target, positions > 0)


def mse_udot(
    truth: Tensor, prediction: Tensor, mask: Tensor, *, spec_weight: float = 1.0
) -> Tensor:
    """Subtracts w = `spec_weight` times the covariance across targets from the squared error:

        mean over pixels of (y - p)^2 - w (y - ybar)(p - pbar)

    where the bar is the mean over the targets measured at that position.
    """
    shared = _centred(truth, mask) * _centred(prediction, mask)
    return _mean(ops.square(truth - prediction) - spec_weight * shared, mask)


def poisson_kl(
    truth: Tensor, prediction: Tensor, mask: Tensor, *, spec_weight: float = 1.0
) -> Tensor:
    """Adds w = `spec_weight` times the divergence across targets to the Poisson loss:

        mean over pixels of p - y log p  +  w mean over positions of sum_t q_t log(q_t / r_t)

    with q and r the truth and prediction, plus 1e-3, normalised over the measured targets.
    """
    q, r = (_shares(values + _SPECIFICITY_EPSILON, mask) for values in (truth, prediction))
    divergence = ops.sum(ops.where(mask, q * ops.log(q / r), 0.0), axis=-1)
    specificity = _mean(divergence, ops.any(mask, axis=-1))
    return poisson(truth, prediction, mask) + spec_weight * specificity


LOSSES: dict[str, Callable[..., Tensor]] = {
    function.__name__: function
    for function in (mse, poisson, poisson_mn, bce, mse_udot, poisson_kl)
}


def named(name: str, *, spec_weight: float = 1.0, total_weight: float = 1.0) -> Loss:
    """Returns the loss of that name with its weights filled in.

    Raises:
        SpecError: There is no such loss; names the nearest.
    """
    if name not in LOSSES:
        raise errors.SpecError(
            f'train.loss: "{name}" is not a loss; expected one of {", ".join(LOSSES)}.'
            f"{errors.did_you_mean(name, LOSSES)}"
        )
    if name == "poisson_mn":
        return functools.partial(poisson_mn, total_weight=total_weight)
    if name in ("mse_udot", "poisson_kl"):
        return functools.partial(LOSSES[name], spec_weight=spec_weight)
    return LOSSES[name]


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    """Averages values where `mask` is True, over all axes but the first; 0 without any. [B]."""
    axes = tuple(range(1, len(values.shape)))
    count = ops.sum(ops.cast(mask, values.dtype), axis=axes)
    return ops.sum(ops.where(mask, values, 0.0), axis=axes) / ops.maximum(count, 1.0)


def _centred(values: Tensor, mask: Tensor) -> Tensor:
    """Subtracts the mean over the measured targets from values. [B, P, T]."""
    weight = ops.cast(mask, values.dtype)
    count = ops.maximum(ops.sum(weight, axis=-1, keepdims=True), 1.0)
    return values - ops.sum(values * weight, axis=-1, keepdims=True) / count


def _shares(values: Tensor, mask: Tensor) -> Tensor:
    """Divides values by their sum over the measured targets; 1 where masked. [B, P, T]."""
    total = ops.sum(ops.where(mask, values, 0.0), axis=-1, keepdims=True)
    return ops.where(mask, values, 1.0) / ops.where(mask, total, 1.0)
