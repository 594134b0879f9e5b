"""From a mechanism and a table to its posterior: optima, Laplace, NUTS and the bootstrap."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors, states
from akita_bayes.data import mpra, mpra_files
from akita_bayes.regulation import fitting, hierarchy, laplace, posterior
from akita_bayes.regulation import likelihood as likelihoods

logger = logging.getLogger(__name__)

NEAR = 7.0
"""Nats of evidence below the best at which an optimum starts no chain: it holds less than a
thousandth of the posterior, and a chain may take long to find out of it."""


class PosteriorRun(NamedTuple):
    """A posterior by three methods.

    Attributes:
        fit: The best optimum, fitted to train and validation.
        gaussian: Laplace's approximation on all sequences.
        posterior: The draws of NUTS.
        refits: [B, D] of the weighted-likelihood bootstrap; empty when none were asked for.
        optima: Log-posterior of the optimum of each fit, in nats, that of most evidence first.
    """

    fit: fitting.Fit
    gaussian: laplace.Laplace
    posterior: posterior.Posterior
    refits: NDArray[np.float64]
    optima: tuple[float, ...]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Means and intervals of the same parameters by method."""
        parameters = self.fit.parameters
        drawn = self.gaussian.draws(4000, seed=0)[None]
        found = {
            "NUTS": self.posterior.table(),
            "Laplace": posterior.summarise(parameters, drawn),
        }
        if len(self.refits):
            found["bootstrap"] = posterior.summarise(parameters, self.refits[None])
        return found

    def summary(self) -> dict[str, Any]:
        """What `posterior.json` holds: constants in kT and kcal/mol, and how it converged."""
        methods = {}
        for label, table in self.tables().items():
            constants = table[~table["name"].str.contains(",")].drop(
                columns=["r_hat", "ess"], errors="ignore"
            )
            methods[label] = {
                row.pop("name"): {
                    key: None if value != value else value for key, value in row.items()
                }
                for row in constants.to_dict("records")
            }
        table = self.posterior.table()
        return {
            "mechanism": self.fit.mechanism.name,
            "measurement": self.fit.mechanism.measurement.kind,
            "energies": methods,
            "convergence": {
                "converged": self.posterior.converged,
                "largest_r_hat": float(table["r_hat"].max()),
                "least_effective_sample_size": float(table["ess"].min()),
                "chains": self.posterior.theta.shape[0],
                "draws_per_chain": self.posterior.theta.shape[1],
                "divergent": self.posterior.divergent,
                "acceptance": self.posterior.accepted,
                "gradients_per_draw": self.posterior.leapfrogs,
                "step_size": self.posterior.step_size,
                "optima": list(self.optima),
                "log_evidence_laplace": self.gaussian.log_evidence,
                "seconds": self.posterior.seconds,
            },
        }


def sample_posterior(
    mechanism: states.Mechanism | str | Path,
    data: mpra.Table | str | Path,
    *,
    knots: int = 16,
    optima: int = 2,
    starts: int = 6,
    chains: int = 4,
    burn_in: int = 400,
    effective: float = 400.0,
    most_draws: int = 2000,
    replicates: int = 32,
    seed: int = 0,
    report: Callable[..., Any] | None = None,
) -> PosteriorRun:
    """The posterior of a mechanism on all sequences of a table.

    Args:
        mechanism: What is declared, or its JSON file; bins are held as splines
            (`posterior.smooth`).
        data: A table, or a directory or file of one.
        knots: Of the splines.
        optima: Independent fits; chains start in turn from those that hold a share of
            the posterior.
        starts: Random starts of each fit.
        chains: Of the sampler.
        burn_in: Draws thrown away.
        effective: Effective sample size at which to stop.
        most_draws: Draws per chain at which to stop all the same.
        replicates: Refits of the bootstrap; 0 for none.
        seed: Of everything.
        report: Called as report(steps, note=...) while sampling.

    Raises:
        SpecError: The mechanism is not one, or a number of fits, chains or draws is too small.
        DataError: The table is not one, or does not suit the mechanism.
    """
    for name, given, least in (
        ("optima", optima, 1),
        ("starts", starts, 1),
        ("chains", chains, 2),
        ("burn_in", burn_in, 2),
        ("most_draws", most_draws, 1),
    ):
        if given < least:
            raise errors.SpecError(f"{name}: {given} is too few; give {least} or more.")
    if not isinstance(mechanism, (states.Thermodynamic, states.Kinetic)):
        mechanism = states.load(mechanism)
    table = data if isinstance(data, mpra.Table) else mpra_files.read(data)
    smooth = posterior.smooth(mechanism, knots=knots)
    fits = [
        fitting.fit(smooth, table, starts=starts, seed=seed + number) for number in range(optima)
    ]
    gaussians = [laplace.laplace(fit.likelihood, fit.theta) for fit in fits]
    evidence = [log_evidence(fit.likelihood, at) for fit, at in zip(fits, gaussians, strict=True)]
    order = np.argsort(evidence)[::-1]
    best, likelihood = gaussians[order[0]], fits[order[0]].likelihood
    density = tuple(gaussians[i].log_density for i in order)
    near = where_chains_start(gaussians, evidence)
    logger.info(
        "Optima at %s nats; %d of them start chains.",
        ", ".join(f"{value:.1f}" for value in density),
        len(near),
    )
    draws = posterior.sample(
        likelihood,
        best,
        starts=near,
        chains=chains,
        burn_in=burn_in,
        effective=effective,
        most_draws=most_draws,
        seed=seed,
        report=report,
    )
    refits = np.zeros((0, len(best.mode)))
    if replicates:
        refits = laplace.bootstrap(likelihood, best, replicates=replicates, seed=seed)
    return PosteriorRun(fits[order[0]], best, draws, refits, density)


def log_evidence(likelihood: likelihoods.Likelihood, gaussian: laplace.Laplace) -> float:
    """Laplace's log evidence of a mode, with the sampler's prior in place of the fit's, in nats."""
    fixed = float(likelihood.log_prior(gaussian.mode))
    shared = float(hierarchy.log_prior(likelihood.parameters, gaussian.mode[None])[0])
    return gaussian.log_evidence - fixed + shared


def where_chains_start(
    gaussians: Sequence[laplace.Laplace], evidence: Sequence[float]
) -> NDArray[np.float64]:
    """Modes that hold a share of the posterior, that of most evidence first. [M, D]."""
    order = np.argsort(evidence)[::-1]
    return np.array([gaussians[i].mode for i in order if evidence[i] > max(evidence) - NEAR])
