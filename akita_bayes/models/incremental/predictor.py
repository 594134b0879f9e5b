"""Predicts windows over strands, shifts and draws; shares the parts that windows have in common.

A draw is the same for every window (common random numbers), so its noise cancels in differences.
"""

import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from akita_bayes import errors
from akita_bayes.layers import latent, noise
from akita_bayes.models import ensemble, network_draws, predict
from akita_bayes.models.incremental import member_windows
from akita_bayes.models.incremental.member_windows import Index, Maps
from akita_bayes.models.passes import tower, views
from akita_bayes.models.protocol import Member, Model

NOTHING = tower.NOTHING

_log = logging.getLogger(__name__)


class Request(NamedTuple):
    """Describes a window to predict.

    Attributes:
        letters: Function from a shift to the bases of the window moved right by it: 0..3, 4 for an
            unknown base, or NOTHING. [L].
        phase: Number of the window's first bin on a grid shared with other windows.
        base: Index of an earlier request that differs from this one at few positions, or None.
    """

    letters: Callable[[int], Index]
    phase: int = 0
    base: int | None = None


@dataclasses.dataclass(frozen=True)
class WindowOptions:
    """Holds what predictions of windows depend on, beside the model and the windows.

    Attributes:
        head: One head of several.
        draws: Draws from the posterior; 0 for its mean alone.
        seed: Seed of the draws.
        rc: True to average both strands; not for draws of a latent, whose noise belongs to
            positions.
        shifts: Bases by which the window moves right; predictions are averaged over shifts.
        unknown: Value of the four columns of an unknown base.
        batch_size: Windows in a pass; None takes as many as fill two megabases.
        share: False to compute every window as a whole.
        precision: Precision of the convolutions of windows that share their parts, 'float32' or
            'bfloat16'; None for that of the saved model. The difference between a window and its
            base is then propagated by itself, because two maps that are rounded independently
            differ more than the alleles of most variants. Other windows are computed in float32.
    """

    head: str | int | None = None
    draws: int = 0
    seed: int = 0
    rc: bool = False
    shifts: Sequence[int] = (0,)
    unknown: float = 0.0
    batch_size: int | None = None
    share: bool = True
    precision: str | None = None


class WindowPredictor:
    """Predicts windows with a model, over strands, shifts and draws.

    Args:
        model: A network, a SavedModel or an ensemble.
        options: Options of the predictions.

    Attributes:
        draws: Number of predictions that a call yields: 1 for the mean alone.

    Raises:
        RunError: Draws of a SavedModel, which has no posterior; or a member cannot compute in the
            precision.
        SpecError: The model has several heads, and the options name none.
        VariantError: Draws of a latent on both strands.
    """

    def __init__(self, model: Model, options: WindowOptions = WindowOptions()) -> None:
        head = predict.one_head(model, options.head)
        self._model, self._spec = model, model.spec
        self._head, self._options = head, options
        self._views = views.list_views(options.shifts, rc=options.rc)
        length = model.spec.geometry(head).seq_length
        self._batch_size = options.batch_size or predict.batch_size(length)
        self._members = [
            member_windows.of_member(
                member,
                head,
                unknown=options.unknown,
                share=options.share,
                precision=options.precision,
            )
            for member in model.members
        ]
        self._everyone = tuple(range(len(self._members)))
        count = self._count_draws(self._everyone)
        if count and options.rc and any(_has_latent(member, head) for member in model.members):
            raise errors.VariantError(
                "draws: draws of a latent cannot be averaged over both strands; leave rc."
            )
        if count and any(_states_spread(member, head) for member in model.members):
            _log.warning(
                "draws: a student learned the spread of each map, not that of the difference of "
                "two alleles. Its draws show a far too small spread of scores; take the draws of "
                "the ensemble that taught it."
            )
        self.draws = count or 1

    def draws_of(self, members: Sequence[int]) -> int:
        """Returns the number of predictions that a call with these members yields, at least 1."""
        return self._count_draws(members) or 1

    def __call__(
        self, requests: Sequence[Request], members: Sequence[int] | None = None
    ) -> Iterator[Maps]:
        """Yields one prediction of all windows per draw. Each [B, P, T].

        Args:
            requests: The windows.
            members: Numbers of the members that predict; None for all.
        """
        members = self._everyone if members is None else members
        useful_draws = self._count_draws(members)
        streams = (self._predictions(requests, view, members, useful_draws) for view in self._views)
        if useful_draws <= 1:  # one view is alive at a time, and so is the memory of its windows
            yield views.mean(next(stream) for stream in streams)
            return
        all_streams = list(streams)
        for _ in range(useful_draws):
            yield views.mean(map(next, all_streams))

    def _count_draws(self, members: Sequence[int]) -> int:
        """Returns the number of distinct draws of some members; 0 when none were asked for."""
        if not self._options.draws:
            return 0
        subset = ensemble.Ensemble(tuple(self._model.members[number] for number in members))
        return network_draws.useful_draws(subset, self._options.draws, self._head)

    def _predictions(
        self,
        requests: Sequence[Request],
        view: views.View,
        members: Sequence[int],
        useful_draws: int,
    ) -> Iterator[Maps]:
        """Returns an iterator over the predictions of one view, draw by draw."""
        windows = member_windows.Windows(
            [view.switch_index(request.letters(view.shift)) for request in requests],
            [-request.phase if view.reverse else request.phase for request in requests],
            [request.base for request in requests],
        )
        count, seed = len(members), self._options.seed
        streams = [
            self._members[member].stream(
                windows,
                member_windows.Draws(seed, network_draws.share(useful_draws, count, number)),
                self._batch_size,
            )
            for number, member in enumerate(members)
        ]
        maps_in_turn = _in_turn(streams, useful_draws)
        return (view.undo(maps, self._spec, self._head) for maps in maps_in_turn)


def _in_turn(streams: list[Iterator[Maps]], useful_draws: int) -> Iterator[Maps]:
    """Yields the mean of all streams, or their draws in turn."""
    if not useful_draws:
        yield views.mean(next(stream) for stream in streams)
    for draw in range(useful_draws):
        yield next(streams[network_draws.turn(draw, len(streams)).member])


def _has_latent(member: Member, head: str) -> bool:
    """Returns True when draws have noise of their own at every position.

    Positions of the other strand are other bases. A mean over strands would average partly
    independent draws, and its spread would be too small. Random weights and members are the same
    for both strands.
    """
    layers = network_draws.posterior_layers(member, head)
    return any(isinstance(layer, latent.NormalLatent) for layer in layers)


def _states_spread(member: Member, head: str) -> bool:
    """Returns True for a student, whose draws move all pixels by the spread that it states."""
    layers = network_draws.posterior_layers(member, head)
    return any(isinstance(layer, noise.NormalOutput) for layer in layers)
