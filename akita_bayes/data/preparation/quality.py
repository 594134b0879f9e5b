"""Draws random windows of a data directory, as maps for figures."""

import itertools
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, regions, triangle
from akita_bayes.data.contacts import contact_file
from akita_bayes.data.preparation import recorded_sources
from akita_bayes.data.records import dataset, statistics, tfrecord


class Example(NamedTuple):
    """Holds one window for a figure.

    Attributes:
        region: Region of the window.
        split: Split of the window.
        identifiers: Names of the targets.
        maps: Targets as symmetric maps, NaN below the diagonal offset. [N, N, T].
        masks: True where measured. [N, N, T].
        distances: Distance of each diagonal, in bases. [N].
        before: Mean balanced contact frequency at each distance, in the cropped map; NaN without
            valid pixels or without `options.json`. [N, T].
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
        count: Number of windows; fewer when there are fewer records.
        seed: Seed of the draw.

    Raises:
        DataError: The targets are tracks instead of contact maps, or there is no record.
    """
    data_dir = Path(data_dir)
    data_statistics = statistics.read(data_dir)
    if data_statistics.diagonal_offset is None:
        raise errors.DataError(
            f"{data_dir}: its targets are not maps; {statistics.FILE_NAME} has no diagonal_offset."
        )
    split_paths = [
        (split, path)
        for split, records in data_statistics.seqs.items()
        if records
        for path in sorted((data_dir / "tfrecords").glob(f"{split}-*{tfrecord.SUFFIX}"))
    ]
    if not split_paths:
        raise errors.DataError(
            f"{data_dir}: has no record file to draw from; make the directory again."
        )
    recorded = recorded_sources.read(data_dir)
    split_paths.sort(key=lambda entry: (entry[0], dataset.natural(entry[1])))
    positions = _draw_positions(
        [path for _, path in split_paths], data_statistics, count, np.random.default_rng(seed)
    )
    examples = []
    for index, number in positions:
        split, path = split_paths[index]
        record = next(itertools.islice(tfrecord.read_records(path, data_statistics), number, None))
        examples.append(_example(record, split, data_statistics, recorded))
    return examples


def _draw_positions(
    paths: list[Path],
    data_statistics: statistics.Statistics,
    count: int,
    random: np.random.Generator,
) -> list[tuple[int, int]]:
    """Returns (index of file, index of record) of different random windows.

    Files are drawn in proportion to their size, so that only drawn files are read.
    """
    sizes = np.array([path.stat().st_size for path in paths], float)
    unseen: dict[int, list[int]] = {}
    positions: list[tuple[int, int]] = []
    while len(positions) < count and sizes.any():
        index = int(random.choice(len(paths), p=sizes / sizes.sum()))
        if index not in unseen:
            unseen[index] = list(
                range(sum(1 for _ in tfrecord.read_records(paths[index], data_statistics)))
            )
        if unseen[index]:
            positions.append((index, unseen[index].pop(random.integers(len(unseen[index])))))
        else:
            sizes[index] = 0
    return sorted(positions)


def _example(
    record: tfrecord.Record,
    split: str,
    data_statistics: statistics.Statistics,
    recorded: recorded_sources.Recorded | None,
) -> Example:
    offset = data_statistics.diagonal_offset or 0
    mask = np.ones(record.target.shape, bool) if record.mask is None else record.mask
    target = record.target.astype(np.float32)
    distances = triangle.distances(data_statistics.bins, offset)
    sums, counts = np.zeros((2, data_statistics.bins, data_statistics.num_targets))
    np.add.at(sums, distances, np.where(mask, target, 0))
    np.add.at(counts, distances, mask)
    with np.errstate(invalid="ignore"):
        after = sums / counts
    region = record.region or regions.Region("unknown", 0, data_statistics.seq_length)
    names = [f"target {index}" for index in range(data_statistics.num_targets)]
    before = np.full_like(after, np.nan)
    if recorded is not None:
        sources = recorded.sources
        names = [target.identifier for target in sources.targets]
        for index, target_file in enumerate(sources.targets):
            before[:, index] = _decay(sources.contacts(target_file), region, data_statistics)
    return Example(
        region=region,
        split=split,
        identifiers=tuple(names),
        maps=triangle.to_matrix(target, diagonal_offset=offset),
        masks=triangle.to_matrix(mask.astype(np.uint8), diagonal_offset=offset, fill=1) > 0,
        distances=np.arange(data_statistics.bins) * data_statistics.pool_width,
        before=before,
        after=after,
    )


def _decay(
    contacts: contact_file.ContactFile,
    region: regions.Region,
    data_statistics: statistics.Statistics,
) -> NDArray[np.float64]:
    """Returns the mean balanced frequency at each distance of the cropped map. [N]."""
    cropped = regions.Region(
        region.chrom, region.start + data_statistics.crop_bp, region.end - data_statistics.crop_bp
    )
    weights = contacts.weights(cropped)
    balanced = contacts.counts(cropped) * weights[:, None] * weights
    valid = np.isfinite(weights)
    decay = np.full(len(weights), np.nan)
    for distance in range(len(weights)):
        diagonal = np.diagonal(balanced, distance)
        pairs = valid[: len(diagonal)] & valid[distance:]
        if pairs.any():
            decay[distance] = diagonal[pairs].mean()
    return decay
