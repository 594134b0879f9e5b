"""Sets of genomic intervals: blacklists, gaps, limits and unmappable stretches."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from akita_bayes import regions
from akita_bayes.data import assembly


class Intervals:
    """Holds merged, sorted intervals of each chromosome.

    Args:
        members: Regions in any order; touching and overlapping ones are merged.
    """

    def __init__(self, members: Iterable[regions.Region] = ()) -> None:
        by_chrom: dict[str, list[tuple[int, int]]] = {}
        for region in members:
            by_chrom.setdefault(region.chrom, []).append((region.start, region.end))
        self._merged = {chrom: _merge(intervals) for chrom, intervals in by_chrom.items()}

    @classmethod
    def read(cls, path: str | Path, genome: assembly.Assembly, *, margin: int = 0) -> "Intervals":
        """Reads a BED file, each interval widened by `margin` bases on both sides.

        Args:
            path: The file.
            genome: The genome, whose chromosome names replace those in the file.
            margin: Bases added on both sides.

        Raises:
            DataError: The file is missing, is not a BED file, or is of another genome.
        """
        return cls(
            regions.Region(region.chrom, max(0, region.start - margin), region.end + margin)
            for region, _ in genome.read_bed(path)
        )

    @classmethod
    def whole(cls, sizes: Mapping[str, int]) -> "Intervals":
        """Returns one interval for each whole chromosome."""
        return cls(regions.Region(chrom, 0, size) for chrom, size in sizes.items())

    def members(self) -> list[regions.Region]:
        """Returns every merged interval, by chromosome in order of appearance and by start."""
        return [
            regions.Region(chrom, int(start), int(end))
            for chrom, merged in self._merged.items()
            for start, end in merged
        ]

    def within(self, region: regions.Region) -> list[tuple[int, int]]:
        """Returns the overlaps with a region, as (start, end) clipped to the region."""
        merged = self._merged.get(region.chrom)
        if merged is None:
            return []
        # Intervals before `first` end at or before the region, and from `last` on they start behind
        # it; the side makes touching intervals, as 0-10 and 10-20, no overlap.
        first = np.searchsorted(merged[:, 1], region.start, side="right")
        last = np.searchsorted(merged[:, 0], region.end, side="left")
        return [
            (max(int(start), region.start), min(int(end), region.end))
            for start, end in merged[first:last]
        ]

    def minus(self, removed: "Intervals") -> "Intervals":
        """Returns the parts of these intervals that lie outside the intervals `removed`."""
        remaining = []
        for region in self.members():
            start = region.start
            for cut_start, cut_end in removed.within(region):
                if cut_start > start:
                    remaining.append(regions.Region(region.chrom, start, cut_start))
                start = cut_end
            if start < region.end:
                remaining.append(regions.Region(region.chrom, start, region.end))
        return Intervals(remaining)

    def common(self, limit: "Intervals") -> "Intervals":
        """Returns the parts of these intervals that lie inside the intervals `limit`."""
        return Intervals(
            regions.Region(region.chrom, start, end)
            for region in self.members()
            for start, end in limit.within(region)
        )

    def bins(
        self, region: regions.Region, width: int, *, period: int | None = None
    ) -> NDArray[np.bool_]:
        """Returns True for bins of a region that an interval touches. [region.width / width].

        Args:
            region: Region that begins at a bin.
            width: Bases per bin.
            period: Bases of whole bins around a circular chromosome, behind which a region
                continues at 0.
        """
        if period is not None and region.end > period:
            before = region._replace(start=min(region.start, period), end=period)
            behind = region._replace(start=max(region.start - period, 0), end=region.end - period)
            return np.concatenate([self.bins(before, width), self.bins(behind, width)])
        touched = np.zeros(region.width // width, bool)
        for start, end in self.within(region):
            touched[(start - region.start) // width : -(-(end - region.start) // width)] = True
        return touched


def _merge(intervals: list[tuple[int, int]]) -> NDArray[np.int64]:
    merged: list[list[int]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return np.array(merged, np.int64).reshape(-1, 2)
