"""Second derivatives of a likelihood: the exact Hessian, and the covariance of the scores.

    H = d2 log p / d theta2                           exact, by Hessian-vector products
    F = sum_n (d log p_n / d theta) (d log p_n / d theta)^T    never indefinite, from any sample

Where a model is right and theta is the optimum, F estimates -H (the information matrix equality);
far from the optimum F still scales an ascent (Berndt, Hall, Hall and Hausman 1974).
"""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.regulation import likelihood as likelihoods

BATCH = 16
"""Directions of a Hessian taken at once."""
SAMPLE = 4096
"""Sequences whose scores are enough to scale an ascent."""
SCORE_BATCH = 48
"""Directions in which the scores of a sample are taken at once."""


class Hessian:
    """Hessian of the log-posterior of a likelihood, compiled once."""

    def __init__(self, likelihood: likelihoods.Likelihood) -> None:
        self.likelihood = likelihood
        self._products = tf.function(self._multiply, jit_compile=True)

    def _multiply(self, theta: tf.Tensor, vectors: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape() as inner:
                inner.watch(theta)
                value = self.likelihood.log_posterior(theta, weight)
            along = tf.reduce_sum(inner.gradient(value, theta) * vectors)
        return outer.gradient(along, theta)

    def __call__(self, theta: NDArray, weight: NDArray | None = None) -> NDArray[np.float64]:
        """[D] -> [D, D]."""
        size = len(theta)
        chosen = np.ones(self.likelihood.rows) if weight is None else weight
        point = tf.constant(np.tile(theta, (BATCH, 1)), tf.float64)
        rows = []
        for first in range(0, size, BATCH):
            vectors = np.eye(BATCH, size, first)
            product = self._products(point, tf.constant(vectors), tf.constant(chosen, tf.float64))
            rows.append(product.numpy())
        hessian = np.concatenate(rows)[:size]
        return (hessian + hessian.T) / 2


class ScoreCovariance:
    """F of a random sample of a likelihood's sequences, scaled to all of them.

    Args:
        likelihood: Of the whole table.
        sample: Number of sequences, spread over the libraries in proportion.
        seed: Chooses them.
    """

    def __init__(
        self, likelihood: likelihoods.Likelihood, *, sample: int = SAMPLE, seed: int = 0
    ) -> None:
        rows = likelihood.rows
        self.chosen = np.random.default_rng(seed).permutation(rows)[:sample]
        self.chosen.sort()
        self.scale = rows / len(self.chosen)
        self._sample = likelihoods.Likelihood(
            likelihood.mechanism,
            likelihood.table.take(self.chosen),
            parameters=likelihood.parameters,
            dtype=likelihood.dtype,
        )
        self._scores = tf.function(self._differentiate, jit_compile=True)

    def _differentiate(self, theta: tf.Tensor, vectors: tf.Tensor) -> tf.Tensor:
        with tf.autodiff.ForwardAccumulator(theta, vectors) as forward:
            per_sequence = self._sample.per_sequence(theta)
        return forward.jvp(per_sequence)

    def __call__(self, theta: NDArray, weight: NDArray | None = None) -> NDArray[np.float64]:
        """[D] -> [D, D], not negative."""
        size = len(theta)
        point = tf.constant(np.tile(theta, (SCORE_BATCH, 1)), tf.float64)
        rows = [
            self._scores(point, tf.constant(np.eye(SCORE_BATCH, size, first))).numpy()
            for first in range(0, size, SCORE_BATCH)
        ]
        scores = np.concatenate(rows)[:size].astype(float)
        if weight is not None:
            scores = scores * weight[self.chosen]
        return self.scale * scores @ scores.T
