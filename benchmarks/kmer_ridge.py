"""Baselines without a network: ridge regressions on the composition of the sequence.

Insulation of a bin is predicted from the frequencies of the 136 4-mers (either strand) on both
sides; the penalty is chosen by cross-validation over parts of the training split. The map itself is
predicted, in groups of distance, from the frequencies between both bins, around both bins, and
outside of them; the penalty is the best on the validation split.
"""

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, regions, triangle
from akita_bayes.data.records import dataset, statistics
from akita_bayes.evaluate import insulation

K = 4
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)

_STEP = 500


class Surroundings(NamedTuple):
    """Describes which bases and windows a regression uses.

    Attributes:
        reach: Bases on each side of a bin for insulation.
        flank: Bases outside of a pair of bins.
        distances: Edges of the groups of distance in bins; each has a regression of its own.
        every: One of this many training windows is used for maps, whose windows overlap.
        part: Bases of a part of a chromosome that cross-validation leaves out as a whole; None for
            whole chromosomes.
    """

    reach: int = 5000
    flank: int = 7000
    distances: tuple[int, ...] = (2, 4, 7, 12, 24)
    every: int = 4
    part: int | None = None


YEAST = Surroundings()
"""The surroundings for bins of 2 kb and maps of 24 bins."""


class Profiles(NamedTuple):
    """Holds bins of all windows of a split.

    Attributes:
        features: Frequencies of 4-mers. [n, F].
        values: Measured insulation. [n].
        part: Name of the chromosome, or of its part, that holds each bin. [n].
    """

    features: NDArray[np.float64]
    values: NDArray[np.float64]
    part: NDArray


def measure(
    data: Path, fasta: Path, k: int = K, surroundings: Surroundings = YEAST
) -> dict[str, Any]:
    """Fits on the training split and correlates predictions with the test split.

    Args:
        data: The data directory.
        fasta: The genome; a circular chromosome stands twice in its sequence.
        k: Length of the words.
        surroundings: Which bases and windows are used.
    """
    cumulative = kmer_counts(fasta, k)
    train, test = (profiles(data, split, cumulative, surroundings) for split in ("train", "test"))
    groups = np.unique(train.part)
    scores = np.zeros((len(groups), len(PENALTIES)))
    for row, name in enumerate(groups):
        left_out = train.part == name
        inside, outside = (Profiles(*(field[i] for field in train)) for i in (~left_out, left_out))
        for column, penalty in enumerate(PENALTIES):
            predict = fit(inside.features, inside.values, penalty)
            scores[row, column] = _pearson(predict(outside.features), outside.values)
    penalty = PENALTIES[int(scores.mean(axis=0).argmax())]
    predicted = fit(train.features, train.values, penalty)(test.features)
    return {
        "k": k,
        "reach_bp": surroundings.reach,
        "penalty": penalty,
        "cross_validated_r": float(scores.mean(axis=0).max()),
        "insulation_r": _pearson(predicted, test.values),
        "bins": len(test.values),
        **_of_maps(data, cumulative, surroundings),
    }


class Maps(NamedTuple):
    """Holds the windows of a split: target and mask [W, P], and starts of the maps."""

    targets: NDArray[np.float64]
    masks: NDArray[np.bool_]
    starts: list[tuple[str, int]]


def _of_maps(
    data: Path, cumulative: dict[str, NDArray], surroundings: Surroundings
) -> dict[str, Any]:
    """Fits maps on the training split, and tests with the penalty that validates best."""
    train, valid, test = (_maps(data, split) for split in ("train", "valid", "test"))
    every = surroundings.every
    train = Maps(train.targets[::every], train.masks[::every], train.starts[::every])
    scores, predicted = [], []
    features = [
        _pixel_features(part, data, cumulative, surroundings.flank) for part in (train, valid, test)
    ]
    for penalty in PENALTIES[3:]:
        maps = _predict_maps(train, features, penalty, surroundings.distances)
        scores.append(_pearson(maps[0][valid.masks], valid.targets[valid.masks]))
        predicted.append(maps[1])
    best = int(np.argmax(scores))
    return {
        "map_penalty": PENALTIES[3:][best],
        "map_valid_r": scores[best],
        "map_r": _pearson(predicted[best][test.masks], test.targets[test.masks]),
    }


def _predict_maps(
    train: Maps, features: list[NDArray], penalty: float, edges: tuple[int, ...]
) -> list[NDArray]:
    """Returns predicted maps of the validation and the test split. [W, P] each."""
    bins = triangle.bins(train.targets.shape[1], 2)
    distance = triangle.distances(bins, 2)
    maps = [np.zeros(rows.shape[:2]) for rows in features[1:]]
    for low, high in itertools.pairwise(edges):
        group = (distance >= low) & (distance < high)
        measured = train.masks[:, group]
        function = fit(features[0][:, group][measured], train.targets[:, group][measured], penalty)
        for table, rows in zip(maps, features[1:], strict=True):
            table[:, group] = function(rows[:, group])
    return maps


def _maps(data: Path, split: str) -> Maps:
    """Reads all windows of a split, ordered by position."""
    opened = dataset.open_split(data, split, batch_size=8)
    rows = []
    for batch in opened.batches():
        arrays = (batch[key].numpy() for key in ("region", "target", "mask"))
        for text, target, mask in zip(*arrays, strict=True):
            window = regions.parse(text.decode())
            start = window.start + opened.statistics.crop_bp
            rows.append(((window.chrom, start), target[:, 0].astype(float), mask[:, 0]))
    starts, targets, masks = zip(*sorted(rows, key=lambda row: row[0]), strict=True)
    return Maps(np.stack(targets), np.stack(masks), list(starts))


