"""The observation noise: identity on the mean, one standard deviation a target or distance."""

import keras
import numpy as np
import pytest

from akita_bayes import triangle
from akita_bayes.layers import noise

BINS, OFFSET, TARGETS = 8, 2, 3
PIXELS = triangle.length(BINS, OFFSET)


def test_the_mean_passes_unchanged_and_every_target_has_its_sd():
    layer = noise.ObservationNoise(initial=0.5)
    x = np.random.default_rng(0).normal(size=(2, PIXELS, TARGETS)).astype("float32")
    np.testing.assert_array_equal(layer(x).numpy(), x)
    np.testing.assert_allclose(layer.sd().numpy(), np.full((1, TARGETS), 0.5), rtol=1e-6)


def test_pixels_at_one_distance_share_one_sd():
    layer = noise.ObservationNoise("target_distance", diagonal_offset=OFFSET)
    layer.build((None, PIXELS, TARGETS))
    values = np.random.default_rng(1).normal(size=(BINS - OFFSET, TARGETS)).astype("float32")
    layer.log_sd.assign(values)
    distance = triangle.distances(BINS, OFFSET)
    np.testing.assert_allclose(layer.sd().numpy(), np.exp(values[distance - OFFSET]), rtol=1e-6)


def test_a_half_precision_model_keeps_its_noise_in_float32():
    layer = noise.ObservationNoise(initial=0.3, dtype="mixed_bfloat16")
    layer(np.zeros((1, PIXELS, TARGETS), "float32"))
    assert layer.log_sd.dtype == "float32"
    np.testing.assert_allclose(layer.sd().numpy(), 0.3, rtol=1e-6)


def test_the_noise_is_saved_with_the_model_and_is_trained(tmp_path):
    inputs = keras.Input((PIXELS, TARGETS))
    model = keras.Model(inputs, noise.ObservationNoise(name="noise")(inputs))
    assert [variable.name for variable in model.trainable_variables] == ["log_sd"]
    model.get_layer("noise").log_sd.assign(np.full((1, TARGETS), -1.0))
    model.save(tmp_path / "m.keras")
    read = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(read.get_layer("noise").sd().numpy(), np.exp(-1), rtol=1e-6)


def test_bad_arguments_are_refused_in_words():
    with pytest.raises(ValueError, match="target and target_distance"):
        noise.ObservationNoise("pixel")
    with pytest.raises(ValueError, match="diagonal_offset"):
        noise.ObservationNoise("target_distance")
