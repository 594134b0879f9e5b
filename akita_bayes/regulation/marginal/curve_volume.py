"""Derivatives of the volume term -log det(H) / 2 of Laplace's approximation.

At a node with probabilities p and derivatives f1, f2 and f3 of the log-likelihood along log p, the
curvature along the log odds is

    N = A (diag(p) - p p^T) - sum_b f2_b (e_b - p) (e_b - p)^T,    A = sum_b f1_b,

without the row and the column of the first bin, whose log odds are 0. With V the covariance of the
log odds that H^-1 implies, tr(V N) = sum_b (A p_b - f2_b) x_b, where x_b = (e_b - p)^T V (e_b - p)
is the variance of log p_b. The volume changes by -tr(H^-1 dH) / 2: directly with the reads, and
through the best weights, which follow the reads (the chain rule for an implicit function).
"""

from typing import Any, NamedTuple, Self

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class Nodes(NamedTuple):
    """Holds the log-likelihood at G nodes, and its derivatives along log p of each of M bins.

    Attributes:
        value: Log-likelihood f, summed over the ranks of reads. [G, M]
        log_p: Log-probability of each bin. [G, M]
        first: First derivative of f. [G, M]
        second: Second derivative of f; 0 for multinomial counts. [G, M]
        third: Third derivative of f. [G, M]
    """

    value: Any
    log_p: Any
    first: Any
    second: Any
    third: Any


class Pairs(NamedTuple):
    """Lists the pairs of curves, of which each symmetric matrix of curves has one value.

    Attributes:
        first: Number of the first curve of each pair, not below the second. [P]
        second: Number of the second curve. [P]
        of_curves: Number of the pair of each two curves. [M - 1, M - 1]
    """

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    of_curves: NDArray[np.int64]

    @classmethod
    def of(cls, curves: int) -> Self:
        """Lists the pairs of a number of curves, each curve with itself included."""
        first, second = np.tril_indices(curves)
        of_curves = np.zeros((curves, curves), int)
        of_curves[first, second] = of_curves[second, first] = np.arange(len(first))
        return cls(first, second, of_curves)


class Volume(NamedTuple):
    """Holds what the derivatives of -log det(H) / 2 need.

    Attributes:
        nodes: Values at the nodes.
        log_p_variance: x, the variance of log p of each bin. [G, M]
        variances: Variance of each weight. [K, M - 1]
        shift: H^-1 times the derivative of the volume by the weights. [K, M - 1]
        pull: The same as a change of log p of each bin, with a mean of 0 over p. [G, M]
    """

    nodes: Nodes
    log_p_variance: Any
    variances: Any
    shift: Any
    pull: Any

    @classmethod
    def of(cls, design: Any, nodes: Nodes, root: Any, pairs: Pairs) -> Self:
        """Computes the derivatives for one curve.

        Args:
            design: Log odds that each weight adds at each node. [G, K]
            nodes: Values at the nodes, for the best weights.
            root: Lower triangular root of H. [K (M - 1), K (M - 1)]
            pairs: Pairs of curves.
        """
        width, curves = design.shape[1], nodes.log_p.shape[1] - 1
        inverse_root = tf.linalg.triangular_solve(root, tf.eye(width * curves, dtype=root.dtype))
        inverse = tf.matmul(inverse_root, inverse_root, transpose_a=True)
        blocks = tf.transpose(tf.reshape(inverse, (curves, width, curves, width)), (0, 2, 1, 3))
        of_pairs = tf.gather_nd(blocks, np.stack(pairs[:2], axis=1))
        by_pair = tf.reduce_sum(tf.matmul(design, of_pairs) * design, axis=-1)
        covariance = tf.gather(by_pair, pairs.of_curves)  # [curve, curve, G]
        p = tf.exp(nodes.log_p[:, 1:])
        mean = tf.einsum("bcg,gc->gb", covariance, p)
        total_mean = tf.reduce_sum(p * mean, axis=1, keepdims=True)
        own = tf.transpose(tf.gather(by_pair, pairs.of_curves.diagonal())) - 2.0 * mean
        x = tf.concat([tf.zeros_like(own[:, :1]), own], axis=1) + total_mean
        by_odds = _by_odds(nodes, p, covariance, mean, total_mean, own, x)
        slope = -0.5 * tf.matmul(design, by_odds, transpose_a=True)
        shift = solve(root, slope)
        odds = tf.matmul(design, shift)
        common = tf.reduce_sum(p * odds, axis=1, keepdims=True)
        pull = tf.concat([tf.zeros_like(common), odds], axis=1) - common
        variances = tf.transpose(tf.reshape(tf.linalg.diag_part(inverse), (curves, width)))
        return cls(nodes, x, variances, shift, pull)

    def by_read(self, shares: Any) -> Any:
        """Computes the derivative by the number of reads at a node, in a bin, of a rank.

        Args:
            shares: k p / (k p + j). [G, M, J]
        """
        p = tf.exp(self.nodes.log_p)
        mean = tf.reduce_sum(p * self.log_p_variance, axis=1)[:, None, None]
        spread = shares * (1.0 - shares) * self.log_p_variance[..., None]
        return shares * (self.pull[..., None] - 0.5 * mean) + 0.5 * spread

    def by_concentration(self) -> Any:
        """Computes the derivative by log k, which acts on all log p alike."""
        nodes, p = self.nodes, tf.exp(self.nodes.log_p)
        convex = tf.reduce_sum(nodes.second, axis=1, keepdims=True)
        direct = (convex * p - nodes.third) * self.log_p_variance
        return tf.reduce_sum(self.pull * nodes.second) - 0.5 * tf.reduce_sum(direct)


def _by_odds(
    nodes: Nodes, p: Any, covariance: Any, mean: Any, total_mean: Any, own: Any, x: Any
) -> Any:
    """Computes d tr(V N) / d eta of each log odds, at constant V. -> [G, M - 1].

    Args:
        nodes: Values at the nodes.
        p: Probabilities of all bins but the first. [G, M - 1]
        covariance: V. [M - 1, M - 1, G]
        mean: V p. [G, M - 1]
        total_mean: p^T V p. [G, 1]
        own: x without p^T V p. [G, M - 1]
        x: Variance of log p of each bin. [G, M]
    """
    total = tf.reduce_sum(nodes.first, axis=1, keepdims=True)
    by_odds = total * p * (own - tf.reduce_sum(p * own, axis=1, keepdims=True))
    second, third = nodes.second[:, 1:], nodes.third
    convex = tf.reduce_sum(nodes.second, axis=1, keepdims=True)
    p_x = tf.reduce_sum(tf.exp(nodes.log_p) * x, axis=1, keepdims=True)
    by_odds += (second - p * convex) * p_x
    by_odds += p * tf.reduce_sum(third * x, axis=1, keepdims=True) - third[:, 1:] * x[:, 1:]
    across = tf.einsum("gb,beg->ge", second, covariance)
    across -= tf.reduce_sum(second * mean, axis=1, keepdims=True)
    return by_odds + 2.0 * p * (across - convex * (mean - total_mean))


def solve(root: Any, gradient: Any) -> Any:
    """Computes H^-1 times a gradient, with H = root root^T. [K, M - 1] -> [K, M - 1]."""
    stacked = tf.reshape(tf.transpose(gradient), (-1, 1))
    solved = tf.linalg.cholesky_solve(root, stacked)
    return tf.transpose(tf.reshape(solved, (gradient.shape[1], gradient.shape[0])))
