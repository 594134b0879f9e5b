"""A mechanism with fitted parameters: its energies, and predictions for new sequences."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.mechanisms import common_fields, mechanism_spec
from akita_bayes.regulation.assay import assay_table, sequence_digests
from akita_bayes.regulation.model import gauge
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import parameters as layout

Z95 = 1.959963984540054
"""97.5 % point of the standard normal distribution."""
BATCH = 16_384
"""Sequences that are predicted at once."""


class Interval(NamedTuple):
    """Holds a mean and its central 95 % interval, in the unit of the term (kT)."""

    mean: float
    lower: float
    upper: float


class Prediction(NamedTuple):
    """Holds the predictions for N sequences.

    Attributes:
        energies: Every term by name, each [N], in kT; of a kinetic mechanism log rates, ln(1/s).
        activity: Activity before the measurement. [N]
        measurement: Distribution of the data, [N, outputs]: probabilities of the bins; mean and sd
            of a `gaussian` read-out; mode, sd below and sd above of a `skewed` one; mean, sd,
            sd of the outliers and their share of `outliers`; mean count per exposure of `poisson`.
    """

    energies: dict[str, NDArray[np.float64]]
    activity: NDArray[np.float64]
    measurement: NDArray[np.float64]


@dataclasses.dataclass(frozen=True, eq=False)
class FittedMechanism:
    """Holds the parameters of a fitted mechanism.

    Attributes:
        parameters: Layout of theta.
        theta: [D] most probable parameters.
        covariance: [D, D] covariance of theta by Laplace's approximation.
        frequencies: [L, 4] share of each base at each position of the library, for the gauge.
        fitted_digests: Digests of the sequences that were fitted (`sequence_digests`), sorted.
    """

    parameters: layout.Parameters
    theta: NDArray[np.float64]
    covariance: NDArray[np.float64]
    frequencies: NDArray[np.float64]
    fitted_digests: NDArray[np.uint64]

    @property
    def mechanism(self) -> mechanism_spec.Mechanism:
        """Returns the fitted mechanism."""
        return self.parameters.mechanism

    def interval(self, name: str) -> Interval:
        """Returns mean and 95 % interval of one parameter, by its name in `parameters.names`."""
        index = self.parameters.index(name)
        mean = self.parameters.natural(self.theta)[index]
        sd = self.parameters.natural_factor[index] * np.sqrt(self.covariance[index, index])
        return Interval(float(mean), float(mean - Z95 * sd), float(mean + Z95 * sd))

    @property
    def energies(self) -> dict[str, Interval]:
        """Returns every term that is a constant, by name or, if per library, `name[library]`."""
        return self._intervals(sites=False)

    @property
    def wild_type(self) -> dict[str, Interval]:
        """Returns every term that reads a site, at its value for the wild type."""
        return self._intervals(sites=True)

    def _intervals(self, *, sites: bool) -> dict[str, Interval]:
        return {
            block.name: self.interval(block.name)
            for block in self.parameters.blocks
            if block.part == "constant"
            and (self.mechanism.terms[block.owner].site is not None) == sites
        }

    def term(self, name: str, gauge_name: common_fields.Gauge | None = None) -> layout.TermValues:
        """Returns a term in physical units, in the mechanism's gauge or another."""
        spec = self.mechanism.terms[name]
        weights = gauge.base_weights(
            gauge_name or self.mechanism.gauge, self.parameters.wild_type, self.frequencies
        )
        sign = -1.0 if isinstance(self.mechanism, mechanism_spec.Kinetic) else 1.0
        return gauge.fix(self.parameters.term(self.theta, name), weights[spec.bases], sign=sign)

    def correlations(self, references: dict[str, NDArray[np.float64]]) -> dict[str, float]:
        """Computes Pearson correlations with other matrices of the same sites, both centred."""
        matrix_pairs = self._centred_pairs(references).items()
        return {
            name: float(np.corrcoef(matrix, reference)[0, 1])
            for name, (matrix, reference) in matrix_pairs
        }

    def slopes(self, references: dict[str, NDArray[np.float64]]) -> dict[str, float]:
        """Computes least-squares slopes of the matrices, in kT, on references, both centred."""
        matrix_pairs = self._centred_pairs(references).items()
        return {
            name: float(matrix @ reference / (reference @ reference))
            for name, (matrix, reference) in matrix_pairs
        }

    def _centred_pairs(
        self, references: dict[str, NDArray[np.float64]]
    ) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Returns the fitted matrix and the reference of each site, both centred and flat."""
        return {
            name: (
                np.asarray(self.term(name, "centred").matrix).ravel(),
                (reference - reference.mean(1, keepdims=True)).ravel(),
            )
            for name, reference in references.items()
        }

    def was_fitted(self, index: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Returns True for each sequence that the fit used. [N, L] bases 0..3 -> [N]."""
        return np.isin(sequence_digests.digests(index), self.fitted_digests)

    def predict(self, sequences: Sequence[str], *, library: str | None = None) -> Prediction:
        """Predicts energies, activity and measurement of new sequences, in float64.

        Args:
            sequences: N sequences of the mechanism's length, of DNA or of RNA.
            library: Library whose constants and measurement are used; the first one when None.

        Raises:
            DataError: A sequence has another length or an unknown letter, or the fit has no library
                of this name.
        """
        name = self.parameters.libraries[0] if library is None else library
        if name not in self.parameters.libraries:
            raise errors.DataError(
                f'library: the fit has no "{name}".'
                f"{errors.did_you_mean(name, self.parameters.libraries)} "
                f"It has: {', '.join(map(repr, self.parameters.libraries))}."
            )
        index = assay_table.to_index(sequences, where="sequences")
        if index.shape[1] != self.mechanism.sequence_length:
            raise errors.DataError(
                f"sequences: have {index.shape[1]} bases, but the mechanism "
                f'"{self.mechanism.name}" has {self.mechanism.sequence_length}; give sequences of '
                "its length."
            )
        batches = [
            self._predict(index[first : first + BATCH], name)
            for first in range(0, len(index), BATCH)
        ]
        return Prediction(
            {
                term: np.concatenate([batch.energies[term] for batch in batches])
                for term in self.mechanism.terms
            },
            np.concatenate([batch.activity for batch in batches]),
            np.concatenate([batch.measurement for batch in batches]),
        )

    def _predict(self, index: NDArray[np.uint8], library: str) -> Prediction:
        bins = dict(self.parameters.columns)[library]
        unmeasured = assay_table.Library(
            library,
            index,
            np.zeros((len(index), bins)),
            tuple(map(str, range(bins))),
            np.ones(len(index)),
        )
        model = likelihoods.Likelihood(
            self.mechanism,
            assay_table.Table((unmeasured,)),
            parameters=self.parameters,
            dtype="float64",
        )
        theta = self.theta[None]
        terms = np.asarray(model.terms(theta))[0]
        return Prediction(
            dict(zip(self.mechanism.terms, terms.T, strict=True)),
            np.asarray(model.activity(theta))[0],
            np.asarray(model.outputs(theta)[library])[0].T,
        )
