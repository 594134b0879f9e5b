"""The log-likelihood of a reporter assay as a pure function of a flat parameter vector.

    log p(data | theta) = sum_n log p(data_n | t(x_n; theta), theta)

Many thetas are evaluated at once, [S, D] -> [S]. The sequences of a site are stored once, as
contrasts of its bases (`Parameters.design`), and one matrix product gives an energy for all thetas.
Sums over sequences are in float64, so that the function is smooth for a sampler or a line search
even where the arithmetic per sequence is in float32.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.layers import kinetic, thermodynamic
from akita_bayes.regulation.model import parameters as layout
from akita_bayes.regulation.model import priors


class _LibraryTensors(NamedTuple):
    """Holds one library as tensors, sequences last."""

    name: str
    designs: dict[str, tf.Tensor]
    observed: tf.Tensor
    weight: tf.Tensor
    rows: slice


class ValueAndGradient(NamedTuple):
    """Holds a log-density [S] and its gradient [S, D], as float64 arrays."""

    value: NDArray[np.float64]
    gradient: NDArray[np.float64]


class Likelihood:
    """Computes the log-likelihood of a mechanism on a table, and posteriors under two priors.

    Args:
        mechanism: Declared mechanism.
        table: Libraries of sequences with their measurements.
        parameters: Layout of theta; by default the layout for the mechanism and the table.
        dtype: Precision of the arithmetic per sequence.
    """

    target_acceptance = 0.9
    """Target of the step size: ridges need short steps (`SamplingOptions.target_acceptance`)."""
    nearly_gaussian = False
    """False, since posteriors of all parameters are ridges, which the sampler straightens."""
    compiles = True
    """True, since XLA compiles the densities."""

    def __init__(
        self,
        mechanism: mechanism_spec.Mechanism,
        table: assay_table.Table,
        *,
        parameters: layout.Parameters | None = None,
        dtype: str = "float32",
    ) -> None:
        self.mechanism = mechanism
        self.table = table
        self.dtype = dtype
        self.parameters = parameters or layout.Parameters.of(mechanism, table)
        self._kinetic = isinstance(mechanism, mechanism_spec.Kinetic)
        if isinstance(mechanism, mechanism_spec.Kinetic):
            self._steady = kinetic.KingAltman(len(mechanism.species), mechanism.edges)
        stops = np.cumsum([len(library.index) for library in table.libraries])
        self._libraries = [
            self._to_tensors(library, slice(stop - len(library.index), stop))
            for library, stop in zip(table.libraries, stops, strict=True)
        ]
        self.rows = int(stops[-1])
        self._all = np.ones(self.rows)
        self._compiled = tf.function(self._value_and_gradient, jit_compile=True)

    def centre_at(self, theta: NDArray[np.float64]) -> None:
        """Prepares for thetas near a centre [D]; a likelihood of all parameters needs nothing."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Returns how a worker makes it again: compiled functions cannot be sent to a process."""
        remake = functools.partial(Likelihood, parameters=self.parameters, dtype=self.dtype)
        return remake, (self.mechanism, self.table)

    def _to_tensors(self, library: assay_table.Library, rows: slice) -> _LibraryTensors:
        designs = {
            name: tf.constant(
                np.ascontiguousarray(self.parameters.design(name, library.index).T), self.dtype
            )
            for name, term in self.mechanism.terms.items()
            if term.site is not None
        }
        observed = tf.constant(np.ascontiguousarray(library.observed.T), self.dtype)
        return _LibraryTensors(
            library.name, designs, observed, tf.constant(library.weight, self.dtype), rows
        )

    def _terms(self, theta: Any, tensors: _LibraryTensors) -> Any:
        """Computes energies or log rates of one library. [S, D] -> [S, N, J]."""
        sign = -1.0 if self._kinetic else 1.0
        columns = []
        for name, term in self.mechanism.terms.items():
            fixed = term.known(tensors.name)
            if fixed is None:
                index = self.parameters.find(name, "constant", tensors.name).start
                constant = theta[:, index : index + 1]
            else:
                value = np.log(fixed) if self._kinetic else fixed
                constant = ops.full_like(theta[:, :1], value)
            design = tensors.designs.get(name)
            if design is None:
                column = ops.broadcast_to(constant, (theta.shape[0], tensors.weight.shape[0]))
            else:
                start = self.parameters.find(name, "bases").start
                bases = theta[:, start : start + design.shape[0]]
                column = constant + sign * tf.matmul(bases, design)
            columns.append(column)
        return ops.stack(columns, axis=-1)

    def _activity(self, theta: Any, tensors: _LibraryTensors) -> Any:
        """Computes the activity of one library's sequences. [S, D] -> [S, N]."""
        terms = self._terms(theta, tensors)
        mechanism = self.mechanism
        if isinstance(mechanism, mechanism_spec.Thermodynamic):
            mixture = thermodynamic.boltzmann(terms, mechanism.occupancy)
            levels = [self._level(theta, state.activity) for state in mechanism.states.values()]
        else:
            mixture = ops.exp(self._steady.log_fluxes(terms))
            levels = [
                self._level(theta, float(name in mechanism.product)) for name in mechanism.terms
            ]
        return ops.sum(mixture * ops.stack(levels, axis=-1)[:, None, :], axis=-1)

    def _signal(self, theta: Any, tensors: _LibraryTensors) -> Any:
        """Computes the signal of one library: activity or relative odds. [S, D] -> [S, N]."""
        mechanism = self.mechanism
        if isinstance(mechanism, mechanism_spec.Kinetic) or not mechanism.measurement.relative:
            return self._activity(theta, tensors)
        # Without designs, every term is its constant: the value for the wild type.
        wild_type_only = tensors._replace(designs={}, weight=tensors.weight[:1])
        probabilities, reference = (
            thermodynamic.boltzmann(self._terms(theta, library), mechanism.occupancy)
            for library in (tensors, wild_type_only)
        )
        odds = thermodynamic.log_odds(reference, mechanism.levels)
        return thermodynamic.relative_activity(probabilities, mechanism.levels, odds)

    def _level(self, theta: Any, activity: float | str) -> Any:
        """Returns the activity alpha of a state. [S, D] -> [S]."""
        if isinstance(activity, str):
            return ops.exp(theta[:, self.parameters.find(activity, "log_activity").start])
        return ops.full_like(theta[:, 0], activity)

    def _weights(self, theta: Any, library: str) -> dict[str, Any]:
        return {
            block.part: ops.reshape(
                theta[:, block.start : block.stop], (theta.shape[0], *block.shape)
            )
            for block in self.parameters.blocks
            if block.owner == "measurement" and block.library in (None, library)
        }

    def per_sequence(self, theta: Any) -> Any:
        """Computes the log-likelihood of each sequence, in the table's order. [S, D] -> [S, N]."""
        theta = ops.cast(theta, self.dtype)
        parts = [
            self.parameters.processes[tensors.name].log_prob(
                self._weights(theta, tensors.name),
                self._signal(theta, tensors),
                tensors.observed,
                tensors.weight,
            )
            for tensors in self._libraries
        ]
        return ops.concatenate(parts, axis=-1)

    def terms(self, theta: Any) -> Any:
        """Computes energies in kT, or log rates, of each sequence. [S, D] -> [S, N, J]."""
        theta = ops.cast(theta, self.dtype)
        return ops.concatenate([self._terms(theta, tensors) for tensors in self._libraries], axis=1)

    def activity(self, theta: Any) -> Any:
        """Computes the activity of each sequence. [S, D] -> [S, N]."""
        theta = ops.cast(theta, self.dtype)
        return ops.concatenate(
            [self._activity(theta, tensors) for tensors in self._libraries], axis=-1
        )

    def signal(self, theta: Any) -> Any:
        """Computes the measured signal, activity or relative odds. [S, D] -> [S, N]."""
        theta = ops.cast(theta, self.dtype)
        return ops.concatenate(
            [self._signal(theta, tensors) for tensors in self._libraries], axis=-1
        )

    def positions(self, theta: Any) -> list[Any]:
        """Computes where sequences lie on the axis of their library's spline. [S, D] -> [S, N]."""
        theta = ops.cast(theta, self.dtype)
        return [
            self.parameters.processes[tensors.name].position(
                self._weights(theta, tensors.name), self._signal(theta, tensors)
            )
            for tensors in self._libraries
        ]

    def outputs(self, theta: Any) -> dict[str, Any]:
        """Computes the parameters of each library's distribution. [S, D] -> [S, outputs, N]."""
        theta = ops.cast(theta, self.dtype)
        return {
            tensors.name: self.parameters.processes[tensors.name].outputs(
                self._weights(theta, tensors.name), self._signal(theta, tensors)
            )
            for tensors in self._libraries
        }

    def log_likelihood(self, theta: Any, weight: Any = None) -> Any:
        """Computes the log-likelihood in nats, also under XLA. [S, D] -> [S] or [D] -> [].

        Args:
            theta: Parameters; float64 keeps the sums exact.
            weight: [N] weight of each sequence: 0 or 1 selects a side of a split, multinomial
                draws make a bootstrap. All weights are 1 when None.
        """
        theta = tf.convert_to_tensor(theta)
        if theta.shape.rank == 1:
            return self.log_likelihood(theta[None], weight)[0]
        per_sequence = ops.cast(self.per_sequence(theta), "float64")
        if weight is not None:
            per_sequence = per_sequence * ops.cast(weight, "float64")
        return ops.cast(ops.sum(per_sequence, axis=-1), theta.dtype)

    def log_posterior_fixed_scale(self, theta: Any, weight: Any = None) -> Any:
        """Computes the density whose optimum is a fit, unnormalised. [S, D] -> [S] or [D] -> [].

        The sum of log-likelihood and `priors.fixed_scale`; arguments as of `log_likelihood`.
        """
        return self.log_likelihood(theta, weight) + priors.fixed_scale(self.parameters, theta)

    def log_posterior_unknown_scale(self, theta: Any) -> Any:
        """Computes the density that is sampled, unnormalised. [S, D] -> [S], float64.

        The sum of log-likelihood and `priors.unknown_scale`.
        """
        return self.log_likelihood(theta) + priors.unknown_scale(self.parameters, theta)

    def chain_density(self, chain: Any) -> Callable[[Any], Any]:
        """Returns `log_posterior_unknown_scale`, which is the same for every chain."""
        return self.log_posterior_unknown_scale

    def _value_and_gradient(self, theta: tf.Tensor, weight: tf.Tensor) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = self.log_posterior_fixed_scale(theta, weight)
        return value, tape.gradient(value, theta)

    def value_and_gradient(
        self, theta: NDArray[np.float64], weight: NDArray[np.float64] | None = None
    ) -> ValueAndGradient:
        """Computes the density of a fit and its gradient, compiled per S. [S, D] -> [S], [S, D]."""
        row_weight = self._all if weight is None else weight
        value, gradient = self._compiled(
            tf.constant(theta, tf.float64), tf.constant(row_weight, tf.float64)
        )
        return ValueAndGradient(value.numpy(), gradient.numpy())
