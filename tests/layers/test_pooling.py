import numpy as np
import pytest

from akita_bayes.layers import pooling


def test_softmax_pool_weighs_each_window_by_its_logits():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 4)).astype("float32")
    layer = pooling.SoftmaxPool1D(3)
    layer.build(x.shape)
    kernel = rng.normal(size=(4, 1)).astype("float32")
    layer.set_weights([kernel])
    y = np.asarray(layer(x))
    for b in range(2):
        for window in range(2):
            rows = x[b, 3 * window : 3 * window + 3]
            weights = np.exp(rows @ kernel)
            np.testing.assert_allclose(y[b, window], (rows * weights).sum(0) / weights.sum(), 1e-4)


def test_softmax_pool_starts_with_the_first_channel():
    layer = pooling.SoftmaxPool1D(2)
    layer.build((None, 4, 3))
    np.testing.assert_array_equal(layer.get_weights()[0], [[2], [0], [0]])


def test_softmax_pool_needs_whole_windows():
    with pytest.raises(ValueError, match="multiple of pool_size 4; got 6"):
        pooling.SoftmaxPool1D(4).build((None, 6, 3))
