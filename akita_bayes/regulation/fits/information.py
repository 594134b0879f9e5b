"""Computes how many bits a prediction holds about the measurement, with standard errors.

predictive   I_pred = I[prediction ; bin], from the table of quantiles of the prediction against
             bins, less the bias of a plug-in estimate, (Q - 1)(M - 1) / (2 N ln 2) bits (Miller
             1955). It depends only on the order of the predictions, so no noise model enters.
variational  I_var = H[bin] + mean log2 p(bin | prediction), the likelihood of a fitted model in
             bits (Barber and Agakov 2003; Kinney and Atwal 2014). I_var <= I_pred up to noise; the
             gap is what a better measurement process could gain.

A continuous read-out has both too, by distances to near neighbours: the mutual information of
Kraskov et al. (2004, their first estimator), and the entropy of Kozachenko and Leonenko (1987).

Standard errors are those of a mean of contributions per sequence: reads of one sequence share its
prediction and are not independent.
"""

from typing import NamedTuple

import numpy as np
import scipy.spatial
import scipy.special
from numpy.typing import NDArray

NEIGHBOURS = 5
"""Number of the neighbour whose distance counts, for continuous read-outs."""
FEWEST = 20
"""Fewest continuous read-outs of which the entropy is estimated."""
NOISE = 0.01
"""Noise that separates equal read-outs, in standard deviations of the read-outs."""


class Information(NamedTuple):
    """Holds an information in bits and its standard error."""

    bits: float
    standard_error: float

    def __str__(self) -> str:
        return f"{self.bits:.3f} +- {self.standard_error:.3f} bits"


def quantiles(
    prediction: NDArray[np.float64], number: int, weight: NDArray[np.float64] | None = None
) -> NDArray[np.intp]:
    """Assigns each prediction to one of `number` classes of nearly equal weight. [N] -> [N].

    Equal predictions share a class.
    """
    values, position = np.unique(prediction, return_inverse=True)
    mass = np.bincount(position, weights=weight, minlength=len(values))
    # The class of a value follows from the middle of its mass: masses 1, 1 and 2 have the middles
    # 1/8, 3/8 and 3/4, which are in classes 0, 0 and 1 of 2.
    middle = (np.cumsum(mass) - mass / 2) / mass.sum()
    return np.asarray(np.minimum((middle * number).astype(np.intp), number - 1)[position])


def predictive(
    prediction: NDArray[np.float64], counts: NDArray[np.float64], *, classes: int | None = None
) -> Information:
    """Estimates the mutual information between a prediction and the bin of a read.

    Args:
        prediction: [N] one number per sequence; a monotone function of it gives the same result.
        counts: [N, M] reads per bin.
        classes: Number Q of quantiles; by default 2 (reads / M)^(1/3), at most 50. Until it gets
            there, the bias that is subtracted is about (M / reads)^(2/3) / ln 2 bits: 0.015 bits
            for 6,793 reads in 10 bins, and less for more reads.
    """
    counts = np.asarray(counts, float)
    reads, bins = counts.sum(), counts.shape[1]
    if classes is None:
        classes = int(np.clip(2 * (reads / bins) ** (1 / 3), 2, 50))
    group = quantiles(np.asarray(prediction), classes, counts.sum(1))
    occupied, group = np.unique(group, return_inverse=True)
    table = np.zeros((len(occupied), bins))
    np.add.at(table, group, counts)
    joint = table / reads
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    ratio = np.divide(joint, independent, out=np.ones_like(joint), where=joint > 0)
    log_ratio = np.log2(ratio)
    plug_in = float((joint * log_ratio).sum())
    freedom = (len(occupied) - 1) * (np.count_nonzero(joint.sum(0)) - 1)
    bias = freedom / (2 * reads * np.log(2))
    return Information(plug_in - bias, _standard_error(log_ratio[group], counts))


def variational(log_prob: NDArray[np.float64], counts: NDArray[np.float64]) -> Information:
    """Computes the information of a model's likelihood on held-out sequences.

    Args:
        log_prob: [N, M] log p(bin | sequence) in nats.
        counts: [N, M] reads per bin.
    """
    counts = np.asarray(counts, float)
    share = counts.sum(0) / counts.sum()
    with_reads = share > 0
    log_ratio = np.zeros(counts.shape)
    log_ratio[:, with_reads] = np.asarray(log_prob, float)[:, with_reads] / np.log(2) - np.log2(
        share[with_reads]
    )
    bits = (counts * log_ratio).sum() / counts.sum()
    # The plug-in entropy of the bins is too low by (M - 1) / (2 N ln 2) bits (Miller 1955).
    bias = (with_reads.sum() - 1) / (2 * counts.sum() * np.log(2))
    return Information(float(bits + bias), _standard_error(log_ratio, counts))


