"""Every block against NumPy, its weights taken from the model in the order of its layers."""

import keras
import numpy as np
import pytest

from akita_bayes.blocks import parts, registry
from akita_bayes.layers import activation, normalization, stochastic

RNG = np.random.default_rng(0)
TRACK = RNG.normal(size=(2, 8, 4)).astype("float32")
MAP = RNG.normal(size=(2, 6, 6, 4)).astype("float32")


class Naive:
    """A model's weights, handed out one after another, and the layers that use them."""

    def __init__(self, model: keras.Model) -> None:
        self.weights = [w.numpy() for w in model.weights]

    def take(self) -> np.ndarray:
        return self.weights.pop(0)

    def conv(self, x, *, stride=1, dilation=1, bias=False):
        kernel = self.take()
        size, rank = kernel.shape[0], x.ndim - 2
        out = -(-x.shape[1] // stride)
        pad = max((out - 1) * stride + (size - 1) * dilation + 1 - x.shape[1], 0)
        before = pad // 2
        padded = np.pad(x, [(0, 0), *[(before, pad - before)] * rank, (0, 0)])
        y = np.zeros((x.shape[0], *[out] * rank, kernel.shape[-1]))
        for position in np.ndindex(*[out] * rank):
            for tap in np.ndindex(*[size] * rank):
                at = tuple(p * stride + t * dilation for p, t in zip(position, tap, strict=True))
                y[(slice(None), *position)] += padded[(slice(None), *at)] @ kernel[tap]
        return y + self.take() if bias else y

    def batch_norm(self, x):
        gamma, beta, mean, variance = (self.take() for _ in range(4))
        return gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta

    def layer_norm(self, x, epsilon=1e-3):
        gamma, beta = self.take(), self.take()
        centred = x - x.mean(-1, keepdims=True)
        return gamma * centred / np.sqrt(x.var(-1, keepdims=True) + epsilon) + beta

    def dense(self, x, *, bias=True):
        y = x @ self.take()
        return y + self.take() if bias else y

    def heads_dense(self, x):
        kernel, bias = self.take(), self.take()
        return np.einsum("blc,chk->bhlk", x, kernel) + bias[:, None]

    def attend(self, x):
        query, key, value = (self.heads_dense(x) for _ in range(3))
        logits = query @ key.swapaxes(-1, -2) / query.shape[-1] ** 0.5
        weights = np.exp(logits)
        heads = weights / weights.sum(-1, keepdims=True) @ value
        return np.einsum("bhlk,hkc->blc", heads, self.take()) + self.take()


def relu(x):
    return np.maximum(x, 0)


def gelu(x):
    return np.asarray(activation.gelu(x.astype("float32")))


def pool(x, size=2):
    return x.reshape(x.shape[0], -1, size, x.shape[-1]).max(2)


def symmetric(x):
    return (x + x.swapaxes(1, 2)) / 2


def run_block(word, x, **arguments):
    """The block's output on x with random weights, and those weights."""
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, registry.words()[word].function(inputs, **arguments))
    model.set_weights([RNG.random(w.shape) * 0.8 + 0.1 for w in model.weights])
    return np.asarray(model(x)), Naive(model)


def agree(y, expected, naive):
    assert not naive.weights
    np.testing.assert_allclose(y, expected, rtol=2e-4, atol=2e-4)


def test_conv_block():
    y, n = run_block(
        "conv_block",
        TRACK,
        filters=4,
        kernel_size=3,
        dilation_rate=2,
        norm_type="batch",
        residual=True,
        activation="gelu",
        activation_end="relu",
        pool_size=2,
    )
    agree(y, pool(relu(TRACK + n.batch_norm(n.conv(gelu(TRACK), dilation=2)))), n)


def test_conv_block_with_stride_and_bias():
    y, n = run_block("conv_block", TRACK, filters=3, kernel_size=5, stride=2, activation=None)
    agree(y, n.conv(TRACK, stride=2, bias=True), n)


def test_conv_block_pools_a_rest_with_same_padding_and_drops_it_with_valid():
    same, _ = run_block("conv_block", TRACK[:, :7], pool_size=2)
    valid, _ = run_block("conv_block", TRACK[:, :7], pool_size=2, padding="valid")
    assert (same.shape[1], valid.shape[1]) == (4, 3)


