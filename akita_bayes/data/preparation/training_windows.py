"""Lays, reads and filters windows: the regions of the training examples and their splits."""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from akita_bayes import errors, files, regions
from akita_bayes.data import assembly, interval_sets
from akita_bayes.data.preparation import splits
from akita_bayes.data.records import statistics
from akita_bayes.files import safe_names

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
        stride: float = getattr(self, name)
        if not stride > 0:
            raise errors.DataError(f"{name} {stride:g}: expected a share of a window, or bases.")
        if stride <= 1:
            return max(self.snap, round(stride * self.seq_length / self.snap) * self.snap)
        if stride % self.snap:
            raise errors.DataError(f"{name} {stride:g} is not a multiple of snap {self.snap}.")
        return int(stride)


def contigs(
    sizes: Mapping[str, int], layout: Layout, *, periods: Mapping[str, int] | None = None
) -> splits.Contigs:
    """Returns the contigs of each split: the genome without gaps, within the limit.

    Contigs of different splits lie at least one window apart.

    Args:
        sizes: Chromosome lengths of the genome.
        layout: How windows are laid.
        periods: Bases of whole bins around each circular chromosome. A contig of one may end behind
            the origin; then `regions.Region.end` is above the chromosome's length.

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
    stretches = splits.break_large(
        _around(allowed, sizes, layout, periods or {}), layout.largest_contig, layout.seq_length
    )
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
    return splits.separate(contigs_of, layout.seq_length, periods=periods)


def _around(
    allowed: interval_sets.Intervals,
    sizes: Mapping[str, int],
    layout: Layout,
    periods: Mapping[str, int],
) -> list[regions.Region]:
    """Returns allowed stretches, those of circular chromosomes joined across the origin."""
    stretches = allowed.members()
    for chrom, period in periods.items():
        own = [region for region in stretches if region.chrom == chrom]
        if not own:
            continue
        first, last = min(own), max(own)
        if first.start > 0 or last.end < sizes[chrom]:
            continue
        stretches = [region for region in stretches if region not in (first, last)]
        if first == last:
            # A whole circle is cut opposite of its origin, where held-out contigs are cut off.
            start = period // 2 // layout.snap * layout.snap
            stretches.append(regions.Region(chrom, start, start + period))
        else:
            stretches.append(regions.Region(chrom, last.start, period + first.end))
    return stretches


def contig_windows(contigs: splits.Contigs, periods: Mapping[str, int]) -> list[Window]:
    """Returns every contig with its split, as rows of `contigs.bed`."""
    return [
        Window(around_origin(region, periods), split)
        for split, intervals in contigs.items()
        for region in intervals.members()
    ]


def around_origin(region: regions.Region, periods: Mapping[str, int]) -> regions.Region:
    """Returns a region that begins on its chromosome; behind the origin of a circle it starts at 0.

    On a circle of 100 bases, 120-150 becomes 20-50, and 80-120 stays.
    """
    period = periods.get(region.chrom)
    if period is None or region.start < period:
        return region
    return region._replace(start=region.start - period, end=region.end - period)


def lay(
    contigs: splits.Contigs, layout: Layout, *, periods: Mapping[str, int] | None = None
) -> list[Window]:
    """Returns the windows of every split, by position; a random share of them if `sample` < 1.

    Args:
        contigs: Contigs of each split.
        layout: How windows are laid.
        periods: As `contigs` takes it. A window across the origin ends above the length of its
            chromosome.
    """
    random = np.random.default_rng([layout.seed, 1])
    windows: list[Window] = []
    for split, intervals in contigs.items():
        stride = layout.stride(split)
        split_windows = [
            Window(
                around_origin(
                    regions.Region(contig.chrom, start, start + layout.seq_length), periods or {}
                ),
                split,
            )
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


def read_windows(
    path: str | Path,
    genome: assembly.Assembly,
    *,
    periods: Mapping[str, int] | None = None,
) -> list[Window]:
    """Reads windows from a BED file; the fourth column is the split, `train` when absent.

    Args:
        path: The file.
        genome: The genome, whose chromosome names replace those in the file.
        periods: Bases around each circular chromosome.

    Raises:
        DataError: The file has no window, windows of different lengths, a repeated window,
            overlapping windows of different splits, or windows of another genome.
    """
    windows = [
        Window(region, fields[0] if fields else "train") for region, fields in genome.read_bed(path)
    ]
    if not windows:
        raise errors.DataError(f"{path}: holds no window; add at least one line.")
    for window in windows:
        problem = safe_names.fault(window.split)
        if not problem and statistics.is_pattern(window.split):
            problem = f'"{window.split}" reads as a pattern of files; choose another name.'
        if problem:
            raise errors.DataError(f"{path}: the split {problem}")
        if window.region.width != windows[0].region.width:
            raise errors.DataError(
                f"{path}: {window.region} has {window.region.width:,} bases, but the first "
                f"window has {windows[0].region.width:,}; all must be equally long."
            )
    close = overlap(windows, margin=0, periods=periods)
    if close is not None:
        first, second = close
        raise errors.DataError(
            f"{path}: {first.region} of {first.split} overlaps {second.region} of {second.split}; "
            "move one, since a test on training sequence overstates the accuracy."
        )
    if len({window.region for window in windows}) < len(windows):
        raise errors.DataError(f"{path}: a window is listed twice; remove one of the two lines.")
    if overlap(windows, margin=windows[0].region.width, periods=periods) is not None:
        _log.warning(
            "%s: windows of different splits are closer than the length of a window, so a test may "
            "overstate the accuracy; move some of them.",
            path,
        )
    return windows


def overlap(
    windows: Sequence[Window], *, margin: int, periods: Mapping[str, int] | None = None
) -> tuple[Window, Window] | None:
    """Returns two windows of different splits that lie less than `margin` bases apart, or None.

    With a margin of 0 they share a base. On a circular chromosome, whose bases `periods` gives,
    the last and the first window are neighbours.
    """
    last_of: dict[str, tuple[int, Window]] = {}
    chrom = ""
    placed = [(window.region, window) for window in windows]
    # On a circle of 100 bases, 5-15 is placed at 105-115 too, beside 90-110.
    placed += [
        (region._replace(start=region.start + period, end=region.end + period), window)
        for region, window in placed
        if (period := (periods or {}).get(region.chrom)) is not None
    ]
    for region, window in sorted(placed, key=lambda pair: pair[0]):
        if region.chrom != chrom:
            last_of, chrom = {}, region.chrom
        for split, (end, left) in last_of.items():
            if split != window.split and region.start < end + margin:
                return left, window
        last_of[window.split] = region.end, window
    return None


def unmappable(
    windows: list[Window],
    intervals: interval_sets.Intervals,
    *,
    width: int,
    threshold: float = 0.3,
    midpoints: bool = False,
    periods: Mapping[str, int] | None = None,
) -> tuple[list[Window], list[Dropped]]:
    """Drops windows with too many unmappable bins, or with an unmappable central bin.

    Args:
        windows: Windows to filter.
        intervals: Unmappable intervals.
        width: Bases per bin.
        threshold: Smallest share of unmappable bins that drops a window.
        midpoints: True to test the two central bins instead.
        periods: Bases around each circular chromosome.

    Returns:
        Usable windows, and the dropped ones with their reason.
    """
    usable: list[Window] = []
    dropped: list[Dropped] = []
    for window in windows:
        period = (periods or {}).get(window.region.chrom)
        bins = intervals.bins(window.region, width, period=period)
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
