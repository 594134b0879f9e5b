import keras
import numpy as np
import pytest
import tensorflow as tf

from akita_bayes.layers import latent, stochastic, variational

X = np.random.default_rng(0).normal(size=(4, 6, 5)).astype("float32")


def network():
    inputs = keras.Input((6, 5))
    x = latent.NormalLatent(3, initial_scale=1.0, name="z")(inputs)
    return keras.Model(inputs, variational.DenseVariational(2, name="w")(x))


def draw(model, x, seed, number):
    with stochastic.drawing(seed, number):
        return np.asarray(model(x, training=False))


def test_inference_is_the_mean_and_training_a_sample():
    model = network()
    np.testing.assert_array_equal(model(X), model(X))
    assert not np.allclose(model(X, training=True), model(X), atol=1e-3)


def test_a_draw_is_set_by_seed_and_number_and_not_by_the_batch():
    model = network()
    y = draw(model, X, 3, 0)
    np.testing.assert_array_equal(draw(model, X, 3, 0), y)
    np.testing.assert_allclose(draw(model, X[2:3], 3, 0), y[2:3], rtol=1e-6, atol=1e-6)
    assert not np.allclose(draw(model, X, 3, 1), y, atol=1e-3)
    assert not np.allclose(draw(model, X, 4, 0), y, atol=1e-3)


def test_draws_share_their_noise_between_examples():
    layer = latent.NormalLatent(3, initial_scale=0.5)
    mean = np.asarray(layer(X))
    scale = np.asarray(layer.posterior(X).stddev())
    noise = (draw(layer, X, 0, 0) - mean) / scale
    np.testing.assert_allclose(noise, np.broadcast_to(noise[:1], noise.shape), atol=1e-4)


def test_training_noise_differs_between_examples():
    layer = latent.NormalLatent(3, initial_scale=0.5)
    same = np.repeat(X[:1], 4, axis=0)
    z = np.asarray(layer(same, training=True))
    assert len(np.unique(z[:, 0, 0])) == 4


def test_two_layers_in_one_draw_have_their_own_noise():
    first, second = (latent.NormalLatent(3, initial_scale=1.0) for _ in range(2))
    first.build(X.shape)
    second.build(X.shape)
    second.set_weights(first.get_weights())
    with stochastic.drawing(0):
        assert not np.allclose(first(X), second(X), atol=1e-3)


def test_draws_of_one_pixel_have_the_moments_of_the_posterior():
    layer = latent.NormalLatent(1, initial_scale=0.7)
    x = X[:1, :1]
    layer.build(x.shape)

    @tf.function
    def traced(seed, number):
        with stochastic.drawing(seed, number):
            return layer(x)

    z = np.array([traced(tf.constant(5), tf.constant(s)) for s in range(1000)]).ravel()
    mean = float(np.asarray(layer.posterior(x).mean())[0, 0, 0])
    sd = float(np.asarray(layer.posterior(x).stddev())[0, 0, 0])
    assert traced.experimental_get_tracing_count() == 1
    # Five standard errors of the mean and of the standard deviation.
    assert abs(z.mean() - mean) < 5 * sd / 1000**0.5
    assert abs(z.std() - sd) < 5 * sd / 2000**0.5


def test_collecting_gathers_one_divergence_a_layer_and_leaves_losses_alone():
    model = network()
    with stochastic.collecting() as divergences:
        model(X, training=True)
    assert [divergence.layer for divergence in divergences] == ["z", "w"]
    assert [divergence.weight for divergence in divergences] == [1.0, None]
    assert [tuple(divergence.kl.shape) for divergence in divergences] == [(4, 6, 3), ()]
    assert [tuple(divergence.log_ratio.shape) for divergence in divergences] == [(4,), ()]
    assert not model.losses


def test_without_a_collector_training_adds_the_mean_per_example_to_losses():
    model = network()
    model(X, training=True)
    added = [float(loss) for loss in model.losses]
    with stochastic.collecting() as divergences:
        model(X, training=True)
    z, w = divergences
    np.testing.assert_allclose(added, [np.sum(z.kl) / 4, np.asarray(w.kl)], rtol=1e-5)


def test_inference_adds_nothing_to_losses():
    model = network()
    model(X, training=False)
    assert not model.losses


def test_contexts_end_with_their_block_even_after_an_error():
    layer = latent.NormalLatent(3)
    try:
        with stochastic.drawing(0), stochastic.collecting():
            raise RuntimeError
    except RuntimeError:
        pass
    np.testing.assert_array_equal(layer(X), layer(X))
    layer(X, training=True)
    assert len(layer.losses) == 1


def test_contexts_nest():
    layer = latent.NormalLatent(3, initial_scale=1.0)
    layer.build(X.shape)
    with stochastic.drawing(0):
        outer = np.asarray(layer(X))
    with stochastic.drawing(0):
        with stochastic.drawing(1):
            inner = np.asarray(layer(X))
        again = np.asarray(layer(X))
    assert not np.allclose(inner, outer, atol=1e-3)
    np.testing.assert_array_equal(again, outer)


def test_draws_from_a_saved_model(tmp_path):
    model = network()
    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = (
        tf.TensorSpec([None, 6, 5]),
        tf.TensorSpec([], tf.int32),
        tf.TensorSpec([], tf.int32),
    )

    @tf.function(input_signature=signature)
    def numbered_draw(x, seed, number):
        with stochastic.drawing(seed, number):
            return model(x, training=False)

    archive.add_endpoint("serve", lambda x: model(x, training=False), signature[:1])
    archive.add_endpoint("draw", numbered_draw)
    archive.write_out(str(tmp_path / "saved"), verbose=False)
    saved = tf.saved_model.load(str(tmp_path / "saved"))
    np.testing.assert_allclose(saved.serve(X), model(X), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(
        saved.draw(X[1:], 3, 2), draw(model, X, 3, 2)[1:], rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize(("backend", "dtype"), [("jax", "uint32"), ("tensorflow", "int32")])
def test_a_seed_is_of_the_integers_that_the_backend_takes(monkeypatch, backend, dtype):
    """JAX refuses a key of int32 and TensorFlow's stateless generators one of uint32."""
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    generator = keras.random.SeedGenerator(1)
    with stochastic.drawing(7, 3):
        first, second = (stochastic.key(generator) for _ in range(2))
    for key in (first, second, stochastic.key(generator)):
        assert (key.dtype, key.shape) == (dtype, (2,))
    assert first.numpy().tolist() == [7, 3]
    assert second.numpy().tolist() == [7 + 1_000_003, 3]
