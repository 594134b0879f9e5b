"""Modes and their draws as one posterior, against mixtures whose shares are known."""

import numpy as np
import pytest
import tensorflow as tf

from akita_bayes.regulation import bridge, hierarchy, laplace, likelihood, mixture, modes, posterior

FAR = 12.0
"""Standard deviations between the two modes."""


class Two:
    """A likelihood whose posterior is two Gaussians of the same width, one of which holds 0.8."""

    rows = 1

    def __init__(self, parameters):
        self.parameters = parameters

    def log_likelihood(self, theta):
        at = [tf.reduce_sum((theta - mean) ** 2, axis=-1) for mean in (0.0, self.other())]
        parts = [np.log(0.8) - 0.5 * at[0], np.log(0.2) - 0.5 * at[1]]
        return tf.reduce_logsumexp(parts, axis=0) - hierarchy.log_prior(self.parameters, theta)

    def other(self):
        return FAR / np.sqrt(self.parameters.size)

    def around(self, mean, seed, *, length=400):
        """A mode and four chains around it."""
        size = self.parameters.size
        random = np.random.default_rng(seed)
        theta = mean + random.normal(size=(4, length, size))
        values = hierarchy.log_posterior(self, theta.reshape(-1, size)).numpy()
        gaussian = laplace.Laplace(np.full(size, mean), np.eye(size), np.eye(size), 0.0)
        return modes.Mode(gaussian, 0.0, 1), posterior.Posterior(
            self.parameters,
            theta,
            values.reshape(4, length),
            accepted=0.8,
            divergent=0.0,
            leapfrogs=7.0,
            step_size=0.3,
            root=np.eye(size),
            seconds=1.0,
        )


@pytest.fixture(scope="module")
def two(two_sites, experiment):
    mechanism = two_sites(measurement={"kind": "gaussian"})
    table = experiment(mechanism, sequences=40, reads=400).table
    return Two(likelihood.Likelihood(mechanism, table).parameters)


def test_each_mode_has_the_share_that_its_evidence_gives(two):
    small, large = two.around(two.other(), 0), two.around(0.0, 1)
    found = mixture.components(two, [small, large])
    assert [each.mode for each in found] == [large[0], small[0]]
    np.testing.assert_allclose([each.share.mean for each in found], [0.8, 0.2], atol=0.02)
    for each in found:
        assert each.share.lower < each.share.mean < each.share.upper
    theta = mixture.by_share(found)
    in_the_other = theta.mean(1) > two.other() / 2
    np.testing.assert_allclose(in_the_other.mean(), found[1].share.mean, atol=1e-3)
    assert len(np.unique(theta[:, 0])) == len(theta)
    assert 0.95 < len(theta) / (1600 / 0.8) < 1.05


def test_modes_whose_chains_meet_are_one(two):
    parts = [two.around(0.0, 0), two.around(two.other(), 1), two.around(0.0, 2, length=300)]
    found = mixture.components(two, parts)
    assert [each.mode.fits for each in found] == [2, 1]
    assert [each.draws.theta.shape[:2] for each in found] == [(8, 300), (4, 400)]
    np.testing.assert_allclose([each.share.mean for each in found], [0.8, 0.2], atol=0.02)
    whole = found[0].draws
    np.testing.assert_array_equal(whole.theta[0], parts[0][1].theta[0, -300:])
    np.testing.assert_array_equal(whole.log_density[4:], parts[2][1].log_density)
    assert whole.seconds == 2.0


def test_modes_that_differ_in_the_read_out_alone_are_two(two):
    mode, draws = two.around(0.0, 0)
    moved = two.around(0.0, 1)[1]
    moved.theta[..., -1] += 10.0
    assert len(mixture.joined([(mode, draws), (mode, moved)])) == 2


def test_one_mode_is_the_posterior(two):
    (found,) = mixture.components(two, [two.around(0.0, 0)])
    assert found.share == (1.0, 1.0, 1.0)
    assert mixture.by_share([found]).shape == (1600, two.parameters.size)


def test_shares_of_uncertain_evidence_are_uncertain():
    exact = mixture.shares([bridge.Evidence(0.0, 0.0), bridge.Evidence(np.log(0.25), 0.0)])
    np.testing.assert_allclose(exact, [[0.8] * 3, [0.2] * 3])
    loose = mixture.shares([bridge.Evidence(0.0, 2.0), bridge.Evidence(np.log(0.25), 2.0)])
    assert 0.6 < loose[0].mean < 0.75
    assert loose[0].lower < 0.1
    assert loose[0].upper > 0.99


def test_a_mode_of_no_weight_gives_no_draws(two):
    parts = [
        mixture.Component(*two.around(mean, 0), bridge.Evidence(value, 0.1), share)
        for mean, value, share in (
            (0.0, 0.0, mixture.Share(1.0, 1.0, 1.0)),
            (two.other(), -1e4, mixture.Share(0.0, 0.0, 0.0)),
        )
    ]
    assert mixture.by_share(parts).shape == (1600, two.parameters.size)
