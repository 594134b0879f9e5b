import numpy as np
import pytest

from akita_bayes.layers import attention

RNG = np.random.default_rng(0)


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


@pytest.fixture
def layer():
    layer = attention.RelativeAttention(heads=2, key_size=3, num_position_features=4)
    layer.build((None, 5, 8))
    layer.set_weights([RNG.normal(size=w.shape).astype("float32") for w in layer.weights])
    return layer


def test_relative_attention_equals_its_formula(layer):
    x = RNG.normal(size=(2, 5, 8)).astype("float32")
    u, v, q, k, value, out, out_bias, r = layer.get_weights()
    features = attention.central_mask_features(5, 4)[0]
    expected = np.zeros((2, 5, 8))
    for b in range(2):
        for h in range(2):
            at, channels = slice(3 * h, 3 * h + 3), slice(4 * h, 4 * h + 4)
            for i in range(5):
                query = x[b, i] @ q[:, at] * 3**-0.5
                logits = [
                    (query + u[0, h, 0]) @ (x[b, j] @ k[:, at])
                    + (query + v[0, h, 0]) @ (features[j - i + 4] @ r[:, at])
                    for j in range(5)
                ]
                expected[b, i, channels] = softmax(np.array(logits)) @ x[b] @ value[:, channels]
    np.testing.assert_allclose(layer(x), expected @ out + out_bias, rtol=2e-4, atol=2e-4)


def test_relative_attention_starts_as_nothing():
    layer = attention.RelativeAttention(heads=2)
    assert not np.asarray(layer(RNG.normal(size=(1, 6, 4)).astype("float32"))).any()


def test_every_kernel_bears_its_penalty():
    layer = attention.RelativeAttention(heads=2, l2_scale=0.1)
    layer.build((None, 5, 8))
    layer.set_weights([RNG.normal(size=w.shape).astype("float32") for w in layer.weights])
    kernels = [w for w in layer.weights if w.name == "kernel"]
    assert len(kernels) == 5
    expected = 0.1 * sum(float(np.sum(np.square(w))) for w in kernels)
    assert float(sum(layer.losses)) == pytest.approx(expected, rel=1e-5)
    free = attention.RelativeAttention(heads=2)
    free.build((None, 5, 8))
    assert not free.losses


def test_relative_attention_drops_in_training_alone(layer):
    x = RNG.normal(size=(1, 5, 8)).astype("float32")
    layer.drop_attention.rate = 0.5
    assert np.array_equal(layer(x), layer(x))
    assert not np.allclose(layer(x, training=True), layer(x), atol=1e-3)


def test_relative_attention_needs_heads_that_divide_the_channels():
    with pytest.raises(ValueError, match="8 channels cannot be divided among 3 heads"):
        attention.RelativeAttention(heads=3).build((None, 5, 8))


@pytest.mark.parametrize("features", [-2, 0, 1, 5])
def test_position_features_come_in_pairs(features):
    with pytest.raises(ValueError, match=rf"{features} position features cannot be halved .* even"):
        attention.RelativeAttention(num_position_features=features)


@pytest.mark.parametrize(("channels", "heads", "features"), [(8, 2, 4), (10, 2, 4), (3, 3, 2)])
def test_position_features_are_as_many_as_channels_of_a_head_but_even(channels, heads, features):
    layer = attention.RelativeAttention(heads=heads)
    layer.build((None, 5, channels))
    assert layer.position_key.kernel.shape == (features, channels)


def test_central_masks_are_nested_then_signed():
    features = attention.central_mask_features(8, 6)[0]
    distances = np.arange(-7, 8)
    # (8 + 1)^(f / 3) - 1 for f = 1, 2, 3.
    widths = [1.08, 3.33, 8.0]
    for f, width in enumerate(widths):
        np.testing.assert_array_equal(features[:, f], np.abs(distances) < width)
        np.testing.assert_array_equal(features[:, 3 + f], np.sign(distances) * features[:, f])


def test_relative_shift_reads_the_distance():
    x = RNG.normal(size=(2, 3, 4, 7)).astype("float32")
    y = np.asarray(attention.relative_shift(x))
    for i in range(4):
        for j in range(4):
            np.testing.assert_array_equal(y[:, :, i, j], x[:, :, i, j - i + 3])


@pytest.mark.parametrize("channels", [4, 5])
def test_sinusoids_follow_the_paper(channels):
    y = np.asarray(attention.SinusoidalPositions()(np.zeros((1, 6, channels), "float32")))[0]
    for position in range(6):
        for channel in range(channels):
            angle = position / 10000 ** (channel // 2 * 2 / channels)
            expected = np.cos(angle) if channel % 2 else np.sin(angle)
            assert y[position, channel] == pytest.approx(expected, abs=1e-6)


def test_learned_positions_are_added():
    layer = attention.LearnedPositions()
    x = RNG.normal(size=(2, 6, 4)).astype("float32")
    y = layer(x)
    np.testing.assert_allclose(y, x + layer.get_weights()[0], rtol=1e-6)
