"""Fits a mechanism to a reporter assay: the most probable parameters and their uncertainty."""

import dataclasses
import logging
import time
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.mechanisms import mechanism_spec, rate_laws
from akita_bayes.regulation.assay import assay_files, assay_table, sequence_digests
from akita_bayes.regulation.fits import (
    fitted_mechanism,
    information,
    library_information,
    quasi_newton,
    sgd,
)
from akita_bayes.regulation.model import curvature, gauge
from akita_bayes.regulation.model import likelihood as likelihoods

_log = logging.getLogger(__name__)

Method = Literal["quasi-newton", "adam", "sgd"]


class HeldOut(NamedTuple):
    """Measures how well a fit predicts sequences that were held out.

    Attributes:
        log_likelihood: Log-likelihood of all held-out sequences together, in nats.
        sequences: Number of held-out sequences.
        reads: Number of their reads, or read-outs.
        information: Variational information between sequence and bin per read, or between sequence
            and continuous read-out; a lower bound of the mutual information. None for counts,
            for fewer than 20 read-outs of a library, and where no sequence was held out.
    """

    log_likelihood: float
    sequences: int
    reads: float
    information: information.Information | None


@dataclasses.dataclass(frozen=True, eq=False)
class Fit(fitted_mechanism.FittedMechanism):
    """Holds a mechanism fitted to train and validation, mirrors resolved, and how it was fitted.

    Attributes:
        likelihood: Likelihood of the whole table.
        side: [N] 0 train, 1 validation, 2 test.
        held_out: Prediction of the test sequences.
        converged: True when a further Newton step would gain less than `quasi_newton.ARRIVED`.
        gain: Expected gain of a further Newton step, in nats.
        evaluations: Gradients of the whole table (passes over the data, for `adam` and `sgd`).
        mirrored: True when the mirror image of the optimum has replaced it.
        method: Method of the fit.
        seed: Seed of split and starts.
        seconds: Wall time.
    """

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
    def fitted(self) -> NDArray[np.float64]:
        """Returns the weight of each sequence in the fit: 0 for test sequences, else 1. [N]."""
        return (self.side < 2).astype(float)

    @property
    def doubt(self) -> str | None:
        """Returns a warning for a fit that has not converged; None for a converged fit.

        A Newton step d gains d^T H d / 2, and moves every parameter by at most sqrt(d^T H d) of its
        standard deviations.
        """
        if self.converged:
            return None
        return (
            f"Not converged: constants may lie {np.sqrt(2 * self.gain):.2g} of their standard "
            "deviations from the optimum; do not trust the intervals, and call nothing identified."
        )


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
        mechanism: Declared mechanism, or its JSON file.
        data: A table, or a directory or file with one.
        method: `quasi-newton` climbs on all data at once from several starts; `adam` and `sgd` take
            stochastic steps on the likelihood alone and stop early, as in the paper.
        starts: Random starts that compete at the beginning.
        seed: Seed of the split by sequence and of the starts.
        fractions: Shares of train, validation and test.
        epochs: Maximum number of epochs of `adam` and `sgd`.

    Raises:
        SpecError: The mechanism is not valid, or the method cannot fit it.
        DataError: The table is not valid, or does not suit the mechanism.
    """
    start_time = time.monotonic()
    if not isinstance(mechanism, (mechanism_spec.Thermodynamic, mechanism_spec.Kinetic)):
        mechanism = mechanism_spec.load(mechanism)
    table = data if isinstance(data, assay_table.Table) else assay_files.read(data)
    table = table.used_by(mechanism)
    side = assay_table.sides(table, seed=seed, fractions=fractions)
    likelihood = likelihoods.Likelihood(mechanism, table)
    _log.info(
        "%s: %d sequences, %d parameters.", mechanism.name, table.rows, likelihood.parameters.size
    )
    if table.rows < likelihood.parameters.size:
        _log.warning(
            "%s: fewer sequences than parameters; much of the report reflects only the priors.",
            mechanism.name,
        )
    if method == "quasi-newton":
        optimum = quasi_newton.maximise(likelihood, side, starts=starts, seed=seed)
    elif method in ("adam", "sgd"):
        if mechanism.measurement.relative:
            raise errors.SpecError(
                f"measurement.relative: {method} cannot follow the wild type's activity; fit by "
                "quasi-newton, or remove relative."
            )
        if not (side == 1).any():
            raise errors.DataError(
                f"The split of the table has no validation rows, by which {method} stops; name "
                "some, or fit by quasi-newton."
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
        hessian = curvature.hessian_of(likelihood)(theta, (side < 2).astype(float))
    root = quasi_newton.root_of(-hessian, likelihood.parameters.prior_sd)
    return Fit(
        parameters=likelihood.parameters,
        theta=theta,
        covariance=root @ root.T,
        frequencies=table.frequencies(),
        fitted_digests=fitted_digests(table, side),
        likelihood=likelihood,
        side=side,
        held_out=_held_out(likelihood, theta, side == 2),
        converged=optimum.gain < quasi_newton.ARRIVED,
        gain=optimum.gain,
        evaluations=optimum.evaluations,
        mirrored=mirrored,
        method=method,
        seed=seed,
        seconds=time.monotonic() - start_time,
    )


def fitted_digests(table: assay_table.Table, side: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Returns the sorted digests of the sequences of train and validation, side 0 and 1."""
    index = np.concatenate([library.index for library in table.libraries])[side < 2]
    return np.unique(sequence_digests.digests(index))


