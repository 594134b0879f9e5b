"""From a mechanism and a table to its posterior: modes, Laplace, NUTS and the bootstrap."""

import dataclasses
import functools
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from akita_bayes import errors
from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import assay_files, assay_table
from akita_bayes.regulation.fit import fitting
from akita_bayes.regulation.model import smooth_bins
from akita_bayes.regulation.posterior import (
    assumptions,
    laplace,
    mixture,
    modes,
    nuts,
    physical_units,
)

logger = logging.getLogger(__name__)


class LeftOut(NamedTuple):
    """A mode that was not sampled; nats of Laplace's evidence behind the best of its read-out."""

    mode: modes.Mode
    behind: float


@dataclasses.dataclass(frozen=True, eq=False)
class PosteriorRun:
    """A posterior by three methods.

    Attributes:
        fit: That of the mode of the largest share, fitted to train and validation.
        components: The modes that were sampled by NUTS, with their draws and their shares of the
            posterior, the largest first.
        left_out: Modes that fits found and that hold next to nothing of the posterior.
        bootstrap: Refits of weighted sequences; None when none were asked for.
        read_outs: Laplace's log evidence, in nats, of what smooth bins may see, by name, sampled
            or not. Empty where the mechanism leaves no choice.
    """

    fit: fitting.Fit
    components: tuple[mixture.Component, ...]
    left_out: tuple[LeftOut, ...]
    bootstrap: laplace.Bootstrap | None
    read_outs: dict[str, float]

    @functools.cached_property
    def energies(self) -> dict[str, NDArray[np.float64]]:
        """Draws of the posterior, those of each mode by its share: each energy [N], by name."""
        return mixture.by_share(self.components)

    @property
    def labels(self) -> list[str]:
        """Of the modes, with their read-outs where these differ."""
        several = len({one.read_out for one in self.components}) > 1
        return [
            f"mode {number} ({one.read_out})" if several else f"mode {number}"
            for number, one in enumerate(self.components, start=1)
        ]

    @functools.cached_property
    def table(self) -> pd.DataFrame:
        """Every physical parameter: the columns of `physical_units.summarise`, r_hat and ess.

        The last two are those of the mode that has come least far.
        """
        each = [one.draws.table() for one in self.components]
        return physical_units.tabulate(self.fit.parameters, self.energies).assign(
            r_hat=np.max([table["r_hat"] for table in each], axis=0),
            ess=np.min([table["ess"] for table in each], axis=0),
        )

    @functools.cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Means and intervals of the same parameters by method, and of NUTS by mode."""
        parameters = self.fit.parameters
        found = {"NUTS": self.table}
        if len(self.components) > 1:
            for label, one in zip(self.labels, self.components, strict=True):
                found[f"NUTS, {label}"] = one.draws.table()
        drawn = self.components[0].mode.gaussian.draws(4000, seed=0)
        found["Laplace"] = physical_units.summarise(parameters, drawn)
        if self.bootstrap is not None and len(self.bootstrap.theta):
            found["bootstrap"] = physical_units.summarise(parameters, self.bootstrap.theta)
        return found

    def summary(self) -> dict[str, Any]:
        """What `posterior.json` holds: constants in kT and kcal/mol, and how it converged."""
        table, sampled = self.table, [one.draws for one in self.components]
        draws = [each.theta.shape for each in sampled]
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
                "converged": all(each.converged for each in sampled),
                "energies": len(table),
                "largest_r_hat": float(table["r_hat"].max()),
                "least_effective_sample_size": float(table["ess"].min()),
                "chains": sum(chains for chains, _, _ in draws),
                "draws_per_chain": [number for _, number, _ in draws],
                "divergent": max(each.divergent for each in sampled),
                "acceptance": [each.accepted for each in sampled],
                "gradients_per_draw": [each.leapfrogs for each in sampled],
                "step_size": [each.step_size for each in sampled],
                "seconds": sum(each.seconds for each in sampled),
            },
            "modes": [
                {
                    "read_out": one.read_out,
                    "share": one.share.mean,
                    "share_interval": [one.share.lower, one.share.upper],
                    "log_evidence": one.evidence.value,
                    "log_evidence_error": one.evidence.error,
                    **_found(one.mode),
                }
                for one in self.components
            ],
            "left_out": [{**_found(mode), "behind": behind} for mode, behind in self.left_out],
        }


def _found(mode: modes.Mode) -> dict[str, Any]:
    return {"fits": mode.fits, "laplace_log_evidence": mode.log_evidence}


def _constants(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    rows = table[~table["name"].str.contains(",")].drop(columns=["r_hat", "ess"], errors="ignore")
    return {
        row.pop("name"): {key: None if value != value else value for key, value in row.items()}
        for row in rows.to_dict("records")
    }


class _Optimum(NamedTuple):
    """Where a fit ended, with the evidence that it gives."""

    fit: fitting.Fit
    gaussian: laplace.Laplace
    log_evidence: float


def _optima(
    mechanism: mechanism_spec.Mechanism,
    table: assay_table.Table,
    *,
    number: int,
    starts: int,
    seed: int,
) -> list[_Optimum]:
    """Fits with the declared priors of bases and with wider ones, in turn.

    A narrow prior has its optimum where scales are small, though the posterior, in which scales
    are not known, may have another mode where they are larger.
    """
    found: list[_Optimum] = []
    for turn in range(number):
        tried = assumptions.widened(mechanism) if turn % 2 else mechanism
        fit = fitting.fit(tried, table, starts=starts, seed=seed + turn)
        gaussian = laplace.laplace(fit.likelihood, fit.theta)
        declared = found[0].fit.likelihood if found else fit.likelihood
        evidence = modes.log_evidence(declared, gaussian.mode)
        found.append(_Optimum(fit, gaussian, evidence))
    return found


def _candidates(
    mechanism: mechanism_spec.Mechanism, knots: int | None
) -> dict[str, mechanism_spec.Mechanism]:
    """What may be sampled, by the read-out; by "" where there is no choice."""
    if mechanism.measurement.has_hidden_units:
        return smooth_bins.curves(mechanism, knots=knots)
    return {"": smooth_bins.bins(mechanism, knots=knots)}


def sample_posterior(
    mechanism: mechanism_spec.Mechanism | str | Path,
    data: assay_table.Table | str | Path,
    *,
    knots: int | None = None,
    weigh: bool = False,
    optima: int = 2,
    starts: int = 6,
    chains: int = 4,
    burn_in: int = 300,
    effective: float = 400.0,
    most_draws: int = 2000,
    replicates: int = 32,
    seed: int = 0,
    report: Callable[..., Any] | None = None,
) -> PosteriorRun:
    """The posterior of a mechanism on all sequences of a table.

    Args:
        mechanism: What is declared, or its JSON file. Bins with hidden units are sampled as smooth
            curves of whichever `smooth_bins.curves` has more evidence by Laplace's approximation;
            splines as `smooth_bins.bins` holds them.
        data: A table, or a directory or file of one.
        knots: Of the splines; None for those that the mechanism declares, or 32.
        weigh: Samples all of `smooth_bins.curves` that this evidence does not reject, and
            weighs them by the evidence of their draws.
        optima: Fits of every read-out that may be sampled, with starts and splits of their own,
            every second with wider priors of the bases. Chains start from all optima that may hold
            a share of the posterior (`mixture.explore`).
        starts: Random starts of each fit.
        chains: Of the sampler, of each read-out and of each mode that chains do not leave.
        burn_in: Draws thrown away.
        effective: Effective draws of the centre and of both ends of every interval at which to
            stop, once R-hat allows it.
        most_draws: Draws per chain at which to stop all the same.
        replicates: Refits of the bootstrap; 0 for none.
        seed: Of everything.
        report: Called as report(0, total=...) before sampling, the most draws that are made, and as
            report(steps, note=...) while sampling.

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
    if not isinstance(mechanism, (mechanism_spec.Thermodynamic, mechanism_spec.Kinetic)):
        mechanism = mechanism_spec.load(mechanism)
    table = data if isinstance(data, assay_table.Table) else assay_files.read(data)
    reached = {
        label: _optima(each, table, number=optima, starts=starts, seed=seed)
        for label, each in _candidates(mechanism, knots).items()
    }
    best = {label: max(each.log_evidence for each in found) for label, found in reached.items()}
    doubt = assumptions.DOUBT if weigh else 0.0
    sought = {
        label: modes.distinct(
            [each.gaussian for each in found], [each.log_evidence for each in found]
        )
        for label, found in reached.items()
        if best[label] >= max(best.values()) - doubt
    }
    near = {label: modes.near(found) for label, found in sought.items()}
    for label, found in sought.items():
        logger.info(
            "Laplace's log evidence of the modes that %d fits%s found: %s nats. Modes that are "
            "sampled: %d.",
            optima,
            f" of the {label}" if label else "",
            ", ".join(f"{mode.log_evidence:.1f}" for mode in found),
            len(near[label]),
        )
    if report is not None:
        settling = 2 * -(-(burn_in // 2) // nuts.CHUNK) * nuts.CHUNK
        each = settling + -(-most_draws // nuts.CHUNK) * nuts.CHUNK
        counts = [len(some) for some in near.values()]
        report(0, total=sum(number * each + settling * (number > 1) for number in counts))
    explored = {}
    for label, some in near.items():
        likelihood = reached[label][0].fit.likelihood
        sampled = mixture.explore(
            likelihood,
            some,
            chains=chains,
            burn_in=burn_in,
            effective=effective,
            most_draws=most_draws,
            seed=seed,
            report=report,
        )
        explored[label] = likelihood, sampled
    components = mixture.components(explored, seed=seed)
    top = components[0]
    (fit,) = (each.fit for each in reached[top.read_out] if each.gaussian is top.mode.gaussian)
    refits = None
    if replicates:
        refits = laplace.bootstrap(
            fit.likelihood, top.mode.gaussian, replicates=replicates, seed=seed
        )
    return PosteriorRun(
        fit,
        components,
        tuple(
            LeftOut(mode, best[label] - mode.log_evidence)
            for label, found in sought.items()
            for mode in found[len(near[label]) :]
        ),
        refits,
        {label: evidence for label, evidence in best.items() if label},
    )
