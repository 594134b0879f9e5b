"""Second derivatives of a log-posterior, exact: Hessian-vector products.

What libraries share takes a direction per parameter. What belongs to one library has no second
derivative with what belongs to another, so one direction serves one parameter of each.
"""

import functools

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import threads

BATCH = 16
"""Directions of a Hessian taken at once."""


class Hessian:
    """Hessian of the log-posterior of a likelihood, compiled once; `of` keeps it."""

    def __init__(self, likelihood: likelihoods.Likelihood) -> None:
        self.likelihood = likelihood
        self.products = tf.function(self._multiply, jit_compile=True)

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
        parameters = self.likelihood.parameters
        shared = parameters.own(None)
        owned = [parameters.own(library) for library in parameters.libraries]
        needed = len(shared) + max(map(len, owned), default=0)
        directions = np.zeros((-(-needed // BATCH) * BATCH, size))
        directions[np.arange(len(shared)), shared] = 1
        for own in owned:
            directions[len(shared) + np.arange(len(own)), own] = 1
        products = []
        for first in range(0, len(directions), BATCH):
            vectors = tf.constant(directions[first : first + BATCH])
            product = self.products(point, vectors, tf.constant(chosen, tf.float64))
            products.append(product.numpy())
        rows = np.concatenate(products)
        hessian = np.zeros((size, size))
        hessian[shared] = rows[: len(shared)]
        hessian[:, shared] = hessian[shared].T
        for own in owned:
            hessian[np.ix_(own, own)] = rows[len(shared) : len(shared) + len(own), own]
        return (hessian + hessian.T) / 2


@functools.lru_cache(maxsize=2)
def of(likelihood: likelihoods.Likelihood) -> Hessian:
    """The Hessian of a likelihood, without a second compilation for the last two."""
    return Hessian(likelihood)


def hessians(
    likelihood: likelihoods.Likelihood, thetas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Those of the log-posterior at several thetas, one per core at a time. [S, D] -> [S, D, D]."""
    hessian = of(likelihood)
    return np.stack(threads.each(hessian, thetas, program=hessian.products))
