"""Record files of a new data directory: windows dealt, then written with their sequences."""

import concurrent.futures
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from akita_bayes.data import genome
from akita_bayes.data.preparation import account, training_windows, window_blocks
from akita_bayes.data.records import tfrecord


class Shard(NamedTuple):
    """One record file and its windows, in order."""

    path: Path
    windows: tuple[training_windows.Window, ...]


def deal(
    kept: Sequence[training_windows.Window],
    names: Sequence[str],
    folder: Path,
    per_file: int,
    seed: int,
) -> list[Shard]:
    """Shuffles the windows of each split and deals them to record files of `per_file`."""
    random = np.random.default_rng([seed, 2])
    shards = []
    for name in names:
        members = sorted(window for window in kept if window.split == name)
        members = [members[index] for index in random.permutation(len(members))]
        for number, start in enumerate(range(0, len(members), per_file)):
            path = folder / f"{name}-{number}{tfrecord.SUFFIX}"
            shards.append(Shard(path, tuple(members[start : start + per_file])))
    return shards


def write(
    shards: Sequence[Shard],
    homes: Mapping[training_windows.Window, tuple[window_blocks.Block, Path]],
    fasta: str | Path,
    work: Path,
    *,
    targets: int,
    workers: int,
    advance: Callable[..., None],
) -> account.Tally:
    """Writes the record files that are not there yet and returns the tally of all.

    Threads are enough: compression does not hold Python's lock.

    Args:
        shards: What to write.
        homes: The block of each window, and that block's file.
        fasta: The genome.
        work: Folder of the tallies that tell a finished file from one of an older run.
        targets: Number of targets T.
        workers: Threads.
        advance: Called with the number of records written.
    """

    def finish(shard: Shard) -> account.Tally:
        place = work / f"{shard.path.stem}.npz"
        if place.exists() and shard.path.exists():
            tally = account.Tally.load(place)
        else:
            tally = account.Tally(targets)
            tfrecord.write_records(shard.path, _records(shard, homes, fasta, tally))
            tally.save(place)
        advance(len(shard.windows))
        return tally

    whole = account.Tally(targets)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for tally in pool.map(finish, shards):
            whole.merge(tally)
    return whole


def _records(
    shard: Shard,
    homes: Mapping[training_windows.Window, tuple[window_blocks.Block, Path]],
    fasta: str | Path,
    tally: account.Tally,
) -> Iterator[tfrecord.Record]:
    with genome.Genome(fasta) as opened:
        for window in shard.windows:
            block, path = homes[window]
            target, mask = window_blocks.row(block, path, window)
            tally.add(target, mask)
            yield tfrecord.Record(opened.index(window.region), target, mask, window.region)