def test_conv_tower():
    y, n = run_block("conv_tower", TRACK, filters_init=3, filters_mult=1.5, repeat=2, pool_size=2)
    x = TRACK
    for _ in range(2):
        x = pool(n.conv(relu(x), bias=True))
    assert y.shape[-1] == 4
    agree(y, x, n)


def test_dilated_residual():
    arguments = {"filters": 3, "repeat": 3, "rate_mult": 1.5}
    y, n = run_block("dilated_residual", TRACK, norm_type="batch", **arguments)
    x = TRACK
    for rate in (1, 2, 2):
        branch = n.batch_norm(n.conv(relu(x), dilation=rate))
        x = x + n.batch_norm(n.conv(relu(branch)))
    agree(y, x, n)


def test_dilated_residual_without_normalisation_learns_a_scale():
    y, n = run_block("dilated_residual", TRACK, filters=3)
    branch = n.conv(relu(n.conv(relu(TRACK), bias=True)), bias=True)
    agree(y, TRACK + branch * n.take(), n)


@pytest.mark.parametrize("norm_type", ["batch", "layer", None])
def test_dilated_residual_starts_as_identity(norm_type):
    inputs = keras.Input((8, 4))
    block = registry.words()["dilated_residual"].function
    model = keras.Model(inputs, block(inputs, filters=3, repeat=2, norm_type=norm_type))
    np.testing.assert_array_equal(model(TRACK), TRACK)


def test_dilated_dense():
    y, n = run_block("dilated_dense", TRACK, filters=3, repeat=2)
    x = TRACK
    for rate in (1, 2):
        x = np.concatenate([x, n.conv(relu(x), dilation=rate, bias=True)], -1)
    agree(y, x, n)


def test_dilated_dense_applies_its_dropout():
    inputs = keras.Input((8, 4))
    block = registry.words()["dilated_dense"].function
    model = keras.Model(inputs, block(inputs, filters=3, dropout=0.5))
    assert not np.allclose(model(TRACK, training=True), model(TRACK))


def test_conv_nac():
    arguments = {"filters": 4, "kernel_size": 3, "norm_type": "batch", "pool_size": 2}
    y, n = run_block("conv_nac", TRACK, residual=True, **arguments)
    agree(y, pool(TRACK + n.conv(relu(n.batch_norm(TRACK)), bias=True)), n)


def test_conv_dna():
    y, n = run_block("conv_dna", TRACK, filters=3, kernel_size=5, norm_type="batch", pool_size=2)
    agree(y, pool(relu(n.batch_norm(n.conv(TRACK)))), n)


def test_conv_dna_residual():
    arguments = {"filters": 3, "kernel_size": 5, "norm_type": "batch"}
    y, n = run_block("conv_dna", TRACK, residual=True, **arguments)
    x = n.conv(TRACK)
    branch = n.conv(relu(n.batch_norm(x)), bias=True)
    agree(y, x + branch * n.take(), n)


def test_conv_tower_nac():
    y, n = run_block("conv_tower_nac", TRACK, filters_init=3, repeat=2, pool_size=2)
    x = TRACK
    for _ in range(2):
        x = pool(n.conv(relu(x), bias=True))
    agree(y, x, n)


def test_res_tower():
    y, n = run_block("res_tower", TRACK, filters_init=3, kernel_size=3, repeat=2, norm_type="batch")
    x = TRACK
    for _ in range(2):
        x = n.conv(relu(n.batch_norm(x)), bias=True)
        branch = n.conv(relu(n.batch_norm(x)), bias=True)
        x = pool(x + branch * n.take())
    agree(y, x, n)


def test_conv_next():
    y, n = run_block("conv_next", TRACK, kernel_size=3, residual=True)
    depthwise, pointwise, bias = n.take(), n.take(), n.take()
    padded = np.pad(TRACK, [(0, 0), (1, 1), (0, 0)])
    x = sum(padded[:, tap : tap + 8] * depthwise[tap, :, 0] for tap in range(3))
    x = n.layer_norm(x @ pointwise + bias, 1e-5)
    agree(y, TRACK + n.dense(relu(n.dense(x))), n)


