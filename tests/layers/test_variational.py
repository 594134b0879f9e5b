import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_probability import distributions as tfd

from akita_bayes.layers import stochastic, variational

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4, 5)).astype("float32")


def build(**arguments):
    layer = variational.DenseVariational(2, **arguments)
    layer.build(X.shape)
    layer.set_weights([0.5 * RNG.normal(size=w.shape).astype("float32") for w in layer.weights])
    return layer


def divergence(layer):
    with stochastic.collecting() as divergences:
        y = layer(X, training=True)
    return y, divergences[0]


def test_inference_uses_the_mean_weights():
    layer = build(activation="relu")
    mean, _ = layer.get_weights()
    expected = np.maximum(X @ mean[:10].reshape(5, 2) + mean[10:], 0)
    np.testing.assert_allclose(layer(X), expected, rtol=1e-4, atol=1e-5)


def test_without_a_bias():
    layer = build(use_bias=False)
    mean, _ = layer.get_weights()
    np.testing.assert_allclose(layer(X), X @ mean.reshape(5, 2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("prior", "m", "s"), [(None, 0, 1), (variational.NormalPrior(0.2, 1.5), 0.2, 1.5)]
)
def test_kl_equals_the_closed_form(prior, m, s):
    layer = build(make_prior=prior)
    mean, raw = layer.get_weights()
    scale = np.log1p(np.exp(raw))
    kl = np.log(s / scale) + (scale**2 + (mean - m) ** 2) / (2 * s**2) - 0.5
    assert float(divergence(layer)[1].kl) == pytest.approx(kl.sum(), rel=1e-4)


def test_kl_at_the_drawn_weights_averages_to_the_closed_form():
    layer = build(kl_use_exact=False)
    kl_samples = np.array([divergence(layer)[1].kl for _ in range(150)])
    layer.kl_use_exact = True
    exact = float(divergence(layer)[1].kl)
    assert abs(kl_samples.mean() - exact) < 5 * kl_samples.std() / 150**0.5


def test_one_set_of_weights_for_the_whole_batch():
    layer = build(use_bias=False)
    y = np.asarray(layer(X, training=True)).reshape(-1, 2)
    kernel = np.linalg.lstsq(X.reshape(-1, 5), y, rcond=None)[0]
    np.testing.assert_allclose(X.reshape(-1, 5) @ kernel, y, atol=1e-4)
    assert not np.allclose(kernel, layer.get_weights()[0].reshape(5, 2), atol=1e-2)


def test_losses_bear_the_weight_of_the_divergence():
    layer = build(kl_weight=0.01)
    kl = float(divergence(layer)[1].kl)
    layer(X, training=True)
    assert float(layer.losses[0]) == pytest.approx(0.01 * kl, rel=1e-4)


def test_a_layer_that_was_built_inside_a_traced_function_serves_outside_of_it():
    layer = variational.DenseVariational(2)
    inside = tf.function(lambda x: layer(x, training=True))(X)
    assert inside.shape == layer(X, training=True).shape == (3, 4, 2)
    assert float(divergence(layer)[1].kl) > 0


@keras.saving.register_keras_serializable("test_variational")
def wide_prior(kernel_size, bias_size, dtype):
    return lambda x: tfd.Independent(tfd.Laplace(keras.ops.zeros(kernel_size + bias_size), 3.0), 1)


def test_own_makers_have_the_signature_of_tensorflow_probability_and_are_saved(tmp_path):
    inputs = keras.Input((4, 5))
    layer = variational.DenseVariational(
        2, variational.MeanField(0.5), wide_prior, kl_use_exact=False, name="w"
    )
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(X), model(X))
    assert loaded.get_layer("w").make_prior is wide_prior
    assert loaded.get_layer("w").make_posterior.initial_scale == 0.5
    with stochastic.drawing(0):
        sample = np.asarray(loaded(X))
    assert not np.allclose(sample, model(X), atol=0.01)


def test_weights_are_drawn_in_float32_under_mixed_precision():
    layer = variational.DenseVariational(2, dtype="mixed_float16")
    y, report = divergence(layer)
    assert y.dtype == "float16"
    assert report.kl.dtype == "float32"
    assert {w.dtype for w in layer.weights} == {"float32"}


def test_initial_means_are_a_dense_kernel_and_zero_biases():
    layer = variational.DenseVariational(300)
    layer.build((None, 7, 64))
    mean, raw = layer.get_weights()
    assert mean[: 64 * 300].std() == pytest.approx(64**-0.5, rel=0.05)
    assert not mean[64 * 300 :].any()
    np.testing.assert_allclose(np.log1p(np.exp(raw)), 0.02, rtol=1e-4)
