"""Baseline without a network: a ridge regression of insulation on counts of 4-mers.

The insulation of a bin is predicted from the shares of the 136 4-mers (either strand) within 5 kb
on both sides. The penalty is chosen by cross-validation over chromosomes of the training split.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import dna, regions
from akita_bayes.data.records import dataset
from akita_bayes.evaluate import insulation

K = 4
REACH = 5000
PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
_STEP = 500


class Profiles(NamedTuple):
    """Holds bins of all windows of a split.

    Attributes:
        features: Shares of 4-mers. [n, F].
        values: Measured insulation. [n].
        chromosome: Chromosome of each bin. [n].
    """

    features: NDArray[np.float64]
    values: NDArray[np.float64]
    chromosome: NDArray


def measure(data: Path, fasta: Path) -> dict[str, Any]:
    """Fits on the training split and correlates predictions with the test split."""
    cumulative = kmer_counts(fasta)
    train, test = (profiles(data, split, cumulative) for split in ("train", "test"))
    groups = np.unique(train.chromosome)
    scores = np.zeros((len(groups), len(PENALTIES)))
    for row, name in enumerate(groups):
        left_out = train.chromosome == name
        inside, outside = (Profiles(*(field[i] for field in train)) for i in (~left_out, left_out))
        for column, penalty in enumerate(PENALTIES):
            predict = fit(inside.features, inside.values, penalty)
            scores[row, column] = _pearson(predict(outside.features), outside.values)
    penalty = PENALTIES[int(scores.mean(axis=0).argmax())]
    predicted = fit(train.features, train.values, penalty)(test.features)
    return {
        "k": K,
        "reach_bp": REACH,
        "penalty": penalty,
        "cross_validated_r": float(scores.mean(axis=0).max()),
        "insulation_r": _pearson(predicted, test.values),
        "bins": len(test.values),
    }


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


def kmer_counts(fasta: Path) -> dict[str, NDArray[np.float64]]:
    """Counts k-mers of either strand from a chromosome's start to every 500th base. [n, F]."""
    import pysam

    codes = np.arange(4**K)
    digits = codes[:, None] // 4 ** np.arange(K - 1, -1, -1) % 4
    # The reverse complement reads the digits backwards, and 3 - d is the complement of d.
    twins = ((3 - digits[:, ::-1]) * 4 ** np.arange(K - 1, -1, -1)).sum(1)
    canonical, column = np.unique(np.minimum(codes, twins), return_inverse=True)
    counts = {}
    with pysam.FastaFile(str(fasta)) as genome:
        for name in genome.references:
            index = dna.to_index(genome.fetch(name)).astype(int)
            windows = np.lib.stride_tricks.sliding_window_view(index, K)
            code = (windows * 4 ** np.arange(K - 1, -1, -1)).sum(1)
            valid = np.asarray(windows.max(axis=1)) < 4
            steps = len(code) // _STEP
            table = np.zeros((steps + 1, len(canonical)))
            inside = np.flatnonzero(valid[: steps * _STEP])
            np.add.at(table, (inside // _STEP + 1, column[code[inside]]), 1)
            counts[name] = table.cumsum(0)
    return counts


def profiles(data: Path, split: str, cumulative: dict[str, NDArray]) -> Profiles:
    """Returns measured insulation and 4-mer shares of every bin of every window of a split."""
    opened = dataset.open_split(data, split, batch_size=8)
    statistics = opened.statistics
    bins = (statistics.seq_length - 2 * statistics.crop_bp) // statistics.pool_width
    width, offset = insulation.default_width(bins), statistics.diagonal_offset or 0
    features, values, names = [], [], []
    for batch in opened.batches():
        for target, mask, text in zip(
            *(batch[key].numpy() for key in ("target", "mask", "region")), strict=True
        ):
            window = regions.parse(text.decode())
            profile, valid = insulation.profile(target, mask, diagonal_offset=offset, width=width)
            border = (
                window.start
                + statistics.crop_bp
                + statistics.pool_width * (width + np.flatnonzero(valid[:, 0]))
            )
            features.append(_shares(cumulative[window.chrom], border))
            values.append(profile[valid[:, 0], 0])
            names += [window.chrom] * len(border)
    return Profiles(np.concatenate(features), np.concatenate(values), np.array(names))


def _shares(cumulative: NDArray, border: NDArray) -> NDArray[np.float64]:
    """Returns the shares of 4-mers within `REACH` of each border of bins. [n] -> [n, F]."""
    last = len(cumulative) - 1
    low = np.clip((border - REACH) // _STEP, 0, last)
    high = np.clip((border + REACH) // _STEP, 0, last)
    counts = cumulative[high] - cumulative[low]
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)


def _pearson(first: NDArray, second: NDArray) -> float:
    return float(np.corrcoef(first, second)[0, 1])
