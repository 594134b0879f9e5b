import keras
import numpy as np
import pytest

from akita_bayes.layers import normalization


def test_every_name_is_a_layer_with_the_asked_gamma():
    kinds = {
        "batch": keras.layers.BatchNormalization,
        "batch-sync": keras.layers.BatchNormalization,
        "layer": keras.layers.LayerNormalization,
    }
    for name in normalization.NORM_TYPES:
        layer = normalization.normalization(name, momentum=0.7, gamma="zeros")
        assert type(layer) is kinds[name]
        layer.build((None, 3))
        np.testing.assert_array_equal(layer.gamma, [0, 0, 0])
        assert layer.epsilon == 1e-3
        assert getattr(layer, "momentum", 0.7) == 0.7
    assert normalization.normalization(None) is None


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(ValueError, match="batch, batch-sync, layer or null; got 'group'"):
        normalization.normalization("group")


def test_scale_multiplies_channels_and_starts_at_zero():
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    layer = normalization.Scale()
    assert not np.asarray(layer(x)).any()
    layer.set_weights([np.float32([1, 2, 3, 4])])
    np.testing.assert_allclose(layer(x), x * [1, 2, 3, 4], rtol=1e-6)
