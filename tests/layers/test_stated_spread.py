"""A draw moves the mean by its standard deviation; few draws state both exactly."""

import numpy as np
import pytest
import tensorflow as tf

from akita_bayes.layers import noise, stochastic

RNG = np.random.default_rng(0)
MEAN = RNG.normal(size=(3, 5, 2)).astype("float32")
SD = RNG.uniform(0.1, 2, size=(3, 5, 2)).astype("float32")


def draws(count):
    layer, outputs = noise.NormalOutput(), []
    for number in range(count):
        with stochastic.drawing(0, number):
            outputs.append(np.asarray(layer([MEAN, SD])))
    return np.stack(outputs)


@pytest.mark.parametrize("training", [False, True])
def test_the_mean_passes_without_a_draw(training):
    layer = noise.NormalOutput()
    np.testing.assert_array_equal(layer([MEAN, SD], training=training), MEAN)


@pytest.mark.parametrize("count", [8, 16, 64])
def test_mean_and_sd_over_whole_cycles_of_draws_are_exact(count):
    outputs = draws(count)
    np.testing.assert_allclose(outputs.mean(0), MEAN, atol=1e-5)
    np.testing.assert_allclose(outputs.std(0, ddof=1), SD, rtol=1e-5)


@pytest.mark.parametrize("count", [2, 4, 6, 10, 12, 30])
def test_other_even_numbers_of_draws_come_near(count):
    outputs = draws(count)
    np.testing.assert_allclose(outputs.mean(0), MEAN, atol=1e-5)
    np.testing.assert_allclose(outputs.std(0, ddof=1), SD, rtol=0.3)


def test_the_values_are_medians_of_the_eighths_of_a_normal_distribution():
    z = np.sort([float(noise.standard(number)) for number in range(8, 16)])
    medians = np.array([-1.5341, -0.8871, -0.4888, -0.1573, 0.1573, 0.4888, 0.8871, 1.5341])
    np.testing.assert_allclose(z, medians * np.sqrt(8 / np.sum(medians**2)), rtol=1e-3)


def test_all_pixels_and_examples_of_a_draw_share_one_value():
    z = (draws(3) - MEAN) / SD
    np.testing.assert_allclose(z, np.broadcast_to(z[:, :1, :1, :1], z.shape), rtol=1e-4)


def test_one_trace_serves_all_draws():
    layer = noise.NormalOutput()

    @tf.function
    def draw_output(number):
        with stochastic.drawing(0, number):
            return layer([tf.constant(MEAN), tf.constant(SD)])

    outputs = np.stack([draw_output(tf.constant(number)) for number in range(20)])
    np.testing.assert_allclose(outputs, draws(20), rtol=1e-5, atol=1e-6)
    assert draw_output.experimental_get_tracing_count() == 1
