import numpy as np
import pytest
import scipy.stats

from akita_bayes.regulation.posterior import convergence


def autoregressive(rng, chains, draws, rho):
    walk = np.zeros((chains, draws))
    for i in range(1, draws):
        walk[:, i] = rho * walk[:, i - 1] + rng.normal(size=chains) * np.sqrt(1 - rho**2)
    return walk


def scores(chains):
    ranks = scipy.stats.rankdata(chains).reshape(chains.shape)
    return scipy.stats.norm.ppf((ranks - 3 / 8) / (chains.size + 1 / 4))


def variances(chains):
    """W and var+ of Vehtari et al. 2021, eqs. 1 to 3."""
    count = chains.shape[1]
    within = np.mean([chain.var(ddof=1) for chain in chains])
    between = count * np.var([chain.mean() for chain in chains], ddof=1)
    return within, (count - 1) / count * within + between / count


def r_hat(chains):
    within, total = variances(chains)
    return np.sqrt(total / within)


def effective(chains):
    """Their eqs. 10 to 14, one autocorrelation after the other."""
    count = chains.shape[1]
    within, total = variances(chains)
    rho = []
    for lag in range(count):
        products = [
            ((c - c.mean())[: count - lag] * (c - c.mean())[lag:]).sum() / (count - 1)
            for c in chains
        ]
        rho.append(1 - (within - np.mean(products)) / total)
    rho[0] = 1.0
    tau, least = -1.0, np.inf
    for even in range(0, count - 1, 2):
        pair = rho[even] + rho[even + 1]
        if pair <= 0:
            break
        least = min(least, pair)
        tau += 2 * least
    return chains.size / max(tau, 1 / np.log10(chains.size))


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.7])
@pytest.mark.parametrize("draws", [80, 83])
def test_every_number_is_that_of_the_formulas_one_by_one(rho, draws):
    chains = autoregressive(np.random.default_rng(7), 3, draws, rho)
    diagnosis = convergence.diagnose(chains)
    half = draws // 2
    halves = np.concatenate([chains[:, :half], chains[:, half : 2 * half]])
    assert diagnosis.bulk_r_hat == pytest.approx(r_hat(scores(halves)))
    folded = scores(np.abs(halves - np.median(halves)))
    assert diagnosis.folded_r_hat == pytest.approx(r_hat(folded))
    assert diagnosis.bulk_ess == pytest.approx(effective(scores(halves)))
    ends = np.quantile(halves, [0.025, 0.975])
    assert diagnosis.tail_ess == pytest.approx(
        min(effective((halves <= end) * 1.0) for end in ends)
    )


def test_independent_draws_count_in_full():
    diagnosis = convergence.diagnose(np.random.default_rng(0).normal(size=(4, 1000, 20)))
    assert diagnosis.r_hat.max() < 1.01
    np.testing.assert_allclose(diagnosis.bulk_ess / 4000, 1, atol=0.2)
    np.testing.assert_allclose(diagnosis.tail_ess / 4000, 1, atol=0.2)


def test_an_autoregressive_series_counts_one_minus_rho_over_one_plus_rho():
    rng = np.random.default_rng(1)
    for rho in (0.5, 0.8, -0.4):
        draws = np.stack([autoregressive(rng, 4, 5000, rho) for _ in range(6)], axis=-1)
        expected = 20_000 * (1 - rho) / (1 + rho)
        bulk_ess = convergence.diagnose(draws).bulk_ess.mean()
        assert abs(bulk_ess / expected - 1) < 0.15


def test_chains_apart_and_chains_that_drift_are_told():
    draws = np.random.default_rng(2).normal(size=(4, 1000))
    apart = convergence.diagnose(draws + 3 * np.arange(4)[:, None])
    assert apart.r_hat > 1.5
    assert apart.ess < 20
    assert convergence.diagnose(draws + np.linspace(0, 3, 1000)).r_hat > 1.2


def test_chains_of_unequal_width_are_told_by_the_folded_r_hat_alone():
    width = np.array([1.0, 1.0, 4.0, 4.0])[:, None]
    diagnosis = convergence.diagnose(np.random.default_rng(5).normal(size=(4, 1000)) * width)
    assert diagnosis.bulk_r_hat < 1.01
    assert diagnosis.bulk_ess > 2000
    assert diagnosis.r_hat == diagnosis.folded_r_hat > 1.15


def test_a_tail_that_few_visits_have_made_is_told():
    """Visits to both ends, one after the other: the centre is known well, the ends are not."""
    draws = np.random.default_rng(6).uniform(-1, 1, size=(4, 1000))
    for begin in (200, 700):
        draws[:, begin : begin + 20] += 10
        draws[:, begin + 20 : begin + 40] -= 10
    diagnosis = convergence.diagnose(draws)
    assert diagnosis.r_hat < 1.01
    assert diagnosis.bulk_ess > 600
    assert diagnosis.ess == diagnosis.tail_ess < 400


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
        np.testing.assert_allclose([statistic[i] for statistic in both], alone)


def test_what_never_moves_is_hardly_a_draw():
    z = np.random.default_rng(0).standard_normal((4, 200, 2))
    z[:, :, 1] = 3.0
    moving, still = convergence.effective(z)
    assert moving > 400
    assert 0 < still <= 4


def test_ties_at_an_end_of_the_interval_are_no_nan():
    z = np.random.default_rng(1).standard_normal((4, 50, 1))
    z[2, 10:30] = z.max() + 1  # a chain that was stuck at the largest value
    diagnosis = convergence.diagnose(z)
    assert 0 < diagnosis.ess[0] <= 8
