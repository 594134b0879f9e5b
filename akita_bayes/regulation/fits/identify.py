"""Finds which parameters the data determine: spectrum, shrinkage, profile likelihood, report.

The Fisher information of the mechanism's parameters, where the measurement process may adapt within
its prior, is the Schur complement F = A - B C^-1 B^T of minus the Hessian of the log-likelihood,
with the precision of the prior added to the block C of the measurement. In units of the prior, an
eigenvalue of 1 means that data and prior constrain that direction equally; an eigenvalue much less
than 1 means that the data do not constrain it.

The profile of a parameter is the log-likelihood at fixed values of that parameter, maximised over
all others with their priors; its 95 % interval ends where the profile falls by 1.92 nats (Wilks
1938).
"""

from collections.abc import Collection
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.assay import assay_table
from akita_bayes.regulation.fits import fitting, quasi_newton
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import parameters as layout

Verdict = Literal["identified", "weakly identified", "not identified"]

DROP95 = 1.920729410347062
"""Half the 95 % point of chi-squared with one degree of freedom."""

STRONG, WEAK = 0.2, 0.7
"""Ratios of posterior to prior sd below which a parameter is identified, or weakly identified."""

FARTHEST = 4.0
"""Largest distance of a profile from the optimum, in prior standard deviations."""

SIDES: dict[Verdict, str] = {
    "identified": "is closed on both sides",
    "weakly identified": "is closed on one side",
    "not identified": "is open on both sides",
}
"""Meaning of the verdict on a profile: on which sides the data alone close its interval."""


class Spectrum(NamedTuple):
    """Holds the Fisher information of the mechanism's parameters.

    Attributes:
        values: Eigenvalues, largest first, in units of the prior's precision.
        vectors: [P, P] directions as columns, in units of the prior's standard deviation.
        names: Names of the P parameters.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    names: tuple[str, ...]


class Judgement(NamedTuple):
    """Describes how well the data determine one parameter.

    Attributes:
        name: Name of the parameter, from `parameters.names`.
        unit: Unit of the parameter.
        mean: Most probable value.
        sd: Posterior standard deviation.
        prior_sd: Prior standard deviation.
        verdict: Judgement in words.
    """

    name: str
    unit: str
    mean: float
    sd: float
    prior_sd: float
    verdict: Verdict


class Profile(NamedTuple):
    """Holds the log-likelihood of one parameter, maximised over the others.

    Attributes:
        name: Name of the parameter, from `parameters.names`.
        values: Values of the parameter, ascending.
        drop: Difference between the maximum of the profile and its value, in nats.
        lower: Lower end of the 95 % interval; None where the data exclude no small value.
        upper: Upper end of the same; None where the data exclude no large value.
        verdict: `identified` when both ends are closed, `weakly identified` when one end is,
            independently of the width of the interval and the prior.
        better: Gain of the best point of the profile over the fit, in nats; far above 0, the fit
            has stopped at a lower optimum.
    """

    name: str
    values: NDArray[np.float64]
    drop: NDArray[np.float64]
    lower: float | None
    upper: float | None
    verdict: Verdict
    better: float


def spectrum(fit: fitting.Fit) -> Spectrum:
    """Computes the mechanism's Fisher information, with the measurement profiled out."""
    count = fit.parameters.physical
    sd = fit.parameters.prior_sd
    # In units of the prior its precision is the identity; without it, the data's remains.
    information = np.linalg.inv(fit.covariance / np.outer(sd, sd)) - np.eye(len(sd))
    mechanism, shared = information[:count, :count], information[:count, count:]
    measurement = information[count:, count:] + np.eye(len(sd) - count)
    schur = mechanism - shared @ np.linalg.solve(measurement, shared.T)
    values, vectors = np.linalg.eigh((schur + schur.T) / 2)
    return Spectrum(np.maximum(values[::-1], 0.0), vectors[:, ::-1], fit.parameters.names[:count])


def judge(fit: fitting.Fit) -> list[Judgement]:
    """Judges every parameter of the mechanism by how much the data narrow its prior."""
    judgements = []
    for i, name in enumerate(fit.parameters.names[: fit.parameters.physical]):
        sd, prior_sd = float(np.sqrt(fit.covariance[i, i])), float(fit.parameters.prior_sd[i])
        judgements.append(
            Judgement(
                name,
                fit.parameters.units[i],
                float(fit.theta[i]),
                sd,
                prior_sd,
                _verdict(sd / prior_sd),
            )
        )
    return judgements


def _verdict(ratio: float) -> Verdict:
    if ratio < STRONG:
        return "identified"
    return "weakly identified" if ratio < WEAK else "not identified"


def check_names(
    names: Collection[str], mechanism: mechanism_spec.Mechanism, table: assay_table.Table
) -> None:
    """Raises a SpecError for a name that no parameter of the mechanism has on this table."""
    parameters = layout.Parameters.of(mechanism, table.used_by(mechanism))
    for name in names:
        parameters.index(name)


