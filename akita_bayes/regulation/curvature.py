"""Second derivatives of a log-posterior, exact: Hessian-vector products of every direction."""

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.regulation import likelihood as likelihoods

BATCH = 16
"""Directions of a Hessian taken at once."""


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
