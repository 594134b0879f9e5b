"""Lays, reads and filters windows: the regions of the training examples and their splits."""

import dataclasses
import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from akita_bayes import errors, files, regions
from akita_bayes.data import interval_sets
from akita_bayes.data.preparation import splits

_log = logging.getLogger(__name__)


class Window(NamedTuple):
    """Holds the region and the split of one example."""

    region: regions.Region
    split: str


class Dropped(NamedTuple):
    """Describes a dropped window.

    Attributes:
        window: The window.
        reason: A phrase shared by all windows dropped for this reason.
        detail: The numbers of this window.
    """

    window: Window
    reason: str
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Layout:
    """Describes how windows are laid over a genome; lengths are in bases.

    Attributes:
        seq_length: Length of a window.
        snap: Number of bases; windows start at its multiples.
        stride_train: Step between windows of `train` and of folds: a fraction of `seq_length` up
            to 1, bases above 1.
        stride_test: The same step for `valid` and `test`.
        valid: Share of bases, or names of chromosomes, of split `valid`.
        test: The same for split `test`.
        folds: Number of equal folds, instead of `train`, `valid` and `test`.
        largest_contig: Longest contig; longer ones are halved.
        gaps: Intervals without sequence.
        limit: Intervals in which windows lie; None for the whole genome.
        sample: Share of windows that are sampled at random within each split.
        seed: Seed of all random numbers.
    """

    seq_length: int
    snap: int
    stride_train: float = 1.0
    stride_test: float = 1.0
    valid: float | Sequence[str] = 0.05
    test: float | Sequence[str] = 0.05
    folds: int | None = None
    largest_contig: int = 8_388_608
    gaps: interval_sets.Intervals = dataclasses.field(default_factory=interval_sets.Intervals)
    limit: interval_sets.Intervals | None = None
    sample: float = 1.0
    seed: int = 44

    def stride(self, split: str) -> int:
        """Returns the number of bases between the starts of two windows of a split.

        Raises:
            DataError: The stride is not positive, or is not a multiple of `snap`.
        """
        name = "stride_test" if split in ("valid", "test") else "stride_train"
        stride = getattr(self, name)
        if not stride > 0:
            raise errors.DataError(f"{name} {stride:g}: expected a share of a window, or bases.")
        if stride <= 1:
            return max(self.snap, round(stride * self.seq_length / self.snap) * self.snap)
        if stride % self.snap:
            raise errors.DataError(f"{name} {stride:g} is not a multiple of snap {self.snap}.")
        return int(stride)


def contigs(sizes: Mapping[str, int], layout: Layout) -> splits.Contigs:
    """Returns the contigs of each split: the genome without gaps, within the limit.

    Contigs of different splits lie at least one window apart.

    Raises:
        DataError: The layout contradicts itself, or no contig is as long as a window.
    """
    if layout.seq_length % layout.snap:
        raise errors.DataError(
            f"seq_length {layout.seq_length} is not a multiple of snap {layout.snap}."
        )
    allowed = interval_sets.Intervals.whole(sizes).minus(layout.gaps)
    if layout.limit is not None:
        allowed = allowed.common(layout.limit)
    stretches = splits.break_large(allowed.members(), layout.largest_contig, layout.seq_length)
    used_chroms = {region.chrom for region in stretches}
    for chrom, size in sizes.items():
        if chrom not in used_chroms:
            _log.info(
                "%s (%s bases) has no stretch as long as one window; it is not used.",
                chrom,
                f"{size:,}",
            )
    if not stretches:
        raise errors.DataError(
            f"no stretch of the genome is as long as one window of {layout.seq_length:,}; "
            "shorten seq_length, or widen --limit."
        )
    if layout.folds is not None:
        contigs_of = splits.by_fold(stretches, layout.folds, seed=layout.seed)
    elif isinstance(layout.valid, float | int) and isinstance(layout.test, float | int):
        shares = {
            "train": 1 - layout.valid - layout.test,
            "valid": float(layout.valid),
            "test": float(layout.test),
        }
        if min(shares.values()) < 0:
            raise errors.DataError(
                f"valid {layout.valid:g} and test {layout.test:g} leave nothing to train on; give "
                "shares that sum to less than 1."
            )
        contigs_of = splits.by_share(stretches, shares, window=layout.seq_length, seed=layout.seed)
    elif isinstance(layout.valid, float | int) or isinstance(layout.test, float | int):
        raise errors.DataError(
            "valid and test must both be shares or both be lists of chromosomes."
        )
    else:
        held_out = {"valid": layout.valid, "test": layout.test}
        contigs_of = splits.by_chromosome(stretches, held_out, genome=sizes)
    return splits.separate(contigs_of, layout.seq_length)


