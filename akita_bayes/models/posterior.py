r"""Draws predictions from a model's posterior, and summarises them by mean and spread.

A draw s fixes all random values of the posterior (latents, weights, SWAG weights, the member of an
ensemble, or several of these). It is the same for every sequence (common random numbers), so the
noise of the draw cancels in the difference between two sequences. The predictive variance is

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
    """Holds a prediction and its uncertainty. [B, P, T] each, float32.

    Attributes:
        mean: Mean over draws.
        epistemic_sd: Standard deviation over draws, the uncertainty of the model.
        aleatoric_sd: Observation noise, the scatter of measurements around the map. Zero for a
            model without learned noise and without recalibration.
        quantiles: Level -> quantile of the normal distribution of a measurement.
        draws: Every draw, or None without `keep_draws`; recalibration scales their distance from
            the mean as it scales the epistemic sd. [S, B, P, T].
    """

    mean: NDArray[np.float32]
    epistemic_sd: NDArray[np.float32]
    aleatoric_sd: NDArray[np.float32]
    quantiles: dict[float, NDArray[np.float32]]
    draws: NDArray[np.float32] | None

    @property
    def sd(self) -> NDArray[np.float32]:
        """Returns the standard deviation of a measurement. [B, P, T]."""
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
        draws: Number of draws S. A posterior with fewer distinct draws, such as an ensemble of
            deterministic members, gives each of them once. Members of an ensemble have equal
            weight: a member with fewer distinct draws than another repeats its own.
        seed: Seed of the draws; the same seed gives the same draws for every batch size.
        quantiles: Levels in (0, 1).
        keep_draws: True to return every draw as well.
        head: One head of several, by name or number.
        batch_size: Sequences computed at a time.
        recalibrated: False to leave the standard deviations uncalibrated.
        recalibration: Factors on the standard deviations; None takes the factors that were fitted
            to this head of the model's run, or of the ensemble's runs.

    Raises:
        DataError: `x` does not have the model's shape.
        RunError: The model is a SavedModel, which has no posterior.
        SpecError: The model has several heads, and `head` is None.
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
        raise errors.DataError("x: holds no sequences; give at least one.")
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
    """Yields one prediction [B, P, T] per draw; computes the deterministic layers once.

    The arguments are those of `sample_posterior`.
    """
    sampler = Sampler(model, head=head, seed=seed)
    batches = list(predict.batches(x, sampler.length, batch_size))
    yield from sampler.stream(batches, sampler.count(draws))


class Sampler:
    """Draws from the posterior of a model.

    Args:
        model: A network, or an ensemble of networks.
        head: One head of several.
        seed: Seed of all draws.

    Attributes:
        head: Name of the head.
        length: Bases L of a window.
        recalibration: Recalibration of this head from the model's run or runs, or None.
    """

    def __init__(self, model: Any, *, head: str | int | None = None, seed: int = 0) -> None:
        members = model.members if isinstance(model, Ensemble) else (model,)
        name = predict.head_name(model, head)
        if name is None:
            names = ", ".join(model.spec.head_names)
            raise errors.SpecError(f"model: has several heads; choose a head out of {names}.")
        self.head: str = name
        self.length: int = model.spec.model.seq_length
        self._seed = seed
        self._members = [_Member(member, name) for member in members]
        fitted = (model if len(members) > 1 else members[0]).recalibrations
        self.recalibration: Recalibration | None = fitted.get(name)

    def count(self, draws: int) -> int:
        """Returns the smaller of `draws` and the number of useful draws of the posterior.

        An ensemble of finite members ends when its largest member has given every draw and all
        members had as many turns: two members with 3 and 5 draws give at most 10.
        """
        counts = [member.distinct_draws for member in self._members]
        finite = [count for count in counts if count is not None]
        return draws if len(finite) < len(counts) else min(draws, len(finite) * max(finite))

    def stream(self, batches: list[NDArray], draws: int) -> Iterator[NDArray[np.float32]]:
        """Yields `draws` predictions of all batches together, one at a time. Each [B, P, T].

        Members take turns, so they have equal weight whatever their numbers of distinct draws: the
        posterior is the equal mixture of theirs. A member with too few distinct draws repeats them.
        """
        encoded: dict[int, list[Any]] = {}
        for s in range(draws):
            # With two members, s = 0, 1, 2, 3 is draw 0 of each, then draw 1 of each.
            number, index = divmod(s, len(self._members))
            member = self._members[index]
            if index not in encoded and member.encodes:
                encoded[index] = [member.encode(batch) for batch in batches]
            parts = encoded.get(index, batches)
            yield np.concatenate([member.draw(part, self._seed, number) for part in parts])

    def aleatoric_sd(self) -> NDArray[np.float32] | None:
        """Returns the learned observation noise, variances averaged over members. [P or 1, T]."""
        sds = [member.aleatoric_sd() for member in self._members]
        learned = [sd for sd in sds if sd is not None]
        return np.sqrt(np.mean(np.square(learned), axis=0)) if learned else None


class _Passes(NamedTuple):
    """Holds the compiled passes of a network to one head; random passes take seed and number.

    `with_weights` also takes weights, ordered as in `swag.flatten`, in place of the model's.
    """

    network: keras.Model
    cut: cut.Cut | None
    encode: Any
    decode: Any
    whole: Any
    with_weights: Any


def _passes(model: build.Network, head: str) -> _Passes:
    """Returns the passes of a network, compiled once and stored with the network."""
    passes_by_head = model.__dict__.setdefault("_passes_by_head", {})
    if head not in passes_by_head:
        network = build.one_head(model, head)
        halves = cut.before_posteriors(network)
        passes_by_head[head] = _Passes(
            network,
            halves,
            None if halves is None else tf.function(halves.encoder, reduce_retracing=True),
            None if halves is None else _random_pass(halves.decoder),
            _random_pass(network),
            _pass_with_weights(network, swag.drawn_variables(model)),
        )
    return passes_by_head[head]


def _random_pass(part: keras.Model) -> Any:
    def draw(x: Any, seed: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        with stochastic.drawing(seed, number):
            return tf.cast(part(x, training=False), tf.float32)

    return tf.function(draw, reduce_retracing=True)


def _pass_with_weights(network: keras.Model, variables: Sequence[Any]) -> Any:
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
    """Draws from one network: from its posterior layers, or from its SWAG weights."""

    def __init__(self, model: Any, head: str) -> None:
        if not isinstance(model, build.Network):
            raise errors.RunError(
                "an exported model predicts its mean only; draw from the run directory of its "
                "training."
            )
        self._passes = _passes(model, head)
        self._weights = model.swag_draws
        self.encodes = self._passes.cut is not None and self._weights is None

    @property
    def distinct_draws(self) -> int | None:
        """Returns the number of distinct draws; None for a latent or weight posterior."""
        if self._passes.cut is not None:
            return None
        return 1 if self._weights is None else len(self._weights)

    def encode(self, batch: NDArray) -> Any:
        return self._passes.encode(tf.cast(batch, tf.float32), training=False)

    def draw(self, part: Any, seed: int, number: int) -> NDArray[np.float32]:
        """Returns draw `number` of a batch; `part` is encoded when `encodes` is True."""
        randomness = tf.constant(seed), tf.constant(number)
        if self.encodes:
            return self._passes.decode(part, *randomness).numpy()
        x = tf.cast(part, tf.float32)
        if self._weights is None:
            return self._passes.whole(x, *randomness).numpy()
        weights = tf.constant(self._weights[number % len(self._weights)], tf.float32)
        return self._passes.with_weights(x, weights, *randomness).numpy()

    def aleatoric_sd(self) -> NDArray[np.float32] | None:
        layers = self._passes.network.layers
        noises = [layer for layer in layers if isinstance(layer, noise.ObservationNoise)]
        return noises[0].sd().numpy() if noises else None


def _summary(
    sampler: Sampler,
    batch: NDArray,
    draws: int,
    quantiles: Sequence[float],
    keep_draws: bool,
    recalibration: Recalibration | None,
) -> Posterior:
    # Welford's update: the mean and the sum of squares around it, with one draw in memory.
    mean: NDArray = np.zeros(())
    squares: NDArray = np.zeros(())
    all_draws: list[NDArray[np.float32]] = []
    count = 0
    for y in sampler.stream([batch], sampler.count(draws)):
        count += 1
        step = y.astype(np.float64) - mean
        mean = mean + step / count
        squares = squares + step * (y - mean)
        if keep_draws:
            all_draws.append(y)
    epistemic = np.sqrt(squares / max(count - 1, 1))
    learned = sampler.aleatoric_sd()
    aleatoric = np.broadcast_to(np.float32(0) if learned is None else learned, mean.shape)
    if recalibration is not None:
        epistemic, aleatoric = recalibration.apply(epistemic, learned)
        factor = recalibration.factors(mean.shape[1]).epistemic
        all_draws = [mean + (y - mean) * factor for y in all_draws]
    sd = np.hypot(epistemic, aleatoric)
    return Posterior(
        np.asarray(mean, np.float32),
        np.asarray(epistemic, np.float32),
        np.asarray(aleatoric, np.float32),
        {q: np.asarray(mean + scipy.stats.norm.ppf(q) * sd, np.float32) for q in quantiles},
        np.stack(all_draws).astype(np.float32) if keep_draws else None,
    )
