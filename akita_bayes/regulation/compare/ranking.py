"""Mechanisms side by side: the same sequences fitted, the same sequences held out.

Each mechanism is fitted to train and validation and judged on test sequences that all of them were
spared. Test sequences are drawn with replacement, the same draw for every mechanism (the paired
bootstrap), so the interval of a difference is not blurred by sequences that are hard for all.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.fit import fitting, information
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import parameters as layout
from akita_bayes.regulation.posterior import laplace, modes, physical_units


class Judged(NamedTuple):
    """One mechanism on the test sequences.

    Attributes:
        fit: To train and validation.
        log_likelihood: [N] nats per test sequence.
        predictive: Information of the predicted activity about the bin; None for read-outs.
        variational: Information of the likelihood about the bin; None for read-outs.
        log_evidence: Laplace's, of all sequences, in nats, each site's scale unknown; None with
            hidden units, whose many equal optima it does not count.
    """

    fit: fitting.Fit
    log_likelihood: NDArray[np.float64]
    predictive: information.Information | None
    variational: information.Information | None
    log_evidence: float | None


def judge(fit: fitting.Fit) -> Judged:
    """Scores a fit on the test sequences of its split, and its evidence on all sequences."""
    evidence = None
    if not fit.mechanism.measurement.has_hidden_units:
        gaussian = laplace.laplace(fit.likelihood, fit.theta)
        evidence = modes.log_evidence(fit.likelihood, gaussian.mode)
    unseen = likelihoods.Likelihood(
        fit.mechanism,
        fit.likelihood.table.take(np.flatnonzero(fit.side == 2)),
        parameters=fit.parameters,
        dtype="float64",
    )
    theta = fit.theta[None]
    per_sequence = np.asarray(unseen.per_sequence(theta))[0]
    activity = np.asarray(unseen.activity(theta))[0]
    if fit.held_out.information is None:
        return Judged(fit, per_sequence, None, None, evidence)
    first, parts = 0, []
    for library in unseen.table.libraries:
        here = slice(first, first + len(library.index))
        share = library.observed.sum() / unseen.table.reads
        parts.append((share, information.predictive(activity[here], library.observed)))
        first = here.stop
    predictive = information.Information(
        sum(share * part.bits for share, part in parts),
        float(np.sqrt(sum((share * part.standard_error) ** 2 for share, part in parts))),
    )
    return Judged(fit, per_sequence, predictive, fit.held_out.information, evidence)


def paired_bootstrap(
    one: NDArray[np.float64],
    other: NDArray[np.float64],
    *,
    replicates: int = 2000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Difference of two sums over the same sequences: one less the other, and its 95 % interval."""
    difference = one - other
    rng = np.random.default_rng(seed)
    sums = [
        difference[rng.integers(0, len(difference), len(difference))].sum()
        for _ in range(replicates)
    ]
    lower, upper = np.quantile(sums, [0.025, 0.975])
    return float(difference.sum()), float(lower), float(upper)


def compare(
    mechanisms: Sequence[mechanism_spec.Mechanism],
    table: assay_table.Table,
    *,
    starts: int = 6,
    seed: int = 0,
    report: Callable[..., Any] | None = None,
) -> tuple[pd.DataFrame, list[Judged]]:
    """Fits and ranks mechanisms on one table, with one split.

    Args:
        mechanisms: What is compared; names differ, bins left out do not.
        table: The assay.
        starts: Random starts of each fit.
        seed: Of the split and of the starts.
        report: Called as report(1, note=name) after each fit.

    Returns:
        A table, best first: name, parameters, held-out log-likelihood in nats, `behind` the best
        with the 95 % interval of the paired difference, log evidence in nats (NaN with hidden
        units), information in bits and its standard error, seconds; and the fits, in the same
        order.

    Raises:
        SpecError: Two mechanisms have one name, or do not fit the same data.
        DataError: The table does not suit one of them; said before the first fit.
    """
    names = [mechanism.name for mechanism in mechanisms]
    if len(set(names)) < len(names):
        raise errors.SpecError(f"name: two mechanisms are called alike: {', '.join(names)}.")
    for mechanism in mechanisms[1:]:
        if (mechanism.libraries, mechanism.measurement.leave_out) != (
            mechanisms[0].libraries,
            mechanisms[0].measurement.leave_out,
        ):
            raise errors.SpecError(
                f'libraries, measurement.leave_out: "{mechanism.name}" fits other data than '
                f'"{mechanisms[0].name}"; make them agree.'
            )
    for mechanism in mechanisms:
        used = table.select(mechanism.libraries).leave_out(mechanism.measurement.leave_out)
        layout.Parameters.of(mechanism, used)
    judged = []
    for mechanism in mechanisms:
        judged.append(judge(fitting.fit(mechanism, table, starts=starts, seed=seed)))
        if report is not None:
            report(1, note=mechanism.name)
    judged.sort(key=lambda one: -one.log_likelihood.sum())
    return pd.DataFrame([_row(one, judged[0], seed) for one in judged]), judged


def constants(judged: Sequence[Judged]) -> pd.DataFrame:
    """Every constant of fitted mechanisms, and every site's term for the wild type.

    Returns:
        One row per mechanism and constant: mechanism, name, unit, mean, lower, upper (95 %), and
        for energies the last three in kcal/mol as mean_kcal, lower_kcal, upper_kcal.
    """
    tables = []
    for one in judged:
        mechanism = one.fit.mechanism
        rows = [
            {"mechanism": mechanism.name, "name": name, "unit": mechanism.unit, **each._asdict()}
            for name, each in {**one.fit.wild_type, **one.fit.energies}.items()
        ]
        tables.append(physical_units.in_kcal(pd.DataFrame(rows), mechanism))
    return pd.concat(tables, ignore_index=True)


def _row(one: Judged, best: Judged, seed: int) -> dict[str, Any]:
    behind, lower, upper = paired_bootstrap(best.log_likelihood, one.log_likelihood, seed=seed)
    row = {
        "name": one.fit.mechanism.name,
        "parameters": one.fit.parameters.size,
        "log_likelihood": float(one.log_likelihood.sum()),
        "behind": behind,
        "behind_lower": lower,
        "behind_upper": upper,
        "log_evidence": np.nan if one.log_evidence is None else one.log_evidence,
    }
    for label, found in (("predictive", one.predictive), ("variational", one.variational)):
        if found is not None:
            row[f"{label}_bits"] = found.bits
            row[f"{label}_error"] = found.standard_error
    return {**row, "converged": one.fit.converged, "seconds": one.fit.seconds}
