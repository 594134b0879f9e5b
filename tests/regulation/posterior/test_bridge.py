"""Evidence from draws against integrals that are known."""

import numpy as np
import pytest

from akita_bayes.regulation.posterior import bridge

SIZE = 40


def skewed(theta):
    """A density whose integral is 1 in each of the entries of theta; its Laplace's is not."""
    return (theta - np.exp(theta)).sum(-1)


def chains(seed, number, length, *, keep=0.0):
    """Draws of it, each entry carried over from the draw before with probability `keep`."""
    random = np.random.default_rng(seed)
    theta = np.log(random.standard_exponential((number, length, SIZE)))
    stays = random.random(theta.shape) < keep
    for draw in range(1, length):
        theta[:, draw] = np.where(stays[:, draw], theta[:, draw - 1], theta[:, draw])
    return theta


def test_evidence_of_a_density_that_is_no_gaussian():
    theta = chains(0, 4, 500)
    evidence = bridge.log_evidence(skewed, theta, skewed(theta), np.eye(SIZE))
    laplace = SIZE * (0.5 * np.log(2 * np.pi) - 1)
    assert abs(laplace) > 3
    assert abs(evidence.value) < 4 * evidence.error < 1.0


def test_evidence_follows_a_factor_and_a_change_of_coordinates():
    theta = chains(0, 4, 200)
    root = np.tril(np.random.default_rng(1).normal(0, 0.3, (SIZE, SIZE)), -1) + np.diag(
        np.geomspace(0.1, 10, SIZE)
    )

    def stretched(y):
        return 7.0 + skewed(np.linalg.solve(root, y.T).T)

    plain = bridge.log_evidence(skewed, theta, skewed(theta), np.eye(SIZE))
    transformed = bridge.log_evidence(stretched, theta @ root.T, 7.0 + skewed(theta), root)
    shift = 7.0 + np.log(np.geomspace(0.1, 10, SIZE)).sum()
    np.testing.assert_allclose(transformed.value - plain.value, shift, atol=1e-4)


@pytest.mark.parametrize("keep", [0.0, 0.8])
def test_the_stated_error_is_the_error(keep):
    estimates = []
    for seed in range(40):
        theta = chains(seed, 4, 300, keep=keep)
        estimates.append(bridge.log_evidence(skewed, theta, skewed(theta), np.eye(SIZE), seed=seed))
    value, error = np.array(estimates).T
    z = value / error
    assert 0.6 < np.sqrt((z**2).mean()) < 1.8
    # The mean of the very draws that are bridged would be nearer to them than to others.
    assert abs(value.mean()) < 3 * value.std() / np.sqrt(len(value)) + 0.05


def test_draws_without_overlap_have_an_error_that_says_so():
    theta = chains(0, 2, 40)
    evidence = bridge.log_evidence(skewed, theta, skewed(theta), 0.01 * np.eye(SIZE))
    assert np.isfinite(evidence.value)
    assert evidence.error > 1