def test_conv_block_2d():
    y, n = run_block(
        "conv_block_2d", MAP, filters=3, kernel_size=3, dilation_rate=2, symmetric=True
    )
    agree(y, symmetric(n.conv(relu(MAP), dilation=2, bias=True)), n)


def test_dilated_residual_2d():
    arguments = {"filters": 3, "repeat": 2, "rate_mult": 1.75, "norm_type": "batch"}
    y, n = run_block("dilated_residual_2d", MAP, **arguments)
    x = MAP
    for rate in (1, 2):
        branch = n.batch_norm(n.conv(relu(x), dilation=rate))
        x = symmetric(x + n.batch_norm(n.conv(relu(branch))))
    agree(y, x, n)


def test_cropping_2d():
    y, n = run_block("cropping_2d", MAP, cropping=2)
    agree(y, MAP[:, 2:-2, 2:-2], n)


def test_final_flattens_positions_first():
    y, n = run_block("final", TRACK, units=3, flatten=True, activation="relu")
    agree(y, relu(n.dense(TRACK.reshape(2, 1, 32))), n)


def test_output_is_linear_unless_told():
    for word in ("final", "dense"):
        y, n = run_block(word, -TRACK, units=3)
        agree(y, n.dense(-TRACK), n)


def test_dense_block():
    y, n = run_block("dense_block", TRACK, residual=True, norm_type="batch", activation_end="gelu")
    agree(y, gelu(TRACK + n.batch_norm(n.dense(relu(TRACK), bias=False))), n)


def test_squeeze_excite_passes_the_activated_track_on():
    y, n = run_block("squeeze_excite", TRACK, additive=True, bottleneck_ratio=2)
    x = relu(TRACK)
    agree(y, x + n.dense(relu(n.dense(x.mean(1))))[:, None], n)


def test_bottleneck():
    y, n = run_block("bottleneck", TRACK, units=3)
    agree(y, gelu(n.dense(TRACK)), n)


def diverging(word, **arguments):
    """A posterior block's output on TRACK, its weights, and what it reports."""
    inputs = keras.Input(TRACK.shape[1:])
    arguments |= {"prior_mean": 0.3, "prior_scale": 1.4, "initial_scale": 0.5}
    block = registry.words()[word].function
    model = keras.Model(inputs, block(inputs, units=3, **arguments))
    with stochastic.collecting() as divergences:
        y = np.asarray(model(TRACK))
    return y, Naive(model), divergences[0]


def kl(mean, sd):
    """From N(mean, sd^2) to N(0.3, 1.4^2)."""
    return np.log(1.4 / sd) + (sd**2 + (mean - 0.3) ** 2) / (2 * 1.4**2) - 0.5


def test_normal_latent():
    y, n, divergence = diverging("normal_latent")
    mean = n.dense(TRACK)
    sd = np.log1p(np.exp(n.dense(TRACK)))
    agree(y, mean, n)
    assert np.median(sd) == pytest.approx(0.5, rel=0.5)
    np.testing.assert_allclose(divergence.kl, kl(mean, sd), rtol=1e-3, atol=1e-4)
    assert divergence.weight == 1


def test_dense_variational():
    y, n, divergence = diverging("dense_variational", activation="relu", kl_weight=0.01)
    mean, raw = n.take(), n.take()
    agree(y, relu(TRACK @ mean[:12].reshape(4, 3) + mean[12:]), n)
    sd = np.log1p(np.exp(raw))
    np.testing.assert_allclose(sd, 0.5, rtol=1e-5)
    assert float(divergence.kl) == pytest.approx(kl(mean, sd).sum(), rel=1e-4)
    assert divergence.weight == 0.01


def test_transformer_dense_pair_is_a_pre_norm_residual():
    # A zero output projection leaves the dense pair alone.
    inputs = keras.Input((8, 4))
    model = keras.Model(inputs, registry.words()["transformer"].function(inputs, heads=2))
    n = Naive(model)
    n.weights = n.weights[-6:]
    x = n.layer_norm(TRACK)
    agree(np.asarray(model(TRACK)), TRACK + n.dense(relu(n.dense(x))), n)


