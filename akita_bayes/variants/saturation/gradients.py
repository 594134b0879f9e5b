"""Computes gradients of a map's strength with respect to the sequence."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import dna, errors, regions
from akita_bayes.data.genome import Genome
from akita_bayes.layers import stochastic
from akita_bayes.models import build, posterior, predict
from akita_bayes.models.ensemble import Ensemble
from akita_bayes.variants.options import Options

Values = NDArray[np.float32]


def check(model: Any, options: Options) -> None:
    """Refuses a model without gradients, before any work.

    Raises:
        VariantError: The model is an exported one, which has no gradients; or it has SWAG draws.
    """
    members = _members(model)
    if not all(isinstance(member, build.Network) for member in members):
        raise errors.VariantError(
            "gradients need the network itself, not an exported one; load the run directory."
        )
    if options.draws and any(member.swag_draws is not None for member in members):
        raise errors.VariantError("gradients have no SWAG draws; leave out draws.")


def _members(model: Any) -> tuple[Any, ...]:
    return model.members if isinstance(model, Ensemble) else (model,)


def attributions(
    model: Any,
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
    members = _members(model)
    name = predict.head_name(model, options.head)
    assert name is not None
    count = posterior.Sampler(model, head=name).count(options.draws) if options.draws else 0
    units = model.spec.geometry(name).units or 1
    targets = list(options.targets if options.targets is not None else range(units))
    length = model.spec.model.seq_length
    lanes = [
        (shift, turned)
        for shift in options.shifts
        for turned in ((False, True) if options.rc else (False,))
    ]
    compiled = [_compiled(member, name) for member in members]
    draws = []
    for draw in range(max(count, 1)):
        # Draws go round the members: of 2 members, draw 3 is draw 1 of member 1.
        draw_of_member, member = divmod(draw, len(members))
        slopes = (
            [functools.partial(compiled[member].draw, seed=options.seed, draw=draw_of_member)]
            if count
            else [gradients.mean for gradients in compiled]
        )
        lane_values = [
            _lane(slope, genome, region, start - shift, length, turned, method, steps, targets)
            for slope in slopes
            for shift, turned in lanes
        ]
        draws.append(np.mean(lane_values, axis=0))
    values = np.mean(draws, axis=0).astype(np.float32)
    if len(draws) < 2:
        return values, {}
    return values, {"SSD": np.std(draws, axis=0, ddof=1).astype(np.float32)}


class _Gradients(NamedTuple):
    """Holds compiled functions of sequences [B, L, 4] and a target's number, to [L, 4]."""

    mean: Any
    draw: Any


def _compiled(member: Any, head: str) -> _Gradients:
    """Returns the gradients of a network's mean and draws, compiled once and cached in it."""
    by_head = member.__dict__.setdefault("_gradients_by_head", {})
    if head in by_head:
        return by_head[head]
    network = build.one_head(member, head)
    x_spec = tf.TensorSpec((None, member.spec.model.seq_length, 4), tf.float32)
    number = tf.TensorSpec((), tf.int32)

    @tf.function(input_signature=[x_spec, number])
    def mean(x: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
        return _strength_gradient(network, x, target)

    @tf.function(input_signature=[x_spec, number, number, number])
    def of_draw(x: tf.Tensor, target: tf.Tensor, seed: tf.Tensor, draw: tf.Tensor) -> tf.Tensor:
        with stochastic.drawing(seed, draw):
            return _strength_gradient(network, x, target)

    by_head[head] = _Gradients(mean, of_draw)
    return by_head[head]


def _lane(
    slope: Callable[..., tf.Tensor],
    genome: Genome,
    region: regions.Region,
    start: int,
    length: int,
    turned: bool,
    method: str,
    steps: int,
    targets: list[int],
) -> NDArray:
    """Computes the attributions of one window on one strand. [L, 4, T]."""
    x = dna.to_one_hot(genome.padded(region.chrom, start, start + length)).astype(np.float32)
    first = region.start - start
    in_region = np.zeros((length, 1), np.float32)
    in_region[first : first + region.width] = 1
    if turned:
        x, in_region = x[::-1, ::-1], in_region[::-1]
    points = (np.arange(steps) + 0.5) / steps if method == "integrated" else np.ones(1)
    # Scales the region's bases from 0, unknown, to 1; the other bases stay as they are.
    scale = 1 - in_region * (1 - points[:, None, None]).astype(np.float32)
    size = predict.batch_size(length)
    total = np.zeros((length, 4, len(targets)))
    for first_point in range(0, len(points), size):
        part = tf.constant(x * scale[first_point : first_point + size])
        total += np.stack([slope(part, tf.constant(t, tf.int32)).numpy() for t in targets], axis=-1)
    total = total / len(points) * (x * in_region)[..., None]
    total = total[::-1, ::-1] if turned else total
    return total[first : first + region.width]


def _strength_gradient(network: Any, x: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
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
