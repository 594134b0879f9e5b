r"""Draws predictions from a model's posterior, and summarises them by mean and spread.

A draw s fixes all random values of the posterior (latents, weights, SWAG weights, the member of an
ensemble, or several of these). It is the same for every sequence (common random numbers), so the
noise of the draw cancels in the difference between two sequences. The predictive variance is

    Var[y] = Var_s[f_s(x)] + s_obs^2        epistemic^2 + aleatoric^2
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes import errors, keywords
from akita_bayes.models import network_draws, predict
from akita_bayes.models.intervals.map_error import draws_half_width
from akita_bayes.models.protocol import Model
from akita_bayes.models.recalibration import Recalibration, Spread


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
        map_quantiles: Level -> quantile of the underlying map, without the noise of measuring. It
            holds for the truth only after a recalibration with known noise
            (`Recalibration.map_error`); before, it is the interval that the draws state.
    """

    mean: NDArray[np.float32]
    epistemic_sd: NDArray[np.float32]
    aleatoric_sd: NDArray[np.float32]
    quantiles: dict[float, NDArray[np.float32]]
    draws: NDArray[np.float32] | None
    map_quantiles: dict[float, NDArray[np.float32]]

    @property
    def sd(self) -> NDArray[np.float32]:
        """Returns the standard deviation of a measurement. [B, P, T]."""
        return np.hypot(self.epistemic_sd, self.aleatoric_sd)


@dataclasses.dataclass(frozen=True)
class PosteriorOptions:
    """Holds what a posterior sample depends on, beside the model and the sequences.

    Attributes:
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
        precision: Precision of the convolutions, 'float32' or 'bfloat16'; None takes that of the
            saved model.
    """

    draws: int = 64
    seed: int = 0
    quantiles: Sequence[float] = (0.05, 0.5, 0.95)
    keep_draws: bool = False
    head: str | int | None = None
    batch_size: int | None = None
    recalibrated: bool = True
    recalibration: Recalibration | None = None
    precision: str | None = None

    def __post_init__(self) -> None:
        if self.draws < 1 or not all(0 < level < 1 for level in self.quantiles):
            raise errors.DataError("draws must be at least 1, and quantiles between 0 and 1.")


def sample_posterior(
    model: Model, x: NDArray[Any], *, options: PosteriorOptions = PosteriorOptions(), **changes: Any
) -> Posterior:
    """Draws from the posterior and summarises; memory does not grow with the number of draws.

    `sample_posterior(model, x, draws=64, seed=1)` changes two of the options.

    Args:
        model: A network, or an ensemble of networks, from `load_model` or `build`.
        x: One-hot sequences. [B, L, 4].
        options: Options of the sample.
        **changes: Fields of `PosteriorOptions` to change: `draws`, `seed`, `quantiles`,
            `keep_draws`, `head`, `batch_size`, `recalibrated`, `recalibration` and `precision`.

    Raises:
        DataError: `x` does not have the model's shape, or an option is outside its range.
        RunError: The model is a SavedModel, which has no posterior.
        SpecError: The model has several heads, and `head` is None.
        TypeError: A keyword is not a field of `PosteriorOptions`.
    """
    options = keywords.replaced(options, changes)
    sampler = Sampler(model, head=options.head, seed=options.seed, precision=options.precision)
    count = network_draws.useful_draws(model, options.draws, sampler.head)
    recalibration = options.recalibration or sampler.recalibration
    parts = [
        _summary(
            sampler.stream([batch], count),
            sampler.aleatoric_sd(),
            recalibration if options.recalibrated else None,
            options,
        )
        for batch in predict.batches(x, sampler.length, options.batch_size)
    ]
    if not parts:
        raise errors.DataError("x: holds no sequences; give at least one.")
    return Posterior(
        np.concatenate([part.mean for part in parts]),
        np.concatenate([part.epistemic_sd for part in parts]),
        np.concatenate([part.aleatoric_sd for part in parts]),
        {q: np.concatenate([part.quantiles[q] for part in parts]) for q in options.quantiles},
        np.concatenate([part.draws for part in parts if part.draws is not None], 1)
        if options.keep_draws
        else None,
        {q: np.concatenate([part.map_quantiles[q] for part in parts]) for q in options.quantiles},
    )


