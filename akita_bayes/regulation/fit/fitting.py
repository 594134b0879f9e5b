"""Fitting a mechanism to a reporter assay: the most probable parameters, and how sure they are."""

import dataclasses
import logging
import time
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import assay_files, assay_table
from akita_bayes.regulation.fit import information, quasi_newton, sgd
from akita_bayes.regulation.model import curvature, gauge
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import parameters as layout

logger = logging.getLogger(__name__)

Method = Literal["quasi-newton", "adam", "sgd"]

Z95 = 1.959963984540054
"""97.5 % point of the standard normal distribution."""


class Interval(NamedTuple):
    """A mean and its central 95 % interval, in the unit of the term (kT)."""

    mean: float
    lower: float
    upper: float


class HeldOut(NamedTuple):
    """How well sequences that were never fitted are predicted.

    Attributes:
        log_likelihood: In nats, of all of them together.
        sequences: How many.
        reads: Their reads, or read-outs.
        information: Variational information between sequence and bin per read, a lower bound of
            the mutual information; None without bins.
    """

    log_likelihood: float
    sequences: int
    reads: float
    information: information.Information | None


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """A fitted mechanism.

    Attributes:
        parameters: What the entries of theta are.
        theta: [D] most probable parameters given train and validation, mirrors resolved.
        covariance: [D, D] by Laplace's approximation.
        likelihood: Of the whole table.
        side: [N] 0 train, 1 validation, 2 test.
        held_out: Of the test sequences.
        converged: Whether a further Newton step would gain next to nothing.
        gain: What it would gain, in nats.
        evaluations: Gradients of the whole table (passes over the data, for `adam` and `sgd`).
        mirrored: Whether the optimum was replaced by its mirror image.
        method: How it was fitted.
        seed: Of split and starts.
        seconds: Wall time.
    """

    parameters: layout.Parameters
    theta: NDArray[np.float64]
    covariance: NDArray[np.float64]
    likelihood: likelihoods.Likelihood
    side: NDArray[np.int64]
    held_out: HeldOut
    converged: bool
    gain: float
    evaluations: int
    mirrored: bool
    method: Method
    seed: int
    seconds: float

    @property
    def mechanism(self) -> mechanism_spec.Mechanism:
        """What was fitted."""
        return self.parameters.mechanism

    @property
    def fitted(self) -> NDArray[np.float64]:
        """[N] weight of each sequence in the fit: 1, and 0 for the test's."""
        return (self.side < 2).astype(float)

    @property
    def doubt(self) -> str | None:
        """What not to believe of a fit that has not converged; None of one that has.

        A Newton step d gains d^T H d / 2, and moves no parameter by more than sqrt(d^T H d) of its
        standard deviations.
        """
        if self.converged:
            return None
        return (
            f"Not converged: constants may lie {np.sqrt(2 * self.gain):.2g} of their standard "
            "deviations from the optimum; believe no interval, and call nothing identified."
        )

    def interval(self, name: str) -> Interval:
        """Mean and 95 % interval of one parameter, by its name in `parameters.names`."""
        index = self.parameters.names.index(name)
        mean = self.parameters.natural(self.theta)[index]
        sd = self.parameters.natural_factor[index] * np.sqrt(self.covariance[index, index])
        return Interval(float(mean), float(mean - Z95 * sd), float(mean + Z95 * sd))

    @property
    def energies(self) -> dict[str, Interval]:
        """Every term that is a constant; a library's own bears its name in brackets."""
        return self._intervals(sites=False)

    @property
    def wild_type(self) -> dict[str, Interval]:
        """Every term that reads a site, for the wild type."""
        return self._intervals(sites=True)

    def _intervals(self, *, sites: bool) -> dict[str, Interval]:
        return {
            block.name: self.interval(block.name)
            for block in self.parameters.blocks
            if block.part == "constant"
            and (self.mechanism.terms[block.owner].site is not None) == sites
        }

    def term(self, name: str, gauge_name: mechanism_spec.Gauge | None = None) -> layout.TermValues:
        """A term in physical units, in the mechanism's gauge or another."""
        spec = self.mechanism.terms[name]
        weights = gauge.base_weights(
            gauge_name or self.mechanism.gauge,
            self.parameters.wild_type,
            self.likelihood.table.frequencies(),
        )
        sign = -1.0 if isinstance(self.mechanism, mechanism_spec.Kinetic) else 1.0
        return gauge.fix(self.parameters.term(self.theta, name), weights[spec.bases], sign=sign)

    def correlations(self, references: dict[str, NDArray[np.float64]]) -> dict[str, float]:
        """Pearson correlation with other matrices of the same sites, both centred."""
        pairs = self._beside(references).items()
        return {name: float(np.corrcoef(here, there)[0, 1]) for name, (here, there) in pairs}

    def slopes(self, references: dict[str, NDArray[np.float64]]) -> dict[str, float]:
        """Least-squares slope of the matrices, in kT, on others of the same sites, both centred."""
        pairs = self._beside(references).items()
        return {name: float(here @ there / (there @ there)) for name, (here, there) in pairs}

    def _beside(
        self, references: dict[str, NDArray[np.float64]]
    ) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
        return {
            name: (
                np.asarray(self.term(name, "centred").matrix).ravel(),
                (reference - reference.mean(1, keepdims=True)).ravel(),
            )
            for name, reference in references.items()
        }


