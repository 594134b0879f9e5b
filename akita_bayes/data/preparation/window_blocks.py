"""Groups overlapping windows into blocks, each computed from one read of every cooler.

A block is a stretch of a chromosome a few windows long. Its counts are read once from every cooler.
The targets and masks of its windows are stored in one HDF5 file until records are written.
"""

import dataclasses
import functools
import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from akita_bayes import files, regions
from akita_bayes.data import assembly, interval_sets, noise_table
from akita_bayes.data.contacts import (
    contact_file,
    contact_formats,
    counts_to_targets,
    expectation,
    window_noise,
)
from akita_bayes.data.preparation import targets as target_table
from akita_bayes.data.preparation import training_windows

BLACKLIST_MARGIN = 20
_SPAN = 6  # length of a block, in lengths of a window
_LARGEST = 128 << 20  # bytes of targets in a block


@dataclasses.dataclass(frozen=True)
class Sources:
    """Describes the inputs of a data set, the same for all of its blocks.

    Attributes:
        genome: The genome.
        targets: Files of contacts, their weights and their clips.
        transform: How contacts become targets.
        blacklist: BED file of intervals whose bins are filtered; None for none.
        folder: Folder in which processes share weights that were computed; None without one.
        noise_windows: Windows from which the noise of the targets is estimated.
    """

    genome: assembly.Assembly
    targets: tuple[target_table.TargetFile, ...]
    transform: counts_to_targets.Transform
    blacklist: str | None = None
    folder: Path | None = None
    noise_windows: frozenset[training_windows.Window] = frozenset()

    def contacts(self, target: target_table.TargetFile) -> contact_file.ContactFile:
        """Opens the contacts of a target."""
        return contact_formats.open_contacts(target.source, self.genome, folder=self.folder)

    def replicates(self, target: target_table.TargetFile) -> list[contact_file.ContactFile]:
        """Opens the contacts of the replicates of a target, whose weights are not used."""
        return [
            _open(contact_file.Source(uri, contact_file.RAW), self.genome, self.folder)
            for uri in target.replicates
        ]

    def blacklisted(self) -> interval_sets.Intervals:
        """Returns the intervals whose bins are filtered."""
        return _blacklist(self.blacklist, self.genome)


class Block(NamedTuple):
    """Describes a stretch of a chromosome and the windows within it."""

    region: regions.Region
    windows: tuple[training_windows.Window, ...]


