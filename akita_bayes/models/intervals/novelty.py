"""Measures how unlike the training windows a window is, by what the trunk of a network makes of it.

    d(x)^2 = (f(x) - m)^T C^-1 (f(x) - m) / F

with f the mean and the standard deviation over bins of every channel of the trunk, F numbers in
all, m and C their mean and covariance over training windows (Mahalanobis distance; Lee et al. 2018,
NeurIPS 31). d is about 1 for training windows. C is shrunk towards its diagonal by F / (F + N), N
the number of training windows.

The statistics are a file of a run directory. They belong to the weights of the run and are not used
for others.
"""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes import dna, errors, files
from akita_bayes.files import damage, npz_reader
from akita_bayes.models.passes import compiled_graphs

FILE = "novelty.npz"
KEY = "novelty"
"""Name of the distance in files of predictions."""
LEVEL = 0.95
"""Share of held-out windows whose distance is below `Statistics.threshold`."""

_FLOOR = 1e-6
_log = logging.getLogger(__name__)


class Statistics(NamedTuple):
    """Holds the statistics of a run's training windows.

    Attributes:
        mean: Mean of the features. [F].
        precision: Inverse of their covariance, divided by F. [F, F].
        held_out: Distances of windows that were not trained on, ascending. [K].
        weights: Fingerprint of the weights of the run.
    """

    mean: NDArray[np.float64]
    precision: NDArray[np.float64]
    held_out: NDArray[np.float64]
    weights: str

    @property
    def threshold(self) -> float:
        """Returns the distance below which `LEVEL` of the held-out windows lie."""
        return float(np.quantile(self.held_out, LEVEL))

    def distance(self, features: NDArray[np.float64]) -> NDArray[np.float32]:
        """Computes the distance of windows from those of the training. [B, F] -> [B]."""
        deviation = features - self.mean
        square = np.einsum("bi,ij,bj->b", deviation, self.precision, deviation)
        distance: NDArray[np.float32] = np.sqrt(np.maximum(square, 0.0)).astype(np.float32)
        return distance


def features(network: keras.Model, x: NDArray[Any]) -> NDArray[np.float64]:
    """Computes the features of windows: mean and sd over bins of every channel of the trunk.

    Args:
        network: A network that `build` or `load_model` returns.
        x: One-hot sequences [B, L, 4], or uint8 indices [B, L].

    Returns:
        [B, F].
    """
    x = dna.index_to_one_hot(x) if x.ndim == 2 else x

    def compile_graph() -> Any:
        trunk = keras.Model(network.input, network.get_layer("trunk").output)
        shape = tf.TensorSpec((None, *network.input.shape[1:]), tf.float32)
        function = tf.function(lambda sequence: trunk(sequence, training=False), autograph=False)
        return function.get_concrete_function(shape)

    graph = compiled_graphs.compiled(network, KEY, compile_graph)
    track = np.asarray(graph(tf.cast(x, tf.float32)), np.float64)
    axes = tuple(range(1, track.ndim - 1))
    return np.concatenate([track.mean(axes), track.std(axes)], axis=-1)


def fit(
    training: NDArray[np.float64], held_out: NDArray[np.float64], weights: str = ""
) -> Statistics:
    """Computes the statistics from the features of training and held-out windows. [N, F], [K, F].

    Raises:
        DataError: There are fewer than two training windows, or no held-out window.
    """
    number, size = training.shape
    if number < 2 or not len(held_out):
        raise errors.DataError(
            f"{number} training and {len(held_out)} held-out windows are too few for the novelty "
            "of windows; give at least 2 and 1."
        )
    covariance = np.cov(training, rowvar=False).reshape(size, size)
    # A channel that is constant over the training windows would divide by 0.
    variance = np.maximum(np.diag(covariance), _FLOOR * np.diag(covariance).max() + _FLOOR**2)
    share = size / (size + number)
    covariance = (1 - share) * covariance
    np.fill_diagonal(covariance, variance)
    precision = np.linalg.inv(covariance) / size
    statistics = Statistics(training.mean(0), precision, np.zeros(1), weights)
    distances = np.sort(statistics.distance(held_out)).astype(np.float64)
    return statistics._replace(held_out=distances)


def of_windows(members: Sequence[Any], x: NDArray[Any]) -> NDArray[np.float32] | None:
    """Returns the novelty of windows, as the mean over the members that have statistics. [B].

    None when no member has any.
    """
    distances = [
        member.novelty.distance(features(member, x))
        for member in members
        if getattr(member, KEY, None) is not None
    ]
    return np.mean(distances, axis=0, dtype=np.float32) if distances else None


def threshold(members: Iterable[Any]) -> float | None:
    """Returns the mean of the members' thresholds, or None when no member has statistics."""
    thresholds = [
        member.novelty.threshold for member in members if getattr(member, KEY, None) is not None
    ]
    return float(np.mean(thresholds)) if thresholds else None


def save(run: str | Path, statistics: Statistics, weights: str) -> Path:
    """Writes the statistics of a run, with the fingerprint of its present weights."""
    path = Path(run) / FILE
    with files.atomic(path) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, **statistics._replace(weights=weights)._asdict())
    return path


def load(run: str | Path, weights: str) -> Statistics | None:
    """Reads the statistics of a run; None when they belong to other weights.

    Args:
        run: Run directory with the file.
        weights: Fingerprint of the present weights.

    Raises:
        DataError: The file is damaged or has another format.
    """
    path = Path(run) / FILE
    kind, advice = "statistics of training windows", "remove it and run akita_calibrate.py again"
    arrays = npz_reader.read(path, kind, advice)
    with damage.explained(path, kind, advice):
        mean, precision, held_out = (
            arrays[name].astype(np.float64) for name in Statistics._fields[:3]
        )
        if precision.shape != (len(mean), len(mean)) or held_out.ndim != 1 or not len(held_out):
            raise ValueError(f"shapes {mean.shape}, {precision.shape} and {held_out.shape}")
        statistics = Statistics(mean, precision, held_out, str(arrays["weights"]))
    if statistics.weights != weights:
        _log.warning(
            "%s: does not belong to the present weights of the run, and is not used; run "
            "akita_calibrate.py again.",
            path,
        )
        return None
    return statistics
