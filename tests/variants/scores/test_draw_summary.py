import numpy as np
import pytest

from akita_bayes.variants.scores import draw_summary


def test_summary_of_a_known_sample():
    draws = np.random.default_rng(0).normal([1.0, -2.0], [0.5, 2.0], (4000, 2))
    summary = draw_summary.summarise(draws)
    np.testing.assert_allclose(summary.mean, [1, -2], atol=0.15)
    np.testing.assert_allclose(summary.sd, [0.5, 2], rtol=0.05)
    np.testing.assert_allclose(summary.draw_q05, [1 - 1.645 * 0.5, -2 - 1.645 * 2], atol=0.2)
    np.testing.assert_allclose(summary.draw_q95, [1 + 1.645 * 0.5, -2 + 1.645 * 2], atol=0.2)
    assert summary.draw_exceeds_noise.shape == (2,)
    assert np.isnan(summary.draw_exceeds_noise).all()


def test_the_stated_monte_carlo_error_is_the_real_one():
    random = np.random.default_rng(1)
    means, stated = [], []
    for _ in range(400):
        summary = draw_summary.summarise(random.gamma(2.0, size=(25, 1)))
        means.append(summary.mean[0])
        stated.append(summary.mcse[0])
    assert np.mean(stated) == pytest.approx(np.std(means), rel=0.15)


def test_exceedance_by_loops():
    random = np.random.default_rng(2)
    draws = random.integers(-3, 4, (7, 2)).astype(float)
    null = random.integers(-3, 4, (9, 2)).astype(float)
    for target in range(2):
        pairs = [
            1.0 if abs(d) > abs(n) else 0.5 if abs(d) == abs(n) else 0.0
            for d in draws[:, target]
            for n in null[:, target]
        ]
        assert draw_summary.exceedance(draws, null)[target] == pytest.approx(np.mean(pairs))


def test_one_draw_has_a_mean_but_no_spread():
    summary = draw_summary.summarise(np.array([[0.7, 0.1]]), np.zeros((3, 2)))
    np.testing.assert_allclose(summary.mean, [0.7, 0.1])
    assert np.isnan(summary.sd).all()
    np.testing.assert_array_equal(summary.draw_exceeds_noise, [1, 1])


def test_two_draws_have_a_spread():
    summary = draw_summary.summarise(np.array([[1.0], [3.0]]))
    assert summary.sd[0] == pytest.approx(np.sqrt(2))
    assert summary.mcse[0] == pytest.approx(1)


def test_a_score_that_some_draws_lack_is_compared_with_nothing():
    draws = np.array([[1.0, 1.0], [np.nan, 3.0]])
    null = np.array([[0.0, 0.0], [2.0, 2.0], [np.nan, np.nan]])
    np.testing.assert_array_equal(draw_summary.exceedance(draws, null), [np.nan, 0.75])


def test_a_background_without_samples_says_nothing():
    assert np.isnan(draw_summary.exceedance(np.ones((3, 1)), np.zeros((0, 1)))).all()


def test_says_once_which_scores_have_quantiles_of_draws_only(caplog):
    draw_summary.warn_of_draws(["SCD", "MSE"])
    draw_summary.warn_of_draws([])
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning == (
        "SCD, MSE: the quantiles of draws are not intervals of the true effect. They show how much "
        "the draws differ from one another; the error of a score is usually larger. Fit intervals "
        "by `akita_calibrate.py RUN DATA --variants N` and give them by --intervals."
    )
