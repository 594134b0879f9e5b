"""Computes the posterior of a mechanism on a table: modes, Laplace, NUTS and the bootstrap."""

import contextlib
import dataclasses
import functools
import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import keywords, progress, workers
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import assay_files, assay_table
from akita_bayes.regulation.fits import fitting
from akita_bayes.regulation.marginal import marginal_mode
from akita_bayes.regulation.model import smooth_bins
from akita_bayes.regulation.posterior import (
    assumptions,
    laplace,
    mixture,
    modes,
    nuts,
    physical_units,
)
from akita_bayes.regulation.posterior.sampling_options import DEFAULTS, SamplingOptions

_log = logging.getLogger(__name__)


class LeftOut(NamedTuple):
    """Holds a mode that was not sampled, and its distance to the best mode of its read-out.

    Attributes:
        mode: Mode that the fits found.
        behind: Nats of Laplace's evidence below the best mode of the same read-out.
    """

    mode: modes.Mode
    behind: float


@dataclasses.dataclass(frozen=True, eq=False)
class MechanismPosterior:
    """Holds the posterior of a mechanism by three methods.

    Attributes:
        fit: Fit of the mode with the largest share, fitted to train and validation.
        components: Modes that NUTS sampled, with their draws and their shares of the posterior, the
            largest share first.
        left_out: Modes that fits found and that hold almost nothing of the posterior.
        bootstrap: Refits of weighted sequences; None when no refits were requested.
        read_outs: Laplace's log evidence of every possible read-out of smooth bins, in nats, by
            name, sampled or not. Empty where the mechanism leaves no choice.
    """

    fit: fitting.Fit
    components: tuple[mixture.Component, ...]
    left_out: tuple[LeftOut, ...]
    bootstrap: laplace.Bootstrap | None
    read_outs: dict[str, float]

    @functools.cached_property
    def energies(self) -> dict[str, NDArray[np.float64]]:
        """Returns draws of every energy by name, with each mode in proportion to its share. [N]."""
        return mixture.by_share(self.components)

    @property
    def labels(self) -> list[str]:
        """Returns a label for every mode, with its read-out where read-outs differ."""
        several = len({component.read_out for component in self.components}) > 1
        return [
            f"mode {number} ({component.read_out})" if several else f"mode {number}"
            for number, component in enumerate(self.components, start=1)
        ]

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """Summarises every physical parameter: the columns of `tabulate`, `r_hat` and `ess`.

        The last two columns hold the worst value over the modes.
        """
        mode_tables = [component.draws.table() for component in self.components]
        return physical_units.tabulate(self.fit.parameters, self.energies).assign(
            r_hat=np.max([table["r_hat"] for table in mode_tables], axis=0),
            ess=np.min([table["ess"] for table in mode_tables], axis=0),
        )

    @functools.cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Returns means and intervals of the parameters by method, and for NUTS also by mode."""
        parameters = self.fit.parameters
        tables = {"NUTS": self.table}
        if len(self.components) > 1:
            for label, component in zip(self.labels, self.components, strict=True):
                tables[f"NUTS, {label}"] = component.draws.table()
        top = self.components[0]
        gaussian_draws = top.mode.gaussian.draws(4000, seed=0)
        tables["Laplace"] = physical_units.summarise(top.draws.parameters, gaussian_draws)
        if self.bootstrap is not None and len(self.bootstrap.theta):
            tables["bootstrap"] = physical_units.summarise(parameters, self.bootstrap.theta)
        return tables

    def summary(self) -> dict[str, Any]:
        """Returns the content of `posterior.json`: constants in kT and kcal/mol, convergence."""
        table, posteriors = self.table, [component.draws for component in self.components]
        shapes = [posterior.theta.shape for posterior in posteriors]
        return {
            "mechanism": self.fit.mechanism.name,
            "measurement": self.fit.mechanism.measurement.kind,
            "read_outs": self.read_outs,
            "energies": {label: _constants(table) for label, table in self.tables.items()},
            "bootstrap": None
            if self.bootstrap is None
            else {
                "refits": len(self.bootstrap.theta),
                "share_converged": self.bootstrap.converged,
            },
            "convergence": {
                "converged": all(posterior.converged for posterior in posteriors),
                "energies": len(table),
                "largest_r_hat": float(table["r_hat"].max()),
                "least_effective_sample_size": float(table["ess"].min()),
                "chains": sum(chains for chains, _, _ in shapes),
                "draws_per_chain": [number for _, number, _ in shapes],
                "divergent": max(posterior.divergent for posterior in posteriors),
                "acceptance": [posterior.accepted for posterior in posteriors],
                "gradients_per_draw": [posterior.leapfrogs for posterior in posteriors],
                "step_size": [posterior.step_size for posterior in posteriors],
                "seconds": sum(posterior.seconds for posterior in posteriors),
            },
            "modes": [
                {
                    "read_out": component.read_out,
                    "share": component.share.mean,
                    "share_interval": [component.share.lower, component.share.upper],
                    "log_evidence": component.evidence.value,
                    "log_evidence_error": component.evidence.error,
                    **_origin(component.mode),
                }
                for component in self.components
            ],
            "left_out": [{**_origin(mode), "behind": behind} for mode, behind in self.left_out],
        }


def _origin(mode: modes.Mode) -> dict[str, Any]:
    """Returns the number of fits that ended at a mode, and Laplace's evidence of it."""
    return {"fits": mode.fits, "laplace_log_evidence": mode.log_evidence}


