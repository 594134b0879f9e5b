"""Draws from single networks, and deals the draws of an ensemble to its members.

A network draws from its posterior layers or from its SWAG weights. Members of an ensemble take
turns, so they have equal weight whatever their numbers of distinct draws.
"""

import functools
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.layers import latent, noise, stochastic
from akita_bayes.models import build, predict, swag
from akita_bayes.models.passes import compiled_graphs, cut, inference
from akita_bayes.models.protocol import Member, Model

_log = logging.getLogger(__name__)


class Turn(NamedTuple):
    """Names a draw of an ensemble by the number of the member and the number of its draw."""

    member: int
    draw: int


def turn(draw: int, members: int) -> Turn:
    """Returns the turn of a draw: of two members, draw 3 is draw 1 of member 1."""
    number, member = divmod(draw, members)
    return Turn(member, number)


def share(draws: int, members: int, member: int) -> int:
    """Returns how many of the draws a member gives: of 5 draws, member 0 of 2 gives 3."""
    return len(range(member, draws, members))


def useful_draws(model: Model, draws: int, head: str) -> int:
    """Returns the smaller of `draws` and the number of useful draws of the posterior.

    An ensemble of finite members ends when its largest member has given every draw and all members
    had as many turns: two members with 3 and 5 draws give at most 10.

    Raises:
        RunError: A member is a SavedModel, which has no posterior.
    """
    counts = [distinct_draws(member, head) for member in model.members]
    finite = [count for count in counts if count is not None]
    return draws if len(finite) < len(counts) else min(draws, len(finite) * max(finite))


def remark_without_draws(model: Model, heads: Iterable[str]) -> None:
    """Logs a warning when a model has a latent, whose predictions are better with draws.

    Its decoder learned from samples, and the map of the mean of the latent is shifted beside the
    mean of the maps of samples.
    """
    networks = [member for member in model.members if isinstance(member, build.Network)]
    if any(
        isinstance(layer, latent.NormalLatent)
        for network in networks
        for head in heads
        for layer in posterior_layers(network, head)
    ):
        _log.warning(
            "The model has a latent: maps without draws are those of the mean of the latent, and "
            "can be worse than means over draws. Give --draws 16."
        )


def distinct_draws(member: Member, head: str) -> int | None:
    """Returns the number of distinct draws; None for a latent or weight posterior.

    Raises:
        RunError: The member is a SavedModel, which has no posterior.
    """
    if posterior_layers(member, head):
        return None
    return 1 if member.swag_draws is None else len(member.swag_draws)


def posterior_layers(member: Member, head: str) -> list[keras.layers.Layer]:
    """Returns the layers with a distribution over latents or weights, in order of depth.

    Raises:
        RunError: The member is a SavedModel, which has no posterior.
    """
    return cut.posteriors(build.one_head(_network(member), head))


def _network(member: Member) -> build.Network:
    if not isinstance(member, build.Network):
        raise errors.RunError(
            "an exported model predicts its mean only; draw from the run directory of its training."
        )
    return member


class NetworkDraws:
    """Draws from one network: from its posterior layers, or from its SWAG weights.

    Args:
        member: The network.
        head: Name of the head.
        precision: Precision of the convolutions, as in `predict.convolution_precision`.

    Raises:
        DataError: `precision` is unknown.
        RunError: The member is a SavedModel, which has no posterior, or cannot compute in the
            precision.

    Attributes:
        encodes: True when `draw` takes batches from `encode`.
    """

    def __init__(self, member: Member, head: str, precision: str | None = None) -> None:
        network = _network(member)
        self._graphs = _graphs(network, head, predict.convolution_precision(network, precision))
        self._weights = member.swag_draws
        self.encodes = self._graphs.encode is not None and self._weights is None

    def encode(self, batch: NDArray[Any]) -> Any:
        """Computes the layers that no draw changes. [B, L] or [B, L, 4] -> tensors."""
        assert self._graphs.encode is not None
        return self._graphs.encode(batch)

    def draw(self, part: Any, seed: int, number: int) -> NDArray[np.float32]:
        """Returns draw `number` of a batch; `part` is encoded when `encodes` is True. [B, P, T]."""
        randomness = tf.constant(seed), tf.constant(number)
        if self.encodes:
            assert self._graphs.decode is not None
            return self._graphs.decode(part, *randomness).numpy()
        if self._weights is None:
            return self._graphs.whole(part, *randomness).numpy()
        weights = tf.constant(self._weights[number % len(self._weights)], tf.float32)
        return self._graphs.with_weights(part, *randomness, weights).numpy()

    def aleatoric_sd(self) -> NDArray[np.float32] | None:
        """Returns the learned observation noise, or None. [P or 1, T]."""
        layers = self._graphs.network.layers
        noises = [layer for layer in layers if isinstance(layer, noise.ObservationNoise)]
        return noises[0].sd().numpy() if noises else None


class _Graphs(NamedTuple):
    """Holds the compiled graphs of a network to one head; random graphs take seed and number.

    `encode` and `decode` are None without posterior layers. `with_weights` also takes weights,
    ordered as in `swag.flatten`, in place of the model's. `network` ends in the head.
    """

    network: keras.Model
    encode: Callable[..., Any] | None
    decode: Callable[..., Any] | None
    whole: Callable[..., Any]
    with_weights: Callable[..., Any]


def _graphs(model: build.Network, head: str, precision: str) -> _Graphs:
    def compile_graphs() -> _Graphs:
        network = inference.forward_network(model, (head,))
        halves = cut.before_posteriors(network)
        length = model.spec.model.seq_length

        def sequence_graph(part: keras.Model) -> inference.InferencePass:
            return inference.InferencePass(part, precision=precision)

        whole = sequence_graph(network).sequences
        return _Graphs(
            build.one_head(model, head),
            None
            if halves is None
            else inference.of_sequences(sequence_graph(halves.encoder).sequences, length),
            None
            if halves is None
            else tf.function(
                _random(functools.partial(sequence_graph(network).behind, halves.tensors), head),
                reduce_retracing=True,
                autograph=False,
            ),
            inference.of_sequences(_random(whole, head), length),
            inference.of_sequences(_with_weights(whole, head, swag.drawn_variables(model)), length),
        )

    return compiled_graphs.compiled(model, ("draws", head, precision), compile_graphs)


def _random(function: Callable[..., Any], head: str) -> Callable[..., Any]:
    def draw(x: Any, seed: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        with stochastic.drawing(seed, number):
            return tf.cast(function(x)[head], tf.float32)

    return draw


def _with_weights(
    function: Callable[..., Any], head: str, variables: Sequence[Any]
) -> Callable[..., Any]:
    draw_one = _random(function, head)

    def draw(x: Any, seed: tf.Tensor, number: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
        values = [
            (variable, tf.cast(tf.reshape(part, variable.shape), variable.dtype))
            for variable, part in swag.pieces(variables, weights)
        ]
        with keras.StatelessScope(values, initialize_variables=False):
            return draw_one(x, seed, number)

    return draw
