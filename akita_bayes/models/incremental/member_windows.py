"""Predicts the windows of one view with one member of a model, draw by draw.

A network is computed as a tower, whose tiles windows share, and the rest. Other members, such as
SavedModels and networks with SWAG draws, compute every window as a whole.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.layers import stochastic
from akita_bayes.models import build, fingerprint, posterior, predict
from akita_bayes.models.incremental import tower_tiles
from akita_bayes.models.passes import (
    compiled_graphs,
    cut,
    find_head,
    folding,
    head_rectangles,
    tower,
)
from akita_bayes.models.protocol import Member

Index = NDArray[np.uint8]
Maps = NDArray[np.float32]

STRIP_BINS = 128  # bins of a track; smaller maps are computed whole, in batches
UNCHANGED = 1e-6  # fraction of the track's largest value; smaller differences are rounding
_LAYER_STRIDE = 1_000_003  # between seeds of successive posterior layers, as layers.stochastic


class Windows(NamedTuple):
    """Holds the windows of one view.

    Attributes:
        letters: Bases of each window as 0..3, 4 for an unknown base, or NOTHING. [L] each.
        phases: Number of each window's first bin on a grid shared with other windows.
        bases: Number of an earlier window from which each differs at few positions, or None.
    """

    letters: list[Index]
    phases: list[int]
    bases: list[int | None]


class Draws(NamedTuple):
    """Describes draws 0, 1, ... of a member.

    Attributes:
        seed: Seed of all draws.
        number: Number of draws; 0 for the mean alone.
    """

    seed: int
    number: int


class MemberWindows(Protocol):
    """Predicts windows with one member."""

    def stream(self, windows: Windows, draws: Draws, batch_size: int) -> Iterator[Maps]:
        """Yields one prediction of all windows per draw, or the mean. [B, P, T] each."""
        ...


def of_member(
    member: Member, head: str, *, unknown: float, share: bool, precision: str | None = None
) -> MemberWindows:
    """Returns what predicts windows with a member.

    Args:
        member: A network or a SavedModel.
        head: Name of the head.
        unknown: Value of the four columns of an unknown base.
        share: False to compute every window as a whole.
        precision: Precision of the convolutions of shared windows, as in
            `predict.convolution_precision`; other windows have float32.

    Raises:
        RunError: The member cannot compute in the precision.
    """
    convolutions = predict.convolution_precision(member, precision)
    if share and isinstance(member, build.Network) and member.swag_draws is None:
        network = build.one_head(member, head)
        if len(network.inputs) == 1:
            # Weights are constants of these graphs. Only the last head and value of unknown bases
            # is stored, because its tiles take much memory.
            return compiled_graphs.compiled(
                member,
                "shared windows",
                lambda: SharedWindows(network, unknown, convolutions),
                constants=(head, unknown, convolutions, fingerprint.weight_digest(network)),
            )
    return WholeWindows(member, head, unknown)


class WholeWindows:
    """Computes every window as a whole.

    Args:
        member: A network or a SavedModel.
        head: Name of the head.
        unknown: Value of the four columns of an unknown base.
    """

    def __init__(self, member: Member, head: str, unknown: float) -> None:
        self._member, self._head = member, head
        self._table = tower.rows(unknown)

    def stream(self, windows: Windows, draws: Draws, batch_size: int) -> Iterator[Maps]:
        """Yields one prediction of all windows per draw, or the mean. [B, P, T] each."""
        batches = _OneHot(windows.letters, self._table, batch_size)
        if draws.number:
            sampler = posterior.Sampler(self._member, head=self._head, seed=draws.seed)
            yield from sampler.stream(batches, draws.number)
            return
        parts = [predict.forward(self._member, batch)[self._head] for batch in batches]
        yield np.concatenate(parts)


class _OneHot:
    """Yields batches [B, L, 4] one by one: a batch takes 16 times the memory of its letters."""

    def __init__(self, letters: list[Index], table: NDArray[np.float32], size: int) -> None:
        self._letters, self._table, self._size = letters, table, size

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        for start in range(0, len(self._letters), self._size):
            yield self._table[np.stack(self._letters[start : start + self._size])]


class _Randomness(NamedTuple):
    """Identifies a draw by the seed of the first posterior layer and the number of the draw."""

    seed: int
    draw: int


class SharedWindows:
    """Runs a network as its tower, which windows share, and the rest.

    The rest is one graph, in batches. For large maps of an Akita it is three parts: the graph up to
    the track, the head in rectangles, and the graph behind the head. A window with a base computes
    only some of the rectangles.

    Args:
        network: Network of one head.
        unknown: Value of the four columns of an unknown base.
        precision: Precision of the convolutions of tower and head.
    """

    def __init__(self, network: keras.Model, unknown: float, precision: str = "float32") -> None:
        self._tower = tower_tiles.Tower(network, unknown=unknown, precision=precision)
        output = folding.forward_output(network)
        located = find_head.find(network, precision)
        self._head = located.head if located and located.track.shape[1] >= STRIP_BINS else None
        if self._head is None or located is None:
            self._rest, _ = _compiled(keras.Model(self._tower.cut, output))
        else:
            self._body, posteriors = _compiled(keras.Model(self._tower.cut, located.track))
            self._tail, _ = _compiled(keras.Model(located.output, output))
            # The tail's layers take the seeds that they have in the whole network, where they
            # follow the posterior layers of the body.
            self._tail_seed = posteriors * _LAYER_STRIDE

    def stream(self, windows: Windows, draws: Draws, batch_size: int) -> Iterator[Maps]:
        """Yields one prediction of all windows per draw, or the mean. [B, P, T] each."""
        tracks: list[NDArray] = []  # outputs of the tower
        letters, _, bases = windows
        for index, phase, base in zip(*windows, strict=True):
            if base is None:
                tracks.append(self._tower(index, phase))
            else:
                tracks.append(self._tower.edited(index, phase, letters[base], tracks[base]))
        del windows, letters  # a megabyte per window
        for number in range(max(draws.number, 1)):
            randomness = _Randomness(draws.seed, number) if draws.number else None
            if self._head is None:
                yield self._batches(tracks, randomness, batch_size)
            else:
                yield self._strips(tracks, bases, self._head, randomness)

    def _batches(self, tracks: list[NDArray], randomness: _Randomness | None, size: int) -> Maps:
        starts = range(0, len(tracks), size)
        parts = [self._rest(np.stack(tracks[i : i + size]), randomness) for i in starts]
        return np.concatenate([part.numpy() for part in parts])

    def _strips(
        self,
        tracks: list[NDArray],
        bases: list[int | None],
        head: head_rectangles.Head,
        randomness: _Randomness | None,
    ) -> Maps:
        """Predicts windows one by one, with the head in rectangles."""
        tail = randomness and randomness._replace(seed=randomness.seed + self._tail_seed)
        sources = [i if base is None else base for i, base in enumerate(bases)]
        last_use = {source: i for i, source in enumerate(sources)}
        # Windows that later windows are edits of, dropped after their last edit: for sources
        # [0, 0, 2, 2], window 0 is dropped after window 1.
        base_windows: dict[int, tuple[NDArray, head_rectangles.Computed]] = {}
        rows: list[Maps] = []
        for i, (tower_track, source) in enumerate(zip(tracks, sources, strict=True)):
            track = self._body(tower_track[None], randomness)
            if i in last_use:
                base_windows[i] = (track.numpy(), head.whole(track))
                head_output = base_windows[i][1].output
            else:
                head_output = _edited(head, *base_windows[source], track)
            rows.append(self._tail(head_output, tail).numpy())
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


Part = Callable[[NDArray | tf.Tensor, _Randomness | None], tf.Tensor]


def _compiled(part: keras.Model) -> tuple[Part, int]:
    """Returns a graph as a function of its input and a draw, and its number of posterior layers."""

    shape = tf.TensorSpec((None, *part.inputs[0].shape[1:]), tf.float32)
    number_spec = tf.TensorSpec((), tf.int32)

    @tf.function(input_signature=[shape], autograph=False)
    def mean(x: tf.Tensor) -> tf.Tensor:
        return part(x, training=False)

    @tf.function(input_signature=[shape, number_spec, number_spec], autograph=False)
    def random(x: tf.Tensor, seed: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        with stochastic.drawing(seed, number):
            return part(x, training=False)

    posteriors = len(cut.posteriors(part))

    def run(x: NDArray | tf.Tensor, randomness: _Randomness | None) -> tf.Tensor:
        x = tf.convert_to_tensor(x)
        if randomness is None or not posteriors:
            return mean(x)
        # Seeds wrap around at 2^31, as when TensorFlow adds the stride of a layer to an int32.
        wrapped = np.int64(randomness.seed).astype(np.int32)
        return random(x, tf.constant(wrapped), tf.constant(randomness.draw))

    return run, posteriors