def predictive_of_values(
    prediction: NDArray[np.float64], value: NDArray[np.float64], *, seed: int = 0
) -> Information:
    """Estimates the mutual information between a prediction and a continuous read-out.

    Both are replaced by normal scores of their ranks, which changes no information. Equal values
    are ranked in a random order.

    Args:
        prediction: [N] one number per sequence; a monotone function of it gives the same result.
        value: [N] read-out of each sequence.
        seed: Seed of the order of equal values.
    """
    rng = np.random.default_rng(seed)
    scores = [_normal_scores(np.asarray(column, float), rng) for column in (prediction, value)]
    points = np.stack(scores, axis=1)
    distances, _ = scipy.spatial.cKDTree(points).query(points, k=NEIGHBOURS + 1, p=np.inf)
    # The neighbours of a point in each direction lie nearer than its k-th neighbour in the plane.
    nearer = [_count_within(column, distances[:, -1]) for column in scores]
    digamma = scipy.special.digamma
    nats = digamma(NEIGHBOURS) + digamma(len(points)) - sum(digamma(n + 1) for n in nearer)
    return _mean_bits(nats)


def variational_of_values(
    log_density: NDArray[np.float64], value: NDArray[np.float64], *, seed: int = 0
) -> Information | None:
    """Computes the information of a model's likelihood about a continuous read-out, held out.

    Where many read-outs are equal, as ratios of small counts are, noise of 1 % of their standard
    deviation is added before the entropy is estimated. Coarse read-outs then seem less informative
    than they are.

    Args:
        log_density: [N] log p(value | sequence) in nats.
        value: [N] read-out of each sequence.
        seed: Seed of this noise.

    Returns:
        The information; None for fewer than 20 read-outs, or for read-outs that are all equal.
    """
    values = np.asarray(value, float)
    if len(values) < FEWEST or values.std() == 0:
        return None
    distances = _neighbour_distances(values)
    if (distances == 0).any():
        noise = np.random.default_rng(seed).normal(0.0, NOISE * values.std(), len(values))
        distances = _neighbour_distances(values + noise)
    digamma = scipy.special.digamma
    surprise = np.log(2 * distances) + digamma(len(values)) - digamma(NEIGHBOURS)
    return _mean_bits(surprise + np.asarray(log_density, float))


def _neighbour_distances(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the distance of each value to its k-th nearest neighbour. [N]."""
    column = values[:, None]
    distances, _ = scipy.spatial.cKDTree(column).query(column, k=NEIGHBOURS + 1)
    return np.asarray(distances[:, -1])


def _normal_scores(column: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Returns the normal scores of the ranks of a column. [N]."""
    order = np.lexsort((rng.random(len(column)), column))
    rank = np.empty(len(column))
    rank[order] = np.arange(len(column))
    return np.asarray(scipy.special.ndtri((rank + 0.5) / len(column)))


def _count_within(column: NDArray[np.float64], reach: NDArray[np.float64]) -> NDArray[np.intp]:
    """Counts the other entries of a column that are nearer to each entry than `reach`. [N]."""
    ordered = np.sort(column)
    upper = np.searchsorted(ordered, column + reach, side="left")
    lower = np.searchsorted(ordered, column - reach, side="right")
    return np.asarray(np.maximum(upper - lower - 1, 0))


def _mean_bits(nats: NDArray[np.float64]) -> Information:
    """Returns the mean of contributions of sequences, and its standard error."""
    bits = nats / np.log(2)
    return Information(float(bits.mean()), float(bits.std(ddof=1) / np.sqrt(len(bits))))


def _standard_error(log_ratio: NDArray[np.float64], counts: NDArray[np.float64]) -> float:
    """Computes the standard error of the mean log_ratio of reads; sequences are independent."""
    reads = counts.sum()
    mean = (counts * log_ratio).sum() / reads
    return float(np.sqrt((((counts * (log_ratio - mean)).sum(1)) ** 2).sum()) / reads)
