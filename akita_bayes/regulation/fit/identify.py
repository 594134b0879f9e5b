"""Which parameters the data determine: spectrum, shrinkage, profile likelihood, and words for them.

The Fisher information of the mechanism's parameters, with the measurement process free to follow as
far as its prior lets it, is the Schur complement F = A - B C^-1 B^T in minus the Hessian of the
log-likelihood, to whose block C of the measurement the precision of its prior is added. Taken in
units of the prior, an eigenvalue of 1 means that the data say as much as the prior about that
direction; much less than 1 that they say nothing.

The profile of a parameter is the log-likelihood maximised over all others (their priors kept) with
that one held; where it falls by 1.92 nats ends its 95 % interval (Wilks 1938).
"""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes.mechanisms import mechanism_spec
from akita_bayes.regulation.fit import fitting, quasi_newton

Verdict = Literal["identified", "weakly identified", "not identified"]

DROP95 = 1.920729410347062
"""Half the 95 % point of chi-squared with one degree of freedom."""

STRONG, WEAK = 0.2, 0.7
"""Posterior over prior standard deviation below which a parameter is, or is weakly, identified."""

FARTHEST = 4.0
"""How far from the optimum a profile is followed, in prior standard deviations."""

SIDES: dict[Verdict, str] = {
    "identified": "is closed on both sides",
    "weakly identified": "is closed on one side",
    "not identified": "is open on both sides",
}
"""What the verdict of a profile says: which ends of its interval the data alone exclude."""


class Spectrum(NamedTuple):
    """Fisher information of the mechanism's parameters.

    Attributes:
        values: Eigenvalues, largest first, in units of the prior's precision.
        vectors: [P, P] directions as columns, in units of the prior's standard deviation.
        names: Names of the P parameters.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    names: tuple[str, ...]


class Judgement(NamedTuple):
    """How well one parameter is known.

    Attributes:
        name: As in `parameters.names`.
        unit: Its unit.
        mean: Most probable value.
        sd: Posterior standard deviation.
        prior_sd: Prior standard deviation.
        verdict: In words.
    """

    name: str
    unit: str
    mean: float
    sd: float
    prior_sd: float
    verdict: Verdict


class Profile(NamedTuple):
    """Log-likelihood of one parameter, maximised over the others.

    Attributes:
        name: As in `parameters.names`.
        values: Where it was taken, ascending.
        drop: How far below its maximum it is, in nats.
        lower: Lower end of the 95 % interval; None where the data never exclude.
        upper: Upper end; None where the data never exclude.
        verdict: `identified` when both ends are closed, `weakly` when one is, however wide the
            interval is against the prior.
        better: How much more probable the best point of the profile is than the fit, in nats; far
            above 0, the fit has stopped at a lesser optimum.
    """

    name: str
    values: NDArray[np.float64]
    drop: NDArray[np.float64]
    lower: float | None
    upper: float | None
    verdict: Verdict
    better: float


def spectrum(fit: fitting.Fit) -> Spectrum:
    """Fisher information of the mechanism's parameters with the measurement profiled out."""
    count = fit.parameters.physical
    sd = fit.parameters.prior_sd
    information = np.linalg.inv(fit.covariance / np.outer(sd, sd)) - np.eye(len(sd))
    mechanism, shared = information[:count, :count], information[:count, count:]
    measurement = information[count:, count:] + np.eye(len(sd) - count)
    schur = mechanism - shared @ np.linalg.solve(measurement, shared.T)
    values, vectors = np.linalg.eigh((schur + schur.T) / 2)
    return Spectrum(np.maximum(values[::-1], 0.0), vectors[:, ::-1], fit.parameters.names[:count])


def judge(fit: fitting.Fit) -> list[Judgement]:
    """Every parameter of the mechanism, by how much the data narrow its prior."""
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


