"""Records which regions of which genome a model was trained on, and recognises them later.

A run directory holds `training_regions.json`: for each head the merged windows of the training
split, and the lengths of their chromosomes. Runs of older versions have no such file.
"""

import bisect
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from akita_bayes import errors, files, regions
from akita_bayes.files import damage

FILE = "training_regions.json"
FLAG = "in_training_window"
"""Remark on a variant that lies in a window from which the model learned."""

HELD_OUT_FLAG = "held_out_members"
"""Remark on a variant scored only by the members of an ensemble that did not learn from it."""


@dataclasses.dataclass(frozen=True)
class TrainingRegions:
    """Holds the regions from which one head learned.

    Attributes:
        genome: Name of the file of the genome; "" where it is not known.
        sizes: Lengths of the chromosomes that have regions; empty where they are not known.
        intervals: Chromosome -> disjoint intervals (start, end) in order.
    """

    genome: str
    sizes: Mapping[str, int]
    intervals: Mapping[str, tuple[tuple[int, int], ...]]

    @classmethod
    def of(
        cls, windows: Iterable[regions.Region], *, genome: str = "", sizes: Mapping[str, int]
    ) -> Self:
        """Returns the merged windows; `sizes` may list more chromosomes than have windows."""
        merged: dict[str, list[tuple[int, int]]] = {}
        for chrom, start, end in sorted(windows):
            intervals = merged.setdefault(chrom, [])
            if intervals and start <= intervals[-1][1]:
                intervals[-1] = (intervals[-1][0], max(end, intervals[-1][1]))
            else:
                intervals.append((start, end))
        own_sizes = {chrom: sizes[chrom] for chrom in merged if chrom in sizes}
        return cls(genome, own_sizes, {chrom: tuple(merged[chrom]) for chrom in merged})

    @classmethod
    def union(cls, records: Iterable[Self]) -> Self | None:
        """Returns the regions of several records of one genome together; None for no record."""
        records = list(records)
        if not records:
            return None
        windows = [
            regions.Region(chrom, start, end)
            for record in records
            for chrom, intervals in record.intervals.items()
            for start, end in intervals
        ]
        names = [record.genome for record in records if record.genome]
        sizes = {chrom: size for record in records for chrom, size in record.sizes.items()}
        return cls.of(windows, genome=names[0] if names else "", sizes=sizes)

    def overlaps(self, region: regions.Region) -> bool:
        """Returns True when at least one base of a region was in a training window."""
        chrom = regions.own_name(region.chrom, self.intervals)
        intervals = () if chrom is None else self.intervals[chrom]
        # The last interval that begins before the end of the region is the only candidate, since
        # intervals are disjoint and in order.
        index = bisect.bisect_left(intervals, (max(region.end, region.start + 1),)) - 1
        return index >= 0 and intervals[index][1] > region.start

    def check_genome(self, sizes: Mapping[str, int], path: str | Path) -> None:
        """Refuses a genome in which a chromosome has another length than in the training.

        Args:
            sizes: Lengths of the chromosomes of the genome.
            path: File of the genome.

        Raises:
            DataError: The lengths differ.
        """
        for chrom, size in self.sizes.items():
            own_name = regions.own_name(chrom, sizes)
            if own_name is not None and sizes[own_name] != size:
                trained = f" ({self.genome})" if self.genome else ""
                raise errors.DataError(
                    f"{path}: {own_name} has {sizes[own_name]:,} bases, but the model was trained "
                    f"on a genome{trained} where it has {size:,}; give that genome, or only "
                    "model_best.keras of the run to predict another genome on purpose."
                )


def write(folder: str | Path, of_heads: Mapping[str, TrainingRegions]) -> None:
    """Writes `training_regions.json`; nothing when no head has regions."""
    content = {
        head: dataclasses.asdict(recorded)
        for head, recorded in of_heads.items()
        if recorded.intervals
    }
    if content:
        files.write_json(Path(folder) / FILE, content)


def read(folder: str | Path) -> dict[str, TrainingRegions]:
    """Reads the training regions of a run by head; empty for a run of an older version.

    Raises:
        RunError: The file is damaged.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        return {}
    advice = "copy the run again, or remove this file"
    with damage.explained(path, "the regions of a training", advice, error=errors.RunError):
        return {head: _recorded(content) for head, content in files.read_json(path).items()}


def _recorded(content: Mapping[str, Any]) -> TrainingRegions:
    sizes = {str(chrom): int(size) for chrom, size in content["sizes"].items()}
    intervals = {
        str(chrom): tuple((int(start), int(end)) for start, end in pairs)
        for chrom, pairs in content["intervals"].items()
    }
    return TrainingRegions(str(content["genome"]), sizes, intervals)


def of_members(model: Any, head: str) -> list[TrainingRegions | None]:
    """Returns the training regions of a head of every member; None for a member without record."""
    return [member.training_regions.get(head) for member in model.members]


def of_model(model: Any, head: str) -> list[TrainingRegions]:
    """Returns the training regions of a head of every member of a model that records them."""
    return [recorded for recorded in of_members(model, head) if recorded is not None]


def held_out_members(
    members: Sequence[TrainingRegions | None], changed: Sequence[regions.Region]
) -> tuple[int, ...]:
    """Returns the numbers of the members that did not learn from any of the changed regions.

    A member without a record may have learned from them, and is not among the numbers.

    Args:
        members: Training regions of each member, as `of_members` returns them.
        changed: Regions of the genome.
    """
    return tuple(
        number
        for number, recorded in enumerate(members)
        if recorded is not None and not any(recorded.overlaps(region) for region in changed)
    )


def check_genome(
    model: Any, heads: Iterable[str], sizes: Mapping[str, int], path: str | Path
) -> None:
    """Refuses a genome other than the one that some heads of a model were trained on.

    Args:
        model: A model, or an ensemble of several.
        heads: Names of the heads.
        sizes: Lengths of the chromosomes of the genome.
        path: File of the genome.

    Raises:
        DataError: A chromosome has another length.
    """
    for head in heads:
        for recorded in of_model(model, head):
            recorded.check_genome(sizes, path)
