import numpy as np

from akita_bayes.regulation import convergence


def autoregressive(rng, chains, draws, rho):
    walk = np.zeros((chains, draws))
    for i in range(1, draws):
        walk[:, i] = rho * walk[:, i - 1] + rng.normal(size=chains) * np.sqrt(1 - rho**2)
    return walk


def test_independent_draws_count_in_full():
    found = convergence.diagnose(np.random.default_rng(0).normal(size=(4, 1000, 20)))
    assert found.r_hat.max() < 1.01
    np.testing.assert_allclose(found.bulk_ess / 4000, 1, atol=0.2)
    np.testing.assert_allclose(found.tail_ess / 4000, 1, atol=0.2)


def test_an_autoregressive_series_counts_one_minus_rho_over_one_plus_rho():
    rng = np.random.default_rng(1)
    for rho in (0.5, 0.8, -0.4):
        draws = np.stack([autoregressive(rng, 4, 5000, rho) for _ in range(6)], axis=-1)
        expected = 20_000 * (1 - rho) / (1 + rho)
        found = convergence.diagnose(draws).bulk_ess.mean()
        assert abs(found / expected - 1) < 0.15


def test_chains_apart_and_chains_that_drift_are_told():
    draws = np.random.default_rng(2).normal(size=(4, 1000))
    apart = convergence.diagnose(draws + 3 * np.arange(4)[:, None])
    assert apart.r_hat > 1.5
    assert apart.ess < 20
    assert convergence.diagnose(draws + np.linspace(0, 3, 1000)).r_hat > 1.2


def test_chains_of_unequal_width_are_told_by_the_folded_r_hat_alone():
    width = np.array([1.0, 1.0, 4.0, 4.0])[:, None]
    found = convergence.diagnose(np.random.default_rng(5).normal(size=(4, 1000)) * width)
    assert found.bulk_r_hat < 1.01
    assert found.bulk_ess > 2000
    assert found.r_hat == found.folded_r_hat > 1.15


def test_a_tail_that_few_visits_have_made_is_told():
    """Visits to both ends, one after the other: the centre is known well, the ends are not."""
    draws = np.random.default_rng(6).uniform(-1, 1, size=(4, 1000))
    for begin in (200, 700):
        draws[:, begin : begin + 20] += 10
        draws[:, begin + 20 : begin + 40] -= 10
    found = convergence.diagnose(draws)
    assert found.r_hat < 1.01
    assert found.bulk_ess > 600
    assert found.ess == found.tail_ess < 400


def test_only_ranks_count_for_the_bulk():
    draws = np.random.default_rng(3).normal(size=(4, 400))
    plain, heavy = convergence.diagnose(draws), convergence.diagnose(np.exp(4 * draws))
    np.testing.assert_allclose(heavy.bulk_r_hat, plain.bulk_r_hat)
    np.testing.assert_allclose(heavy.bulk_ess, plain.bulk_ess)


def test_several_parameters_at_once_are_each_alone():
    rng = np.random.default_rng(4)
    draws = np.stack([autoregressive(rng, 3, 301, rho) for rho in (0.1, 0.9)], axis=-1)
    both = convergence.diagnose(draws)
    for i in range(2):
        alone = convergence.diagnose(draws[..., i])
        np.testing.assert_allclose([each[i] for each in both], alone)
