"""Measures whether a map has enough contacts for its bins, and finds wider bins that suffice.

The contacts of sampled windows are divided at random into two halves (binomial thinning of the raw
counts). Both halves become targets as all windows do. Their correlation over measured pixels, after
the mean of each distance is subtracted, says how much of a target is a property of the chromosome
and not of the counted pairs. `docs/data.md` shows it for three maps at several bin widths.
"""

import dataclasses
import logging
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import triangle
from akita_bayes.data.contacts import counts_to_targets
from akita_bayes.data.preparation import data_plan, training_windows

LEAST_CORRELATION = 0.5
MOST_EMPTY = 0.5
_WINDOWS = 16  # sampled windows
_FACTORS = (2, 3, 4, 5, 6, 8, 10, 16, 20, 32)  # bins that are joined to wider bins
_LEAST_BINS = 16  # of a window of wider bins
_NEAR = 8  # pixels within an eighth of a window are near the diagonal

_log = logging.getLogger(__name__)


class Depth(NamedTuple):
    """Holds how well a map is sampled at one bin width.

    Attributes:
        bin_width: Bases per bin.
        correlation: Pearson r of the targets of two halves of the contacts, without the mean of
            each distance; 0 when no half has a target.
        empty: Share of empty pixels within an eighth of a window of the diagonal.
    """

    bin_width: int
    correlation: float
    empty: float

    @property
    def suffices(self) -> bool:
        """Returns True for a map that is deep enough."""
        return self.correlation >= LEAST_CORRELATION and self.empty <= MOST_EMPTY


class _Sample(NamedTuple):
    """Holds raw counts (upper triangle) and weights of one window. [N, N], [N]."""

    counts: NDArray[Any]
    weights: NDArray[np.float64]


def log_shallow(plan: data_plan.Plan, *, seed: int = 0) -> None:
    """Warns of each target that is too shallow, and names a sufficient bin width.

    Args:
        plan: Plan of a data directory.
        seed: Seed of the sampled windows and of the halves.
    """
    for index, target in enumerate(plan.sources.targets):
        depths = measure(plan, index, seed=seed)
        if not depths:
            continue
        first, last = depths[0], depths[-1]
        state = (
            f"the targets of two halves of its contacts correlate by {first.correlation:.2f}, and "
            f"{first.empty:.1%} of the pixels near the diagonal are empty"
        )
        width = data_plan.bases(first.bin_width)
        if first.suffices:
            _log.info("%s: deep enough for bins of %s: %s.", target.identifier, width, state)
            continue
        if last.suffices:
            advice = (
                f"bins of {data_plan.bases(last.bin_width)} suffice ({last.correlation:.2f}, "
                f"{last.empty:.1%} empty): give -w {last.bin_width} and a map of that resolution"
            )
            if not plan.sources.transform.kernel_sigma:
                advice += ", or smooth with -k 1"
        else:
            advice = (
                f"no bin width up to {data_plan.bases(last.bin_width)} suffices "
                f"({last.correlation:.2f}, {last.empty:.1%} empty): give longer windows, or a map "
                "of more reads"
            )
        _log.warning(
            "%s: too shallow for bins of %s: %s; expected at least %.1f and at most %.0f%%; %s.",
            target.identifier,
            width,
            state,
            LEAST_CORRELATION,
            100 * MOST_EMPTY,
            advice,
        )