def test_layer_scale_scales_both_branches_of_a_transformer():
    def output(layer_scale):
        inputs = keras.Input((8, 4))
        block = registry.words()["transformer"].function
        model = keras.Model(inputs, block(inputs, heads=2, layer_scale=layer_scale))
        generator = np.random.default_rng(3)
        scales = [layer.scale for layer in model.layers if isinstance(layer, normalization.Scale)]
        for weight in model.weights:
            if not any(weight is scale for scale in scales):
                weight.assign(generator.normal(size=weight.shape))
        return np.asarray(model(TRACK)), scales

    unscaled, none = output(None)
    ones, scales = output(1.0)
    assert (len(none), len(scales)) == (0, 2)
    np.testing.assert_allclose(ones, unscaled, rtol=1e-5)
    tiny, _ = output(1e-6)
    np.testing.assert_allclose(tiny, TRACK, atol=1e-3)


def test_a_layer_scale_of_zero_is_refused():
    with pytest.raises(ValueError, match="layer_scale is 0, with which the attention never learns"):
        run_block("transformer", TRACK, layer_scale=0)


def test_transformer_encoder_post_norm():
    arguments = {"heads": 2, "dense_width": 6, "positions": None, "activation": "gelu"}
    y, n = run_block("transformer_encoder", TRACK, repeat=2, **arguments)
    x = TRACK
    for _ in range(2):
        x = n.layer_norm(x + n.attend(x), 1e-5)
        x = n.layer_norm(x + n.dense(gelu(n.dense(x))), 1e-5)
    agree(y, x, n)


def test_transformer_encoder_pre_norm_with_learned_positions():
    arguments = {"heads": 2, "dense_width": 6, "positions": "learned", "key_size": 3}
    y, n = run_block("transformer_encoder", TRACK, repeat=2, pre_norm=True, **arguments)
    x = TRACK + n.take()
    for _ in range(2):
        x = x + n.attend(n.layer_norm(x, 1e-5))
        x = x + n.dense(relu(n.dense(n.layer_norm(x, 1e-5))))
    agree(y, n.layer_norm(x, 1e-5), n)


def test_transformer_encoder_with_layer_scale():
    arguments = {"heads": 2, "dense_width": 6, "positions": None, "layer_scale": 0.3}
    y, n = run_block("transformer_encoder", TRACK, repeat=1, pre_norm=True, **arguments)
    x = TRACK + n.attend(n.layer_norm(TRACK, 1e-5)) * n.take()
    x = x + n.dense(relu(n.dense(n.layer_norm(x, 1e-5)))) * n.take()
    agree(y, n.layer_norm(x, 1e-5), n)


def test_transformer_encoder_needs_heads_that_divide_the_channels():
    with pytest.raises(ValueError, match="4 channels cannot be divided among 6 heads"):
        run_block("transformer_encoder", TRACK, heads=6)


def test_filters_of_a_tower_are_rounded_half_to_even_and_run_unrounded():
    def counts(init, *, end=None, mult=None, divisible_by=1, repeat=4):
        return parts.filter_counts(
            init, filters_end=end, filters_mult=mult, divisible_by=divisible_by, repeat=repeat
        )

    # 2.5 rounds to 2, 6.25 to 6; the unrounded 2.5 is what grows.
    assert counts(1, mult=2.5, repeat=3) == [1, 2, 6]
    # 12 / 8 = 1.5 rounds to 2 and 20 / 8 = 2.5 to 2.
    assert counts(12, mult=5 / 3, divisible_by=8, repeat=2) == [16, 16]
    # Borzoi's tower: from 608 to 1536 in 6 steps, multiples of 32.
    assert counts(608, end=1536, divisible_by=32, repeat=6) == [608, 736, 896, 1056, 1280, 1536]
    assert counts(96, repeat=2) == [96, 96]
    assert counts(96, end=128, repeat=1) == [96]


def test_dilations_of_the_published_models():
    assert parts.dilation_rates(1.75, repeat=8) == [1, 2, 3, 5, 9, 16, 29, 50]
    expected = [1, 2, 3, 4, 7, 11, 18, 30, 49, 79, 128]
    assert parts.dilation_rates(1.625, repeat=11) == expected
    assert parts.dilation_rates(1.5, repeat=4, round_each=True) == [1, 2, 3, 4]