def lay(contigs: splits.Contigs, layout: Layout) -> list[Window]:
    """Returns the windows of every split, by position; a random share of them if `sample` < 1."""
    random = np.random.default_rng([layout.seed, 1])
    windows: list[Window] = []
    for split, intervals in contigs.items():
        stride = layout.stride(split)
        split_windows = [
            Window(regions.Region(contig.chrom, start, start + layout.seq_length), split)
            for contig in intervals.members()
            # The first start is rounded up to the grid: 150 becomes 200 when `snap` is 100.
            for start in range(
                -(-contig.start // layout.snap) * layout.snap,
                contig.end - layout.seq_length + 1,
                stride,
            )
        ]
        if layout.sample < 1 and split_windows:
            count = max(1, round(layout.sample * len(split_windows)))
            sampled = random.choice(len(split_windows), count, replace=False)
            split_windows = [split_windows[index] for index in sorted(sampled)]
        windows += split_windows
    return windows


def read_windows(path: str | Path, names: Collection[str]) -> list[Window]:
    """Reads windows from a BED file; the fourth column is the split, `train` when absent.

    Args:
        path: The file.
        names: Chromosome names of the genome, which replace the names in the file.

    Raises:
        DataError: The file has no window, windows of different lengths, a repeated window,
            overlapping windows of different splits, or windows of another genome.
    """
    windows = [
        Window(region, fields[0] if fields else "train")
        for region, fields in regions.read_bed(path, names=names)
    ]
    if not windows:
        raise errors.DataError(f"{path}: holds no window; add at least one line.")
    for window in windows:
        if window.region.width != windows[0].region.width:
            raise errors.DataError(
                f"{path}: {window.region} has {window.region.width:,} bases, but the first "
                f"window has {windows[0].region.width:,}; all must be equally long."
            )
    close = overlap(windows, margin=0)
    if close is not None:
        first, second = close
        raise errors.DataError(
            f"{path}: {first.region} of {first.split} overlaps {second.region} of {second.split}; "
            "move one, since a test on training sequence overstates the accuracy."
        )
    if len({window.region for window in windows}) < len(windows):
        raise errors.DataError(f"{path}: a window is listed twice; remove one of the two lines.")
    if overlap(windows, margin=windows[0].region.width) is not None:
        _log.warning(
            "%s: windows of different splits lie within one window's length of each other.", path
        )
    return windows


def overlap(windows: Sequence[Window], *, margin: int) -> tuple[Window, Window] | None:
    """Returns two windows of different splits that lie less than `margin` bases apart, or None.

    With a margin of 0 they share a base.
    """
    last_of: dict[str, Window] = {}
    chrom = ""
    for window in sorted(windows, key=lambda window: window.region):
        if window.region.chrom != chrom:
            last_of, chrom = {}, window.region.chrom
        for split, left in last_of.items():
            if split != window.split and window.region.start < left.region.end + margin:
                return left, window
        last_of[window.split] = window
    return None


def unmappable(
    windows: list[Window],
    intervals: interval_sets.Intervals,
    *,
    width: int,
    threshold: float = 0.3,
    midpoints: bool = False,
) -> tuple[list[Window], list[Dropped]]:
    """Drops windows with too many unmappable bins, or with an unmappable central bin.

    Args:
        windows: Windows to filter.
        intervals: Unmappable intervals.
        width: Bases per bin.
        threshold: Smallest share of unmappable bins that drops a window.
        midpoints: True to test the two central bins instead.

    Returns:
        Usable windows, and the dropped ones with their reason.
    """
    usable: list[Window] = []
    dropped: list[Dropped] = []
    for window in windows:
        bins = intervals.bins(window.region, width)
        middle = len(bins) // 2
        if midpoints and bins[middle - 1 : middle + 1].any():
            dropped.append(Dropped(window, "unmappable midpoint"))
        elif not midpoints and bins.mean() >= threshold:
            dropped.append(Dropped(window, "unmappable", f"{bins.mean():.0%} of bins"))
        else:
            usable.append(window)
    return usable, dropped


def write_bed(path: str | Path, windows: Sequence[Window]) -> None:
    """Writes chrom, start, end and split, atomically."""
    with files.atomic(path) as temporary:
        temporary.write_text(
            "".join(
                f"{region.chrom}\t{region.start}\t{region.end}\t{split}\n"
                for region, split in windows
            ),
            encoding="utf-8",
        )