def profile(
    fit: fitting.Fit, name: str, *, points: int = 4, steps: int = 300, depth: float = DROP95
) -> Profile:
    """Follows the likelihood of one parameter to both sides until it has dropped enough.

    Args:
        fit: A fit that has converged.
        name: One of `fit.parameters.names`.
        points: Number of steps of one Laplace standard deviation to each side before the strides
            double.
        steps: Maximum number of L-BFGS steps at each point.
        depth: Nats by which the profile falls before it ends; more than `DROP95` for a profile that
            is added to that of other data.
    """
    index = fit.parameters.index(name)
    mean, prior_sd = fit.parameters.prior_mean[index], fit.parameters.prior_sd[index]
    # `along` is the regression of theta on the parameter; `root` spans the conditional covariance
    # of the others, whose smallest eigenvalue, 0 in the direction of the parameter, is left out.
    along = fit.covariance[:, index] / fit.covariance[index, index]
    rest = fit.covariance - np.outer(along, along) * fit.covariance[index, index]
    values, vectors = np.linalg.eigh(rest)
    root = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, 1:]
    root[index] = 0.0
    sd = float(np.sqrt(fit.covariance[index, index]))

    def without_prior(theta: NDArray[np.float64], log_posterior: float) -> float:
        return log_posterior + 0.5 * float(((theta[index] - mean) / prior_sd) ** 2)

    def density(theta: NDArray[np.float64]) -> likelihoods.ValueAndGradient:
        return fit.likelihood.value_and_gradient(theta, fit.fitted)

    start = without_prior(fit.theta, float(density(fit.theta[None]).value[0]))
    best = start
    log_likelihoods = {float(fit.theta[index]): start}
    for direction in (-1.0, 1.0):
        theta, stride, steps_taken = fit.theta, sd, 0
        while abs(theta[index] - fit.theta[index]) < FARTHEST * prior_sd:
            moved = quasi_newton.climb(
                density, theta + direction * stride * along, root, steps=steps
            )
            value = without_prior(moved.theta, moved.value)
            log_likelihoods[float(moved.theta[index])] = value
            best = max(best, value)
            if best - value > max(depth, DROP95):
                break
            theta, steps_taken = moved.theta, steps_taken + 1
            stride = sd if steps_taken < points else 2 * stride
    parameter_values = sorted(log_likelihoods)
    drop = best - np.array([log_likelihoods[value] for value in parameter_values])
    thetas = np.tile(fit.theta, (len(parameter_values), 1))
    thetas[:, index] = parameter_values
    reported_values = fit.parameters.natural(thetas)[:, index]
    top = int(drop.argmin())
    lower = _crossing(reported_values[top::-1], drop[top::-1])
    upper = _crossing(reported_values[top:], drop[top:])
    closed = (lower is not None) + (upper is not None)
    verdicts: tuple[Verdict, ...] = ("not identified", "weakly identified", "identified")
    return Profile(name, reported_values, drop, lower, upper, verdicts[closed], best - start)


def _crossing(values: NDArray[np.float64], drop: NDArray[np.float64]) -> float | None:
    """Returns where a profile, from its maximum on, first drops by DROP95, or None.

    The square root of a parabola is straight, so it is interpolated linearly.
    """
    beyond = np.flatnonzero(drop > DROP95)
    if not len(beyond):
        return None
    last = int(beyond[0])
    inner, outer = np.sqrt(drop[last - 1]), np.sqrt(drop[last])
    share = (np.sqrt(DROP95) - inner) / (outer - inner)
    return float(values[last - 1] + share * (values[last] - values[last - 1]))


def in_words(fit: fitting.Fit, profiles: tuple[Profile, ...] = ()) -> str:
    """Reports in sentences what the data determine, and what they leave to the prior.

    "Identified" describes a posterior much narrower than its prior, in a converged fit; "closed"
    describes the interval of a profile.
    """
    groups: dict[str, list[Judgement]] = {}
    for judgement in judge(fit):
        contrast = ".bases[" in judgement.name or ".pairs[" in judgement.name
        label = judgement.name.split("[")[0] if contrast else judgement.name
        groups.setdefault(label, []).append(judgement)
    lines = [] if fit.doubt is None else [fit.doubt]
    for label, group in groups.items():
        if len(group) == 1:
            (judgement,) = group
            verdict = f"{judgement.verdict}; " if fit.converged else ""
            lines.append(
                f"{label}: {verdict}{judgement.mean:.2f} +- {judgement.sd:.2f} {judgement.unit} "
                f"against a prior of +- {judgement.prior_sd:g}."
            )
        elif fit.converged:
            identified = sum(judgement.verdict == "identified" for judgement in group)
            lines.append(f"{label}: {identified} of {len(group)} contrasts identified.")
    for profile in profiles:
        lower = "open" if profile.lower is None else f"{profile.lower:.2f}"
        upper = "open" if profile.upper is None else f"{profile.upper:.2f}"
        lines.append(
            f"{profile.name}: its profile likelihood {SIDES[profile.verdict]}; 95 % interval "
            f"{lower} to {upper}."
        )
        if profile.better > DROP95:
            lines.append(
                f"{profile.name}: its profile found an optimum {profile.better:.1f} nats above the "
                "fit's, so the interval of the fit belongs to a lower one; use the profile."
            )
    clock = any(term.value is not None for term in fit.mechanism.terms.values())
    if isinstance(fit.mechanism, mechanism_spec.Kinetic) and not clock:
        lines.append(
            "No rate has a value: the data determine rates up to a factor common to all of them, "
            "and that factor comes from the priors. Give one rate a value."
        )
    measurement = fit.mechanism.measurement
    if measurement.is_continuous and not measurement.absolute and measurement.log_base is None:
        lines.append(
            "The read-out's slope is fitted and trades against the scale of all energies, by more "
            "than the intervals show. If it is a logarithm, declare measurement.log_base."
        )
    if not fit.converged:
        return "\n".join(lines)
    values = spectrum(fit).values
    # Along a direction of information v, posterior sd / prior sd = 1 / sqrt(1 + v).
    strong = int((values > 1 / STRONG**2 - 1).sum())
    lines.append(
        f"Fisher information: {strong} of {len(values)} directions of the mechanism are determined "
        f"by the data; the weakest has {values[-1]:.2g} times the prior's precision."
    )
    return "\n".join(lines)
