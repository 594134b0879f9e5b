"""The likelihood of a mechanism with the weights of its curves p(bin | t) integrated out.

Most parameters of a mechanism whose bins are splines are weights of curves: 1,110 of the 1,337 of
the five lac libraries. When the scale of energies or a background moves, all weights of a curve
have to move along a bent path, which no linear change of coordinates makes straight. So chains over
all parameters are slow. Given the energies, the weights have a nearly Gaussian density, whose
integral `curve_evidence` computes. What remains has few parameters and a nearly Gaussian posterior.

`MarginalLikelihood` has the methods of a `Likelihood` that fits, Laplace's approximation, the
sampler and the evidence call, and its own layout of theta.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from akita_bayes.regulation.layers import bins
from akita_bayes.regulation.marginal import curve_evidence, marginal_parameters
from akita_bayes.regulation.model import curvature, priors, threads
from akita_bayes.regulation.model import likelihood as likelihoods

DIFFERENCE = 0.03
"""Change of a parameter in differences of gradients, in kT or in units of its prior's standard
deviation, whichever is smaller: about as wide as the narrowest posteriors, so that the curvature is
a mean over the width of a posterior."""
MEMORIES = 64
"""Chains that remember their last weights. Further chains share a memory, and take more time."""
FEWEST_WEIGHTS = 1000
"""Fewest weights of curves that are integrated out. It was tried on the five lac libraries, with
1,110 weights. Chains over all parameters of a small promoter converge, and XLA computes a gradient
of theirs in a tenth of the time."""


MOST_READS = 100
"""Most overdispersed reads of a sequence in a bin. More would need gigabytes of memory."""


class _Curve(NamedTuple):
    """Holds a curve and where its parameters and sequences stand.

    Attributes:
        evidence: Marginal likelihood of the reads of the curve.
        libraries: Numbers of the libraries that the curve describes.
        roughness: Entry of theta.
        concentration: Entry of theta; None for multinomial counts.
        start: Best weights at the centre. [K, M - 1]
        slopes: How the best weights change with theta at the centre. [K, M - 1, P]
        memory: Best weights of the last theta of each chain. [`MEMORIES`, K, M - 1]
    """

    evidence: curve_evidence.CurveEvidence
    libraries: tuple[int, ...]
    roughness: int
    concentration: int | None
    start: tf.Variable
    slopes: tf.Variable
    memory: tf.Variable


class CurveAt(NamedTuple):
    """Holds a curve at one theta.

    Attributes:
        evidence: Marginal likelihood of the reads of the curve.
        libraries: Names of the libraries that the curve describes.
        arguments: Positions, log roughness and log concentration.
        start: Weights at which a search for the best ones may start.
    """

    evidence: curve_evidence.CurveEvidence
    libraries: tuple[str, ...]
    arguments: tuple[Any, ...]
    start: Any


def applies(likelihood: likelihoods.Likelihood) -> bool:
    """Returns True where bins are splines of whole numbers of reads, with many weights.

    Overdispersed counts must not be large, since each read of a sequence in a bin is a term.
    """
    processes = likelihood.parameters.processes.values()
    if not all(isinstance(process, bins.SplineBins) for process in processes):
        return False
    parts = marginal_parameters.CURVE_PARTS
    blocks = [block for block in likelihood.parameters.blocks if block.part in parts]
    weights = sum(block.stop - block.start for block in blocks)
    if weights < FEWEST_WEIGHTS:
        return False
    observed = [library.observed for library in likelihood.table.libraries]
    if any(process.overdispersed for process in processes) and (
        max(counts.max() for counts in observed) > MOST_READS
    ):
        return False
    return all(np.array_equal(counts, np.round(counts)) for counts in observed)


class MarginalLikelihood:
    """Computes posteriors of all parameters but the weights of curves.

    Args:
        whole: Likelihood with the weights of curves; `applies` is True for it.
    """

    target_acceptance = 0.8
    """Target of the step size: the posterior is nearly Gaussian, so longer steps are better."""
    nearly_gaussian = True
    """True: the sampler keeps the coordinates of Laplace's approximation."""
    compiles = False
    """False, since XLA has no fast decompositions of matrices on a processor."""

    def __init__(self, whole: likelihoods.Likelihood) -> None:
        self.whole = whole
        self.mechanism, self.table, self.rows = whole.mechanism, whole.table, whole.rows
        layout = whole.parameters
        self.parameters = marginal_parameters.MarginalParameters(
            layout.mechanism, layout.wild_type, layout.columns, layout.read_outs
        )
        size = self.parameters.size
        # Entries of the whole theta; those of the weights of curves point to a 0 behind the end.
        self._entries = np.full(layout.size, size)
        self._entries[self.parameters.source[self.parameters.source >= 0]] = np.flatnonzero(
            self.parameters.source >= 0
        )
        self._centre = tf.Variable(self.parameters.prior_mean)
        self._curves = [self._curve(block.library) for block in self._roughness_blocks()]
        self._compiled_positions = tf.function(self._positions_of, jit_compile=True)
        self._compiled_by_theta = tf.function(self._by_theta, jit_compile=True)
        self._fit_gradient = tf.function(self._fit_value_and_gradient, autograph=False)
        self._best_weights = tf.function(self._uncompiled_weights, autograph=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Returns how a worker makes it again: compiled functions cannot be sent to a process."""
        return MarginalLikelihood, (self.whole,)

    def _roughness_blocks(self) -> list[Any]:
        part = marginal_parameters.ROUGHNESS
        return [block for block in self.parameters.blocks if block.part == part]

    def _curve(self, library: str | None) -> _Curve:
        """Makes the curve of one library, or of all libraries that share it."""
        names = self.parameters.libraries
        numbers = tuple(i for i, name in enumerate(names) if library in (None, name))
        process = self.parameters.processes[names[numbers[0]]]
        line = self.parameters.whole.find("measurement", "line", library).prior
        observed = [np.asarray(self.table.libraries[i].observed, float) for i in numbers]
        evidence = curve_evidence.CurveEvidence(
            process, np.concatenate(observed), (line.mean, line.sd)
        )
        find = functools.partial(self.parameters.find, "measurement", library=library)
        return _Curve(
            evidence,
            numbers,
            find(marginal_parameters.ROUGHNESS).start,
            find("log_concentration").start if process.overdispersed else None,
            tf.Variable(tf.zeros(evidence.shape, tf.float64)),
            tf.Variable(tf.zeros((*evidence.shape, self.parameters.size), tf.float64)),
            tf.Variable(tf.zeros((MEMORIES, *evidence.shape), tf.float64)),
        )

    def _positions(self, theta: Any) -> list[Any]:
        """Computes the position of every sequence on its curve. [P] -> [N] for every library.

        The backward pass computes the forward pass again. Otherwise one compiled program would
        write all intermediate values to memory for the other.
        """

        def positions(theta: Any) -> Any:
            return self._compiled_positions(theta), lambda *slopes: self._compiled_by_theta(
                theta, slopes
            )

        return list(tf.custom_gradient(positions)(theta))

    def _by_theta(self, theta: Any, slopes: Sequence[Any]) -> Any:
        """Multiplies derivatives by positions with those of the positions. [P], [N]s -> [P]."""
        with tf.GradientTape() as tape:
            tape.watch(theta)
            positions = self._positions_of(theta)
        return tape.gradient(positions, theta, output_gradients=list(slopes))

    def _positions_of(self, theta: Any) -> list[Any]:
        padded = tf.concat([theta, tf.zeros(1, theta.dtype)], axis=0)
        positions = self.whole.positions(tf.gather(padded, self._entries)[None])
        return [tf.cast(position[0], tf.float64) for position in positions]

    def _arguments(self, theta: Any) -> list[tuple[Any, ...]]:
        """Returns the arguments of the evidence of each curve but the starts. [P]."""
        positions = self._positions(theta)
        return [
            (
                tf.concat([positions[i] for i in curve.libraries], axis=0),
                theta[curve.roughness],
                tf.zeros((), tf.float64)
                if curve.concentration is None
                else theta[curve.concentration],
            )
            for curve in self._curves
        ]

    def curves(self, theta: NDArray[np.float64]) -> list[CurveAt]:
        """Returns every curve, with the arguments of its evidence at one theta. [P]."""
        point = tf.constant(theta)
        return [
            CurveAt(
                curve.evidence,
                tuple(self.parameters.libraries[i] for i in curve.libraries),
                arguments,
                self._starts(curve, point)[0],
            )
            for curve, arguments in zip(self._curves, self._arguments(point), strict=True)
        ]

    def _starts(self, curve: _Curve, theta: Any) -> tuple[Any, Any]:
        """Returns weights at the centre, and moved from there with theta. [P] -> [K, M - 1]."""
        moved = curve.start + tf.linalg.matvec(curve.slopes, theta - self._centre)
        return tf.convert_to_tensor(curve.start), tf.stop_gradient(moved)

    def _log_likelihood(self, theta: Any, chain: Any = None) -> Any:
        """Computes the log marginal likelihood of one theta. [P] -> [].

        Args:
            theta: The theta.
            chain: Number of the chain whose last weights are near the best ones; None for no chain.
        """
        values = []
        for curve, arguments in zip(self._curves, self._arguments(theta), strict=True):
            if chain is None:
                starts = self._starts(curve, theta)
                values.append(curve.evidence.log_evidence(*arguments, *starts)[0])
                continue
            last = tf.gather(curve.memory, chain)
            value, weights = curve.evidence.log_evidence(*arguments, last)
            weights = tf.where(tf.math.is_finite(value), weights, last)
            curve.memory.scatter_nd_update([[chain]], weights[None])
            values.append(value)
        return tf.add_n(values)

    def log_likelihood(self, theta: Any) -> Any:
        """Computes the log marginal likelihood in nats. [S, P] -> [S], float64."""
        theta = tf.cast(theta, tf.float64)
        if theta.shape[0] == 1:
            return self._log_likelihood(theta[0])[None]
        return tf.map_fn(self._log_likelihood, theta, parallel_iterations=1)

    def log_posterior_fixed_scale(self, theta: Any) -> Any:
        """Computes the density whose optimum is a mode, unnormalised. [S, P] -> [S]."""
        return self.log_likelihood(theta) + priors.fixed_scale(self.parameters, theta)

    def log_posterior_unknown_scale(self, theta: Any) -> Any:
        """Computes the density that is sampled, unnormalised. [S, P] -> [S]."""
        return self.log_likelihood(theta) + priors.unknown_scale(self.parameters, theta)

    def chain_density(self, chain: Any) -> Callable[[Any], Any]:
        """Returns `log_posterior_unknown_scale` of one theta at a time, for one chain.

        The search for the best weights starts at those of the theta before. Their values differ
        from those of another start only by rounding, and are the same in every run.

        Args:
            chain: Number of the chain.
        """

        def density(theta: Any) -> Any:
            prior = priors.unknown_scale(self.parameters, theta)
            return prior + self._log_likelihood(theta[0], chain % MEMORIES)

        return density

    def _fit_value_and_gradient(self, theta: tf.Tensor) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = self.log_posterior_fixed_scale(theta)
        return value, tape.gradient(value, theta)

    def value_and_gradient(self, theta: NDArray[np.float64]) -> likelihoods.ValueAndGradient:
        """Computes the density of a fit and its gradient. [S, P] -> [S], [S, P]."""
        parts = [self._fit_gradient(tf.constant(point[None], tf.float64)) for point in theta]
        values, gradients = zip(*parts, strict=True)
        return likelihoods.ValueAndGradient(np.concatenate(values), np.concatenate(gradients))

    def _uncompiled_weights(self, theta: Any) -> list[Any]:
        return [
            curve.evidence.curve(*arguments, *self._starts(curve, theta)).weights
            for curve, arguments in zip(self._curves, self._arguments(theta), strict=True)
        ]

    @functools.cached_property
    def differences(self) -> NDArray[np.float64]:
        """Returns the change of each parameter in differences. [P]."""
        return np.asarray(DIFFERENCE * np.minimum(self.parameters.prior_sd, 1.0))

    def centre_at(self, theta: NDArray[np.float64], *, follow: bool = True) -> None:
        """Starts the search for the best weights of curves at those of a theta. [P].

        The results of other methods do not depend on this. They take less time near theta.

        Args:
            theta: Centre of the thetas to come.
            follow: True to learn also how the best weights change with theta, which takes about the
                time of P gradients.
        """
        weights = self._best_weights(tf.constant(theta))
        if follow:
            steps = self.differences
            changed = threads.parallel_map(
                lambda point: self._best_weights(tf.constant(point)),
                theta + np.diag(steps),
                program=self._best_weights,
                compiled=False,
            )
        for number, curve in enumerate(self._curves):
            slopes = np.zeros(curve.slopes.shape)
            if follow:
                best = np.stack([point[number].numpy() for point in changed], axis=-1)
                slopes = (best - weights[number].numpy()[..., None]) / steps
            curve.start.assign(weights[number])
            curve.memory.assign(tf.repeat(weights[number][None], MEMORIES, axis=0))
            curve.slopes.assign(slopes)
        self._centre.assign(theta)


@curvature.new_hessian.register(MarginalLikelihood)
class GradientDifferences:
    """Computes Hessians of a marginal likelihood from differences of its gradients.

    Args:
        likelihood: Marginal likelihood.
    """

    def __init__(self, likelihood: MarginalLikelihood) -> None:
        self.likelihood = likelihood
        self.products = likelihood._fit_gradient

    def __call__(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Computes the Hessian of the density of a fit at one theta. [P] -> [P, P]."""
        steps = np.diag(self.likelihood.differences)
        points = np.concatenate([theta + steps, theta - steps])
        parts = threads.parallel_map(
            lambda point: self.likelihood.value_and_gradient(point[None]).gradient[0],
            points,
            program=self.products,
            compiled=False,
        )
        above, below = np.split(np.stack(parts), 2)
        hessian = (above - below) / (2 * np.diag(steps)[:, None])
        return np.asarray((hessian + hessian.T) / 2)
