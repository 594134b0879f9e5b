"""Random windows of a data directory as a person wants to look at them."""

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files, regions, triangle
from akita_bayes.data import genome
from akita_bayes.data.contacts import coolers
from akita_bayes.data.preparation import data_directory
from akita_bayes.data.records import dataset, statistics, tfrecord

_TARGETS = "targets"


class Example(NamedTuple):
    """One window.

    Attributes:
        region: Where it lies.
        split: The split that it is in.
        identifiers: Names of the targets.
        maps: Targets as symmetric maps, NaN below the diagonal offset. [N, N, T].
        masks: True where measured. [N, N, T].
        distances: Distance of each diagonal, in bases. [N].
        before: Mean balanced contact frequency at each distance, in the cropped map; NaN where
            there is none, or the cooler is not known. [N, T].
        after: Mean measured target at each distance. [N, T].
    """

    region: regions.Region
    split: str
    identifiers: tuple[str, ...]
    maps: NDArray[np.float32]
    masks: NDArray[np.bool_]
    distances: NDArray[np.int64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]


def examples(data_dir: str | Path, count: int, *, seed: int = 0) -> list[Example]:
    """Draws different windows at random from all record files.

    Args:
        data_dir: A directory of contact maps.
        count: Number of windows; fewer where there are fewer records.
        seed: Of the draw.

    Raises:
        DataError: The targets are no contact maps, or there is no record.
    """
    data_dir = Path(data_dir)
    found = statistics.read(data_dir)
    if found.diagonal_offset is None:
        raise errors.DataError(f"{data_dir}: its targets are no maps (no diagonal_offset).")
    places = [
        (split, path)
        for split, records in found.seqs.items()
        if records
        for path in sorted((data_dir / "tfrecords").glob(f"{split}-*{tfrecord.SUFFIX}"))
    ]
    if not places:
        raise errors.DataError(f"{data_dir}: no record file to draw from.")
    options = data_dir / data_directory.OPTIONS
    origin = files.read_json(options) if options.exists() else None
    places.sort(key=lambda place: (place[0], dataset.natural(place[1])))
    chosen = _chosen([path for _, path in places], found, count, np.random.default_rng(seed))
    drawn = []
    for index, number in chosen:
        split, path = places[index]
        record = next(itertools.islice(tfrecord.read_records(path, found), number, None))
        drawn.append(_example(record, split, found, origin))
    return drawn


def _chosen(
    paths: list[Path], found: statistics.Statistics, count: int, random: np.random.Generator
) -> list[tuple[int, int]]:
    """(file, record in it) of different windows; a file is drawn by its size, not to read all."""
    shares = np.array([path.stat().st_size for path in paths], float)
    unseen: dict[int, list[int]] = {}
    chosen: list[tuple[int, int]] = []
    while len(chosen) < count and shares.any():
        index = int(random.choice(len(paths), p=shares / shares.sum()))
        if index not in unseen:
            unseen[index] = list(range(sum(1 for _ in tfrecord.read_records(paths[index], found))))
        if unseen[index]:
            chosen.append((index, unseen[index].pop(random.integers(len(unseen[index])))))
        else:
            shares[index] = 0
    return sorted(chosen)


def _example(
    record: tfrecord.Record, split: str, found: statistics.Statistics, origin: dict | None
) -> Example:
    offset = found.diagonal_offset or 0
    mask = np.ones(record.target.shape, bool) if record.mask is None else record.mask
    target = record.target.astype(np.float32)
    distances = triangle.distances(found.bins, offset)
    sums, counts = np.zeros((2, found.bins, found.num_targets))
    np.add.at(sums, distances, np.where(mask, target, 0))
    np.add.at(counts, distances, mask)
    with np.errstate(invalid="ignore"):
        after = sums / counts
    region = record.region or regions.Region("unknown", 0, found.seq_length)
    names = [f"target {index}" for index in range(found.num_targets)]
    before = np.full_like(after, np.nan)
    if origin is not None:
        names = [target["identifier"] for target in origin[_TARGETS]]
        with genome.Genome(origin["fasta"]["path"]) as opened:
            sizes = opened.sizes
        for index, source in enumerate(origin[_TARGETS]):
            before[:, index] = _decay(coolers.Contacts(source["uri"], sizes), region, found)
    return Example(
        region=region,
        split=split,
        identifiers=tuple(names),
        maps=triangle.to_matrix(target, diagonal_offset=offset),
        masks=triangle.to_matrix(mask.astype(np.uint8), diagonal_offset=offset, fill=1) > 0,
        distances=np.arange(found.bins) * found.pool_width,
        before=before,
        after=after,
    )


def _decay(
    opened: coolers.Contacts, region: regions.Region, found: statistics.Statistics
) -> NDArray[np.float64]:
    """Mean balanced frequency at each distance of the cropped map. [N]."""
    kept = regions.Region(region.chrom, region.start + found.crop_bp, region.end - found.crop_bp)
    weights = opened.weights(kept)
    balanced = opened.counts(kept) * weights[:, None] * weights
    valid = np.isfinite(weights)
    decay = np.full(len(weights), np.nan)
    for distance in range(len(weights)):
        diagonal = np.diagonal(balanced, distance)
        pairs = valid[: len(diagonal)] & valid[distance:]
        if pairs.any():
            decay[distance] = diagonal[pairs].mean()
    return decay
