import keras
import numpy as np
import pytest

from akita_bayes.layers import gating

RNG = np.random.default_rng(0)


def randomise(layer):
    layer.set_weights([RNG.random(w.shape).astype("float32") + 0.1 for w in layer.weights])


@pytest.mark.parametrize("shape", [(2, 6, 4), (2, 5, 5, 4)])
@pytest.mark.parametrize("additive", [True, False])
def test_squeeze_excite_equals_its_formula(shape, additive):
    x = RNG.normal(size=shape).astype("float32")
    layer = gating.SqueezeExcite(bottleneck_ratio=2, additive=additive, norm_type="batch")
    layer.build(shape)
    randomise(layer)
    w1, b1, w2, b2, gamma, beta, mean, variance = layer.get_weights()
    summary = x.reshape(2, -1, 4).mean(1)
    e = np.maximum(summary @ w1 + b1, 0) @ w2 + b2
    e = gamma * (e - mean) / np.sqrt(variance + 1e-3) + beta
    e = e.reshape(2, *[1] * (len(shape) - 2), 4)
    expected = x + e if additive else x / (1 + np.exp(-e))
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_squeeze_excite_starts_gently():
    x = RNG.normal(size=(2, 6, 4)).astype("float32")
    np.testing.assert_array_equal(gating.SqueezeExcite(additive=True, norm_type="batch")(x), x)
    np.testing.assert_allclose(gating.SqueezeExcite(norm_type="layer")(x), x / 2, rtol=1e-6)


def test_squeeze_excite_of_a_large_map_does_not_overflow_float16():
    # The sum over 200 x 200 pixels of 8 exceeds float16's 65,504; their mean does not.
    layer = gating.SqueezeExcite(additive=True, bottleneck_ratio=1, dtype="mixed_float16")
    y = layer(keras.ops.full((1, 200, 200, 2), 8.0, "float16"))
    assert np.isfinite(np.asarray(y, "float32")).all()


def test_global_context_equals_its_formula():
    x = RNG.normal(size=(2, 6, 8)).astype("float32")
    layer = gating.GlobalContext()
    layer.build(x.shape)
    randomise(layer)
    key, key_bias, w1, b1, gamma, beta, w2, b2 = layer.get_weights()
    attention = np.exp(x @ key + key_bias)
    context = (x * attention / attention.sum(1, keepdims=True)).sum(1)
    hidden = context @ w1 + b1
    centred = hidden - hidden.mean(-1, keepdims=True)
    hidden = gamma * centred / np.sqrt(hidden.var(-1, keepdims=True) + 1e-3) + beta
    expected = x + (np.maximum(hidden, 0) @ w2 + b2)[:, None]
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-5)
