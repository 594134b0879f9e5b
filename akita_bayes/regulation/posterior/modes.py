"""The modes of a posterior that fits have found, and which of them are sampled.

A mode is weighed by Laplace's evidence under the prior that is sampled (`hierarchy`), which is not
that of the fit: a higher optimum may be a narrower one and hold less of the posterior.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes.regulation.fit import quasi_newton
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.posterior import hierarchy, laplace

NEAR = 7.0
"""Nats of Laplace's evidence below the best at which a mode is left out. Exact, they would be less
than a thousandth of the posterior. Laplace's is tens of nats off that of draws, but by much the
same for modes of one likelihood: 7.5 and 6.9 nats for two of the lac reads."""
SAME = 1.0
"""Standard deviations by which two optima of one mode differ at the most: half a nat."""


class Mode(NamedTuple):
    """A mode of the posterior.

    Attributes:
        gaussian: Laplace's approximation there, under the prior of the fit.
        log_evidence: Laplace's, under the prior that is sampled, in nats.
        fits: How many fits ended there.
    """

    gaussian: laplace.Laplace
    log_evidence: float
    fits: int


def log_evidence(likelihood: likelihoods.Likelihood, theta: NDArray[np.float64]) -> float:
    """Laplace's log evidence of a mode, under the prior that is sampled, in nats.

    One Newton step from the mode under the fit's prior, with the scale of each site as it has it.
    Where hundreds of parameters are no Gaussian it may be tens of nats off (`assumptions.DOUBT`);
    `bridge` measures it from draws.

    Args:
        likelihood: Of all sequences.
        theta: [D].
    """
    parameters = likelihood.parameters
    sd, fixed = hierarchy.drawn_sd(parameters, theta[None]), parameters.prior_sd
    root = quasi_newton.root_of(hierarchy.precision(likelihood, theta[None]), sd)
    gradient = likelihood.value_and_gradient(theta[None]).gradient[0]
    gradient += (theta - parameters.prior_mean) * (fixed**-2.0 - sd**-2.0)
    value = float(hierarchy.log_posterior(likelihood, theta[None])[0])
    value += 0.5 * float(np.sum((root.T @ gradient) ** 2))
    value += np.linalg.slogdet(root / sd[:, None])[1] + np.log(sd).sum()
    return float(value + len(theta) / 2 * np.log(2 * np.pi))


def distinct(gaussians: Sequence[laplace.Laplace], evidence: Sequence[float]) -> tuple[Mode, ...]:
    """The different modes among the optima of several fits, that of most evidence first."""
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
    """Modes that may hold a share of the posterior, that of most evidence first."""
    return tuple(mode for mode in modes if mode.log_evidence > modes[0].log_evidence - NEAR)