def _pixel_features(
    part: Maps, data: Path, cumulative: dict[str, NDArray], flank: int
) -> NDArray[np.float64]:
    """Returns frequencies of 4-mers between, around and outside both bins. [W, P, 3 F]."""
    width = statistics.read(data).pool_width or 0
    first, second = triangle.indices(triangle.bins(part.targets.shape[1], 2), 2)

    def kmer_frequencies(name: str, start: NDArray, end: NDArray) -> NDArray:
        table = cumulative[name]
        first, last = (np.clip(bases // _STEP, 0, len(table) - 1) for bases in (start, end))
        return (table[last] - table[first]) / np.maximum(last - first, 1)[:, None] / _STEP

    rows = []
    for name, start in part.starts:
        # The left bin of a pixel starts at `left`, and the right bin ends at `right`.
        left, right = start + first * width, start + (second + 1) * width
        margin = width // 2
        around = kmer_frequencies(name, left - margin, left + width + margin)
        around += kmer_frequencies(name, right - width - margin, right + margin)
        outside = kmer_frequencies(name, left - margin - flank, left - margin)
        outside += kmer_frequencies(name, right + margin, right + margin + flank)
        between = kmer_frequencies(name, left + width, right - width)
        rows.append(np.concatenate([between, around, outside], axis=1))
    return np.stack(rows)


def fit(features: NDArray, values: NDArray, penalty: float) -> Any:
    """Returns the function of a ridge regression on standardised features.

    Args:
        features: [n, F].
        values: [n].
        penalty: Penalty of the squared coefficients, in units of the number of rows.
    """
    centre, scale, mean = features.mean(0), features.std(0) + 1e-12, values.mean()
    x = (features - centre) / scale
    gram = x.T @ x + penalty * len(x) * np.eye(x.shape[1])
    coefficients = np.linalg.solve(gram, x.T @ (values - mean))
    return lambda rows: (rows - centre) / scale @ coefficients + mean


def kmer_counts(fasta: Path, k: int = K) -> dict[str, NDArray[np.float64]]:
    """Counts k-mers of either strand from a chromosome's start to every 500th base. [n, F]."""
    import pysam

    codes = np.arange(4**k)
    digits = codes[:, None] // 4 ** np.arange(k - 1, -1, -1) % 4
    # The reverse complement reads the digits backwards, and 3 - d is the complement of d.
    twins = ((3 - digits[:, ::-1]) * 4 ** np.arange(k - 1, -1, -1)).sum(1)
    canonical, column = np.unique(np.minimum(codes, twins), return_inverse=True)
    counts = {}
    with pysam.FastaFile(str(fasta)) as genome:
        for name in genome.references:
            index = dna.to_index(genome.fetch(name)).astype(int)
            windows = np.lib.stride_tricks.sliding_window_view(index, k)
            code = (windows * 4 ** np.arange(k - 1, -1, -1)).sum(1)
            valid = np.asarray(windows.max(axis=1)) < 4
            steps = len(code) // _STEP
            table = np.zeros((steps + 1, len(canonical)))
            inside = np.flatnonzero(valid[: steps * _STEP])
            np.add.at(table, (inside // _STEP + 1, column[code[inside]]), 1)
            counts[name] = table.cumsum(0)
    return counts


def profiles(
    data: Path,
    split: str,
    cumulative: dict[str, NDArray],
    surroundings: Surroundings = YEAST,
) -> Profiles:
    """Returns measured insulation and 4-mer frequencies of every bin of every window of a split."""
    opened = dataset.open_split(data, split, batch_size=8)
    settings = opened.statistics
    bins = (settings.seq_length - 2 * settings.crop_bp) // settings.pool_width
    width, offset = insulation.default_width(bins), settings.diagonal_offset or 0
    features, values, names = [], [], []
    for batch in opened.batches():
        for target, mask, text in zip(
            *(batch[key].numpy() for key in ("target", "mask", "region")), strict=True
        ):
            window = regions.parse(text.decode())
            profile, valid = insulation.profile(target, mask, diagonal_offset=offset, width=width)
            border = (
                window.start
                + settings.crop_bp
                + settings.pool_width * (width + np.flatnonzero(valid[:, 0]))
            )
            reach, part = surroundings.reach, surroundings.part
            features.append(_frequencies_around(cumulative[window.chrom], border, reach))
            values.append(profile[valid[:, 0], 0])
            names += [window.chrom if part is None else str(window.start // part)] * len(border)
    return Profiles(np.concatenate(features), np.concatenate(values), np.array(names))


def _frequencies_around(cumulative: NDArray, border: NDArray, reach: int) -> NDArray[np.float64]:
    """Returns the frequencies of k-mers within `reach` of each border of bins. [n] -> [n, F]."""
    last = len(cumulative) - 1
    low = np.clip((border - reach) // _STEP, 0, last)
    high = np.clip((border + reach) // _STEP, 0, last)
    counts = cumulative[high] - cumulative[low]
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)


def _pearson(first: NDArray, second: NDArray) -> float:
    return float(np.corrcoef(first, second)[0, 1])