def group(
    windows: Sequence[training_windows.Window],
    transform: counts_to_targets.Transform,
    num_targets: int,
    *,
    periods: Mapping[str, int] | None = None,
) -> list[Block]:
    """Groups windows into blocks of bounded length and memory.

    Args:
        windows: Windows in any order.
        transform: How contacts become targets; gives the sizes of windows and targets.
        num_targets: Number of targets.
        periods: Bases around each circular chromosome; a block goes around at most once.
    """
    periods = periods or {}
    largest_count = max(1, _LARGEST // (2 * transform.pixels * num_targets))
    blocks: list[Block] = []
    members: list[training_windows.Window] = []

    def close() -> None:
        if members:
            chrom, start, _ = members[0].region
            end = max(window.region.end for window in members)
            blocks.append(Block(regions.Region(chrom, start, end), tuple(members)))
            members.clear()

    for window in sorted(windows):
        if members:
            first = members[0].region
            longest = min(_SPAN * transform.seq_length, periods.get(first.chrom, math.inf))
            too_long = window.region.end - first.start > longest
            if window.region.chrom != first.chrom or too_long or len(members) == largest_count:
                close()
        members.append(window)
    close()
    return blocks


def compute(block: Block, sources: Sources, path: Path) -> int:
    """Computes a block's targets into an HDF5 file and returns the number of its windows.

    Raises:
        DataError: A cooler is damaged, or its table of expected contacts cannot be used.
        OSError: The disk is full.
    """
    transform = sources.transform
    shape = (len(block.windows), transform.pixels, len(sources.targets))
    values = np.zeros(shape, np.float16)
    masks = np.zeros(shape, bool)
    reasons: dict[int, tuple[str, str]] = {}
    noise_rows = [i for i, window in enumerate(block.windows) if window in sources.noise_windows]
    squares = np.full((len(noise_rows), *shape[1:]), np.nan)
    for index, source in enumerate(sources.targets):
        contacts = _open(source.source, sources.genome, sources.folder)
        counts = contacts.counts(block.region)
        weights = contacts.weights(block.region)
        period = sources.genome.periods(transform.pool_width).get(block.region.chrom)
        filtered = sources.blacklisted().bins(block.region, transform.pool_width, period=period)
        weights[filtered] = np.nan
        replicates = []
        if noise_rows:
            replicates = [file.counts(block.region) for file in sources.replicates(source)]
        expected = None
        if transform.global_obsexp:
            chrom = contacts.names[block.region.chrom]
            expected = _expected(source.expected, chrom, transform)
        for row, window in enumerate(block.windows):
            if row in reasons:
                continue
            first_bin = (window.region.start - block.region.start) // transform.pool_width
            bins = slice(first_bin, first_bin + transform.window_bins)
            try:
                target = counts_to_targets.target(
                    counts[bins, bins],
                    weights[bins],
                    transform,
                    clip=source.clip,
                    expected=expected,
                )
            except counts_to_targets.Unusable as unusable:
                reasons[row] = (unusable.reason, f"{source.identifier}: {unusable.detail}")
                continue
            values[row, :, index] = target.values
            masks[row, :, index] = target.mask
            if row in noise_rows:
                squares[noise_rows.index(row), :, index] = window_noise.squares(
                    counts[bins, bins],
                    [replicate[bins, bins] for replicate in replicates],
                    weights[bins],
                    transform,
                    window.region,
                    clip=source.clip,
                    expected=expected,
                )
    noise = noise_table.NoiseSums(shape[2], transform.map_bins, transform.diagonal_offset)
    for row, window_squares in zip(noise_rows, squares, strict=True):
        noise.add(window_squares, values[row], masks[row])
    usable = [row for row in range(len(block.windows)) if row not in reasons]
    image = io.BytesIO()  # HDF5 reports a full disk by many kinds of errors
    with h5py.File(image, "w") as file:
        file["row"] = np.array(usable, np.int64)
        file["target"] = values[usable]
        file["mask"] = np.packbits(masks[usable].reshape(len(usable), shape[1] * shape[2]), axis=1)
        if noise_rows:
            file["noise"] = noise.sums
        file.attrs["dropped"] = json.dumps(reasons)
    with files.atomic(path) as temporary:
        temporary.write_bytes(image.getbuffer())
    return len(block.windows)


def dropped(block: Block, path: Path) -> list[training_windows.Dropped]:
    """Returns the windows of a computed block that could not be used, with their reasons."""
    with h5py.File(path) as file:
        reasons = json.loads(file.attrs["dropped"])
    return [
        training_windows.Dropped(block.windows[int(row)], *reason)
        for row, reason in reasons.items()
    ]


def noise(path: Path) -> NDArray[np.float64] | None:
    """Returns the sums of the noise of a computed block; None without a sampled window."""
    with h5py.File(path) as file:
        return np.asarray(file["noise"]) if "noise" in file else None


def row(
    block: Block, path: Path, window: training_windows.Window
) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
    """Returns target and mask of one window of a computed block. [P, T], [P, T]."""
    with h5py.File(path) as file:
        index = int(np.flatnonzero(file["row"][:] == block.windows.index(window))[0])
        target = file["target"][index]
        bits = np.unpackbits(file["mask"][index], count=target.size)
        return target, bits.reshape(target.shape).astype(bool)


@functools.lru_cache(maxsize=64)
def _open(
    source: contact_file.Source, genome: assembly.Assembly, folder: Path | None
) -> contact_file.ContactFile:
    return contact_formats.open_contacts(source, genome, folder=folder)


@functools.lru_cache(maxsize=4)
def _blacklist(path: str | None, genome: assembly.Assembly) -> interval_sets.Intervals:
    if path is None:
        return interval_sets.Intervals()
    return interval_sets.Intervals.read(path, genome, margin=BLACKLIST_MARGIN)


@functools.lru_cache(maxsize=64)
def _expected(path: str, chrom: str, transform: counts_to_targets.Transform) -> NDArray[np.float64]:
    return expectation.read(
        path,
        chrom,
        bins=transform.window_bins,
        offset=transform.diagonal_offset,
        width=transform.pool_width,
    )