def fit(
    mechanism: mechanism_spec.Mechanism | str | Path,
    data: assay_table.Table | str | Path,
    *,
    method: Method = "quasi-newton",
    starts: int = 6,
    seed: int = 0,
    fractions: tuple[float, float, float] = assay_table.FRACTIONS,
    epochs: int = 300,
) -> Fit:
    """Fits a mechanism by maximum posterior probability.

    Args:
        mechanism: What is declared, or its JSON file.
        data: A table, or a directory or file of one.
        method: `quasi-newton` climbs all data at once from several starts; `adam` and `sgd` take
            stochastic steps on the likelihood alone and stop early, as in the paper.
        starts: Random starts that compete at the beginning.
        seed: Of the split by sequence and of the starts.
        fractions: Shares of train, validation and test.
        epochs: Most epochs of `adam` and `sgd`.

    Raises:
        SpecError: The mechanism is not one, or the method cannot fit it.
        DataError: The table is not one, or does not suit the mechanism.
    """
    began = time.monotonic()
    if not isinstance(mechanism, (mechanism_spec.Thermodynamic, mechanism_spec.Kinetic)):
        mechanism = mechanism_spec.load(mechanism)
    table = data if isinstance(data, assay_table.Table) else assay_files.read(data)
    table = table.select(mechanism.libraries).leave_out(mechanism.measurement.leave_out)
    side = assay_table.sides(table, seed=seed, fractions=fractions)
    likelihood = likelihoods.Likelihood(mechanism, table)
    logger.info(
        "%s: %d sequences, %d parameters.", mechanism.name, table.rows, likelihood.parameters.size
    )
    if table.rows < likelihood.parameters.size:
        logger.warning(
            "%s: fewer sequences than parameters; much of what is reported is the priors'.",
            mechanism.name,
        )
    if method == "quasi-newton":
        optimum = quasi_newton.maximise(likelihood, side, starts=starts, seed=seed)
    elif method in ("adam", "sgd"):
        if mechanism.measurement.relative:
            raise errors.SpecError(
                f"measurement.relative: {method} cannot follow the wild type's activity; fit by "
                "quasi-newton, or drop relative."
            )
        optimum = sgd.minimise(
            likelihood, side, method=method, epochs=epochs, starts=starts, seed=seed
        )
    else:
        raise errors.SpecError(
            f'method: unknown "{method}".'
            f"{errors.did_you_mean(method, ('quasi-newton', 'adam', 'sgd'))}"
        )
    theta, mirrored = gauge.resolve(likelihood.parameters, optimum.theta)
    hessian = optimum.hessian
    if mirrored:
        hessian = curvature.of(likelihood)(theta, (side < 2).astype(float))
    root = quasi_newton.root_of(-hessian, likelihood.parameters.prior_sd)
    return Fit(
        parameters=likelihood.parameters,
        theta=theta,
        covariance=root @ root.T,
        likelihood=likelihood,
        side=side,
        held_out=_held_out(likelihood, theta, side == 2),
        converged=optimum.gain < quasi_newton.ARRIVED,
        gain=optimum.gain,
        evaluations=optimum.evaluations,
        mirrored=mirrored,
        method=method,
        seed=seed,
        seconds=time.monotonic() - began,
    )