def _held_out(
    likelihood: likelihoods.Likelihood, theta: NDArray[np.float64], test: NDArray[np.bool_]
) -> HeldOut:
    """Scores the test sequences in float64."""
    rows = np.flatnonzero(test)
    if not len(rows):
        return HeldOut(0.0, 0, 0.0, None)
    unseen = likelihoods.Likelihood(
        likelihood.mechanism,
        likelihood.table.take(rows),
        parameters=likelihood.parameters,
        dtype="float64",
    )
    log_likelihood = float(np.asarray(unseen.per_sequence(theta[None])).sum())
    return HeldOut(log_likelihood, len(rows), unseen.table.reads, _information(unseen, theta))


def _information(
    likelihood: likelihoods.Likelihood, theta: NDArray[np.float64]
) -> information.Information | None:
    """Computes the variational information per read or read-out, over all libraries."""
    total_bits = variance = 0.0
    of_libraries = library_information.by_library(likelihood, theta)
    for library, of_library in zip(likelihood.table.libraries, of_libraries, strict=True):
        if of_library is None:
            return None
        share = library.reads / likelihood.table.reads
        total_bits += share * of_library.bits
        variance += (share * of_library.standard_error) ** 2
    return information.Information(total_bits, float(np.sqrt(variance)))


def summary(fit: Fit, references: dict[str, NDArray[np.float64]] | None = None) -> dict[str, Any]:
    """Returns the contents of `summary.json`: plain numbers, energies in kT and kcal/mol.

    Args:
        fit: A fit.
        references: Per site, an energy matrix [W, 4] for comparison.
    """
    kcal = fit.mechanism.kcal_per_kt
    thermal = isinstance(fit.mechanism, mechanism_spec.Thermodynamic)
    held_out_information = fit.held_out.information

    def with_units(interval: fitted_mechanism.Interval) -> dict[str, Any]:
        numbers = {"unit": fit.mechanism.unit, **interval._asdict()}
        if thermal:
            numbers["kcal_per_mol"] = {k: v * kcal for k, v in interval._asdict().items()}
        return numbers

    return {
        "mechanism": fit.mechanism.name,
        "rate_law": rate_laws.rate_law(fit.mechanism),
        "correlation": fit.correlations(references or {}),
        "slope": {
            name: {"kT": slope, "kcal_per_mol": slope * kcal}
            for name, slope in fit.slopes(references or {}).items()
        },
        "energies": {name: with_units(interval) for name, interval in fit.energies.items()},
        "wild_type": {name: with_units(interval) for name, interval in fit.wild_type.items()},
        "gauge": fit.mechanism.gauge,
        "mirrored": fit.mirrored,
        "kcal_per_mol_per_kT": kcal,
        "held_out": {
            "log_likelihood": fit.held_out.log_likelihood,
            "sequences": fit.held_out.sequences,
            "reads": fit.held_out.reads,
            "information_bits": (
                {**held_out_information._asdict(), "per": fit.mechanism.measurement.datum}
                if held_out_information
                else None
            ),
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
