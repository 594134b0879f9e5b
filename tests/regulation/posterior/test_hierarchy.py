import numpy as np

from akita_bayes.regulation.model import curvature, likelihood, priors
from akita_bayes.regulation.posterior import hierarchy


def test_draws_set_the_scales_that_the_prior_leaves_open_and_no_others(two_sites, experiment):
    mechanism = two_sites(measurement={"kind": "gaussian"})
    table = experiment(mechanism, sequences=40, reads=400).table
    model = likelihood.Likelihood(mechanism, table)
    parameters = model.parameters
    draws = np.random.default_rng(0).normal(scale=3.0, size=(2, parameters.size))
    sd = hierarchy.empirical_prior_sd(parameters, draws)
    for block in parameters.blocks:
        columns = slice(block.start, block.stop)
        expected = block.prior.sd
        if block.part in priors.SCALED_PARTS:
            expected = np.sqrt((draws[:, columns] ** 2).mean())
        np.testing.assert_allclose(sd[columns], expected)
    # Only the diagonal differs from the curvature under the prior of a fit.
    precision = hierarchy.precision(model, draws)
    fixed = -curvature.hessians(model, draws).mean(0)
    change = np.diag(sd**-2.0 - parameters.prior_sd**-2.0)
    np.testing.assert_allclose(precision - fixed, change, atol=1e-9)
