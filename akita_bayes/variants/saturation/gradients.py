"""Computes gradients of a map's strength with respect to the sequence."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import dna, errors, regions
from akita_bayes.data.genome import Genome
from akita_bayes.layers import stochastic
from akita_bayes.models import build, network_draws, predict
from akita_bayes.models.passes import compiled_graphs, views
from akita_bayes.models.protocol import Member, Model
from akita_bayes.variants.options import Options

Values = NDArray[np.float32]
Slope = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
"""Function from sequences [B, L, 4] and the number of a target to the sum of gradients [L, 4]."""


def check(model: Model, options: Options) -> None:
    """Refuses a model without gradients, before any work.

    Raises:
        VariantError: The model is an exported one, which has no gradients; it has SWAG draws; or
            another precision than float32 is asked for.
    """
    if not all(isinstance(member, build.Network) for member in model.members):
        raise errors.VariantError(
            "gradients need the network itself, not an exported one; load the run directory."
        )
    if options.draws and any(member.swag_draws is not None for member in model.members):
        raise errors.VariantError("gradients have no SWAG draws; leave out draws.")
    if options.precision not in (None, "float32"):
        raise errors.VariantError("gradients are computed in float32; leave out the precision.")


def attributions(
    model: Model,
    genome: Genome,
    region: regions.Region,
    start: int,
    *,
    method: str,
    steps: int,
    options: Options,
) -> tuple[Values, dict[str, Values]]:
    """Computes gradient x input or integrated gradients: mean and sd over draws.

    Averages both strands and all shifts of the options. `region_scan` has the formulas. The model
    must pass `check`.

    Args:
        model: A network or an ensemble.
        genome: Reference.
        region: Bases to attribute to.
        start: First base of the window.
        method: "gradient" or "integrated".
        steps: Points on the path, for integrated gradients.
        options: Options, of which head, targets, draws, seed, rc and shifts count.

    Returns:
        The mean [L, 4, T], zero except for the base of the genome; and {"SSD": sd [L, 4, T]}, or {}
        for a single draw.
    """
    head = predict.one_head(model, options.head)
    units = model.spec.geometry(head).units or 1
    window = _Window(
        genome,
        region,
        start,
        model.spec.model.seq_length,
        (np.arange(steps) + 0.5) / steps if method == "integrated" else np.ones(1),
        options.targets if options.targets is not None else range(units),
    )
    graphs = [_graphs(member, head) for member in model.members]
    count = network_draws.useful_draws(model, options.draws, head) if options.draws else 0

    def slopes(draw: int) -> list[Slope]:
        """Returns the gradient of one draw, or without draws those of the mean of each member."""
        if not count:
            return [graph.mean for graph in graphs]
        turn = network_draws.turn(draw, len(graphs))
        return [functools.partial(graphs[turn.member].draw, seed=options.seed, draw=turn.draw)]

    all_views = views.list_views(options.shifts, rc=options.rc)
    draws = [
        views.mean(window.attribution(slope, view) for slope in slopes(draw) for view in all_views)
        for draw in range(max(count, 1))
    ]
    values = np.mean(draws, axis=0).astype(np.float32)
    if len(draws) < 2:
        return values, {}
    return values, {"SSD": np.std(draws, axis=0, ddof=1).astype(np.float32)}


@dataclasses.dataclass(frozen=True)
class _Window:
    """Holds a window and the part of it whose bases are attributed to.

    Attributes:
        genome: Reference.
        region: Bases to attribute to.
        start: First base of the window.
        length: Bases L of the window.
        points: Positions on the path from unknown bases, 0, to those of the genome, 1.
        targets: Numbers of the targets T.
    """

    genome: Genome
    region: regions.Region
    start: int
    length: int
    points: NDArray[np.float64]
    targets: tuple[int, ...] | range

    def attribution(self, slope: Slope, view: views.View) -> NDArray[Any]:
        """Computes the attributions to the region by one view of the window. [L, 4, T]."""
        # The genome's bases enter a shifted window, not zeros.
        start = self.start - view.shift
        letters = self.genome.padded(self.region.chrom, start, start + self.length)
        bases = slice(self.region.start - start, self.region.end - start)
        x = dna.to_one_hot(letters).astype(np.float32)
        in_region = np.zeros_like(x)
        in_region[bases] = 1
        x, in_region = view.switch_strand(x), view.switch_strand(in_region)
        # Scales the region's bases from 0, unknown, to 1; the other bases stay as they are.
        scale = 1 - in_region * (1 - self.points[:, None, None]).astype(np.float32)
        size = predict.batch_size(self.length)
        total = np.zeros((len(self.targets), self.length, 4))
        for first in range(0, len(self.points), size):
            part = tf.constant(x * scale[first : first + size])
            total += [slope(part, tf.constant(t, tf.int32)).numpy() for t in self.targets]
        total = view.switch_strand(total / len(self.points) * (x * in_region))
        return np.moveaxis(total, 0, -1)[bases]


class _Graphs(NamedTuple):
    """Holds compiled functions of sequences [B, L, 4] and a target's number, to [L, 4]."""

    mean: Slope
    draw: Callable[..., tf.Tensor]


def _graphs(member: Member, head: str) -> _Graphs:
    """Returns the gradients of a network's mean and draws."""
    assert isinstance(member, build.Network)  # as `check` requires

    def compile_graphs() -> _Graphs:
        network = build.one_head(member, head)
        x_spec = tf.TensorSpec((None, member.spec.model.seq_length, 4), tf.float32)
        number = tf.TensorSpec((), tf.int32)

        @tf.function(input_signature=[x_spec, number], autograph=False)
        def mean(x: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
            return _strength_gradient(network, x, target)

        @tf.function(input_signature=[x_spec, number, number, number], autograph=False)
        def of_draw(x: tf.Tensor, target: tf.Tensor, seed: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
            with stochastic.drawing(seed, draw):
                return _strength_gradient(network, x, target)

        return _Graphs(mean, of_draw)

    return compiled_graphs.compiled(member, ("gradients", head), compile_graphs)


def _strength_gradient(network: keras.Model, x: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Computes d|B| / dx of a target, summed over sequences. [B, L, 4] -> [L, 4].

    A map of zeros has no gradient: the inner `where` keeps its square root from giving NaN.
    """
    with tf.GradientTape() as tape:
        tape.watch(x)
        maps = tf.gather(network(x, training=False), target, axis=-1)
        squares = tf.reduce_sum(tf.square(maps), axis=1)
        positive = squares > 0
        strength = tf.where(positive, tf.sqrt(tf.where(positive, squares, 1)), 0)
    return tf.reduce_sum(tape.gradient(strength, x), axis=0)
