import numpy as np
import scipy.integrate
import scipy.stats
import tensorflow as tf

from akita_bayes.regulation.model import parameters as layout
from akita_bayes.regulation.model import priors


def test_a_mixture_of_scales_is_the_integral_over_the_scale():
    for size, sd, norm in ((6, 2.0, 1.0), (78, 2.0, 8.0), (123, 1.0, 40.0)):
        theta = np.random.default_rng(size).normal(size=size)
        theta *= norm / np.linalg.norm(theta)

        def density(log_tau, theta=theta, sd=sd):
            inside = scipy.stats.norm.logpdf(theta, 0, np.exp(log_tau)).sum()
            return inside + scipy.stats.norm.logpdf(log_tau, np.log(sd), 1)

        peak = max(density(x) for x in np.linspace(-4, 4, 2001))
        exact = peak + np.log(
            scipy.integrate.quad(
                lambda x, d=density, p=peak: np.exp(d(x) - p), -6, 6, points=[0], limit=500
            )[0]
        )
        log_density = priors.scale_mixture(tf.constant([norm**2], tf.float64), size, sd).numpy()[0]
        np.testing.assert_allclose(log_density, exact, atol=1e-3)


def test_the_scale_of_a_matrix_is_not_decided_by_its_number_of_entries():
    """The volume of a shell of radius r grows as r^d; the prior on log r must stay broad."""
    log_r = np.linspace(-3, 6, 901)
    for size in (12, 123):
        log_p = priors.scale_mixture(tf.constant(np.exp(2 * log_r)), size, 2.0).numpy()
        mass = np.exp(log_p + size * log_r - (log_p + size * log_r).max())
        mass /= mass.sum()
        mean = (mass * log_r).sum()
        sd = np.sqrt((mass * (log_r - mean) ** 2).sum())
        assert 0.95 < sd < 1.15
        np.testing.assert_allclose(mean, np.log(2.0 * np.sqrt(size)), atol=0.1)


def test_the_prior_is_the_product_over_blocks(two_sites):
    parameters = layout.Parameters(two_sites(), "ACGTACGTAC", (("", 4),))
    theta = np.random.default_rng(1).normal(size=(3, parameters.size))
    expected = np.zeros(3)
    for b in parameters.blocks:
        values = theta[:, b.start : b.stop]
        if b.part in ("bases", "pairs", "bend"):
            squares = (values**2).sum(1)
            expected += priors.scale_mixture(squares, b.stop - b.start, b.prior.sd)
        else:
            expected += scipy.stats.norm.logpdf(values, b.prior.mean, b.prior.sd).sum(1)
    np.testing.assert_allclose(priors.unknown_scale(parameters, theta), expected)


def test_constants_and_measurement_keep_their_gaussians(two_sites):
    parameters = layout.Parameters(two_sites(), "ACGTACGTAC", (("", 4),))
    theta = np.random.default_rng(0).normal(size=(3, parameters.size))
    moved = theta.copy()
    unscaled = [b for b in parameters.blocks if b.part not in priors.SCALED_PARTS]
    for block in unscaled:
        moved[:, block.start : block.stop] += 0.7
    change = priors.unknown_scale(parameters, moved) - priors.unknown_scale(parameters, theta)
    expected = sum(
        scipy.stats.norm.logpdf(moved[:, b.start : b.stop], b.prior.mean, b.prior.sd).sum(1)
        - scipy.stats.norm.logpdf(theta[:, b.start : b.stop], b.prior.mean, b.prior.sd).sum(1)
        for b in unscaled
    )
    np.testing.assert_allclose(change, expected)


def test_the_two_priors_differ_only_in_the_entries_that_share_a_scale(two_sites):
    parameters = layout.Parameters(two_sites(), "ACGTACGTAC", (("", 4),))
    theta = np.random.default_rng(2).normal(size=(3, parameters.size))
    expected = np.zeros(3)
    for b in parameters.blocks:
        if b.part in priors.SCALED_PARTS:
            values = theta[:, b.start : b.stop]
            expected += priors.scale_mixture((values**2).sum(1), b.stop - b.start, b.prior.sd)
            expected -= scipy.stats.norm.logpdf(values, b.prior.mean, b.prior.sd).sum(1)
    difference = priors.unknown_scale(parameters, theta) - priors.fixed_scale(parameters, theta)
    np.testing.assert_allclose(difference, expected)
