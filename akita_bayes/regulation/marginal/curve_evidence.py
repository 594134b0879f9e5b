"""The likelihood of reads at given positions, with the weights of the curve integrated out.

The log odds of the bins are curves eta = X w, with X the design of the spline and w its weights.
Given the positions of the sequences the density of w is nearly Gaussian: the multinomial likelihood
is log-concave, and every weight has a Gaussian prior. So its integral is computed by Laplace's
approximation around the best weights w^ (Tierney and Kadane 1986):

    log int p(n | w) p(w) dw = J(w^) - log det(H) / 2 + constant,

J = log p(n | w) + log p(w), H = -d2 J / dw2. Integrals by importance sampling agree with it to less
than 1 nat on the five lac libraries of Kinney et al. (2010), and the difference hardly changes over
the posterior (docs/lac_findings.md).

Counts may be overdispersed. With p = p(bin), G the gamma function, and n reads of a sequence in a
bin, log G(k p + n) / G(k p) = sum_{j < n} log(k p + j). So the j-th read of a sequence in a bin is
counted apart from the first one, and both kinds of counts are

    log p(n | w) = sum_{node, bin, j} T log(k p + j) - sum_j N_j log(k + j)

with T the number of j-th reads and N_j the number of sequences with more than j reads. Multinomial
counts are the case in which all reads have j = 0, where k cancels.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.regulation.layers import bins
from akita_bayes.regulation.marginal import curve_grid, curve_volume

ARRIVED = 1e-6
"""Expected gain of a further Newton step in nats at which the weights are the best ones."""
SLOW = 0.1
"""Share of the last expected gain above which the curvature is computed anew."""
MOST_STEPS = 100
"""Largest number of Newton steps."""
ROUNDING = 1e-6
"""Nats by which a step may lower J by rounding."""


class Curve(NamedTuple):
    """Holds the best weights of a curve, and the curvature there.

    Attributes:
        weights: Best weights of the log odds of every bin but the first. [K, M - 1]
        root: Lower triangular matrix with root root^T = H, whose rows are the weights of the first
            log odds, then those of the second, and so on. [K (M - 1), K (M - 1)]
    """

    weights: Any
    root: Any


class CurveEvidence:
    """Computes the marginal likelihood of the reads that one curve describes.

    Args:
        process: Spline of the curve.
        observed: Reads of each sequence in each bin. [N, M]
        line_prior: Mean and standard deviation of the two weights of a straight line.
    """

    def __init__(
        self,
        process: bins.SplineBins,
        observed: NDArray[np.float64],
        line_prior: tuple[float, float],
    ) -> None:
        self.grid = curve_grid.CurveGrid(process)
        self.curves, self.bends = process.columns - 1, process.hidden - 2
        self._overdispersed = process.overdispersed
        self._line_prior = line_prior
        self._sequences = len(observed)
        self._design = tf.constant(self.grid.design)
        sequence, in_bin = np.nonzero(observed)
        count = observed[sequence, in_bin]
        rank = np.zeros(len(count), int)
        if self._overdispersed:
            # Three reads of a sequence in a bin become its reads 0, 1 and 2.
            repeats = count.astype(int)
            starts = np.repeat(np.cumsum(repeats) - repeats, repeats)
            rank = np.arange(repeats.sum()) - starts
            sequence, in_bin = np.repeat(sequence, repeats), np.repeat(in_bin, repeats)
            count = np.ones(len(rank))
            totals = observed.sum(axis=1)
            self._sequences_with = np.array([(totals > j).sum() for j in range(int(totals.max()))])
        self._ranks = int(rank.max(initial=0)) + 1
        self._sequence = tf.constant(sequence, tf.int32)
        self._in_order = np.array_equal(sequence, np.arange(len(observed)))
        self._slot = tf.constant(in_bin * self._ranks + rank, tf.int32)
        self._count = tf.constant(count, tf.float64)
        self._pairs = curve_volume.Pairs.of(self.curves)

    @property
    def shape(self) -> tuple[int, int]:
        """Returns the shape of the weights: lines and bends, log odds."""
        return self.bends + 2, self.curves

    def log_evidence(
        self, u: Any, log_roughness: Any, log_concentration: Any, *starts: Any
    ) -> tuple[Any, Any]:
        """Computes the log marginal likelihood in nats, with its gradient, and the best weights.

        Args:
            u: Position of each sequence on the axis of the curve. [N]
            log_roughness: Log of the prior's standard deviation of the bends. []
            log_concentration: Log of k; 0 for multinomial counts. []
            *starts: Weights that may be near the best ones. The search starts at those with the
                highest density; the result does not depend on them. [K, M - 1] each

        Returns:
            The value, which is -inf, with a gradient of 0, where a position is not a number; and
            the best weights [K, M - 1], as constants.
        """

        def evidence(u: Any, log_roughness: Any, log_concentration: Any) -> Any:
            finite = tf.reduce_all(tf.math.is_finite(u))
            value, weights, *gradients = self._evidence(
                tf.where(finite, u, tf.zeros_like(u)), log_roughness, log_concentration, starts
            )
            finite &= tf.math.is_finite(value)
            gradients = [
                tf.where(finite, gradient, tf.zeros_like(gradient)) for gradient in gradients
            ]
            nothing = tf.constant(-np.inf, tf.float64)

            def by_argument(of_value: Any, _: Any) -> list[Any]:
                return [of_value * gradient for gradient in gradients]

            return (tf.where(finite, value, nothing), weights), by_argument

        with_gradient = tf.custom_gradient(evidence)
        value, weights = with_gradient(u, log_roughness, log_concentration)
        return value, tf.stop_gradient(weights)

    def curve(self, u: Any, log_roughness: Any, log_concentration: Any, *starts: Any) -> Curve:
        """Finds the best weights and their curvature; arguments as of `log_evidence`."""
        reads, _, _ = self._reads(u)
        weights = self._best(reads, log_roughness, log_concentration, starts)
        nodes = self._nodes(reads, self._log_p(weights), log_concentration)
        return Curve(weights, tf.linalg.cholesky(self._precision(nodes, log_roughness)))

    def log_density(self, u: Any, log_roughness: Any, log_concentration: Any, weights: Any) -> Any:
        """Computes J without the constants of the prior, for S sets of weights.

        Args:
            u: Position of each sequence on the axis of the curve. [N]
            log_roughness: As for `log_evidence`. []
            log_concentration: As for `log_evidence`. []
            weights: Weights. [S, K, M - 1]

        Returns:
            The log density of reads and weights, in nats. [S]
        """
        reads, _, _ = self._reads(u)

        def of_weights(point: Any) -> Any:
            return self._objective(reads, point, log_roughness, log_concentration)[0]

        return tf.map_fn(of_weights, weights)

    def _reads(self, u: Any) -> tuple[Any, Any, Any]:
        """Counts reads by node, bin and rank. [N] -> [G, M, J], slots [4, reads], slopes."""
        shares = self.grid.share(u if self._in_order else tf.gather(u, self._sequence))
        width = (self.curves + 1) * self._ranks
        slots = shares.first * width + self._slot + width * tf.range(4, dtype=tf.int32)[:, None]
        weights, slopes = shares.weights * self._count, shares.slopes * self._count
        size = self.grid.nodes * width
        counts = tf.math.unsorted_segment_sum(
            tf.reshape(weights, [-1]), tf.reshape(slots, [-1]), size
        )
        return (
            tf.reshape(counts, (self.grid.nodes, self.curves + 1, self._ranks)),
            slots,
            slopes,
        )

    def _log_p(self, weights: Any) -> Any:
        """Computes log p of every bin at the nodes. [K, M - 1] -> [G, M]."""
        odds = tf.matmul(self._design, weights)
        logits = tf.concat([tf.zeros_like(odds[:, :1]), odds], axis=1)
        return logits - tf.reduce_logsumexp(logits, axis=1, keepdims=True)

    def _terms(self, log_p: Any, log_concentration: Any) -> tuple[Any, Any]:
        """Computes log(k p + j) and k p / (k p + j). [G, M] -> [G, M, J] each."""
        at_first = (log_p + log_concentration)[..., None]
        if self._ranks == 1:
            return at_first, tf.ones_like(at_first)
        later = tf.range(1, self._ranks, dtype=tf.float64)
        mean = tf.exp(at_first)
        logs = tf.concat([at_first, tf.math.log(mean + later)], axis=-1)
        shares = tf.concat([tf.ones_like(at_first), mean / (mean + later)], axis=-1)
        return logs, shares

    def _nodes(self, reads: Any, log_p: Any, log_concentration: Any) -> curve_volume.Nodes:
        """Computes the log-likelihood at the nodes, and its derivatives."""
        logs, shares = self._terms(log_p, log_concentration)
        value = tf.reduce_sum(reads * logs, axis=-1)
        first = tf.reduce_sum(reads * shares, axis=-1)
        if self._ranks == 1:
            zero = tf.zeros_like(first)
            return curve_volume.Nodes(value, log_p, first, zero, zero)
        spread = reads * shares * (1.0 - shares)
        second = tf.reduce_sum(spread, axis=-1)
        third = tf.reduce_sum(spread * (1.0 - 2.0 * shares), axis=-1)
        return curve_volume.Nodes(value, log_p, first, second, third)

    def _prior_precision(self, log_roughness: Any) -> Any:
        """Returns the precision of every weight of one curve. [] -> [K, 1]."""
        line = np.full((2, 1), self._line_prior[1] ** -2.0)
        return tf.concat([line, tf.fill([self.bends, 1], tf.exp(-2.0 * log_roughness))], axis=0)

    def _deviation(self, weights: Any) -> Any:
        """Subtracts the prior's mean. [K, M - 1] -> [K, M - 1]."""
        mean = np.repeat([self._line_prior[0], 0.0], [2, self.bends])
        return weights - mean[:, None]

    def _objective(
        self, reads: Any, weights: Any, log_roughness: Any, log_concentration: Any
    ) -> tuple[Any, Any, curve_volume.Nodes]:
        """Computes J without constants, its gradient [K, M - 1], and the values at the nodes."""
        nodes = self._nodes(reads, self._log_p(weights), log_concentration)
        precision, deviation = self._prior_precision(log_roughness), self._deviation(weights)
        value = tf.reduce_sum(nodes.value) - 0.5 * tf.reduce_sum(precision * deviation**2)
        total = tf.reduce_sum(nodes.first, axis=1, keepdims=True)
        slope = (nodes.first - tf.exp(nodes.log_p) * total)[:, 1:]
        gradient = tf.matmul(self._design, slope, transpose_a=True) - precision * deviation
        return value, gradient, nodes

    def _precision(
        self, nodes: curve_volume.Nodes, log_roughness: Any, *, exact: bool = True
    ) -> Any:
        """Computes H, or a matrix that is at least as large and positive definite.

        Args:
            nodes: Values at the nodes.
            log_roughness: Log of the prior's standard deviation of the bends.
            exact: False to leave out the convex part of overdispersed counts.
        """
        first, second = self._pairs.first + 1, self._pairs.second + 1
        same = 1.0 * (first == second)
        p, total = tf.exp(nodes.log_p), tf.reduce_sum(nodes.first, axis=1, keepdims=True)
        p_first, p_second = (tf.gather(p, bin, axis=1) for bin in (first, second))
        at_nodes = total * p_first * (same - p_second)
        if exact and self._ranks > 1:
            convex = tf.reduce_sum(nodes.second, axis=1, keepdims=True)
            by_first, by_second = (tf.gather(nodes.second, bin, axis=1) for bin in (first, second))
            at_nodes += by_first * p_second + p_first * by_second
            at_nodes -= convex * p_first * p_second + by_first * same
        weighted = tf.transpose(at_nodes)[..., None] * self._design
        blocks = tf.matmul(self._design, weighted, transpose_a=True)
        # Each block is symmetric, and so is the matrix of blocks: H_cb = H_bc.
        blocks = tf.gather(blocks, self._pairs.of_curves)
        size = (self.bends + 2) * self.curves
        precision = tf.reshape(tf.transpose(blocks, (0, 2, 1, 3)), (size, size))
        prior = tf.tile(self._prior_precision(log_roughness)[:, 0], [self.curves])
        return precision + tf.linalg.diag(prior)

    def _best(
        self, reads: Any, log_roughness: Any, log_concentration: Any, starts: Sequence[Any]
    ) -> Any:
        """Maximises J by Newton steps, whose curvature is computed anew only where they slow down.

        A step that would lower J is shortened to a quarter.
        """
        size = (self.bends + 2) * self.curves
        start = starts[0]
        if len(starts) > 1:
            values = [
                self._objective(reads, weights, log_roughness, log_concentration)[0]
                for weights in starts
            ]
            start = tf.gather(tf.stack(starts), tf.argmax(tf.stack(values)))
        value, gradient, nodes = self._objective(reads, start, log_roughness, log_concentration)
        root = tf.linalg.cholesky(self._precision(nodes, log_roughness, exact=False))
        infinite = tf.constant(np.inf, tf.float64)

        def moving(step: Any, gain: Any, *_: Any) -> Any:
            return (gain > ARRIVED) & (step < MOST_STEPS)

        def move(
            step: Any, gain: Any, length: Any, weights: Any, value: Any, gradient: Any, root: Any
        ) -> tuple[Any, ...]:
            direction = curve_volume.solve(root, gradient)
            next_gain = 0.5 * tf.reduce_sum(direction * gradient)

            def anew() -> Any:
                nodes = self._nodes(reads, self._log_p(weights), log_concentration)
                return tf.linalg.cholesky(self._precision(nodes, log_roughness, exact=False))

            slow = (next_gain > SLOW * gain) & (next_gain > ARRIVED)
            root = tf.cond(slow, anew, lambda: root)
            direction = tf.cond(slow, lambda: curve_volume.solve(root, gradient), lambda: direction)
            candidate = weights + length * direction
            next_value, next_gradient, _ = self._objective(
                reads, candidate, log_roughness, log_concentration
            )
            better = next_value >= value - ROUNDING
            return (
                step + 1,
                next_gain,
                tf.where(better, tf.minimum(2.0 * length, 1.0), 0.25 * length),
                tf.where(better, candidate, weights),
                tf.where(better, next_value, value),
                tf.where(better, next_gradient, gradient),
                root,
            )

        whole_step = tf.constant(1.0, tf.float64)
        state = (tf.constant(0), infinite, whole_step, start, value, gradient, root)
        shapes = [tf.TensorShape(shape) for shape in ((), (), (), self.shape, (), self.shape)]
        invariants = (*shapes, tf.TensorShape((size, size)))
        weights = tf.while_loop(moving, move, state, shape_invariants=invariants)[3]
        return tf.stop_gradient(weights)

    def _evidence(
        self, u: Any, log_roughness: Any, log_concentration: Any, starts: Sequence[Any]
    ) -> tuple[Any, ...]:
        """Computes the evidence, the best weights, and the derivatives by u, roughness and k."""
        reads, slots, slopes = self._reads(u)
        weights = self._best(reads, log_roughness, log_concentration, starts)
        objective, _, nodes = self._objective(reads, weights, log_roughness, log_concentration)
        root = tf.linalg.cholesky(self._precision(nodes, log_roughness))
        log_det = 2.0 * tf.reduce_sum(tf.math.log(tf.linalg.diag_part(root)))
        number = self.bends * self.curves
        constant = -2 * self.curves * np.log(self._line_prior[1])
        value = objective - number * log_roughness - 0.5 * log_det + constant
        if self._overdispersed:
            ranks = np.arange(len(self._sequences_with), dtype=float)
            later = tf.math.log(tf.exp(log_concentration) + ranks)
            value -= tf.reduce_sum(self._sequences_with * later)
        volume = curve_volume.Volume.of(self._design, nodes, root, self._pairs)
        logs, shares = self._terms(nodes.log_p, log_concentration)
        by_read = logs + volume.by_read(shares)
        by_slot = tf.gather(tf.reshape(by_read, [-1]), slots) * slopes
        by_u = tf.reduce_sum(by_slot, axis=0)
        if not self._in_order:
            by_u = tf.math.unsorted_segment_sum(by_u, self._sequence, self._sequences)
        bends = tf.exp(-2.0 * log_roughness) * tf.reduce_sum(
            weights[2:] ** 2 + volume.variances[2:] + 2.0 * volume.shift[2:] * weights[2:]
        )
        by_concentration = tf.zeros_like(log_concentration)
        if self._overdispersed:
            k = tf.exp(log_concentration)
            by_concentration = (
                tf.reduce_sum(nodes.first)
                - tf.reduce_sum(self._sequences_with * k / (k + ranks))
                + volume.by_concentration()
            )
        return value, weights, by_u, bends - number, by_concentration
