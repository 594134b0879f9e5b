"""Ranks mechanisms that are fitted to the same sequences and tested on the same sequences.

Each mechanism is fitted to train and validation, and scored on test sequences that no fit has seen.
Test sequences are drawn with replacement, with the same draw for every mechanism (the paired
bootstrap). So sequences that are hard for all mechanisms do not widen the interval of a difference.
"""

import contextlib
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, progress, workers
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.fits import fitting, information
from akita_bayes.regulation.marginal import marginal_mode
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import parameters as layout
from akita_bayes.regulation.posterior import laplace, modes, physical_units


class Judged(NamedTuple):
    """Holds the results of one mechanism on the test sequences.

    Attributes:
        fit: Fit to train and validation.
        log_likelihood: Log-likelihood of every test sequence, in nats. [N]
        predictive: Information of the predicted activity about the bin; None for read-outs.
        variational: Information of the likelihood about the bin; None for read-outs.
        log_evidence: Laplace's log evidence of all sequences, in nats, with an unknown scale of
            each site. None with hidden units, because Laplace does not count their many equal
            optima.
    """

    fit: fitting.Fit
    log_likelihood: NDArray[np.float64]
    predictive: information.Information | None
    variational: information.Information | None
    log_evidence: float | None


def judge(fit: fitting.Fit) -> Judged:
    """Scores a fit on the test sequences of its split, and adds its evidence on all sequences."""
    evidence = None
    if not fit.mechanism.measurement.has_hidden_units:
        likelihood, theta = marginal_mode.start(fit.likelihood, fit.theta)
        if likelihood is fit.likelihood:
            theta = laplace.laplace(likelihood, theta).mode
        evidence = modes.log_evidence(likelihood, theta)
    unseen = likelihoods.Likelihood(
        fit.mechanism,
        fit.likelihood.table.take(np.flatnonzero(fit.side == 2)),
        parameters=fit.parameters,
        dtype="float64",
    )
    theta = fit.theta[None]
    per_sequence = np.asarray(unseen.per_sequence(theta))[0]
    activity = np.asarray(unseen.activity(theta))[0]
    if not fit.mechanism.measurement.kind.endswith("bins"):
        return Judged(fit, per_sequence, None, None, evidence)
    first, parts = 0, []
    for library in unseen.table.libraries:
        rows = slice(first, first + len(library.index))
        share = library.observed.sum() / unseen.table.reads
        parts.append((share, information.predictive(activity[rows], library.observed)))
        first = rows.stop
    predictive = information.Information(
        sum(share * part.bits for share, part in parts),
        float(np.sqrt(sum((share * part.standard_error) ** 2 for share, part in parts))),
    )
    return Judged(fit, per_sequence, predictive, fit.held_out.information, evidence)


def paired_bootstrap(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    *,
    replicates: int = 2000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Returns the sum of first - second over the sequences, and its 95 % interval."""
    difference = first - second
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
    cluster: workers.Cluster = workers.HERE,
    advance: progress.Advance = progress.ignore,
) -> tuple[pd.DataFrame, list[Judged]]:
    """Fits and ranks mechanisms on one table, with one split.

    Args:
        mechanisms: Mechanisms with different names that leave out the same bins.
        table: Table of the assay.
        starts: Random starts of each fit.
        seed: Seed of the split and of the starts.
        cluster: Workers that share the fits.
        advance: Callback, called as advance(1, note=name) after each fit.

    Returns:
        A table and the scored fits, both with the best mechanism first. Columns: name; parameters;
        held-out log-likelihood in nats; `behind`, the distance to the best mechanism, with the 95 %
        interval of the paired difference; log evidence in nats (NaN with hidden units); information
        in bits and its standard error; converged; seconds.

    Raises:
        SpecError: Two mechanisms have the same name, or do not fit the same data.
        DataError: The table does not fit a mechanism, or its split holds nothing out; raised before
            the first fit.
    """
    names = [mechanism.name for mechanism in mechanisms]
    if len(set(names)) < len(names):
        raise errors.SpecError(
            f"name: two mechanisms have the same name: {', '.join(names)}; rename one."
        )
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
        layout.Parameters.of(mechanism, table.used_by(mechanism))
    if not (assay_table.sides(table.used_by(mechanisms[0]), seed=seed) == 2).any():
        raise errors.DataError(
            "The split of the table has no test rows, which are needed to rank mechanisms; name "
            "some, or remove the column of the split."
        )
    judged = []
    setup = functools.partial(contextlib.nullcontext, (table, starts, seed))
    for candidate in workers.map_parts(_fit_and_judge, mechanisms, cluster, setup=setup):
        judged.append(candidate)
        advance(1, note=candidate.fit.mechanism.name)
    judged.sort(key=lambda mechanism: -mechanism.log_likelihood.sum())
    return pd.DataFrame([_row(mechanism, judged[0], seed) for mechanism in judged]), judged


def _fit_and_judge(
    state: tuple[assay_table.Table, int, int], mechanism: mechanism_spec.Mechanism
) -> Judged:
    """Fits a mechanism and scores it, in a worker."""
    table, starts, seed = state
    return judge(fitting.fit(mechanism, table, starts=starts, seed=seed))


def constants(judged: Sequence[Judged]) -> pd.DataFrame:
    """Lists every constant of fitted mechanisms, and the term of every site for the wild type.

    Returns:
        One row per mechanism and constant: mechanism, name, unit, mean, lower, upper (95 %). For
        energies also mean_kcal, lower_kcal and upper_kcal, in kcal/mol.
    """
    tables = []
    for candidate in judged:
        fit, mechanism = candidate.fit, candidate.fit.mechanism
        rows = [
            {
                "mechanism": mechanism.name,
                "name": name,
                "unit": mechanism.unit,
                **estimate._asdict(),
            }
            for name, estimate in {**fit.wild_type, **fit.energies}.items()
        ]
        tables.append(physical_units.in_kcal(pd.DataFrame(rows), mechanism))
    return pd.concat(tables, ignore_index=True)


def _row(candidate: Judged, best: Judged, seed: int) -> dict[str, Any]:
    """Returns the row of a mechanism in the table of `compare`."""
    behind, lower, upper = paired_bootstrap(
        best.log_likelihood, candidate.log_likelihood, seed=seed
    )
    row = {
        "name": candidate.fit.mechanism.name,
        "parameters": candidate.fit.parameters.size,
        "log_likelihood": float(candidate.log_likelihood.sum()),
        "behind": behind,
        "behind_lower": lower,
        "behind_upper": upper,
        "log_evidence": np.nan if candidate.log_evidence is None else candidate.log_evidence,
    }
    for label, estimate in (
        ("predictive", candidate.predictive),
        ("variational", candidate.variational),
    ):
        if estimate is not None:
            row[f"{label}_bits"] = estimate.bits
            row[f"{label}_error"] = estimate.standard_error
    return {**row, "converged": candidate.fit.converged, "seconds": candidate.fit.seconds}