def _held_out(
    likelihood: likelihoods.Likelihood, theta: NDArray[np.float64], test: NDArray[np.bool_]
) -> HeldOut:
    rows = np.flatnonzero(test)
    unseen = likelihoods.Likelihood(
        likelihood.mechanism,
        likelihood.table.take(rows),
        parameters=likelihood.parameters,
        dtype="float64",
    )
    log_likelihood = float(np.asarray(unseen.per_sequence(theta[None])).sum())
    found = None
    if likelihood.mechanism.measurement.kind.endswith("bins"):
        found = _pooled(unseen, theta)
    return HeldOut(log_likelihood, len(rows), unseen.table.reads, found)


def _pooled(
    likelihood: likelihoods.Likelihood, theta: NDArray[np.float64]
) -> information.Information:
    """Variational information per read, over the reads of all libraries."""
    bits = variance = 0.0
    probabilities = likelihood.outputs(theta[None])
    for library in likelihood.table.libraries:
        log_prob = np.log(np.asarray(probabilities[library.name])[0].T)
        here = information.variational(log_prob, library.observed)
        share = library.observed.sum() / likelihood.table.reads
        bits += share * here.bits
        variance += (share * here.standard_error) ** 2
    return information.Information(bits, float(np.sqrt(variance)))


def summary(fit: Fit, references: dict[str, NDArray[np.float64]] | None = None) -> dict[str, Any]:
    """What `summary.json` holds: plain numbers, energies in kT and kcal/mol.

    Args:
        fit: A fit.
        references: Per site, another energy matrix [W, 4] to compare with.
    """
    kcal = fit.mechanism.kcal_per_kt
    thermal = isinstance(fit.mechanism, mechanism_spec.Thermodynamic)
    found = fit.held_out.information

    def units(interval: Interval) -> dict[str, Any]:
        numbers = {"unit": fit.mechanism.unit, **interval._asdict()}
        if thermal:
            numbers["kcal_per_mol"] = {k: v * kcal for k, v in interval._asdict().items()}
        return numbers

    return {
        "mechanism": fit.mechanism.name,
        "rate_law": mechanism_spec.rate_law(fit.mechanism),
        "correlation": fit.correlations(references or {}),
        "slope": {
            name: {"kT": slope, "kcal_per_mol": slope * kcal}
            for name, slope in fit.slopes(references or {}).items()
        },
        "energies": {name: units(interval) for name, interval in fit.energies.items()},
        "wild_type": {name: units(interval) for name, interval in fit.wild_type.items()},
        "gauge": fit.mechanism.gauge,
        "mirrored": fit.mirrored,
        "kcal_per_mol_per_kT": kcal,
        "held_out": {
            "log_likelihood": fit.held_out.log_likelihood,
            "sequences": fit.held_out.sequences,
            "reads": fit.held_out.reads,
            "information_bits": found._asdict() if found else None,
        },
        "convergence": {
            "converged": fit.converged,
            "expected_gain_nats": fit.gain,
            "doubt": fit.doubt,
            "evaluations": fit.evaluations,
            "method": fit.method,
        },
        "sequences": fit.likelihood.rows,
        "reads": fit.likelihood.table.reads,
        "seed": fit.seed,
        "seconds": fit.seconds,
    }
