import keras
import numpy as np
import pytest
import tensorflow as tf

from akita_bayes.layers import latent, stochastic

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4, 5)).astype("float32")


def randomised(**arguments):
    layer = latent.NormalLatent(2, **arguments)
    layer.build(X.shape)
    layer.set_weights([0.5 * RNG.normal(size=w.shape).astype("float32") for w in layer.weights])
    return layer


def divergence(layer, x, *, training):
    with stochastic.collecting() as divergences:
        z = layer(x, training=training)
    return z, divergences[0]


def test_kl_equals_the_closed_form_per_example_and_dimension():
    layer = randomised(prior_mean=0.5, prior_scale=2.0)
    w_mean, b_mean, w_scale, b_scale = layer.get_weights()
    mean, scale = X @ w_mean + b_mean, np.log1p(np.exp(X @ w_scale + b_scale))
    expected = np.log(2 / scale) + (scale**2 + (mean - 0.5) ** 2) / 8 - 0.5
    for training in (False, True):
        kl = divergence(layer, X, training=training)[1].kl
        np.testing.assert_allclose(kl, expected, rtol=1e-4, atol=1e-5)


def test_kl_equals_its_monte_carlo_estimate():
    layer = randomised(prior_scale=1.3)
    many = np.repeat(X[:1, :1], 4000, axis=0)
    report = divergence(layer, many, training=True)[1]
    estimate = -np.asarray(report.log_ratio)
    exact = float(np.sum(report.kl[0]))
    assert abs(estimate.mean() - exact) < 5 * estimate.std() / 4000**0.5


def test_kl_is_zero_at_the_prior():
    layer = latent.NormalLatent(2, prior_mean=0.3, prior_scale=0.8, initial_scale=0.8)
    layer.build(X.shape)
    kernel, bias, raw_kernel, raw_bias = layer.get_weights()
    layer.set_weights([0 * kernel, 0 * bias + 0.3, 0 * raw_kernel, raw_bias])
    assert np.abs(divergence(layer, X, training=False)[1].kl).max() < 1e-5


@pytest.mark.parametrize(("kernel", "x"), [("glorot_uniform", 0 * X), ("zeros", X)])
def test_mean_and_scale_start_where_asked(kernel, x):
    layer = latent.NormalLatent(2, initial_scale=0.25, kernel_initializer=kernel)
    layer.build(X.shape)
    np.testing.assert_array_equal(layer.posterior(x).mean(), np.zeros((3, 4, 2)))
    np.testing.assert_allclose(layer.posterior(x).stddev(), 0.25, rtol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_divergence_is_float32_in_mixed_precision(policy):
    layer = latent.NormalLatent(2, dtype=policy)
    z, report = divergence(layer, X, training=True)
    assert z.dtype == policy.removeprefix("mixed_")
    assert report.kl.dtype == report.log_ratio.dtype == "float32"
    full = latent.NormalLatent(2)
    full.build(X.shape)
    full.set_weights(layer.get_weights())
    np.testing.assert_allclose(
        report.kl, divergence(full, X, training=True)[1].kl, rtol=0.05, atol=0.05
    )


def test_gradients_of_a_linear_gaussian_model_lead_to_its_exact_posterior():
    # y = z + noise, z ~ N(0, 1), noise sd 0.5: the posterior is N(0.8 y, 0.2).
    y = np.float32([[[1.5]], [[-0.5]]])
    layer = latent.NormalLatent(1, initial_scale=0.5, seed=1)
    layer.build(y.shape)
    optimizer = keras.optimizers.Adam(0.05)

    @tf.function
    def step():
        with tf.GradientTape() as tape, stochastic.collecting() as divergences:
            z = layer(tf.repeat(y, 64, axis=0), training=True)
            likelihood = -((tf.repeat(y, 64, axis=0) - z) ** 2) / (2 * 0.25)
            loss = tf.reduce_mean(divergences[0].kl - likelihood)
        gradients = tape.gradient(loss, layer.trainable_variables)
        optimizer.apply(gradients, layer.trainable_variables)

    optimizer.build(layer.trainable_variables)
    for number in range(400):
        optimizer.learning_rate.assign(0.05 if number < 200 else 0.005)
        step()
    posterior = layer.posterior(y)
    np.testing.assert_allclose(posterior.mean(), 0.8 * y, atol=0.03)
    np.testing.assert_allclose(posterior.stddev(), 0.2**0.5, atol=0.03)
