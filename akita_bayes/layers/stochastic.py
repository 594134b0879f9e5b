"""Contexts in which posterior layers draw, and report their divergence from the prior.

A posterior layer holds a distribution q over latents or weights. It passes the mean of q in
inference and a sample in training. Two contexts change this for every layer called inside them:

    with stochastic.drawing(seed, draw=s):          # draw s, also in inference
        y = model(x, training=False)

    with stochastic.collecting() as divergences:    # one Divergence per layer, in order of call
        y = model(x, training=True)

Contexts act when a layer is called, and inside a `tf.function` when it is traced. Enter them in
the traced function, on the replica (`strategy.run` gives each its own thread), and call the model
itself, not `predict`, which reuses an earlier trace. `seed` and `draw` may be tensors, so that one
trace serves all draws.
"""

import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
from keras import ops

from akita_bayes.layers import distributions as tfd
from akita_bayes.layers import replicas

_LARGEST = 2**31 - 1
_STRIDE = 1_000_003


class Divergence(NamedTuple):
    """Holds the divergence of one posterior layer in one call. All tensors are float32, in nats.

    Attributes:
        layer: Name of the layer.
        kl: KL(q || p): per example and dimension for latents, [B, ..., Z]; [] for weights.
        log_ratio: log p - log q at the value that was passed on: [B] for latents, [] for weights.
        weight: Share of `kl` in the loss of one example: 1 for latents; for weights 1 / (training
            examples), or None for the objective to fill in.
    """

    layer: str
    kl: Any
    log_ratio: Any
    weight: float | None


@dataclasses.dataclass
class _Draw:
    seed: Any
    draw: Any
    layers: int = 0


class _State(threading.local):
    draw: _Draw | None = None
    divergences: list[Divergence] | None = None


_state = _State()


@contextlib.contextmanager
def drawing(seed: Any, draw: Any = 0) -> Iterator[None]:
    """Makes posterior layers called inside sample, whatever their argument `training`.

    Their noise depends only on `seed`, `draw` and the order of the layers, and is the same for
    every example (common random numbers). A draw therefore does not depend on the batch of an
    example, and reference and variant share it.

    Args:
        seed: An int or int32 scalar.
        draw: Number of the draw, an int or int32 scalar.
    """
    outer, _state.draw = _state.draw, _Draw(seed, draw)
    try:
        yield
    finally:
        _state.draw = outer


@contextlib.contextmanager
def collecting() -> Iterator[list[Divergence]]:
    """Yields the list to which posterior layers called inside add their Divergence.

    Without this context, layers add their weighted divergence to `losses`; inside, they do not.
    """
    outer, _state.divergences = _state.divergences, []
    try:
        yield _state.divergences
    finally:
        _state.divergences = outer


def samples(training: bool | None) -> bool:
    """Returns True when a posterior layer must sample now."""
    return bool(training) or _state.draw is not None


def draw_number() -> Any | None:
    """Returns the number of the present draw, or None outside `drawing`."""
    return None if _state.draw is None else _state.draw.draw


def reports(training: bool | None) -> bool:
    """Returns True when a posterior layer must compute its divergence now."""
    return bool(training) or _state.divergences is not None


def report(layer: keras.layers.Layer, divergence: Divergence) -> None:
    """Adds a divergence to the collector, or else its sum per example to the layer's losses."""
    if _state.divergences is not None:
        _state.divergences.append(divergence)
        return
    dimensions = tuple(range(1, len(divergence.kl.shape)))
    weight = 1.0 if divergence.weight is None else divergence.weight
    layer.add_loss(weight * ops.mean(ops.sum(divergence.kl, axis=dimensions)))


def key(generator: keras.random.SeedGenerator) -> Any:
    """Returns the stateless seed of this call: the draw's, or the generator's next. [2].

    The dtype is that of the backend's generators: uint32 for JAX, int32 for the others.
    """
    integers = "uint32" if keras.backend.backend() == "jax" else "int32"
    if _state.draw is None:
        return ops.cast(ops.mod(generator.next(), _LARGEST), integers)
    draw = _state.draw
    # The n-th layer called gets seed + n * stride, so that the layers of a model differ in noise.
    seed = ops.cast(draw.seed, "int32") + draw.layers * _STRIDE
    draw.layers += 1
    return ops.cast(ops.stack([seed, ops.cast(draw.draw, "int32")]), integers)


def noise(x: Any, shape: tuple[int, ...], generator: keras.random.SeedGenerator) -> Any:
    """Draws standard normal noise: the same for all examples when drawing, else new for each.

    [1, *shape] or [B, *shape], float32.

    Args:
        x: Tensor of the batch size. [B, ...].
        shape: Shape of the noise of one example.
        generator: Generator of the layer.
    """
    standard, seed = tfd.Normal(0.0, 1.0), key(generator)
    if _state.draw is not None:
        return standard.sample((1, *shape), seed=seed)
    values = replicas.share(lambda batch: standard.sample((batch, *shape), seed=seed), x)
    return ops.reshape(values, (-1, *shape))
