r"""What a model believes of a map: draws of its posterior, and their mean and spread.

A draw s fixes whatever the posterior is over (latents, weights, SWAG weights, the member of an
ensemble, or several of these) and is the same for every sequence: common random numbers, so that a
difference between two sequences is free of the noise of drawing. The predictive variance is

    Var[y] = Var_s[f_s(x)] + s_obs^2        epistemic^2 + aleatoric^2
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import scipy.stats
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.layers import noise, stochastic
from akita_bayes.models import build, cut, predict, swag
from akita_bayes.models.ensemble import Ensemble
from akita_bayes.models.recalibration import Recalibration


class Posterior(NamedTuple):
    """A prediction and how sure it is. [B, P, T] each, float32.

    Attributes:
        mean: Mean over draws.
        epistemic_sd: Standard deviation over draws: what the model does not know.
        aleatoric_sd: Observation noise: how measurements scatter around the map. Zero for a model
            that has learned none and is not recalibrated.
        quantiles: Level -> quantile of the normal distribution of a measurement.
        draws: Every draw, when asked for, as far from the mean as the epistemic sd says.
            [S, B, P, T].
    """

    mean: NDArray[np.float32]
    epistemic_sd: NDArray[np.float32]
    aleatoric_sd: NDArray[np.float32]
    quantiles: dict[float, NDArray[np.float32]]
    draws: NDArray[np.float32] | None

    @property
    def sd(self) -> NDArray[np.float32]:
        """Standard deviation of a measurement. [B, P, T]."""
        return np.hypot(self.epistemic_sd, self.aleatoric_sd)


def sample_posterior(
    model: Any,
    x: NDArray,
    *,
    draws: int = 64,
    seed: int = 0,
    quantiles: Sequence[float] = (0.05, 0.5, 0.95),
    keep_draws: bool = False,
    head: str | int | None = None,
    batch_size: int | None = None,
    recalibrated: bool = True,
    recalibration: Recalibration | None = None,
) -> Posterior:
    """Draws from the posterior and summarises; memory does not grow with the number of draws.

    Args:
        model: A network, or an ensemble of networks, from `load_model` or `build`.
        x: One-hot sequences. [B, L, 4].
        draws: Number of draws S. A posterior that holds fewer, as an ensemble of deterministic
            members does, is exhausted instead of repeated. Members of an ensemble weigh the same:
            those that hold fewer than others repeat theirs until these are exhausted.
        seed: The same seed gives the same draws, whatever the batch size.
        quantiles: Levels in (0, 1).
        keep_draws: Also return every draw.
        head: One head of several, by name or number.
        batch_size: Sequences computed at a time.
        recalibrated: False leaves the standard deviations as the model states them.
        recalibration: Factors on the standard deviations; None takes those that were fitted to
            this head of the model's run, or to an ensemble's runs together.

    Raises:
        DataError: `x` is not of the model's shape.
        RunError: The model is an exported one, which has no posterior.
        SpecError: The model has several heads and none is chosen.
    """
    if draws < 1 or not all(0 < level < 1 for level in quantiles):
        raise errors.DataError("draws must be at least 1, and quantiles between 0 and 1.")
    sampler = Sampler(model, head=head, seed=seed)
    recalibration = (recalibration or sampler.recalibration) if recalibrated else None
    parts = [
        _summary(sampler, batch, draws, quantiles, keep_draws, recalibration)
        for batch in predict.batches(x, sampler.length, batch_size)
    ]
    if not parts:
        raise errors.DataError("x: there is no sequence to predict.")
    return Posterior(
        np.concatenate([part.mean for part in parts]),
        np.concatenate([part.epistemic_sd for part in parts]),
        np.concatenate([part.aleatoric_sd for part in parts]),
        {level: np.concatenate([part.quantiles[level] for part in parts]) for level in quantiles},
        np.concatenate([part.draws for part in parts if part.draws is not None], 1)
        if keep_draws
        else None,
    )


def draw(
    model: Any,
    x: NDArray,
    *,
    draws: int,
    seed: int = 0,
    head: str | int | None = None,
    batch_size: int | None = None,
) -> Iterator[NDArray[np.float32]]:
    """Yields one prediction [B, P, T] a draw; what no draw changes is computed once.

    The arguments are those of `sample_posterior`.
    """
    sampler = Sampler(model, head=head, seed=seed)
    batches = list(predict.batches(x, sampler.length, batch_size))
    yield from sampler.stream(batches, sampler.count(draws))


class Sampler:
    """A model's posterior, ready to draw from.

    Args:
        model: A network, or an ensemble of networks.
        head: One head of several.
        seed: Of all draws.

    Attributes:
        head: Name of the head.
        length: Bases L of a window.
        recalibration: What the model's run, or runs, know of this head, or None.
    """

    def __init__(self, model: Any, *, head: str | int | None = None, seed: int = 0) -> None:
        members = model.members if isinstance(model, Ensemble) else (model,)
        name = predict.head_name(model, head)
        if name is None:
            names = ", ".join(model.spec.head_names)
            raise errors.SpecError(f"model: choose a head out of {names} to draw from.")
        self.head: str = name
        self.length: int = model.spec.model.seq_length
        self._seed = seed
        self._members = [_Member(member, name) for member in members]
        fitted = (model if len(members) > 1 else members[0]).recalibrations
        self.recalibration: Recalibration | None = fitted.get(name)

    def count(self, draws: int) -> int:
        """How many of `draws` draws are worth making: all, unless the posterior holds fewer.

        An ensemble that holds fewer is exhausted when the member that holds most is, and all have
        had as many turns.
        """
        counts = [member.held for member in self._members]
        held = [count for count in counts if count is not None]
        return draws if len(held) < len(counts) else min(draws, len(held) * max(held))

    def stream(self, batches: list[NDArray], draws: int) -> Iterator[NDArray[np.float32]]:
        """Yields so many draws of all batches together, one at a time. Each [B, P, T].

        Members take turns, and so weigh the same, however many draws each holds: the posterior is
        the equal mixture of theirs. One that holds fewer than its share gives them again.
        """
        encoded: dict[int, list[Any]] = {}
        for s in range(draws):
            own, which = divmod(s, len(self._members))
            member = self._members[which]
            if which not in encoded and member.encodes:
                encoded[which] = [member.encode(batch) for batch in batches]
            parts = encoded.get(which, batches)
            yield np.concatenate([member.draw(part, self._seed, own) for part in parts])

    def aleatoric_sd(self) -> NDArray[np.float32] | None:
        """The learned observation noise, its variance averaged over members. [P or 1, T]."""
        learned = [member.aleatoric_sd() for member in self._members]
        known = [sd for sd in learned if sd is not None]
        return np.sqrt(np.mean(np.square(known), axis=0)) if known else None


class _Passes(NamedTuple):
    """Compiled passes of a network to one head; what a draw changes takes its seed and number.

    `weighed` also takes weights, as `swag.flatten` orders them, in place of the model's.
    """

    network: keras.Model
    cut: cut.Cut | None
    encode: Any
    decode: Any
    whole: Any
    weighed: Any


def _passes(model: build.Network, head: str) -> _Passes:
    """The passes of a network, compiled once and kept with it."""
    kept = model.__dict__.setdefault("_passes_by_head", {})
    if head not in kept:
        network = build.one_head(model, head)
        halves = cut.before_posteriors(network)
        kept[head] = _Passes(
            network,
            halves,
            None if halves is None else tf.function(halves.encoder, reduce_retracing=True),
            None if halves is None else _drawn(halves.decoder),
            _drawn(network),
            _weighed(network, swag.held(model)),
        )
    return kept[head]


def _drawn(part: keras.Model) -> Any:
    def draw(x: Any, seed: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        with stochastic.drawing(seed, number):
            return tf.cast(part(x, training=False), tf.float32)

    return tf.function(draw, reduce_retracing=True)


def _weighed(network: keras.Model, variables: Sequence[Any]) -> Any:
    def draw(x: Any, weights: Any, seed: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        values = [
            (variable, tf.cast(tf.reshape(part, variable.shape), variable.dtype))
            for variable, part in swag.pieces(variables, weights)
        ]
        scope = keras.StatelessScope(values, initialize_variables=False)
        with scope, stochastic.drawing(seed, number):
            return tf.cast(network(x, training=False), tf.float32)

    return tf.function(draw, reduce_retracing=True)


class _Member:
    """One network: cut before its posterior layers, or drawn as a whole from its SWAG weights."""

    def __init__(self, model: Any, head: str) -> None:
        if not isinstance(model, build.Network):
            raise errors.RunError(
                "an exported model holds its mean alone; draw from the run directory that it came "
                "from."
            )
        self._passes = _passes(model, head)
        self._weights = model.swag_draws
        self.encodes = self._passes.cut is not None and self._weights is None

    @property
    def held(self) -> int | None:
        """Number of distinct draws; None for a latent or weight posterior, which has no end."""
        if self._passes.cut is not None:
            return None
        return 1 if self._weights is None else len(self._weights)

    def encode(self, batch: NDArray) -> Any:
        return self._passes.encode(tf.cast(batch, tf.float32), training=False)

    def draw(self, part: Any, seed: int, number: int) -> NDArray[np.float32]:
        """Draw `number` of an encoded batch, or of a plain one."""
        randomness = tf.constant(seed), tf.constant(number)
        if self.encodes:
            return self._passes.decode(part, *randomness).numpy()
        x = tf.cast(part, tf.float32)
        if self._weights is None:
            return self._passes.whole(x, *randomness).numpy()
        weights = tf.constant(self._weights[number % len(self._weights)], tf.float32)
        return self._passes.weighed(x, weights, *randomness).numpy()

    def aleatoric_sd(self) -> NDArray[np.float32] | None:
        layers = self._passes.network.layers
        found = [layer for layer in layers if isinstance(layer, noise.ObservationNoise)]
        return found[0].sd().numpy() if found else None


def _summary(
    sampler: Sampler,
    batch: NDArray,
    draws: int,
    quantiles: Sequence[float],
    keep_draws: bool,
    recalibration: Recalibration | None,
) -> Posterior:
    mean: NDArray = np.zeros(())
    squares: NDArray = np.zeros(())
    kept: list[NDArray[np.float32]] = []
    count = 0
    for y in sampler.stream([batch], sampler.count(draws)):
        count += 1
        step = y.astype(np.float64) - mean
        mean = mean + step / count
        squares = squares + step * (y - mean)
        if keep_draws:
            kept.append(y)
    epistemic = np.sqrt(squares / max(count - 1, 1))
    learned = sampler.aleatoric_sd()
    aleatoric = np.broadcast_to(np.float32(0) if learned is None else learned, mean.shape)
    if recalibration is not None:
        epistemic, aleatoric = recalibration.apply(epistemic, learned)
        factor = recalibration.factors(mean.shape[1]).epistemic
        kept = [mean + (y - mean) * factor for y in kept]
    sd = np.hypot(epistemic, aleatoric)
    return Posterior(
        np.asarray(mean, np.float32),
        np.asarray(epistemic, np.float32),
        np.asarray(aleatoric, np.float32),
        {q: np.asarray(mean + scipy.stats.norm.ppf(q) * sd, np.float32) for q in quantiles},
        np.stack(kept).astype(np.float32) if keep_draws else None,
    )
