"""The log-likelihood of a reporter assay as a pure function of a flat parameter vector.

    log p(data | theta) = sum_n log p(data_n | t(x_n; theta), theta)

Many thetas are evaluated at once, [S, D] -> [S]. The sequences of a site are held once, as
contrasts of its bases (`Parameters.design`), and every energy of every theta is one matrix product.
Sums over sequences are in float64, so that a sampler or a line search sees a smooth function even
where the arithmetic per sequence is in float32.
"""

from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from keras import ops
from numpy.typing import NDArray

from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.layers import kinetic, thermodynamic
from akita_bayes.regulation.model import parameters as layout


class _Held(NamedTuple):
    """One library as tensors, sequences last."""

    name: str
    designs: dict[str, tf.Tensor]
    observed: tf.Tensor
    weight: tf.Tensor
    rows: slice


class ValueAndGradient(NamedTuple):
    """A log-density [S] and its gradient [S, D], as float64 arrays."""

    value: NDArray[np.float64]
    gradient: NDArray[np.float64]


class Likelihood:
    """Log-likelihood, prior and posterior density of a mechanism on a table.

    Args:
        mechanism: What is declared.
        table: Libraries of sequences and what was measured of them.
        parameters: Layout of theta; by default what the table calls for.
        dtype: Precision of the arithmetic per sequence.
    """

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
        self._held = [
            self._hold(library, slice(stop - len(library.index), stop))
            for library, stop in zip(table.libraries, stops, strict=True)
        ]
        self.rows = int(stops[-1])
        self._all = np.ones(self.rows)
        self._compiled = tf.function(self._value_and_gradient, jit_compile=True)

    def _hold(self, library: assay_table.Library, rows: slice) -> _Held:
        designs = {
            name: tf.constant(
                np.ascontiguousarray(self.parameters.design(name, library.index).T), self.dtype
            )
            for name, term in self.mechanism.terms.items()
            if term.site is not None
        }
        observed = tf.constant(np.ascontiguousarray(library.observed.T), self.dtype)
        return _Held(library.name, designs, observed, tf.constant(library.weight, self.dtype), rows)

    def _terms(self, theta: Any, held: _Held) -> Any:
        """Energies or log rates of one library. [S, D] -> [S, N, J]."""
        sign = -1.0 if self._kinetic else 1.0
        columns = []
        for name, term in self.mechanism.terms.items():
            if term.value is None:
                at = self.parameters.find(name, "constant", held.name).start
                constant = theta[:, at : at + 1]
            else:
                value = np.log(term.value) if self._kinetic else term.value
                constant = ops.full_like(theta[:, :1], value)
            design = held.designs.get(name)
            if design is None:
                column = ops.broadcast_to(constant, (theta.shape[0], held.weight.shape[0]))
            else:
                start = self.parameters.find(name, "bases").start
                bases = theta[:, start : start + design.shape[0]]
                column = constant + sign * tf.matmul(bases, design)
            columns.append(column)
        return ops.stack(columns, axis=-1)

    def _activity(self, theta: Any, held: _Held) -> Any:
        """[S, D] -> [S, N]."""
        terms = self._terms(theta, held)
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

    def _seen(self, theta: Any, held: _Held) -> Any:
        """What the measurement sees: activity, or odds against the wild type. [S, D] -> [S, N]."""
        mechanism = self.mechanism
        if isinstance(mechanism, mechanism_spec.Kinetic) or not mechanism.measurement.relative:
            return self._activity(theta, held)
        wild_type = held._replace(designs={}, weight=held.weight[:1])
        ours, reference = (
            thermodynamic.boltzmann(self._terms(theta, each), mechanism.occupancy)
            for each in (held, wild_type)
        )
        odds = thermodynamic.log_odds(reference, mechanism.levels)
        return thermodynamic.relative_activity(ours, mechanism.levels, odds)

    def _level(self, theta: Any, activity: float | str) -> Any:
        """An activity alpha. [S, D] -> [S]."""
        if isinstance(activity, str):
            return ops.exp(theta[:, self.parameters.find(activity, "log_activity").start])
        return ops.full_like(theta[:, 0], activity)

    def _weights(self, theta: Any, library: str) -> dict[str, Any]:
        return {
            block.part: ops.reshape(
                theta[:, block.start : block.stop], (theta.shape[0], *block.shape)
            )
            for block in self.parameters.blocks
            if block.owner == "measurement" and block.library == library
        }

    def per_sequence(self, theta: Any) -> Any:
        """Log-likelihood of each sequence's data, libraries one after another. [S, D] -> [S, N]."""
        theta = ops.cast(theta, self.dtype)
        parts = [
            self.parameters.processes[held.name].log_prob(
                self._weights(theta, held.name),
                self._seen(theta, held),
                held.observed,
                held.weight,
            )
            for held in self._held
        ]
        return ops.concatenate(parts, axis=-1)

    def activity(self, theta: Any) -> Any:
        """Activity of each sequence. [S, D] -> [S, N]."""
        theta = ops.cast(theta, self.dtype)
        return ops.concatenate([self._activity(theta, held) for held in self._held], axis=-1)

    def seen(self, theta: Any) -> Any:
        """What the measurement sees: the activity, or, relative, its odds. [S, D] -> [S, N]."""
        theta = ops.cast(theta, self.dtype)
        return ops.concatenate([self._seen(theta, held) for held in self._held], axis=-1)

    def outputs(self, theta: Any) -> dict[str, Any]:
        """Per library, the parameters of its data's distribution. [S, D] -> [S, outputs, N]."""
        theta = ops.cast(theta, self.dtype)
        return {
            held.name: self.parameters.processes[held.name].outputs(
                self._weights(theta, held.name), self._seen(theta, held)
            )
            for held in self._held
        }

    def log_likelihood(self, theta: Any, weight: Any = None) -> Any:
        """Log-likelihood in nats, traceable by tf.function and XLA. [S, D] -> [S] or [D] -> [].

        Args:
            theta: Parameters; float64 keeps the sums exact.
            weight: [N] by which each sequence counts: 0 or 1 chooses a side of a split,
                multinomial draws make a bootstrap. All count once when None.
        """
        theta = tf.convert_to_tensor(theta)
        if theta.shape.rank == 1:
            return self.log_likelihood(theta[None], weight)[0]
        per_sequence = ops.cast(self.per_sequence(theta), "float64")
        if weight is not None:
            per_sequence = per_sequence * ops.cast(weight, "float64")
        return ops.cast(ops.sum(per_sequence, axis=-1), theta.dtype)

    def log_prior(self, theta: Any) -> Any:
        """Log density of the independent Gaussian priors. [..., D] -> [...]."""
        theta = tf.convert_to_tensor(theta)
        sd = self.parameters.prior_sd
        z = (theta - ops.cast(self.parameters.prior_mean, theta.dtype)) / ops.cast(sd, theta.dtype)
        constant = np.log(sd).sum() + 0.5 * len(sd) * np.log(2 * np.pi)
        return -0.5 * ops.sum(z * z, axis=-1) - constant

    def log_posterior(self, theta: Any, weight: Any = None) -> Any:
        """Log-likelihood plus log prior, unnormalised. [S, D] -> [S] or [D] -> []."""
        return self.log_likelihood(theta, weight) + self.log_prior(theta)

    def _value_and_gradient(self, theta: tf.Tensor, weight: tf.Tensor) -> tuple:
        with tf.GradientTape() as tape:
            tape.watch(theta)
            value = self.log_posterior(theta, weight)
        return value, tape.gradient(value, theta)

    def value_and_gradient(self, theta: NDArray, weight: NDArray | None = None) -> ValueAndGradient:
        """Log-posterior and its gradient, compiled by XLA once per S. [S, D] -> [S], [S, D]."""
        chosen = self._all if weight is None else weight
        value, gradient = self._compiled(
            tf.constant(theta, tf.float64), tf.constant(chosen, tf.float64)
        )
        return ValueAndGradient(value.numpy(), gradient.numpy())
