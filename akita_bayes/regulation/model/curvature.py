"""Exact second derivatives of a log-posterior, from Hessian-vector products.

Every shared parameter takes a direction of its own. Parameters of different libraries have no
mixed second derivatives, so one direction serves one parameter of every library at once.
"""

import functools
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import threads

BATCH = 16
"""Directions of a Hessian that are multiplied at once."""


class Hessian:
    """Computes the Hessian of the density of a fit; compiled once, cached by `hessian_of`."""

    def __init__(self, likelihood: likelihoods.Likelihood) -> None:
        self.likelihood = likelihood
        self.products = tf.function(self._multiply, jit_compile=True)

    def _multiply(self, theta: tf.Tensor, vectors: tf.Tensor, weight: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as outer:
            outer.watch(theta)
            with tf.GradientTape() as inner:
                inner.watch(theta)
                value = self.likelihood.log_posterior_fixed_scale(theta, weight)
            along = tf.reduce_sum(inner.gradient(value, theta) * vectors)
        return outer.gradient(along, theta)

    def __call__(
        self, theta: NDArray[np.float64], weight: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Computes the Hessian at one theta. [D] -> [D, D]."""
        size = len(theta)
        row_weight = np.ones(self.likelihood.rows) if weight is None else weight
        point = tf.constant(np.tile(theta, (BATCH, 1)), tf.float64)
        parameters = self.likelihood.parameters
        shared = parameters.own(None)
        owned = [parameters.own(library) for library in parameters.libraries]
        count = len(shared) + max(map(len, owned), default=0)
        # With shared a, b and one parameter each of libraries 1 and 2, three directions suffice:
        # (1,0,0,0), (0,1,0,0) and (0,0,1,1). Zero directions fill the last batch.
        directions = np.zeros((-(-count // BATCH) * BATCH, size))
        directions[np.arange(len(shared)), shared] = 1
        for own in owned:
            directions[len(shared) + np.arange(len(own)), own] = 1
        products = []
        for first in range(0, len(directions), BATCH):
            vectors = tf.constant(directions[first : first + BATCH])
            product = self.products(point, vectors, tf.constant(row_weight, tf.float64))
            products.append(product.numpy())
        rows = np.concatenate(products)
        hessian = np.zeros((size, size))
        hessian[shared] = rows[: len(shared)]
        hessian[:, shared] = hessian[shared].T
        for own in owned:
            hessian[np.ix_(own, own)] = rows[len(shared) : len(shared) + len(own), own]
        return (hessian + hessian.T) / 2


@functools.singledispatch
def new_hessian(likelihood: Any) -> Any:
    """Makes the Hessian of a likelihood; other kinds of likelihoods register their own."""
    return Hessian(likelihood)


@functools.lru_cache(maxsize=2)
def hessian_of(likelihood: Any) -> Any:
    """Returns the Hessian of a likelihood, cached for the last two likelihoods."""
    return new_hessian(likelihood)


def hessians(
    likelihood: likelihoods.Likelihood, thetas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Computes the Hessian at several thetas, one per core at a time. [S, D] -> [S, D, D]."""
    hessian = hessian_of(likelihood)
    return np.stack(threads.parallel_map(hessian, thetas, program=hessian.products))
