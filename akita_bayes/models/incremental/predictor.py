"""Predictions of windows: strands, shifts and draws, sharing between windows what does not differ.

A draw is the same for every window (common random numbers), so noise cancels in differences.
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

STRIP_BINS = 128  # of a track; smaller maps are computed whole, in batches
UNCHANGED = 1e-6  # of the track's largest value: rounding, not an effect
NOTHING = tower_tiles.NOTHING
_LAYER_STRIDE = 1_000_003  # seeds of successive posterior layers, as in layers.stochastic


class Request(NamedTuple):
    """A window to predict.

    Attributes:
        letters: shift -> bases 0..3, 4 for unknown, NOTHING, of the window moved right. [L].
        phase: Number of the window's first bin on a grid shared with other windows.
        base: Position in the list of a window that differs in few places, computed before.
    """

    letters: Callable[[int], Index]
    phase: int = 0
    base: int | None = None


class Passes:
    """A model ready to predict windows.

    Args:
        model: A network, an exported one or an ensemble.
        head: One head of several.
        draws: Draws from the posterior; 0 for its mean alone.
        seed: Of the draws.
        rc: Average both strands; not of draws of a latent, whose noise is that of a position.
        shifts: Average windows moved right by so many bases.
        unknown: What the rows of unknown bases hold.
        batch_size: Windows in a pass; None fits two megabase windows.
        share: False computes every window as a whole.

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
        place = model.spec.geometry(name)
        self._order = triangle.reverse_order(place.bins, place.diagonal_offset)
        self._lanes = [
            (s, turned) for s in shifts for turned in ((False, True) if rc else (False,))
        ]
        self._size = batch_size or predict.batch_size(place.seq_length)
        members = model.members if isinstance(model, Ensemble) else (model,)
        self._members = [_member(each, name, unknown, share) for each in members]
        self._seed = seed
        drawn = posterior.Sampler(model, head=name).count(draws) if draws else 0
        if drawn and rc and any(_has_latent(each, name) for each in members):
            raise errors.VariantError(
                "draws: draws of a latent are of the window as it is; leave rc."
            )
        self._drawn = drawn
        self.draws = drawn or 1

    def __call__(self, requests: Sequence[Request]) -> Iterator[Maps]:
        """Yields one prediction of all windows a draw. Each [B, P, T]."""
        lanes = (self._lane(requests, shift, turned) for shift, turned in self._lanes)
        if self.draws == 1:  # what a lane keeps for the next draw goes with it
            yield _mean(next(lane) for lane in lanes)
            return
        kept = list(lanes)
        for _ in range(self.draws):
            yield _mean(map(next, kept))

    def _lane(self, requests: Sequence[Request], shift: int, turned: bool) -> Iterator[Maps]:
        bases = [request.base for request in requests]
        letters = [request.letters(shift) for request in requests]
        phases = [request.phase for request in requests]
        if turned:
            letters = [_turned(index) for index in letters]
            phases = [-phase for phase in phases]
        streams = [
            member.stream(letters, phases, bases, self._seed, self._own(which), self._size)
            for which, member in enumerate(self._members)
        ]
        made = self._interleaved(streams)
        return map(self._forwards, made) if turned else made

    def _forwards(self, maps: Maps) -> Maps:
        return maps[:, self._order]

    def _own(self, which: int) -> int:
        """How many of the draws a member gives."""
        return len(range(which, self._drawn, len(self._members)))

    def _interleaved(self, streams: list[Iterator[Maps]]) -> Iterator[Maps]:
        if not self._drawn:
            yield np.mean([next(stream) for stream in streams], axis=0, dtype=np.float32)
            return
        for draw in range(self._drawn):
            yield next(streams[draw % len(streams)])


def _mean(parts: Iterable[Maps]) -> Maps:
    """Mean of maps, of which one at a time is in memory beside their sum."""
    total = np.zeros((), np.float32)
    for count, part in enumerate(parts, 1):
        total = part if count == 1 else np.add(total, part, dtype=np.float32)
    return total if count == 1 else total / np.float32(count)


def _turned(index: Index) -> Index:
    return np.where(index < dna.UNKNOWN, 3 - index, index).astype(np.uint8)[::-1]


