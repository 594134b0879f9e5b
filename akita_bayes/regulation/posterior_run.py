"""From a mechanism and a table to its posterior: modes, Laplace, NUTS and the bootstrap."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from akita_bayes import errors, states
from akita_bayes.data import mpra, mpra_files
from akita_bayes.regulation import fitting, laplace, modes, posterior

logger = logging.getLogger(__name__)


class PosteriorRun(NamedTuple):
    """A posterior by three methods.

    Attributes:
        fit: That of the mode of most evidence, fitted to train and validation.
        gaussian: Laplace's approximation on all sequences.
        posterior: The draws of NUTS.
        bootstrap: Refits of weighted sequences; None when none were asked for.
        modes: The different modes that fits have found, that of most evidence first.
        read_outs: Log evidence, in nats, of what smooth bins may see, by name; the sampled one has
            the most. Empty where the mechanism leaves no choice.
    """

    fit: fitting.Fit
    gaussian: laplace.Laplace
    posterior: posterior.Posterior
    bootstrap: laplace.Bootstrap | None
    modes: tuple[modes.Mode, ...]
    read_outs: dict[str, float]

    def tables(self) -> dict[str, pd.DataFrame]:
        """Means and intervals of the same parameters by method."""
        parameters = self.fit.parameters
        drawn = self.gaussian.draws(4000, seed=0)[None]
        found = {
            "NUTS": self.posterior.table(),
            "Laplace": posterior.summarise(parameters, drawn),
        }
        if self.bootstrap is not None and len(self.bootstrap.theta):
            found["bootstrap"] = posterior.summarise(parameters, self.bootstrap.theta[None])
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
        chains = self.posterior.theta.shape[0]
        return {
            "mechanism": self.fit.mechanism.name,
            "measurement": self.fit.mechanism.measurement.kind,
            "read_outs": self.read_outs,
            "energies": methods,
            "bootstrap": None
            if self.bootstrap is None
            else {
                "refits": len(self.bootstrap.theta),
                "share_converged": self.bootstrap.converged,
            },
            "convergence": {
                "converged": self.posterior.converged,
                "energies": len(table),
                "largest_r_hat": float(table["r_hat"].max()),
                "least_effective_sample_size": float(table["ess"].min()),
                "chains": chains,
                "draws_per_chain": self.posterior.theta.shape[1],
                "divergent": self.posterior.divergent,
                "acceptance": self.posterior.accepted,
                "gradients_per_draw": self.posterior.leapfrogs,
                "step_size": self.posterior.step_size,
                "modes": [
                    {
                        "log_density": mode.gaussian.log_density,
                        "log_evidence": mode.log_evidence,
                        "fits": mode.fits,
                        "chains": started,
                    }
                    for mode, started in zip(
                        self.modes, modes.chains(self.modes, chains), strict=True
                    )
                ],
                "seconds": self.posterior.seconds,
            },
        }


class _Optimum(NamedTuple):
    """Where a fit ended, with the evidence that it gives."""

    fit: fitting.Fit
    gaussian: laplace.Laplace
    log_evidence: float


def _optimum(mechanism: states.Mechanism, table: mpra.Table, *, starts: int, seed: int) -> _Optimum:
    fit = fitting.fit(mechanism, table, starts=starts, seed=seed)
    gaussian = laplace.laplace(fit.likelihood, fit.theta)
    return _Optimum(fit, gaussian, modes.log_evidence(fit.likelihood, gaussian))


def _candidates(mechanism: states.Mechanism, knots: int | None) -> dict[str, states.Mechanism]:
    """What may be sampled, by the read-out; by "" where there is no choice."""
    if mechanism.measurement.has_hidden_units:
        return posterior.curves(mechanism, knots=knots)
    return {"": posterior.smooth(mechanism, knots=knots)}


def sample_posterior(
    mechanism: states.Mechanism | str | Path,
    data: mpra.Table | str | Path,
    *,
    knots: int | None = None,
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
        mechanism: What is declared, or its JSON file. Bins with hidden units are sampled as smooth
            curves of whichever `posterior.curves` has more evidence; splines as `posterior.smooth`
            holds them.
        data: A table, or a directory or file of one.
        knots: Of the splines; None for those that the mechanism declares, or 16.
        optima: Fits of what is sampled, with starts and splits of their own. Chains start in turn
            from the different modes that these end in and that hold a share of the posterior: often
            one.
        starts: Random starts of each fit.
        chains: Of the sampler.
        burn_in: Draws thrown away.
        effective: Effective draws of the centre and of both ends of every interval at which to
            stop, once R-hat allows it.
        most_draws: Draws per chain at which to stop all the same.
        replicates: Refits of the bootstrap; 0 for none.
        seed: Of everything.
        report: Called as report(steps, note=...) while sampling.

    Raises:
        SpecError: The mechanism is not one, or a number of fits, chains, draws or
            knots is too small.
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
    candidates = _candidates(mechanism, knots)
    tried = {
        label: _optimum(each, table, starts=starts, seed=seed) for label, each in candidates.items()
    }
    chosen = max(tried, key=lambda label: tried[label].log_evidence)
    reached = [tried[chosen]]
    for number in range(1, optima):
        reached.append(_optimum(candidates[chosen], table, starts=starts, seed=seed + number))
    evidence = [each.log_evidence for each in reached]
    fit = reached[int(np.argmax(evidence))].fit
    found = modes.distinct([each.gaussian for each in reached], evidence)
    starting = modes.where_chains_start(found)
    logger.info(
        "Log evidence of the modes that %d fits found: %s nats. Modes that start chains: %d.",
        optima,
        ", ".join(f"{mode.log_evidence:.1f}" for mode in found),
        len(starting),
    )
    draws = posterior.sample(
        fit.likelihood,
        found[0].gaussian,
        starts=starting,
        chains=chains,
        burn_in=burn_in,
        effective=effective,
        most_draws=most_draws,
        seed=seed,
        report=report,
    )
    gaussian, refits = found[0].gaussian, None
    if replicates:
        refits = laplace.bootstrap(fit.likelihood, gaussian, replicates=replicates, seed=seed)
    read_outs = {label: each.log_evidence for label, each in tried.items() if label}
    return PosteriorRun(fit, gaussian, draws, refits, found, read_outs)