def measure(plan: data_plan.Plan, index: int, *, seed: int = 0) -> list[Depth]:
    """Measures one target at its bin width, and at wider bins until they suffice.

    Args:
        plan: Plan of a data directory.
        index: Index of the target.
        seed: Seed of the sampled windows and of the halves.

    Returns:
        One entry for each bin width, the last one sufficient if any is; empty without windows.
    """
    random = np.random.default_rng([seed, 3])
    samples = _read(plan, index, random)
    if not samples:
        return []
    transform = plan.sources.transform
    clip = plan.sources.targets[index].clip
    depths: list[Depth] = []
    for factor in (1, *_FACTORS):
        if factor > 1 and (depths[-1].suffices or transform.window_bins // factor < _LEAST_BINS):
            break
        depths.append(_depth(samples, transform, factor, clip, random))
    return depths


def _read(plan: data_plan.Plan, index: int, random: np.random.Generator) -> list[_Sample]:
    contacts = plan.sources.contacts(plan.sources.targets[index])
    windows: list[training_windows.Window] = sorted(plan.usable)
    count = min(_WINDOWS, len(windows))
    samples = []
    for number in sorted(random.choice(len(windows), count, replace=False)) if count else ():
        region = windows[number].region
        samples.append(_Sample(contacts.counts(region), contacts.weights(region)))
    return samples


def _depth(
    samples: list[_Sample],
    transform: counts_to_targets.Transform,
    factor: int,
    clip: float | None,
    random: np.random.Generator,
) -> Depth:
    wider = _widen_transform(transform, factor)
    halves: tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]] = ([], [])
    empty = near = 0
    for sample in samples:
        whole = np.rint(sample.counts).astype(np.int64)
        first = random.binomial(whole, 0.5)
        weights = _widen_weights(sample.weights, factor)
        total = _widen_counts(whole, sample.weights, factor)
        is_near = _near_pixels(np.isfinite(weights), transform.diagonal_offset)
        empty += int((total[is_near] == 0).sum())
        near += int(is_near.sum())
        try:
            pair = [
                counts_to_targets.target(
                    _widen_counts(half, sample.weights, factor), weights, wider, clip=clip
                )
                for half in (first, whole - first)
            ]
        except counts_to_targets.Unusable:
            continue
        distances = triangle.distances(wider.map_bins, wider.diagonal_offset)
        measured = pair[0].mask & pair[1].mask
        for values, target in zip(halves, pair, strict=True):
            values.append(_without_distance(target.values, distances, measured))
    correlation = 0.0
    if halves[0]:
        deviations = [np.concatenate(values) for values in halves]
        spread = np.sqrt(np.prod([np.mean(values**2) for values in deviations]))
        covariance = np.mean(deviations[0] * deviations[1])
        correlation = float(covariance / spread) if spread > 0 else 0.0
    return Depth(wider.pool_width, correlation, empty / near if near else 1.0)


def _widen_transform(
    transform: counts_to_targets.Transform, factor: int
) -> counts_to_targets.Transform:
    """Returns the transform of bins `factor` times as wide, with means of the window."""
    width = transform.pool_width * factor
    bins = transform.window_bins // factor
    crop = min(transform.crop_bins // factor, (bins - transform.diagonal_offset - 1) // 2)
    return dataclasses.replace(
        transform,
        seq_length=bins * width,
        pool_width=width,
        crop=max(0, crop) * width,
        global_obsexp=False,
    )


def _widen_weights(weights: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Returns weights of wider bins, NaN where half of a bin is filtered. [N] -> [N / factor]."""
    groups = weights[: len(weights) // factor * factor].reshape(-1, factor)
    valid = np.isfinite(groups)
    biases = np.where(valid, 1 / np.where(valid, groups, 1.0), 0.0)
    enough = 2 * valid.sum(1) > factor
    means = biases.sum(1) / np.maximum(valid.sum(1), 1)
    return np.where(enough, 1 / np.where(enough, means, 1.0), np.nan)


def _widen_counts(
    counts: NDArray[Any], weights: NDArray[np.float64], factor: int
) -> NDArray[np.int64]:
    """Returns the counts of wider bins, without filtered bins. [N, N] -> [N / factor, N / factor].

    The pixels of one block on the diagonal are counted once: only the upper triangle is filled.
    """
    valid = np.isfinite(weights)
    bins = len(weights) // factor
    used = np.where(valid[:, None] & valid, counts, 0)[: bins * factor, : bins * factor]
    return np.asarray(used.reshape(bins, factor, bins, factor).sum((1, 3)), np.int64)


def _near_pixels(valid: NDArray[np.bool_], offset: int) -> NDArray[np.bool_]:
    """Returns True for measured pixels near the diagonal of the upper triangle. [N, N]."""
    positions = np.arange(len(valid))
    distance = positions - positions[:, None]
    near = (distance >= offset) & (distance < offset + max(1, len(valid) // _NEAR))
    return np.asarray(near & valid[:, None] & valid)


def _without_distance(
    values: NDArray[np.float64], distances: NDArray[np.int64], measured: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Returns measured pixels minus the mean of their distance. [P] -> [M]."""
    values, distances = values[measured], distances[measured]
    counts = np.bincount(distances)
    means = np.bincount(distances, values) / np.maximum(counts, 1)
    return np.asarray(values - means[distances], np.float64)
