"""Blocks of overlapping windows: one read of each cooler serves them all.

A block is a stretch of a chromosome a few windows long. Its counts are fetched once for every
cooler, its windows' targets computed, and both kept in one HDF5 file until records are written.
"""

import dataclasses
import functools
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from akita_bayes import files, regions
from akita_bayes.data import interval_sets
from akita_bayes.data.contacts import coolers, counts_to_targets, expectation
from akita_bayes.data.preparation import targets, training_windows

BLACKLIST_MARGIN = 20
_SPAN = 6  # windows' lengths in a block
_LARGEST = 128 << 20  # bytes of targets in a block


@dataclasses.dataclass(frozen=True)
class Sources:
    """What every block is computed from; the same for all blocks of a data set.

    Attributes:
        sizes: (chromosome, length) of the genome.
        targets: Coolers and their clips.
        transform: How contacts become targets.
        blacklist: BED file of stretches to filter, or None.
    """

    sizes: tuple[tuple[str, int], ...]
    targets: tuple[targets.TargetFile, ...]
    transform: counts_to_targets.Transform
    blacklist: str | None = None


class Block(NamedTuple):
    """A stretch of a chromosome and the windows within it."""

    region: regions.Region
    windows: tuple[training_windows.Window, ...]


def group(
    found: Sequence[training_windows.Window], transform: counts_to_targets.Transform, width: int
) -> list[Block]:
    """Groups windows into blocks of bounded length and memory.

    Args:
        found: Windows in any order.
        transform: For the sizes of windows and targets.
        width: Number of targets.
    """
    most = max(1, _LARGEST // (2 * transform.pixels * width))
    blocks: list[Block] = []
    members: list[training_windows.Window] = []

    def close() -> None:
        if members:
            first, last = members[0].region, members[-1].region
            blocks.append(Block(regions.Region(first.chrom, first.start, last.end), tuple(members)))
            members.clear()

    for window in sorted(found):
        if members:
            first = members[0].region
            far = window.region.end - first.start > _SPAN * transform.seq_length
            if window.region.chrom != first.chrom or far or len(members) == most:
                close()
        members.append(window)
    close()
    return blocks


def compute(block: Block, sources: Sources, path: Path) -> int:
    """Computes a block's targets into an HDF5 file and returns the number of its windows.

    Raises:
        DataError: A cooler is damaged, or lacks what `global_obsexp` needs.
        OSError: The disk is full.
    """
    transform = sources.transform
    shape = (len(block.windows), transform.pixels, len(sources.targets))
    values = np.zeros(shape, np.float16)
    masks = np.zeros(shape, bool)
    reasons: dict[int, tuple[str, str]] = {}
    for index, source in enumerate(sources.targets):
        opened = _open(source.uri, sources.sizes)
        counts = opened.counts(block.region)
        weights = opened.weights(block.region)
        if sources.blacklist is not None:
            stretches = _blacklist(sources.blacklist, sources.sizes)
            touched = stretches.bins(block.region, transform.pool_width)
            weights[touched] = np.nan
        expected = None
        if transform.global_obsexp:
            chrom = opened.names[block.region.chrom]
            expected = _expected(source.expected, chrom, transform)
        for row, window in enumerate(block.windows):
            if row in reasons:
                continue
            first = (window.region.start - block.region.start) // transform.pool_width
            kept = slice(first, first + transform.window_bins)
            try:
                found = counts_to_targets.target(
                    counts[kept, kept],
                    weights[kept],
                    transform,
                    clip=source.clip,
                    expected=expected,
                )
            except counts_to_targets.Unusable as unusable:
                reasons[row] = (unusable.reason, f"{source.identifier}: {unusable.detail}")
                continue
            values[row, :, index] = found.values
            masks[row, :, index] = found.mask
    usable = [row for row in range(len(block.windows)) if row not in reasons]
    image = io.BytesIO()  # HDF5 tells a full disk in too many ways
    with h5py.File(image, "w") as file:
        file["row"] = np.array(usable, np.int64)
        file["target"] = values[usable]
        file["mask"] = np.packbits(masks[usable].reshape(len(usable), shape[1] * shape[2]), axis=1)
        file.attrs["dropped"] = json.dumps(reasons)
    with files.atomic(path) as temporary:
        temporary.write_bytes(image.getbuffer())
    return len(block.windows)


def dropped(block: Block, path: Path) -> list[training_windows.Dropped]:
    """Windows of a computed block that could not be used."""
    with h5py.File(path) as file:
        reasons = json.loads(file.attrs["dropped"])
    return [
        training_windows.Dropped(block.windows[int(row)], *reason)
        for row, reason in reasons.items()
    ]


def row(
    block: Block, path: Path, window: training_windows.Window
) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Target and mask of one window of a computed block. [P, T], [P, T]."""
    with h5py.File(path) as file:
        index = int(np.flatnonzero(file["row"][:] == block.windows.index(window))[0])
        target = file["target"][index]
        bits = np.unpackbits(file["mask"][index], count=target.size)
        return target, bits.reshape(target.shape).astype(bool)


@functools.lru_cache(maxsize=64)
def _open(uri: str, sizes: tuple[tuple[str, int], ...]) -> coolers.Contacts:
    return coolers.Contacts(uri, dict(sizes))


@functools.lru_cache(maxsize=4)
def _blacklist(path: str, sizes: tuple[tuple[str, int], ...]) -> interval_sets.Intervals:
    return interval_sets.Intervals.read(path, dict(sizes), margin=BLACKLIST_MARGIN)


@functools.lru_cache(maxsize=64)
def _expected(path: str, chrom: str, transform: counts_to_targets.Transform) -> NDArray[np.float64]:
    return expectation.read(
        path,
        chrom,
        bins=transform.window_bins,
        offset=transform.diagonal_offset,
        width=transform.pool_width,
    )
