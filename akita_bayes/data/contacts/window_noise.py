"""Estimates the noise of the targets of a data directory from the counts of some of its windows.

The counts of a map are dealt to random parts. Where a target names replicates, what differs between
them beyond these parts is added; `measurement_noise` has the formulas.
"""

import logging
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, regions
from akita_bayes.data import noise_table
from akita_bayes.data.contacts import counts_to_targets, measurement_noise

WINDOWS = 128
"""Windows whose counts are dealt to parts; each takes the time of four targets."""

_MOST_DIFFERENT = 0.02
"""Largest share by which the contacts of replicates together may differ from those of the map."""

_log = logging.getLogger(__name__)

_Window = TypeVar("_Window")


def sample(windows: Sequence[_Window], seed: int) -> frozenset[_Window]:
    """Draws the windows from which the noise is estimated; all of a few."""
    generator = np.random.default_rng([seed, 4])
    numbers = generator.choice(len(windows), min(WINDOWS, len(windows)), replace=False)
    return frozenset(windows[index] for index in numbers)


def squares(
    counts: NDArray[Any],
    replicates: Sequence[NDArray[Any]],
    weights: NDArray[np.float64],
    transform: counts_to_targets.Transform,
    region: regions.Region,
    *,
    clip: float | None = None,
    expected: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Returns squares whose expectation is the noise variance of the target of a window. [P].

    They are NaN where the noise is unknown: in pixels that a part does not measure, and in all
    pixels of a map whose counts are not whole numbers.

    Args:
        counts: Raw counts of the map, zeros below the diagonal. [N, N].
        replicates: Raw counts of its replicates; empty without. [R] of [N, N].
        weights: Weights of the map. [N].
        transform: How contacts become targets.
        region: The window; it determines the random parts.
        clip: As in `counts_to_targets.target`.
        expected: As in `counts_to_targets.target`.

    Raises:
        DataError: The replicates together do not have the contacts of the map.
    """
    stored = (counts, *replicates)
    maps = [np.rint(values).astype(np.int64) for values in stored]
    _check_sum(maps, region)
    unknown = np.full(transform.pixels, np.nan)
    if any(np.any(whole != values) for whole, values in zip(maps, stored, strict=True)):
        return unknown
    generator = np.random.default_rng([region.start, zlib.crc32(region.chrom.encode())])
    limits: dict[str, Any] = {"clip": clip, "expected": expected}
    try:
        if replicates:
            return measurement_noise.of_replicate_counts(
                maps[1:], weights, transform, generator, **limits
            )
        return measurement_noise.of_counts(maps[0], weights, transform, generator, **limits)
    except counts_to_targets.Unusable:
        return unknown


def write(
    data_dir: Path,
    sums: Iterable[NDArray[np.float64] | None],
    replicates: Sequence[int],
    transform: counts_to_targets.Transform,
) -> None:
    """Writes `noise.tsv` of a data directory, unless the noise of a target is unknown.

    Args:
        data_dir: Data directory.
        sums: `NoiseSums.sums` of each block of windows; None for a block without sampled windows.
        replicates: Number of replicates of each target; 0 for a target without. [T].
        transform: How contacts become targets.
    """
    total = noise_table.NoiseSums(len(replicates), transform.map_bins, transform.diagonal_offset)
    for block in sums:
        if block is not None:
            total.merge(block)
    if (total.sums[0].sum(1) == 0).any():
        _log.info(
            "%s: %s is not written, since the counts of a target are not whole numbers or are too "
            "few to be divided into parts.",
            data_dir,
            noise_table.FILE_NAME,
        )
        return
    noise_table.write(data_dir, total.table(_method(replicates)))


def _method(replicates: Sequence[int]) -> str:
    """Returns in words how the noise was estimated."""
    parts = f"{measurement_noise.PARTS} random parts of the counts"
    texts = [f"{count} replicates and {parts}" if count else parts for count in replicates]
    if len(set(texts)) == 1:
        return texts[0]
    return "; ".join(f"target {target}: {text}" for target, text in enumerate(texts))


def _check_sum(maps: Sequence[NDArray[np.int64]], region: regions.Region) -> None:
    if len(maps) == 1:
        return
    whole, parts = int(maps[0].sum()), sum(int(part.sum()) for part in maps[1:])
    if abs(parts - whole) > _MOST_DIFFERENT * max(whole, 1):
        raise errors.DataError(
            f"replicates: together they have {parts:,} contacts in {region}, but the file of the "
            f"target has {whole:,}; give the file that sums up the replicates."
        )
