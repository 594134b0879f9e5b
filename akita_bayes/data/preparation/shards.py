"""Deals windows to the record files of a new data directory, and writes these files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from akita_bayes import progress, workers
from akita_bayes.data import genome
from akita_bayes.data.preparation import account, training_windows, window_blocks
from akita_bayes.data.records import tfrecord


class Shard(NamedTuple):
    """Describes one record file and its windows, in order."""

    path: Path
    windows: tuple[training_windows.Window, ...]


def deal(
    windows: Sequence[training_windows.Window],
    splits: Sequence[str],
    folder: Path,
    per_file: int,
    seed: int,
) -> list[Shard]:
    """Shuffles the windows of each split and deals them to record files of `per_file`."""
    random = np.random.default_rng([seed, 2])
    shards = []
    for split in splits:
        split_windows = sorted(window for window in windows if window.split == split)
        split_windows = [split_windows[index] for index in random.permutation(len(split_windows))]
        for number, start in enumerate(range(0, len(split_windows), per_file)):
            path = folder / f"{split}-{number}{tfrecord.SUFFIX}"
            shards.append(Shard(path, tuple(split_windows[start : start + per_file])))
    return shards


def write(
    shards: Sequence[Shard],
    block_of: Mapping[training_windows.Window, tuple[window_blocks.Block, Path]],
    targets: int,
    opened: workers.Workers,
    *,
    advance: progress.Advance,
) -> account.Tally:
    """Writes the record files that do not exist yet and returns the tally of all.

    Args:
        shards: Record files to write.
        block_of: Block of each window, and the file of that block.
        targets: Number of targets.
        opened: Workers that write the files; their state is `Inputs`.
        advance: Called with the number of records written.
    """
    parts = [(shard, {window: block_of[window] for window in shard.windows}) for shard in shards]
    total = account.Tally(targets)
    for shard, tally in zip(shards, opened.map(_write_shard, parts), strict=True):
        total.merge(tally)
        advance(len(shard.windows))
    return total


class Inputs(NamedTuple):
    """Holds what a worker needs to compute blocks and to write record files.

    Attributes:
        sources: Inputs of the data set, with the circular chromosomes.
        fasta: File of the genome.
        work: Folder of tallies; a record file with a tally is finished.
    """

    sources: window_blocks.Sources
    fasta: str | Path
    work: Path


def _write_shard(
    inputs: Inputs,
    part: tuple[Shard, Mapping[training_windows.Window, tuple[window_blocks.Block, Path]]],
) -> account.Tally:
    """Writes a record file and its tally, or reads the tally of a file that is finished."""
    shard, block_of = part
    tally_path = inputs.work / f"{shard.path.stem}.npz"
    if tally_path.exists() and shard.path.exists():
        return account.Tally.load(tally_path)
    tally = account.Tally(len(inputs.sources.targets))
    with genome.Genome(inputs.fasta, circular=inputs.sources.genome.circular) as opened:
        tfrecord.write_records(shard.path, _records(shard, block_of, opened, tally))
    tally.save(tally_path)
    return tally


def _records(
    shard: Shard,
    block_of: Mapping[training_windows.Window, tuple[window_blocks.Block, Path]],
    genome_file: genome.Genome,
    tally: account.Tally,
) -> Iterator[tfrecord.Record]:
    for window in shard.windows:
        block, path = block_of[window]
        target, mask = window_blocks.row(block, path, window)
        tally.add(target, mask)
        yield tfrecord.Record(genome_file.index(window.region), target, mask, window.region)