def draw(
    model: Model,
    x: NDArray[Any],
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
    yield from sampler.stream(batches, network_draws.useful_draws(model, draws, sampler.head))


class Sampler:
    """Draws from the posterior of a model.

    Args:
        model: A network, or an ensemble of networks.
        head: One head of several.
        seed: Seed of all draws.
        precision: Precision of the convolutions, 'float32' or 'bfloat16'; None takes that of the
            saved model.

    Attributes:
        head: Name of the head.
        length: Bases L of a window.
        recalibration: Recalibration of this head from the model's run or runs, or None.
    """

    def __init__(
        self,
        model: Model,
        *,
        head: str | int | None = None,
        seed: int = 0,
        precision: str | None = None,
    ) -> None:
        self.head: str = predict.one_head(model, head)
        self.length: int = model.spec.model.seq_length
        self._seed = seed
        self._members = [
            network_draws.NetworkDraws(member, self.head, precision) for member in model.members
        ]
        # An ensemble of one network has the factors of this network.
        whole = model if len(model.members) > 1 else model.members[0]
        self.recalibration: Recalibration | None = whole.recalibrations.get(self.head)

    def stream(self, batches: Iterable[NDArray[Any]], draws: int) -> Iterator[NDArray[np.float32]]:
        """Yields `draws` predictions of all batches together, one at a time. Each [B, P, T].

        Members take turns, so they have equal weight whatever their numbers of distinct draws: the
        posterior is the equal mixture of theirs. A member with too few distinct draws repeats them.

        Args:
            batches: One-hot sequences, [B, L, 4] each, that can be iterated several times.
            draws: Number of draws, such as `network_draws.useful_draws` returns.
        """
        encoded: dict[int, list[Any]] = {}
        for number in range(draws):
            turn = network_draws.turn(number, len(self._members))
            member = self._members[turn.member]
            if turn.member not in encoded and member.encodes:
                encoded[turn.member] = [member.encode(batch) for batch in batches]
            parts = encoded.get(turn.member, batches)
            yield np.concatenate([member.draw(part, self._seed, turn.draw) for part in parts])

    def aleatoric_sd(self) -> NDArray[np.float32] | None:
        """Returns the learned observation noise, variances averaged over members. [P or 1, T]."""
        sds = [member.aleatoric_sd() for member in self._members]
        learned = [sd for sd in sds if sd is not None]
        if not learned:
            return None
        # One member may have a noise per target [1, T], another one per pixel too [P, T].
        return np.sqrt(np.mean(np.square(np.broadcast_arrays(*learned)), axis=0))


def _summary(
    predictions: Iterable[NDArray[np.float32]],
    learned: NDArray[np.float32] | None,
    recalibration: Recalibration | None,
    options: PosteriorOptions,
) -> Posterior:
    """Summarises the draws of one batch, `learned` being the observation noise of the model."""
    # Welford's update: the mean and the sum of squares around it, with one draw in memory.
    mean: NDArray[Any] = np.zeros(())
    squares: NDArray[Any] = np.zeros(())
    all_draws: list[NDArray[np.float32]] = []
    count = 0
    for y in predictions:
        count += 1
        step = y.astype(np.float64) - mean
        mean = mean + step / count
        squares = squares + step * (y - mean)
        if options.keep_draws:
            all_draws.append(y)
    epistemic = np.sqrt(squares / max(count - 1, 1))
    spread = _spread(mean, epistemic, learned, recalibration, count)
    if options.keep_draws and recalibration is not None:
        factor = np.divide(
            spread.epistemic, epistemic, out=np.ones_like(epistemic), where=epistemic > 0
        )
        all_draws = [mean + (y - mean) * factor for y in all_draws]
    sd = np.hypot(spread.epistemic, spread.aleatoric)
    return Posterior(
        np.asarray(mean, np.float32),
        spread.epistemic,
        spread.aleatoric,
        {q: np.asarray(mean + scipy.stats.norm.ppf(q) * sd, np.float32) for q in options.quantiles},
        np.stack(all_draws).astype(np.float32) if options.keep_draws else None,
        {
            q: np.asarray(mean + np.sign(q - 0.5) * spread.half_width(abs(2 * q - 1)), np.float32)
            for q in options.quantiles
        },
    )


def _spread(
    mean: NDArray[Any],
    epistemic: NDArray[Any],
    learned: NDArray[np.float32] | None,
    recalibration: Recalibration | None,
    draws: int,
) -> Spread:
    """Returns both parts of the standard deviation, recalibrated where factors are stored."""
    if recalibration is not None:
        return recalibration.apply(epistemic, learned, mean=mean, draws=draws)
    aleatoric = np.broadcast_to(np.float32(0) if learned is None else learned, mean.shape)
    return Spread(
        np.asarray(epistemic, np.float32),
        np.asarray(aleatoric, np.float32),
        lambda level: draws_half_width(epistemic, draws, level),
    )
