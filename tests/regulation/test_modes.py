"""Modes told apart by distance and weighed by the evidence under the prior that is sampled."""

import numpy as np

from akita_bayes.regulation import hierarchy, laplace, likelihood, modes


def optimum(at, log_density=0.0, width=1.0):
    return laplace.Laplace(
        np.array([at]), np.eye(1) * width**2, np.eye(1) * width, log_density, np.nan
    )


def test_chains_start_where_the_posterior_has_a_share():
    """By evidence: a lower but wider mode counts, one without weight does not."""
    gaussians = [optimum(at, log_density) for at, log_density in ((0, 9), (3, 6), (6, 3))]
    found = modes.distinct(gaussians, [5.0, 9.0, 1.0])
    assert [mode.gaussian.log_density for mode in found] == [6, 9, 3]
    assert [mode.log_evidence for mode in found] == [9.0, 5.0, 1.0]
    assert modes.where_chains_start(found).tolist() == [[3.0], [0.0]]
    assert modes.chains(found, 5) == [3, 2, 0]


def test_a_mode_found_twice_is_one_mode():
    wide = [optimum(at, width=2.0) for at in (0.0, 1.5, 5.0, -5.0)]
    found = modes.distinct(wide, [5.0, 5.1, 5.2, 4.0])
    assert [mode.gaussian.mode.tolist() for mode in found] == [[5.0], [1.5], [-5.0]]
    assert [mode.fits for mode in found] == [1, 2, 1]


def test_the_evidence_of_a_mode_is_under_the_prior_that_is_sampled(two_sites, experiment):
    mechanism = two_sites()
    held = likelihood.Likelihood(mechanism, experiment(mechanism, sequences=40, reads=400).table)
    near = held.parameters.start(np.random.default_rng(0))
    block = held.parameters.find("b", "bases")
    wide = near.copy()
    wide[block.start : block.stop] *= 10 / np.linalg.norm(wide[block.start : block.stop])
    unit = np.eye(len(near))
    each = [laplace.Laplace(theta, unit, unit, 0.0, 0.0) for theta in (near, wide)]
    prior = hierarchy.log_prior(held.parameters, np.stack([near, wide])).numpy()
    fixed = [float(held.log_prior(theta)) for theta in (near, wide)]
    found = [modes.log_evidence(held, gaussian) for gaussian in each]
    np.testing.assert_allclose(np.diff(found), np.diff(prior) - np.diff(fixed), rtol=1e-9)
    assert abs(found[1] - found[0]) > 0.5
