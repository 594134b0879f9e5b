"""The SWAG posterior against its definition."""

import keras
import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.models import swag


def example(rank=4):
    generator = np.random.default_rng(0)
    return swag.Swag(
        np.array([1.0, -2.0, 0.0], np.float32),
        np.array([0.5, 0.1, 2.0], np.float32),
        generator.normal(size=(rank, 3)).astype(np.float32),
    )


def test_draws_have_the_covariance_of_the_definition():
    posterior = example()
    draws = np.array([posterior.draw(seed) for seed in range(20_000)])
    low_rank = posterior.deviations.T @ posterior.deviations / (2 * 3)
    np.testing.assert_allclose(draws.mean(0), posterior.mean, atol=0.05)
    np.testing.assert_allclose(
        np.cov(draws.T), np.diag(posterior.variance) / 2 + low_rank, atol=0.06
    )
    np.testing.assert_array_equal(posterior.draw(7), draws[7])


def test_without_a_low_rank_part_the_diagonal_is_the_whole_variance():
    posterior = example(rank=0)
    draws = np.array([posterior.draw(seed) for seed in range(20_000)])
    np.testing.assert_allclose(draws.var(0), posterior.variance, rtol=0.05)


def test_a_posterior_survives_its_file(tmp_path):
    posterior, draws = example(), np.ones((2, 5), np.float32)
    swag.save(tmp_path / swag.FILE, posterior, draws)
    read, read_draws = swag.load(tmp_path / swag.FILE)
    for loaded, saved in zip(read, posterior, strict=True):
        np.testing.assert_array_equal(loaded, saved)
    np.testing.assert_array_equal(read_draws, draws)
    (tmp_path / swag.FILE).write_bytes(b"broken")
    with pytest.raises(errors.DataError, match="not a SWAG posterior"):
        swag.load(tmp_path / swag.FILE)


def test_a_draw_sets_weights_and_batch_statistics_but_no_random_state():
    layers = [keras.layers.Dense(2), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    variables = swag.drawn_variables(model)
    assert [variable.name for variable in variables] == [
        *("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance"),
    ]
    assert len(model.variables) > len(variables)
    vector = np.arange(3 * 2 + 5 * 2, dtype=np.float32)
    swag.unflatten(variables, vector)
    np.testing.assert_array_equal(layers[0].kernel, [[0, 1], [2, 3], [4, 5]])
    np.testing.assert_array_equal(layers[1].moving_variance, [14, 15])
    np.testing.assert_array_equal(swag.flatten(variables), vector)