def profile(fit: fitting.Fit, name: str, *, points: int = 4, steps: int = 300) -> Profile:
    """Follows the likelihood of one parameter to both sides until it has dropped enough.

    Args:
        fit: A fit that has converged.
        name: One of `fit.parameters.names`.
        points: Steps to each side, in Laplace standard deviations, before strides double.
        steps: Steps of L-BFGS at each point.
    """
    index = fit.parameters.names.index(name)
    mean, prior_sd = fit.parameters.prior_mean[index], fit.parameters.prior_sd[index]
    along = fit.covariance[:, index] / fit.covariance[index, index]
    rest = fit.covariance - np.outer(along, along) * fit.covariance[index, index]
    values, vectors = np.linalg.eigh(rest)
    root = (vectors * np.sqrt(np.maximum(values, 0.0)))[:, 1:]
    root[index] = 0.0
    sd = float(np.sqrt(fit.covariance[index, index]))

    def without_prior(theta: NDArray[np.float64], log_posterior: float) -> float:
        return log_posterior + 0.5 * ((theta[index] - mean) / prior_sd) ** 2

    def density(theta: NDArray[np.float64]) -> quasi_newton.likelihoods.ValueAndGradient:
        return fit.likelihood.value_and_gradient(theta, fit.fitted)

    start = without_prior(fit.theta, float(density(fit.theta[None]).value[0]))
    best = start
    found = {float(fit.theta[index]): start}
    for direction in (-1.0, 1.0):
        theta, stride, taken = fit.theta, sd, 0
        while abs(theta[index] - fit.theta[index]) < FARTHEST * prior_sd:
            moved = quasi_newton.climb(
                density, theta + direction * stride * along, root, steps=steps
            )
            value = without_prior(moved.theta, moved.value)
            found[float(moved.theta[index])] = value
            best = max(best, value)
            if best - value > DROP95:
                break
            theta, taken = moved.theta, taken + 1
            stride = sd if taken < points else 2 * stride
    taken_at = sorted(found)
    drop = best - np.array([found[value] for value in taken_at])
    thetas = np.tile(fit.theta, (len(taken_at), 1))
    thetas[:, index] = taken_at
    at = fit.parameters.natural(thetas)[:, index]
    top = int(drop.argmin())
    lower = _crossing(at[top::-1], drop[top::-1])
    upper = _crossing(at[top:], drop[top:])
    closed = (lower is not None) + (upper is not None)
    verdicts: tuple[Verdict, ...] = ("not identified", "weakly identified", "identified")
    return Profile(name, at, drop, lower, upper, verdicts[closed], best - start)


def _crossing(at: NDArray[np.float64], drop: NDArray[np.float64]) -> float | None:
    """Where a profile, from its maximum on, first drops by DROP95; its root is taken as straight.

    None where it never does.
    """
    beyond = np.flatnonzero(drop > DROP95)
    if not len(beyond):
        return None
    last = int(beyond[0])
    inner, outer = np.sqrt(drop[last - 1]), np.sqrt(drop[last])
    share = (np.sqrt(DROP95) - inner) / (outer - inner)
    return float(at[last - 1] + share * (at[last] - at[last - 1]))


def in_words(fit: fitting.Fit, profiles: tuple[Profile, ...] = ()) -> str:
    """A paragraph: what the data determine, and what they leave to the prior.

    "Identified" is said of a posterior much narrower than its prior, and of a fit that has
    converged; "closed" of a profile.
    """
    groups: dict[str, list[Judgement]] = {}
    for judgement in judge(fit):
        contrast = ".bases[" in judgement.name or ".pairs[" in judgement.name
        label = judgement.name.split("[")[0] if contrast else judgement.name
        groups.setdefault(label, []).append(judgement)
    lines = [] if fit.doubt is None else [fit.doubt]
    for label, group in groups.items():
        if len(group) == 1:
            (one,) = group
            verdict = f"{one.verdict}; " if fit.converged else ""
            lines.append(
                f"{label}: {verdict}{one.mean:.2f} +- {one.sd:.2f} {one.unit} against a "
                f"prior of +- {one.prior_sd:g}."
            )
        elif fit.converged:
            known = sum(one.verdict == "identified" for one in group)
            lines.append(f"{label}: {known} of {len(group)} contrasts identified.")
    for found in profiles:
        lower = "open" if found.lower is None else f"{found.lower:.2f}"
        upper = "open" if found.upper is None else f"{found.upper:.2f}"
        lines.append(
            f"{found.name}: its profile likelihood {SIDES[found.verdict]}; 95 % interval "
            f"{lower} to {upper}."
        )
        if found.better > DROP95:
            lines.append(
                f"{found.name}: its profile found an optimum {found.better:.1f} nats above the "
                "fit's, whose own interval is that of a lesser one; believe the profile."
            )
    clock = any(term.value is not None for term in fit.mechanism.terms.values())
    if isinstance(fit.mechanism, mechanism_spec.Kinetic) and not clock:
        lines.append(
            "No rate has a value: the data tell rates up to a factor common to all of them, and "
            "that factor is the priors'. Give one rate a value."
        )
    measurement = fit.mechanism.measurement
    if measurement.kind in ("gaussian", "skewed") and measurement.log_base is None:
        lines.append(
            "The read-out's slope is fitted and trades against the scale of all energies, farther "
            "than intervals say. If it is a logarithm, declare measurement.log_base."
        )
    if not fit.converged:
        return "\n".join(lines)
    values = spectrum(fit).values
    strong = int((values > 1 / STRONG**2 - 1).sum())
    lines.append(
        f"Fisher information: {strong} of {len(values)} directions of the mechanism are determined "
        f"by the data; the weakest holds {values[-1]:.2g} times the prior's precision."
    )
    return "\n".join(lines)
