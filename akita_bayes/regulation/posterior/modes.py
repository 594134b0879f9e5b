"""Finds the modes of a posterior among the optima of fits, and selects those to sample.

Modes are ranked by Laplace's evidence under the prior of the sampler (`priors.unknown_scale`). It
differs from the prior of the fit: a higher optimum may be narrower and hold less of the posterior.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes.regulation.fits import quasi_newton
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.posterior import hierarchy, laplace

NEAR = 7.0
"""Nats of Laplace's evidence below the best mode at which a mode is left out. If the evidence were
exact, such a mode would hold less than a thousandth of the posterior. Laplace's evidence differs by
tens of nats from the evidence of draws, but the difference is nearly equal for modes of one
likelihood: 7.5 and 6.9 nats for two modes of the lac reads."""
SAME = 1.0
"""Standard deviations by which two optima of one mode differ at most: half a nat."""


class Mode(NamedTuple):
    """Holds a mode of the posterior.

    Attributes:
        gaussian: Laplace's approximation at the mode, under the prior of the fit.
        log_evidence: Laplace's log evidence under the prior of the sampler, in nats.
        fits: Number of fits that ended at the mode.
    """

    gaussian: laplace.Laplace
    log_evidence: float
    fits: int


def log_evidence(likelihood: likelihoods.Likelihood, theta: NDArray[np.float64]) -> float:
    """Returns Laplace's log evidence of a mode under the prior of the sampler, in nats.

    It takes one Newton step from the mode under the prior of the fit. The scale of each site is
    that of `theta`. The result may be tens of nats off where the posterior of hundreds of
    parameters is not Gaussian (`assumptions.DOUBT`); `bridge` measures the evidence from draws.

    Args:
        likelihood: Likelihood of all sequences.
        theta: Theta at the mode. [D]
    """
    parameters = likelihood.parameters
    sd, fixed = hierarchy.empirical_prior_sd(parameters, theta[None]), parameters.prior_sd
    root = quasi_newton.root_of(hierarchy.precision(likelihood, theta[None]), sd)
    gradient = likelihood.value_and_gradient(theta[None]).gradient[0]
    # This gradient uses the prior of the fit; exchange that term for the sampler's prior.
    gradient += (theta - parameters.prior_mean) * (fixed**-2.0 - sd**-2.0)
    value = float(likelihood.log_posterior_unknown_scale(theta[None])[0])
    value += 0.5 * float(np.sum((root.T @ gradient) ** 2))
    value += np.linalg.slogdet(root / sd[:, None])[1] + np.log(sd).sum()
    return float(value + len(theta) / 2 * np.log(2 * np.pi))


def distinct(gaussians: Sequence[laplace.Laplace], evidence: Sequence[float]) -> tuple[Mode, ...]:
    """Groups the optima of several fits into distinct modes, the one with most evidence first."""
    modes: list[Mode] = []
    for i in np.argsort(evidence)[::-1]:
        for number, mode in enumerate(modes):
            apart = gaussians[i].mode - mode.gaussian.mode
            if np.linalg.norm(np.linalg.solve(mode.gaussian.root, apart)) < SAME:
                modes[number] = mode._replace(fits=mode.fits + 1)
                break
        else:
            modes.append(Mode(gaussians[i], float(evidence[i]), 1))
    return tuple(modes)


def near(modes: Sequence[Mode]) -> tuple[Mode, ...]:
    """Selects modes that may hold a share of the posterior, the one with most evidence first."""
    return tuple(mode for mode in modes if mode.log_evidence > modes[0].log_evidence - NEAR)
