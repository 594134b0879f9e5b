"""Modes and their draws as one posterior, against mixtures whose shares are known."""

import numpy as np
import pytest
import tensorflow as tf

from akita_bayes.regulation.model import likelihood
from akita_bayes.regulation.posterior import (
    bridge,
    laplace,
    mixture,
    mode_posterior,
    modes,
    physical_units,
)
from akita_bayes.regulation.posterior.sampling_options import SamplingOptions
from tests.regulation.known_density import KnownDensity

FAR = 12.0
"""Standard deviations between the two modes."""


class Two(KnownDensity):
    """A likelihood whose posterior is two Gaussians of the same width, one of which holds 0.8."""

    def __init__(self, parameters, less=0.0):
        self.parameters, self.less = parameters, less

    def log_density(self, theta):
        at = [tf.reduce_sum((theta - mean) ** 2, axis=-1) for mean in (0.0, self.far_mean())]
        parts = [np.log(0.8) - 0.5 * at[0], np.log(0.2) - 0.5 * at[1]]
        return tf.reduce_logsumexp(parts, axis=0) - self.less

    def far_mean(self):
        return FAR / np.sqrt(self.parameters.size)

    def around(self, mean, seed, *, length=400):
        """A mode and four chains around it."""
        size = self.parameters.size
        random = np.random.default_rng(seed)
        theta = mean + random.normal(size=(4, length, size))
        values = self.log_posterior_unknown_scale(theta.reshape(-1, size)).numpy()
        gaussian = laplace.Laplace(np.full(size, mean), np.eye(size), np.eye(size), 0.0)
        return modes.Mode(gaussian, 0.0, 1), mode_posterior.ModePosterior(
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
    small, large = two.around(two.far_mean(), 0), two.around(0.0, 1)
    components = mixture.components({"": (two, [small, large])})
    assert [component.mode for component in components] == [large[0], small[0]]
    np.testing.assert_allclose(
        [component.share.mean for component in components], [0.8, 0.2], atol=0.02
    )
    for component in components:
        assert component.share.lower < component.share.mean < component.share.upper
    draws = mixture.by_share(components)
    values = np.stack(list(draws.values()), axis=-1)
    constants = [
        physical_units.physical(two.parameters, component.draws.theta) for component in components
    ]
    of_the_other = np.isin(draws["ab"], constants[1]["ab"])
    np.testing.assert_allclose(of_the_other.mean(), components[1].share.mean, atol=1e-3)
    assert np.isin(draws["ab"][~of_the_other], constants[0]["ab"]).all()
    assert len(np.unique(draws["ab"])) == len(values)
    assert 0.95 < len(values) / (1600 / 0.8) < 1.05


def test_modes_whose_chains_meet_are_one(two):
    parts = [two.around(0.0, 0), two.around(two.far_mean(), 1), two.around(0.0, 2, length=300)]
    components = mixture.components({"": (two, parts)})
    assert [component.mode.fits for component in components] == [2, 1]
    assert [component.draws.theta.shape[:2] for component in components] == [(8, 300), (4, 400)]
    np.testing.assert_allclose(
        [component.share.mean for component in components], [0.8, 0.2], atol=0.02
    )
    whole = components[0].draws
    np.testing.assert_array_equal(whole.theta[0], parts[0][1].theta[0, -300:])
    np.testing.assert_array_equal(whole.log_density[4:], parts[2][1].log_density)
    assert whole.seconds == 2.0


def test_modes_that_differ_in_the_read_out_alone_are_two(two):
    mode, draws = two.around(0.0, 0)
    moved = two.around(0.0, 1)[1]
    moved.theta[..., -1] += 10.0
    assert len(mixture.joined([(mode, draws), (mode, moved)])) == 2


def test_one_mode_is_the_posterior(two):
    (component,) = mixture.components({"odds": (two, [two.around(0.0, 0)])})
    assert (component.share, component.read_out) == ((1.0, 1.0, 1.0), "odds")
    draws, constants = (
        mixture.by_share([component]),
        physical_units.physical(two.parameters, component.draws.theta),
    )
    assert list(draws) == list(constants)
    np.testing.assert_array_equal(draws["a[0,A]"], constants["a[0,A]"].ravel())


def test_read_outs_are_weighed_and_never_joined(two):
    """The same density twice, and once a tenth of it: 10 of 21 shares each, and 1."""
    tenth = Two(two.parameters, less=np.log(10))
    near = two.around(0.0, 0)
    weak = tenth.around(0.0, 1)
    components = mixture.components(
        {"odds": (two, [near]), "log odds": (tenth, [weak]), "rank": (two, [two.around(0.0, 2)])}
    )
    assert sorted(component.read_out for component in components[:2]) == ["odds", "rank"]
    assert components[2].read_out == "log odds"
    shares = [component.share.mean for component in components]
    np.testing.assert_allclose(shares, [10 / 21, 10 / 21, 1 / 21], atol=0.02)


@pytest.mark.parametrize("apart", [False, True])
def test_chains_start_from_all_modes_and_only_apart_each_has_its_own(two, monkeypatch, apart):
    (first, _), (second, _) = two.around(0.0, 0), two.around(two.far_mean(), 1)
    settled, sampled = [], []

    class Settled:
        def __init__(self, gaussians):
            self.gaussians, self.apart = gaussians, apart

    def settle(likelihood, gaussians, options, *, advance):
        assert (likelihood, options.chains, options.burn_in) == (two, 4, 60)
        settled.append((gaussians, options.seed))
        return Settled(gaussians)

    def sample(settled, options, *, advance):
        assert (options.effective, options.most_draws) == (300, 700)
        sampled.append(settled.gaussians)
        return settled.gaussians

    monkeypatch.setattr(mode_posterior, "settle", settle)
    monkeypatch.setattr(mode_posterior, "sample", sample)
    options = SamplingOptions(chains=4, burn_in=60, effective=300, most_draws=700, seed=5)
    explored = mixture.explore(two, [first, second], options)
    both, alone = [first.gaussian, second.gaussian], [[first.gaussian], [second.gaussian]]
    assert settled[0][0] == both
    assert len({seed for _, seed in settled}) == len(settled)
    if apart:
        assert sampled == [gaussians for gaussians, _ in settled[1:]] == alone
        assert explored == [(first, alone[0]), (second, alone[1])]
    else:
        assert sampled == [both]
        assert explored == [(first._replace(fits=2), both)]
    # A single mode, or more modes than chains, leave nothing to try.
    settled.clear()
    mixture.explore(two, [first], options)
    mixture.explore(two, [first, second] * 3, options)
    assert all(len(gaussians) == 1 for gaussians, _ in settled)


def test_chains_in_two_modes_are_apart_and_chains_that_mix_are_not(two):
    theta = two.around(0.0, 0, length=150)[1].theta
    for shift, apart in ((0.0, False), (0.7, False), (4.0, True)):
        moved = theta.copy()
        moved[::2, :, 3] += shift
        assert mode_posterior.Settled(None, moved, 1.0).apart == apart


def test_shares_of_uncertain_evidence_are_uncertain():
    exact = mixture.shares([bridge.Evidence(0.0, 0.0), bridge.Evidence(np.log(0.25), 0.0)])
    np.testing.assert_allclose(exact, [[0.8] * 3, [0.2] * 3])
    loose = mixture.shares([bridge.Evidence(0.0, 2.0), bridge.Evidence(np.log(0.25), 2.0)])
    assert 0.6 < loose[0].mean < 0.75
    assert loose[0].lower < 0.1
    assert loose[0].upper > 0.99


def test_a_mode_of_no_weight_gives_no_draws(two):
    parts = [
        mixture.Component("", *two.around(mean, 0), bridge.Evidence(value, 0.1), share)
        for mean, value, share in (
            (0.0, 0.0, mixture.Share(1.0, 1.0, 1.0)),
            (two.far_mean(), -1e4, mixture.Share(0.0, 0.0, 0.0)),
        )
    ]
    assert len(mixture.by_share(parts)["ab"]) == 1600
