"""Sets the bias of replicates, or the depth, so that replicates correlate as a design wants.

The correlation has no formula: it depends on the contacts, the counting noise, the coarse-graining
of sparse pixels and the smoothing. So the test chromosome is measured with other values, always
from the same state of the random numbers, until the correlation is right. The simulation measures
it from this state too, and so has the correlation that the search ended with.
"""

import copy
import dataclasses
import itertools
import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.simulate import experiment
from akita_bayes.simulate.designs import Design

CLOSE = 0.003
"""Largest difference from the requested correlation at which the search ends."""

_log = logging.getLogger(__name__)
_ROUNDS = 16
_STEP = 4.0
"""Factor by which the noise is changed until two values enclose the requested correlation."""

_NOISE = {"bias": (0.0, 0.01, 9.0), "depth": (1 / 256, 1.0, 256.0)}
"""Least, first and greatest noise: the square of `replicate_bias`, or the design's depth over the
depth. The inverse of the correlation is about linear in both, since r = signal / (signal + noise).
"""


def solve(design: Design, seed: int) -> Design:
    """Returns the design with the bias or the depth that gives the requested correlation.

    A design without `replicate_r` is returned as it is.

    Raises:
        DataError: No bias or depth gives this correlation.
    """
    requested = design.measurement.replicate_r
    if requested is None:
        return design
    name = [name for name, (_, split) in design.chromosomes().items() if split == "test"][-1]
    source = experiment.generator(seed, name)
    chromatin = experiment.fold(name, design, seed, source)
    starts = [region.start for region, _ in design.windows() if region.chrom == name]

    def measured(noise: float) -> float:
        candidate = _with(design, noise)
        counts = experiment.measure(chromatin, name, candidate, seed, copy.deepcopy(source))
        try:
            return _agreement(counts, starts, candidate)
        except errors.DataError:
            return 0.0  # too few reads for a target

    return _with(design, _search(measured, design, requested))


def correlation(replicates: NDArray[np.floating], mask: NDArray[np.bool_]) -> float:
    """Computes the correlation of two replicates of one target, mean over pairs.

    Args:
        replicates: Targets of the replicates. [R, W, P].
        mask: True for measured pixels. [W, P].
    """
    columns = [replicate[mask].astype(np.float64) for replicate in replicates]
    pairs = itertools.combinations(columns, 2)
    return float(np.mean([float(np.corrcoef(a, b)[0, 1]) for a, b in pairs]))


def _with(design: Design, noise: float) -> Design:
    """Returns the design with a noise, in the units of `_NOISE`."""
    if design.measurement.solve_for == "depth":
        return dataclasses.replace(design, depth=design.depth / noise)
    measurement = dataclasses.replace(design.measurement, replicate_bias=float(np.sqrt(noise)))
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


def _search(measured: Callable[[float], float], design: Design, requested: float) -> float:
    """Returns the noise whose correlation is closest to the requested; r falls as noise grows.

    Counts at another depth are other random numbers, so r jumps by up to 0.03 between depths that
    are nearly equal. The last trial may then be farther away than an earlier one.
    """
    trials: list[tuple[float, float]] = []  # distance of the correlation, and noise
    least, noise, most = _NOISE[design.measurement.solve_for]
    less: tuple[float, float] | None = None  # noise and correlation of the closest less noisy trial
    more: tuple[float, float] | None = None
    for _ in range(_ROUNDS):
        r = measured(noise)
        trials.append((abs(r - requested), noise))
        if abs(r - requested) < CLOSE:
            return noise
        less, more = ((noise, r), more) if r > requested else (less, (noise, r))
        if less is None:
            if noise <= least:
                raise _unreachable(design, requested, r)
            noise = noise / _STEP if noise / _STEP > max(least, 1e-5) else least
        elif more is None:
            if noise >= most:
                raise _unreachable(design, requested, r)
            noise = min(noise * _STEP, most)
        else:
            noise = _between(less, more, requested)
    distance, noise = min(trials)
    _log.warning(
        "measurement.replicate_r %g: the closest of %d trials differs by %.3f; more windows and "
        "another seed may come closer.",
        *(requested, _ROUNDS, distance),
    )
    return noise


def _between(less: tuple[float, float], more: tuple[float, float], requested: float) -> float:
    """Interpolates the inverse of the correlation, and stays away from both ends."""
    if more[1] <= 0:
        share = 0.5
    else:
        share = (1 / requested - 1 / less[1]) / (1 / more[1] - 1 / less[1])
    return less[0] + float(np.clip(share, 0.05, 0.95)) * (more[0] - less[0])


def _unreachable(design: Design, requested: float, r: float) -> errors.DataError:
    too_low = r < requested
    extreme, size, depth = ("most", "smaller", "more") if too_low else ("least", "larger", "less")
    if design.measurement.solve_for == "depth":
        limit = "replicates of any depth"
        advice = "another replicate_r, dispersion or replicate_bias"
    else:
        limit = f"replicates of depth {design.depth:g}, whatever their bias,"
        advice = f'a {size} replicate_r, {depth} depth, or solve_for "depth"'
    return errors.DataError(
        f"measurement.replicate_r {requested:g}: {limit} reach at {extreme} r {r:.3f}; "
        f"choose {advice}."
    )
