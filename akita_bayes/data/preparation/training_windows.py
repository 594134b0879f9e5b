"""Windows: where the training examples lie, and in which split."""

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
    """One example's place and split."""

    region: regions.Region
    split: str


class Dropped(NamedTuple):
    """A window left out: why, in words shared by all such windows, and this one's numbers."""

    window: Window
    reason: str
    detail: str = ""


@dataclasses.dataclass(frozen=True)
class Layout:
    """How windows are laid over a genome; lengths in bases.

    Attributes:
        seq_length: Length of a window.
        snap: Windows start at multiples of this.
        stride_train: Step between windows of `train` and of folds; up to 1 a fraction of
            `seq_length`, above 1 bases.
        stride_test: The same for `valid` and `test`.
        valid: Share of bases, or chromosomes, of split `valid`.
        test: The same of `test`.
        folds: Number of equal folds, instead of `train`, `valid` and `test`.
        largest_contig: Longer contigs are halved.
        gaps: Stretches without sequence.
        limit: Only these stretches; None for all.
        sample: Share of windows kept, drawn at random within each split.
        seed: Of every random draw.
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
        """Bases between windows of a split.

        Raises:
            DataError: The stride is not positive, or no multiple of `snap`.
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
    """Contigs of each split: the genome less gaps, within the limit, dealt and separated.

    Raises:
        DataError: The layout contradicts itself, or no contig is as long as a window.
    """
    if layout.seq_length % layout.snap:
        raise errors.DataError(
            f"seq_length {layout.seq_length} is not a multiple of snap {layout.snap}."
        )
    whole = interval_sets.Intervals.whole(sizes).minus(layout.gaps)
    if layout.limit is not None:
        whole = whole.common(layout.limit)
    pieces = splits.break_large(whole.members(), layout.largest_contig, layout.seq_length)
    used = {region.chrom for region in pieces}
    for chrom, size in sizes.items():
        if chrom not in used:
            _log.info(
                "%s (%s bases) has no stretch as long as one window; left out.", chrom, f"{size:,}"
            )
    if not pieces:
        raise errors.DataError(
            f"no stretch of the genome is as long as one window of {layout.seq_length:,}; "
            "shorten seq_length, or widen --limit."
        )
    if layout.folds is not None:
        dealt = splits.by_fold(pieces, layout.folds, seed=layout.seed)
    elif isinstance(layout.valid, float | int) and isinstance(layout.test, float | int):
        shares = {
            "train": 1 - layout.valid - layout.test,
            "valid": float(layout.valid),
            "test": float(layout.test),
        }
        if min(shares.values()) < 0:
            raise errors.DataError(
                f"valid {layout.valid:g} and test {layout.test:g} leave nothing to train on."
            )
        dealt = splits.by_share(pieces, shares, window=layout.seq_length, seed=layout.seed)
    elif isinstance(layout.valid, float | int) or isinstance(layout.test, float | int):
        raise errors.DataError(
            "valid and test must both be shares or both be lists of chromosomes."
        )
    else:
        held_out = {"valid": layout.valid, "test": layout.test}
        dealt = splits.by_chromosome(pieces, held_out, genome=sizes)
    return splits.separate(dealt, layout.seq_length)


def lay(found: splits.Contigs, layout: Layout) -> list[Window]:
    """Windows of every split, in order of position; a sample of them when asked for one."""
    random = np.random.default_rng([layout.seed, 1])
    laid: list[Window] = []
    for split, stretches in found.items():
        stride = layout.stride(split)
        starts = [
            Window(regions.Region(contig.chrom, start, start + layout.seq_length), split)
            for contig in stretches.members()
            for start in range(
                -(-contig.start // layout.snap) * layout.snap,
                contig.end - layout.seq_length + 1,
                stride,
            )
        ]
        if layout.sample < 1 and starts:
            count = max(1, round(layout.sample * len(starts)))
            chosen = random.choice(len(starts), count, replace=False)
            starts = [starts[index] for index in sorted(chosen)]
        laid += starts
    return laid


def read_windows(path: str | Path, names: Collection[str]) -> list[Window]:
    """Reads windows from a BED file; the fourth column is the split, `train` when absent.

    Args:
        path: The file.
        names: Chromosomes of the genome, which are given its names.

    Raises:
        DataError: No window, windows of two lengths, the same window twice, windows of two splits
            that overlap, or windows of another genome.
    """
    found = [
        Window(region, fields[0] if fields else "train")
        for region, fields in regions.read_bed(path, names=names)
    ]
    if not found:
        raise errors.DataError(f"{path}: holds no window.")
    for window in found:
        if window.region.width != found[0].region.width:
            raise errors.DataError(
                f"{path}: {window.region} has {window.region.width:,} bases, the first window "
                f"{found[0].region.width:,}; all must be equally long."
            )
    close = overlap(found, margin=0)
    if close is not None:
        one, other = close
        raise errors.DataError(
            f"{path}: {one.region} of {one.split} overlaps {other.region} of {other.split}; "
            "a model tested on what it was trained on looks better than it is."
        )
    if len({window.region for window in found}) < len(found):
        raise errors.DataError(f"{path}: a window is listed twice.")
    if overlap(found, margin=found[0].region.width) is not None:
        _log.warning(
            "%s: windows of different splits lie within one window's length of each other.", path
        )
    return found


def overlap(found: Sequence[Window], *, margin: int) -> tuple[Window, Window] | None:
    """Two windows of different splits that share a base or lie less than `margin` apart."""
    last: dict[str, Window] = {}
    previous = ""
    for window in sorted(found, key=lambda window: window.region):
        if window.region.chrom != previous:
            last, previous = {}, window.region.chrom
        for split, other in last.items():
            if split != window.split and window.region.start < other.region.end + margin:
                return other, window
        last[window.split] = window
    return None


def unmappable(
    found: list[Window],
    stretches: interval_sets.Intervals,
    *,
    width: int,
    threshold: float = 0.3,
    midpoints: bool = False,
) -> tuple[list[Window], list[Dropped]]:
    """Drops windows with too many unmappable bins, or whose two central bins are unmappable.

    Args:
        found: Windows.
        stretches: Unmappable intervals.
        width: Bases per bin.
        threshold: Least share of unmappable bins that drops a window.
        midpoints: Look at the two central bins instead.
    """
    kept: list[Window] = []
    dropped: list[Dropped] = []
    for window in found:
        bins = stretches.bins(window.region, width)
        middle = len(bins) // 2
        if midpoints and bins[middle - 1 : middle + 1].any():
            dropped.append(Dropped(window, "unmappable midpoint"))
        elif not midpoints and bins.mean() >= threshold:
            dropped.append(Dropped(window, "unmappable", f"{bins.mean():.0%} of bins"))
        else:
            kept.append(window)
    return kept, dropped


def write_bed(path: str | Path, found: Sequence[Window]) -> None:
    """Writes chrom, start, end and split, atomically."""
    with files.atomic(path) as temporary:
        temporary.write_text(
            "".join(
                f"{region.chrom}\t{region.start}\t{region.end}\t{split}\n"
                for region, split in found
            ),
            encoding="utf-8",
        )
