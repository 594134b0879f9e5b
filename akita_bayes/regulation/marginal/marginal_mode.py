"""Finds the mode of the likelihood that is sampled, from a fit of all parameters."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes.regulation.fits import quasi_newton
from akita_bayes.regulation.marginal import marginal_likelihood
from akita_bayes.regulation.model import curvature
from akita_bayes.regulation.model import likelihood as likelihoods


class Start(NamedTuple):
    """Holds the likelihood that is sampled, and a theta near its mode.

    Attributes:
        likelihood: Marginal likelihood where bins are splines, else the likelihood of the fit.
        theta: Theta in the layout of this likelihood. [P]
    """

    likelihood: Any
    theta: NDArray[np.float64]


def sampled(likelihood: likelihoods.Likelihood) -> Any:
    """Returns the likelihood that is sampled: the marginal one where it applies."""
    if marginal_likelihood.applies(likelihood):
        return marginal_likelihood.MarginalLikelihood(likelihood)
    return likelihood


def start(likelihood: likelihoods.Likelihood, theta: NDArray[np.float64]) -> Start:
    """Returns the likelihood that is sampled, and climbs to its mode.

    Args:
        likelihood: Likelihood of all parameters.
        theta: Optimum of a fit. [D]
    """
    target = sampled(likelihood)
    if target is likelihood:
        return Start(likelihood, theta)
    reduced = target.parameters.reduce(theta)
    target.centre_at(reduced, follow=False)
    optimum = quasi_newton.arrive(
        target.value_and_gradient,
        curvature.hessian_of(target),
        reduced,
        target.parameters.prior_sd,
    )
    target.centre_at(optimum.theta, follow=False)
    return Start(target, optimum.theta)
