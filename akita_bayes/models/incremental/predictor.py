"""Predicts windows over strands, shifts and draws; shares the parts that windows have in common.

A draw is the same for every window (common random numbers), so its noise cancels in differences.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import dna, errors, triangle
from akita_bayes.layers import latent, stochastic
from akita_bayes.models import build, cut, posterior, predict
from akita_bayes.models.ensemble import Ensemble
from akita_bayes.models.incremental import find_head, folding, head_rectangles, tower_tiles

Index = NDArray[np.uint8]
Maps = NDArray[np.float32]

STRIP_BINS = 128  # bins of a track; smaller maps are computed whole, in batches
UNCHANGED = 1e-6  # fraction of the track's largest value; smaller differences are rounding
NOTHING = tower_tiles.NOTHING
_LAYER_STRIDE = 1_000_003  # between seeds of successive posterior layers, as layers.stochastic


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


class Passes:
    """Predicts windows with a model, over strands, shifts and draws.

    Args:
        model: A network, a SavedModel or an ensemble.
        head: One head of several.
        draws: Draws from the posterior; 0 for its mean alone.
        seed: Seed of the draws.
        rc: True to average both strands; not for draws of a latent, whose noise belongs to
            positions.
        shifts: Bases by which the window moves right; predictions are averaged over shifts.
        unknown: Value of the four columns of an unknown base.
        batch_size: Windows in a pass; None takes as many as fill two megabases.
        share: False to compute every window as a whole.

    Attributes:
        draws: Number of predictions that a call yields: 1 for the mean alone.

    Raises:
        VariantError: Draws of a latent on both strands.
    """

    def __init__(
        self,
        model: Any,
        *,
        head: str | int | None = None,
        draws: int = 0,
        seed: int = 0,
        rc: bool = False,
        shifts: Sequence[int] = (0,),
        unknown: float = 0.0,
        batch_size: int | None = None,
        share: bool = True,
    ) -> None:
        name = predict.head_name(model, head)
        assert name is not None
        geometry = model.spec.geometry(name)
        self._order = triangle.reverse_order(geometry.bins, geometry.diagonal_offset)
        strands = (False, True) if rc else (False,)
        self._lanes = [(shift, reverse) for shift in shifts for reverse in strands]
        self._size = batch_size or predict.batch_size(geometry.seq_length)
        members = model.members if isinstance(model, Ensemble) else (model,)
        self._members = [_member(member, name, unknown, share) for member in members]
        self._seed = seed
        useful_draws = posterior.Sampler(model, head=name).count(draws) if draws else 0
        if useful_draws and rc and any(_has_latent(member, name) for member in members):
            raise errors.VariantError(
                "draws: draws of a latent cannot be averaged over both strands; leave rc."
            )
        self._useful_draws = useful_draws
        self.draws = useful_draws or 1

    def __call__(self, requests: Sequence[Request]) -> Iterator[Maps]:
        """Yields one prediction of all windows per draw. Each [B, P, T]."""
        lanes = (self._lane(requests, shift, reverse) for shift, reverse in self._lanes)
        if self.draws == 1:  # one lane is alive at a time, and so is the memory of its windows
            yield _mean(next(lane) for lane in lanes)
            return
        all_lanes = list(lanes)
        for _ in range(self.draws):
            yield _mean(map(next, all_lanes))

    def _lane(self, requests: Sequence[Request], shift: int, reverse: bool) -> Iterator[Maps]:
        """Yields the predictions of one shift and strand, draw by draw."""
        bases = [request.base for request in requests]
        letters = [request.letters(shift) for request in requests]
        phases = [request.phase for request in requests]
        if reverse:
            letters = [_reverse_complement(index) for index in letters]
            phases = [-phase for phase in phases]
        streams = [
            member.stream(letters, phases, bases, self._seed, self._share(number), self._size)
            for number, member in enumerate(self._members)
        ]
        maps = self._interleaved(streams)
        return map(self._to_forward, maps) if reverse else maps

    def _to_forward(self, maps: Maps) -> Maps:
        return maps[:, self._order]

    def _share(self, number: int) -> int:
        """Returns how many of the draws member `number` gives."""
        # Members take turns: of 5 draws, member 0 of 2 gives draws 0, 2 and 4.
        return len(range(number, self._useful_draws, len(self._members)))

    def _interleaved(self, streams: list[Iterator[Maps]]) -> Iterator[Maps]:
        if not self._useful_draws:
            yield np.mean([next(stream) for stream in streams], axis=0, dtype=np.float32)
            return
        for draw in range(self._useful_draws):
            yield next(streams[draw % len(streams)])


def _mean(parts: Iterable[Maps]) -> Maps:
    """Averages maps with one of them and their sum in memory."""
    total = np.zeros((), np.float32)
    for count, part in enumerate(parts, 1):
        total = part if count == 1 else np.add(total, part, dtype=np.float32)
    return total if count == 1 else total / np.float32(count)


def _reverse_complement(index: Index) -> Index:
    return np.where(index < dna.UNKNOWN, 3 - index, index).astype(np.uint8)[::-1]


def _has_latent(model: Any, head: str) -> bool:
    """Returns True when draws have noise of their own at every position.

    Positions of the other strand are other bases. A mean over strands would average partly
    independent draws, and its spread would be too small. Random weights and members are the same
    for both strands.
    """
    layers = cut.posteriors(build.one_head(model, head))
    return any(isinstance(layer, latent.NormalLatent) for layer in layers)


def _member(model: Any, head: str, unknown: float, share: bool) -> "_Whole | _Shared":
    if share and isinstance(model, build.Network) and model.swag_draws is None:
        network = build.one_head(model, head)
        if len(network.inputs) == 1:
            return _shared(network, model, head, unknown)
    return _Whole(model, head, unknown)


def _shared(network: keras.Model, model: build.Network, head: str, unknown: float) -> "_Shared":
    """Returns the network cut and compiled; stores it with the model until its weights change."""
    digest = hashlib.sha256()
    for weight in network.weights:
        digest.update(weight.numpy().tobytes())
    key = (head, unknown, digest.digest())
    passes = model.__dict__.setdefault("_variant_passes", {})
    if key not in passes:
        passes.clear()
        passes[key] = _Shared(network, unknown)
    return passes[key]


class _Whole:
    """Computes every window as a whole."""

    def __init__(self, model: Any, head: str, unknown: float) -> None:
        self._model, self._head = model, head
        self._table = tower_tiles.rows(unknown)

    def stream(
        self,
        letters: list[Index],
        phases: list[int],
        bases: list[int | None],
        seed: int,
        draws: int,
        size: int,
    ) -> Iterator[Maps]:
        """Yields `draws` predictions of all windows, or the mean for 0."""
        batches: Any = _OneHot(letters, self._table, size)
        if draws:
            sampler = posterior.Sampler(self._model, head=self._head, seed=seed)
            yield from sampler.stream(batches, draws)
            return
        parts = [predict.forward(self._model, batch)[self._head] for batch in batches]
        yield np.concatenate(parts)


class _OneHot:
    """Yields batches [B, L, 4] one by one: a batch takes 16 times the memory of its letters."""

    def __init__(self, letters: list[Index], table: NDArray[np.float32], size: int) -> None:
        self._letters, self._table, self._size = letters, table, size

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(self._letters), self._size):
            yield self._table[np.stack(self._letters[start : start + self._size])]


class _Shared:
    """Runs a network as its tower, which windows share, and the rest.

    The rest is one graph, in batches. For large maps of an Akita it is three parts: the graph up to
    the track, the head in rectangles, and the graph behind the head. A window with a base computes
    only some of the rectangles.
    """

    def __init__(self, network: keras.Model, unknown: float) -> None:
        self._tower = tower_tiles.Tower(network, unknown=unknown)
        output = folding.forward_output(network)
        located = find_head.find(network)
        self._head = located.head if located and located.track.shape[1] >= STRIP_BINS else None
        if self._head is None or located is None:
            self._rest, _ = _compiled(keras.Model(self._tower.cut, output))
        else:
            self._body, posteriors = _compiled(keras.Model(self._tower.cut, located.track))
            self._tail, _ = _compiled(keras.Model(located.output, output))
            # The tail's layers take the seeds that they have in the whole network, where they
            # follow the posterior layers of the body.
            self._tail_seed = posteriors * _LAYER_STRIDE

    def stream(
        self,
        letters: list[Index],
        phases: list[int],
        bases: list[int | None],
        seed: int,
        draws: int,
        size: int,
    ) -> Iterator[Maps]:
        """Yields `draws` predictions of all windows, or the mean for 0."""
        tracks: list[NDArray] = []  # outputs of the tower
        for index, phase, base in zip(letters, phases, bases, strict=True):
            if base is None:
                tracks.append(self._tower(index, phase))
            else:
                tracks.append(self._tower.edited(index, phase, letters[base], tracks[base]))
        del letters  # a megabyte per window
        for number in range(max(draws, 1)):
            draw = (bool(draws), seed, number)
            if self._head is None:
                yield self._batches(tracks, draw, size)
            else:
                yield self._strips(tracks, bases, draw)

    def _batches(self, tracks: list[NDArray], draw: tuple[bool, int, int], size: int) -> Maps:
        starts = range(0, len(tracks), size)
        parts = [self._rest(np.stack(tracks[i : i + size]), *draw) for i in starts]
        return np.concatenate([part.numpy() for part in parts])

    def _strips(
        self, tracks: list[NDArray], bases: list[int | None], draw: tuple[bool, int, int]
    ) -> Maps:
        """Predicts windows one by one, with the head in rectangles."""
        head = self._head
        assert head is not None
        sources = [i if base is None else base for i, base in enumerate(bases)]
        last_use = {source: i for i, source in enumerate(sources)}
        # Windows that later windows are edits of, dropped after their last edit: for sources
        # [0, 0, 2, 2], window 0 is dropped after window 1.
        base_windows: dict[int, tuple[NDArray, head_rectangles.Computed]] = {}
        rows: list[Maps] = []
        for i, (tower_track, source) in enumerate(zip(tracks, sources, strict=True)):
            track = self._body(tower_track[None], *draw)
            if i in last_use:
                base_windows[i] = (track.numpy(), head.whole(track))
                head_output = base_windows[i][1].output
            else:
                head_output = _edited(head, *base_windows[source], track)
            flag, seed, number = draw
            rows.append(self._tail(head_output, flag, seed + self._tail_seed, number).numpy())
            if last_use[source] == i:
                del base_windows[source]
        return np.concatenate(rows)


def _edited(
    head: head_rectangles.Head, old: NDArray, whole: head_rectangles.Computed, track: tf.Tensor
) -> tf.Tensor:
    """Computes the head's output for a track from the results for the track `old`."""
    changed = np.flatnonzero(_changed(old, track.numpy()))
    if not len(changed):
        return whole.output
    lo, hi = int(changed[0]), int(changed[-1]) + 1
    # Rounding outside [lo, hi) is replaced by the old values, so that only [lo, hi) differs.
    spliced = tf.concat([old[:, :lo], track[:, lo:hi], old[:, hi:]], axis=1)
    return head.edited(whole.values, spliced, lo, hi)


