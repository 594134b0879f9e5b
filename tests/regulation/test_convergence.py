import numpy as np

from akita_bayes.regulation import convergence


def autoregressive(rng, chains, draws, rho):
    walk = np.zeros((chains, draws))
    for i in range(1, draws):
        walk[:, i] = rho * walk[:, i - 1] + rng.normal(size=chains) * np.sqrt(1 - rho**2)
    return walk


def test_independent_draws_count_in_full():
    draws = np.random.default_rng(0).normal(size=(4, 1000, 20))
    assert convergence.split_r_hat(draws).max() < 1.01
    np.testing.assert_allclose(convergence.effective_sample_size(draws) / 4000, 1, atol=0.2)


def test_an_autoregressive_series_counts_one_minus_rho_over_one_plus_rho():
    rng = np.random.default_rng(1)
    for rho in (0.5, 0.8, -0.4):
        draws = np.stack([autoregressive(rng, 4, 5000, rho) for _ in range(6)], axis=-1)
        expected = 20_000 * (1 - rho) / (1 + rho)
        found = convergence.effective_sample_size(draws).mean()
        assert abs(found / expected - 1) < 0.15


def test_chains_apart_and_chains_that_drift_are_told():
    draws = np.random.default_rng(2).normal(size=(4, 1000))
    assert convergence.split_r_hat(draws + 3 * np.arange(4)[:, None]) > 1.5
    assert convergence.split_r_hat(draws + np.linspace(0, 3, 1000)) > 1.2
    assert convergence.effective_sample_size(draws + 3 * np.arange(4)[:, None]) < 20


def test_only_ranks_count():
    draws = np.random.default_rng(3).normal(size=(4, 400))
    heavy = np.exp(4 * draws)
    np.testing.assert_allclose(convergence.split_r_hat(heavy), convergence.split_r_hat(draws))
    np.testing.assert_allclose(
        convergence.effective_sample_size(heavy), convergence.effective_sample_size(draws)
    )


def test_several_parameters_at_once_are_each_alone():
    rng = np.random.default_rng(4)
    draws = np.stack([autoregressive(rng, 3, 301, rho) for rho in (0.1, 0.9)], axis=-1)
    both = convergence.effective_sample_size(draws)
    for i in range(2):
        np.testing.assert_allclose(both[i], convergence.effective_sample_size(draws[..., i]))
