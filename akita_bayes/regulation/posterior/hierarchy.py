"""Approximates the curvature under the prior of the sampler by that under the prior of a fit.

Where the scale of a site is unknown (`priors.unknown_scale`), its entries are treated as Gaussian
with the scale that draws have.
"""

import numpy as np
from numpy.typing import NDArray

from akita_bayes.regulation.model import curvature, priors
from akita_bayes.regulation.model import likelihood as likelihoods
from akita_bayes.regulation.model import parameters as layout


def empirical_prior_sd(
    parameters: layout.Parameters, thetas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns the prior's standard deviations with the scale of each site taken from draws. [D].

    Args:
        parameters: Meaning of the entries of theta.
        thetas: Draws. [S, D]
    """
    sd = parameters.prior_sd.copy()
    for block in parameters.blocks:
        if block.part in priors.SCALED_PARTS:
            columns = slice(block.start, block.stop)
            sd[columns] = np.sqrt((thetas[:, columns] ** 2).mean())
    return sd


def precision(
    likelihood: likelihoods.Likelihood, thetas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Averages the negative Hessian over draws, with the scale of each site from them. [D, D].

    The mode of a posterior of hundreds of parameters lies far from its draws. Where the posterior
    is a curved ridge, the curvature at the mode differs from the curvature at the draws. The mean
    curvature of a few draws fits the remaining draws better.

    Args:
        likelihood: Likelihood with its parameters.
        thetas: Draws. [S, D]
    """
    return np.asarray(precisions(likelihood, thetas).mean(axis=0))


def precisions(
    likelihood: likelihoods.Likelihood, thetas: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Returns the terms of the mean that `precision` computes. [S, D] -> [S, D, D]."""
    parameters = likelihood.parameters
    prior = empirical_prior_sd(parameters, thetas) ** -2.0 - parameters.prior_sd**-2.0
    return -np.asarray(curvature.hessians(likelihood, thetas)) + np.diag(prior)