def _has_latent(model: Any, head: str) -> bool:
    """Whether a draw has noise at positions, which on the other strand are other bases.

    A mean over strands would be one over draws that are partly independent, and its spread too
    small. Weights that are drawn, and members, are the same for both strands.
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
    """The network cut and compiled, kept with the model for as long as its weights stay."""
    digest = hashlib.sha256()
    for weight in network.weights:
        digest.update(weight.numpy().tobytes())
    key = (head, unknown, digest.digest())
    kept = model.__dict__.setdefault("_variant_passes", {})
    if key not in kept:
        kept.clear()
        kept[key] = _Shared(network, unknown)
    return kept[key]


class _Whole:
    """A model that computes every window as a whole."""

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
    """Batches [B, L, 4], each made when it is read: they are 16 times as large as their letters."""

    def __init__(self, letters: list[Index], table: NDArray[np.float32], size: int) -> None:
        self._letters, self._table, self._size = letters, table, size

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(self._letters), self._size):
            yield self._table[np.stack(self._letters[start : start + self._size])]


class _Shared:
    """A network cut into its tower, which is shared, and the rest.

    The rest is one graph, in batches; or, for large maps of an Akita, the track's graph, the head
    in rectangles, of which a window with a base needs some, and the graph from there on.
    """

    def __init__(self, network: keras.Model, unknown: float) -> None:
        self._tower = tower_tiles.Tower(network, unknown=unknown)
        output = folding.forward_output(network)
        found = find_head.find(network)
        self._head = found.head if found and found.track.shape[1] >= STRIP_BINS else None
        if self._head is None or found is None:
            self._rest, _ = _drawn(keras.Model(self._tower.cut, output))
        else:
            self._body, posteriors = _drawn(keras.Model(self._tower.cut, found.track))
            self._tail, _ = _drawn(keras.Model(found.output, output))
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
        bottoms: list[NDArray] = []
        for index, phase, base in zip(letters, phases, bases, strict=True):
            if base is None:
                bottoms.append(self._tower(index, phase))
            else:
                bottoms.append(self._tower.edited(index, phase, letters[base], bottoms[base]))
        del letters  # a megabyte a window
        for number in range(max(draws, 1)):
            draw = (bool(draws), seed, number)
            if self._head is None:
                yield self._batches(bottoms, draw, size)
            else:
                yield self._strips(bottoms, bases, draw)

    def _batches(self, bottoms: list[NDArray], draw: tuple[bool, int, int], size: int) -> Maps:
        starts = range(0, len(bottoms), size)
        parts = [self._rest(np.stack(bottoms[i : i + size]), *draw) for i in starts]
        return np.concatenate([part.numpy() for part in parts])

    def _strips(
        self, bottoms: list[NDArray], bases: list[int | None], draw: tuple[bool, int, int]
    ) -> Maps:
        head = self._head
        assert head is not None
        sources = [i if base is None else base for i, base in enumerate(bases)]
        last_use = {source: i for i, source in enumerate(sources)}
        kept: dict[int, tuple[NDArray, head_rectangles.Computed]] = {}
        rows: list[Maps] = []
        for i, (bottom, source) in enumerate(zip(bottoms, sources, strict=True)):
            track = self._body(bottom[None], *draw)
            if i in last_use:
                kept[i] = (track.numpy(), head.whole(track))
                final = kept[i][1].output
            else:
                final = _edited(head, *kept[source], track)
            flag, seed, number = draw
            rows.append(self._tail(final, flag, seed + self._tail_seed, number).numpy())
            if last_use[source] == i:
                del kept[source]
        return np.concatenate(rows)


def _edited(
    head: head_rectangles.Head, old: NDArray, whole: head_rectangles.Computed, track: tf.Tensor
) -> tf.Tensor:
    """The head's output for a track, from that for another."""
    changed = np.flatnonzero(_changed(old, track.numpy()))
    if not len(changed):
        return whole.output
    lo, hi = int(changed[0]), int(changed[-1]) + 1
    spliced = tf.concat([old[:, :lo], track[:, lo:hi], old[:, hi:]], axis=1)
    return head.edited(whole.values, spliced, lo, hi)


def _changed(old: NDArray, new: NDArray) -> NDArray[np.bool_]:
    # So turned that what is not a number is told from what it was, and shows in the scores.
    return ~(np.abs(new - old).max(axis=-1)[0] <= UNCHANGED * np.abs(old).max())


def _drawn(part: keras.Model) -> tuple[Any, int]:
    """A graph as a function of its input and a draw, and its number of posterior layers."""

    shape = tf.TensorSpec((None, *part.inputs[0].shape[1:]), tf.float32)
    number_spec = tf.TensorSpec((), tf.int32)

    @tf.function(input_signature=[shape])
    def mean(x: tf.Tensor) -> tf.Tensor:
        return part(x, training=False)

    @tf.function(input_signature=[shape, number_spec, number_spec])
    def one(x: tf.Tensor, seed: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        with stochastic.drawing(seed, number):
            return part(x, training=False)

    posteriors = len(cut.posteriors(part))

    def run(x: Any, drawing: bool, seed: int, number: int) -> tf.Tensor:
        x = tf.convert_to_tensor(x)
        if drawing and posteriors:
            wrapped = np.int64(seed).astype(np.int32)  # as TensorFlow adds a layer's stride
            return one(x, tf.constant(wrapped), tf.constant(number))
        return mean(x)

    return run, posteriors
