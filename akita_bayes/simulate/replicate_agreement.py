"""Sets the bias of replicates, or the depth, so that replicates correlate as a design wants.

The correlation has no formula: it depends on the contacts, the counting noise, the coarse-graining
of sparse pixels and the smoothing. So the test chromosome is measured again with other values,
always with the same letters and the same draws of the biases, until the correlation is right.
"""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.simulate import experiment
from akita_bayes.simulate.designs import Design

CLOSE = 0.003
"""Largest difference from the wanted correlation at which the search ends."""

_WINDOWS = 128
_ROUNDS = 14
_MOST_BIAS = 3.0
_DEPTHS = (1 / 256, 256.0)
"""Least and greatest depth that is tried, in depths of the design."""


def solve(design: Design, seed: int) -> Design:
    """Returns the design with the bias or the depth that gives the wanted correlation.

    A design without `replicate_r` is returned as it is.

    Raises:
        DataError: No bias or depth gives this correlation.
    """
    wanted = design.measurement.replicate_r
    if wanted is None:
        return design
    name = [name for name, (_, split) in design.chromosomes().items() if split == "test"][-1]
    chromatin = experiment.fold(name, design, seed, experiment.generator(seed, name))
    starts = [region.start for region, _ in design.windows() if region.chrom == name][:_WINDOWS]

    def measured(value: float) -> float:
        tried = _with(design, value)
        noise = experiment.generator(seed, name, "replicate_r")
        counts = experiment.measure(chromatin, name, tried, seed, noise)
        try:
            return _agreement(counts, starts, tried)
        except errors.DataError:
            return 0.0  # too few reads for a target

    low, high = (0.0, _MOST_BIAS) if design.measurement.solve_for == "bias" else _DEPTHS
    return _with(design, _search(measured, low, high, wanted, design))


def correlation(replicates: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """Computes the correlation of two replicates of one target, mean over pairs.

    Args:
        replicates: Targets of the replicates. [R, W, P].
        mask: True for measured pixels. [W, P].
    """
    columns = [replicate[mask].astype(np.float64) for replicate in replicates]
    pairs = itertools.combinations(columns, 2)
    return float(np.mean([float(np.corrcoef(a, b)[0, 1]) for a, b in pairs]))


def _with(design: Design, value: float) -> Design:
    """Returns the design with this bias of replicates, or with this multiple of its depth."""
    if design.measurement.solve_for == "depth":
        return dataclasses.replace(design, depth=design.depth * value)
    measurement = dataclasses.replace(design.measurement, replicate_bias=value)
    return dataclasses.replace(design, measurement=measurement)


def _agreement(counts: list[experiment.Counts], starts: list[int], design: Design) -> float:
    """Computes the correlation of replicates over windows, mean over targets."""
    values = []
    for cell in counts:
        pooled = [experiment.target(cell.pooled, cell.weights, start, design) for start in starts]
        replicates = [
            [experiment.target(band, weights, start, design).values for start in starts]
            for band, weights in zip(cell.replicates, cell.replicate_weights, strict=True)
        ]
        values.append(correlation(np.array(replicates), np.array([x.mask for x in pooled])))
    return float(np.mean(values))


def _search(
    measured: Callable[[float], float], low: float, high: float, wanted: float, design: Design
) -> float:
    """Returns a value between two limits whose correlation is close to the wanted.

    The correlation falls as the bias grows, and grows with the depth.
    """
    by_depth = design.measurement.solve_for == "depth"
    best = high if by_depth else low
    largest = measured(best)
    if largest < wanted - CLOSE:
        limit = f"a depth of {design.depth * high:g}" if by_depth else "no bias of their own"
        advice = "choose a smaller replicate_r, or less dispersion"
        if not by_depth:
            advice += ', or more depth, which solve_for "depth" finds'
        raise errors.DataError(
            f"measurement.replicate_r {wanted:g}: replicates with {limit} correlate with r "
            f"{largest:.3f} only; {advice}."
        )
    if abs(largest - wanted) < CLOSE:
        return best
    value = best
    for _ in range(_ROUNDS):
        # Depths are halved on their logarithm, because they span several powers of ten.
        value = float(np.sqrt(low * high)) if by_depth else (low + high) / 2
        r = measured(value)
        if abs(r - wanted) < CLOSE:
            break
        if (r < wanted) == by_depth:
            low = value
        else:
            high = value
    return value