def _constants(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Returns the columns of every constant by its name; None stands for NaN."""
    # Names of single bases have a comma, as crp[3,A], and names of constants do not.
    rows = table[~table["name"].str.contains(",")].drop(columns=["r_hat", "ess"], errors="ignore")
    return {
        row.pop("name"): {key: None if value != value else value for key, value in row.items()}
        for row in rows.to_dict("records")
    }


class _Optimum(NamedTuple):
    """Holds the optimum of a fit, the likelihood that is sampled, and the evidence of its mode."""

    fit: fitting.Fit
    likelihood: Any
    gaussian: laplace.Laplace
    log_evidence: float


def _optima(
    mechanism: mechanism_spec.Mechanism,
    table: assay_table.Table,
    options: SamplingOptions,
    cluster: workers.Cluster,
) -> list[_Optimum]:
    """Fits with the declared priors of bases and with wider priors, in turn.

    The optimum under a narrow prior has small scales. In the posterior the scales are unknown, so
    it may have a second mode with larger scales.
    """
    parts = [
        (assumptions.widened(mechanism) if turn % 2 else mechanism, options.seed + turn)
        for turn in range(options.optima)
    ]
    setup = functools.partial(contextlib.nullcontext, (table, options.starts))
    optima: list[_Optimum] = []
    for fit, likelihood, gaussian in workers.map_parts(_fit, parts, cluster, setup=setup):
        # The first fit has the declared priors; all optima are ranked under its posterior.
        declared = optima[0].likelihood if optima else likelihood
        evidence = modes.log_evidence(declared, gaussian.mode)
        optima.append(_Optimum(fit, likelihood, gaussian, evidence))
    return optima


def _fit(
    state: tuple[assay_table.Table, int], part: tuple[mechanism_spec.Mechanism, int]
) -> tuple[fitting.Fit, Any, laplace.Laplace]:
    """Fits a mechanism from one seed, and approximates the sampled posterior at its mode."""
    (table, starts), (mechanism, seed) = state, part
    fit = fitting.fit(mechanism, table, starts=starts, seed=seed)
    likelihood, theta = marginal_mode.start(fit.likelihood, fit.theta)
    # A climb to the mode of another likelihood has arrived already.
    steps = laplace.NEWTON_STEPS if likelihood is fit.likelihood else 0
    return fit, likelihood, laplace.laplace(likelihood, theta, newton_steps=steps)


def _candidates(
    mechanism: mechanism_spec.Mechanism, knots: int | None
) -> dict[str, mechanism_spec.Mechanism]:
    """Returns the mechanisms that may be sampled by read-out; the key is "" without a choice."""
    if mechanism.measurement.has_hidden_units:
        return smooth_bins.curves(mechanism, knots=knots)
    return {"": smooth_bins.bins(mechanism, knots=knots)}


def sample_mechanism(
    mechanism: mechanism_spec.Mechanism | str | Path,
    data: assay_table.Table | str | Path,
    *,
    options: SamplingOptions = DEFAULTS,
    cluster: workers.Cluster = workers.HERE,
    advance: progress.Advance = progress.ignore,
    **changes: Any,
) -> MechanismPosterior:
    """Samples the posterior of a mechanism on all sequences of a table.

    Args:
        mechanism: Mechanism or its JSON file. Bins with hidden units are sampled as smooth curves:
            of the read-outs of `smooth_bins.curves`, the one with more evidence by Laplace's
            approximation is sampled. Splines are sampled as `smooth_bins.bins` declares them.
        data: Table, or the directory or file of a table.
        options: Numbers of fits, chains, draws and refits, and the seed.
        cluster: Workers that share the fits and the refits of the bootstrap.
        advance: Callback, called as advance(0, total=...) with the largest number of draws before
            sampling, and as advance(steps, note=...) while sampling.
        **changes: Fields of `options` to change, for example seed=1.

    Returns:
        The posterior by NUTS, Laplace's approximation and the bootstrap.

    Raises:
        SpecError: The mechanism is not valid, or a number of fits, chains, draws or knots is too
            small.
        TypeError: A name in `changes` is not a field of the options.
        DataError: The table cannot be read, or does not fit the mechanism.
    """
    options = keywords.replaced(options, changes)
    if not isinstance(mechanism, (mechanism_spec.Thermodynamic, mechanism_spec.Kinetic)):
        mechanism = mechanism_spec.load(mechanism)
    table = data if isinstance(data, assay_table.Table) else assay_files.read(data)
    all_optima = {
        label: _optima(candidate, table, options, cluster)
        for label, candidate in _candidates(mechanism, options.knots).items()
    }
    best = {
        label: max(optimum.log_evidence for optimum in of_label)
        for label, of_label in all_optima.items()
    }
    doubt = assumptions.DOUBT if options.weigh else 0.0
    all_modes = {
        label: modes.distinct(
            [optimum.gaussian for optimum in of_label],
            [optimum.log_evidence for optimum in of_label],
        )
        for label, of_label in all_optima.items()
        if best[label] >= max(best.values()) - doubt
    }
    near = {label: modes.near(of_label) for label, of_label in all_modes.items()}
    for label, of_label in all_modes.items():
        _log.info(
            "Laplace's log evidence of the modes that %d fits%s found: %s nats. Modes that are "
            "sampled: %d.",
            options.optima,
            f" of the {label}" if label else "",
            ", ".join(f"{mode.log_evidence:.1f}" for mode in of_label),
            len(near[label]),
        )
    # Both halves of the burn-in, and the draws, are made in whole chunks. Several modes may
    # need one burn-in more, of the chains that start from all of them.
    settling = 2 * -(-(options.burn_in // 2) // nuts.CHUNK) * nuts.CHUNK
    per_mode = settling + -(-options.most_draws // nuts.CHUNK) * nuts.CHUNK
    counts = [len(of_label) for of_label in near.values()]
    advance(0, total=sum(number * per_mode + settling * (number > 1) for number in counts))
    explored = {}
    for label, of_label in near.items():
        likelihood = all_optima[label][0].likelihood
        sampled = mixture.explore(likelihood, of_label, options, advance=advance)
        explored[label] = likelihood, sampled
    components = mixture.components(explored, seed=options.seed)
    top = components[0]
    (optimum,) = (
        optimum for optimum in all_optima[top.read_out] if optimum.gaussian is top.mode.gaussian
    )
    fit = optimum.fit
    refits = None
    if options.replicates:
        refits = laplace.bootstrap(
            fit.likelihood,
            top.mode.gaussian
            if optimum.likelihood is fit.likelihood
            else laplace.of_fit(fit.theta, fit.covariance),
            replicates=options.replicates,
            seed=options.seed,
            cluster=cluster,
        )
    return MechanismPosterior(
        fit,
        components,
        tuple(
            LeftOut(mode, best[label] - mode.log_evidence)
            for label, of_label in all_modes.items()
            for mode in of_label[len(near[label]) :]
        ),
        refits,
        {label: evidence for label, evidence in best.items() if label},
    )
