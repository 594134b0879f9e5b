"""Gradients of a map's strength with respect to the sequence."""

import contextlib
from collections.abc import Iterator
from typing import Any

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
    """Refuses what has no gradients, before any work.

    Raises:
        VariantError: The model is an exported one, through which no gradient passes; or its draws
            are of SWAG.
    """
    members = _members(model)
    if not all(isinstance(member, build.Network) for member in members):
        raise errors.VariantError("gradients need the network itself; load the run directory.")
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
    """Mean over draws, and their standard deviation, of gradient x input or integrated gradients.

    Both strands and all shifts that the options ask for are averaged. Formulas: `saturation`.
    `check` says what the model must be.

    Args:
        model: A network or an ensemble.
        genome: Reference.
        region: Bases to attribute to.
        start: First base of the window.
        method: "gradient" or "integrated".
        steps: Points on the path, for integrated gradients.
        options: Head, targets, draws, seed, rc and shifts.

    Returns:
        [L, 4, T], zero but for the base that is there; and {"SSD": the same} or {}.
    """
    members = _members(model)
    name = predict.head_name(model, options.head)
    assert name is not None
    count = posterior.Sampler(model, head=name).count(options.draws) if options.draws else 0
    units = model.spec.geometry(name).units or 1
    targets = list(options.targets if options.targets is not None else range(units))
    length = model.spec.model.seq_length
    lanes = [
        (s, turned)
        for s in options.shifts
        for turned in ((False, True) if options.rc else (False,))
    ]
    found = []
    for draw in range(max(count, 1)):
        which = members if not count else (members[draw % len(members)],)
        own = draw // len(members)
        parts = []
        for member in which:
            network = build.one_head(member, name)
            with _drawn(count > 0, options.seed, own):
                parts += [
                    _lane(
                        network,
                        genome,
                        region,
                        start - shift,
                        length,
                        turned,
                        method,
                        steps,
                        targets,
                    )
                    for shift, turned in lanes
                ]
        found.append(np.mean(parts, axis=0))
    values = np.mean(found, axis=0).astype(np.float32)
    if len(found) < 2:
        return values, {}
    return values, {"SSD": np.std(found, axis=0, ddof=1).astype(np.float32)}


@contextlib.contextmanager
def _drawn(drawing: bool, seed: int, draw: int) -> Iterator[None]:
    if not drawing:
        yield
        return
    with stochastic.drawing(seed, draw):
        yield


def _lane(
    network: Any,
    genome: Genome,
    region: regions.Region,
    start: int,
    length: int,
    turned: bool,
    method: str,
    steps: int,
    targets: list[int],
) -> NDArray:
    x = dna.to_one_hot(genome.padded(region.chrom, start, start + length)).astype(np.float32)
    first = region.start - start
    inside = np.zeros((length, 1), np.float32)
    inside[first : first + region.width] = 1
    if turned:
        x, inside = x[::-1, ::-1], inside[::-1]
    points = (np.arange(steps) + 0.5) / steps if method == "integrated" else np.ones(1)
    scale = 1 - inside * (1 - points[:, None, None]).astype(np.float32)
    size = predict.batch_size(length)
    total = np.zeros((length, 4, len(targets)))
    for first_point in range(0, len(points), size):
        total += _strength_gradient(network, x * scale[first_point : first_point + size], targets)
    total = total / len(points) * (x * inside)[..., None]
    total = total[::-1, ::-1] if turned else total
    return total[first : first + region.width]


def _strength_gradient(network: Any, x: NDArray, targets: list[int]) -> NDArray:
    """d|B| / dx of every target, summed over sequences. [B, L, 4] -> [L, 4, T]."""
    tensor = tf.convert_to_tensor(x)
    with tf.GradientTape(persistent=len(targets) > 1) as tape:
        tape.watch(tensor)
        maps = tf.gather(network(tensor, training=False), targets, axis=-1)
        strength = tf.unstack(tf.reduce_sum(tf.norm(maps, axis=1), axis=0))
    each = [tf.reduce_sum(tape.gradient(one, tensor), axis=0).numpy() for one in strength]
    return np.stack(each, axis=-1)
