"""Modes told apart by distance and weighed by the evidence under the prior that is sampled."""

import numpy as np
import scipy.special
import scipy.stats
import tensorflow as tf

from akita_bayes.regulation.model import likelihood, priors
from akita_bayes.regulation.posterior import laplace, modes
from tests.regulation.known_density import KnownDensity


def optimum(at, log_density=0.0, width=1.0):
    return laplace.Laplace(np.array([at]), np.eye(1) * width**2, np.eye(1) * width, log_density)


def test_modes_are_sampled_that_may_hold_a_share_of_the_posterior():
    """By evidence: a lower but wider mode counts, one without weight does not."""
    gaussians = [optimum(at, log_density) for at, log_density in ((0, 9), (3, 6), (6, 3))]
    distinct = modes.distinct(gaussians, [5.0, 9.0, 1.0])
    assert [mode.gaussian.log_density for mode in distinct] == [6, 9, 3]
    assert [mode.log_evidence for mode in distinct] == [9.0, 5.0, 1.0]
    assert modes.near(distinct) == distinct[:2]


def test_a_mode_found_twice_is_one_mode():
    wide = [optimum(at, width=2.0) for at in (0.0, 1.5, 5.0, -5.0)]
    distinct = modes.distinct(wide, [5.0, 5.1, 5.2, 4.0])
    assert [mode.gaussian.mode.tolist() for mode in distinct] == [[5.0], [1.5], [-5.0]]
    assert [mode.fits for mode in distinct] == [1, 2, 1]


class Known(KnownDensity):
    """Measurements theta + noise of all parameters, whose evidence is known by integration."""

    def __init__(self, parameters, measured, noise):
        self.parameters, self.noise = parameters, noise
        self.measured = tf.constant(measured)

    def log_likelihood(self, theta, weight=None):
        squares = tf.reduce_sum((theta - self.measured) ** 2, axis=-1)
        size = len(self.measured)
        return -0.5 * squares / self.noise**2 - size * np.log(self.noise * np.sqrt(2 * np.pi))

    def log_posterior_fixed_scale(self, theta, weight=None):
        sd = self.parameters.prior_sd
        z = (theta - self.parameters.prior_mean) / sd
        constant = np.log(sd).sum() + 0.5 * len(sd) * np.log(2 * np.pi)
        return self.log_likelihood(theta) - 0.5 * tf.reduce_sum(z**2, axis=-1) - constant

    def log_posterior_unknown_scale(self, theta):
        return self.log_likelihood(theta) + priors.unknown_scale(self.parameters, theta)

    def evidence(self):
        """Every block's; of those that share a scale the integral over it."""
        total = 0.0
        for block in self.parameters.blocks:
            span = slice(block.start, block.stop)
            measured = self.measured.numpy()[span]
            if block.part not in priors.SCALED_PARTS:
                mean = self.parameters.prior_mean[span]
                spread = np.hypot(self.parameters.prior_sd[span], self.noise)
                total += scipy.stats.norm.logpdf(measured, mean, spread).sum()
                continue
            log_tau = np.log(block.prior.sd) + np.linspace(-5, 5, 4001)
            spread = np.hypot(np.exp(log_tau), self.noise)
            inside = scipy.stats.norm.logpdf(measured[:, None], 0, spread).sum(0)
            inside += scipy.stats.norm.logpdf(log_tau, np.log(block.prior.sd), 1)
            total += scipy.special.logsumexp(inside) + np.log(log_tau[1] - log_tau[0])
        return total


def test_the_evidence_of_a_mode_is_under_the_prior_that_is_sampled(two_sites, experiment):
    mechanism = two_sites(measurement={"kind": "gaussian"})
    table = experiment(mechanism, sequences=40, reads=400).table
    parameters = likelihood.Likelihood(mechanism, table).parameters
    random = np.random.default_rng(0)
    approximate, exact = [], []
    for scale in (1.0, 3.0):
        gaussian = Known(parameters, scale * random.normal(size=parameters.size), 0.3)
        precision = np.diag(parameters.prior_sd**-2.0) + np.eye(parameters.size) / 0.3**2
        pull = (
            parameters.prior_mean * parameters.prior_sd**-2.0 + gaussian.measured.numpy() / 0.3**2
        )
        approximate.append(modes.log_evidence(gaussian, np.linalg.solve(precision, pull)))
        exact.append(gaussian.evidence())
    # The width of each scale, of the order of a nat per site, is left out.
    np.testing.assert_allclose(approximate, exact, atol=3)
    np.testing.assert_allclose(np.diff(approximate), np.diff(exact), atol=1)
    assert abs(np.diff(exact)[0]) > 10