def _changed(old: NDArray, new: NDArray) -> NDArray[np.bool_]:
    """Marks bins that differ by more than rounding, or hold NaN. [1, N, C] -> [N]."""
    # NaN <= x is False, so its negation counts a NaN as changed; |new - old| > x would miss it.
    return ~(np.abs(new - old).max(axis=-1)[0] <= UNCHANGED * np.abs(old).max())


def _compiled(part: keras.Model) -> tuple[Any, int]:
    """Returns a graph as a function of its input and a draw, and its number of posterior layers."""

    shape = tf.TensorSpec((None, *part.inputs[0].shape[1:]), tf.float32)
    number_spec = tf.TensorSpec((), tf.int32)

    @tf.function(input_signature=[shape])
    def mean(x: tf.Tensor) -> tf.Tensor:
        return part(x, training=False)

    @tf.function(input_signature=[shape, number_spec, number_spec])
    def random(x: tf.Tensor, seed: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        with stochastic.drawing(seed, number):
            return part(x, training=False)

    posteriors = len(cut.posteriors(part))

    def run(x: Any, drawing: bool, seed: int, number: int) -> tf.Tensor:
        x = tf.convert_to_tensor(x)
        if drawing and posteriors:
            # Seeds wrap around at 2^31, as when TensorFlow adds the stride of a layer to an int32.
            wrapped = np.int64(seed).astype(np.int32)
            return random(x, tf.constant(wrapped), tf.constant(number))
        return mean(x)

    return run, posteriors
