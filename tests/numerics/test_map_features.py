"""Features of maps are means over neighbours that the triangle holds, of any batch."""

import numpy as np
import pytest
from scipy import ndimage

from akita_bayes import triangle
from akita_bayes.numerics import map_features

BINS, OFFSET = 40, 2
PIXELS = triangle.length(BINS, OFFSET)
MEAN, SPREAD = np.random.default_rng(0).gamma(2.0, size=(2, 3, PIXELS, 2)).astype(np.float32)


def local(values, sigma):
    """The mean that scipy gives on the whole symmetric map, with the weight of known pixels."""
    matrix = triangle.to_matrix(values, diagonal_offset=OFFSET)
    measured = np.isfinite(matrix)
    smooth = [
        ndimage.gaussian_filter(part, (sigma, sigma, 0), mode="constant", truncate=3.0)
        for part in (np.where(measured, matrix, 0.0), measured.astype(float))
    ]
    return triangle.to_vector(smooth[0] / smooth[1], diagonal_offset=OFFSET)


def test_features_are_those_of_their_formulas():
    m, e = MEAN[1].astype(float), SPREAD[1].astype(float)
    expected = {
        "value": m,
        "surroundings": local(m, 3),
        "activity": np.log(local(m**2, 4)) / 2,
        "contrast": np.log(local(m**2, 2) - local(m, 2) ** 2) / 2,
        "spread": np.log(local(e**2, 2)) / 2,
    }
    assert set(expected) == set(map_features.NAMES)
    for name, values in expected.items():
        batch = map_features.compute(name, MEAN, SPREAD, OFFSET)
        assert batch.shape == MEAN.shape
        # float32 of a difference of squares
        np.testing.assert_allclose(batch[1], values, rtol=2e-3, atol=2e-3)


def test_constant_maps_have_finite_features():
    for name in map_features.NAMES:
        values = map_features.compute(name, np.ones((PIXELS, 1)), np.zeros((PIXELS, 1)), OFFSET)
        assert np.isfinite(values).all()


def test_an_unknown_feature_is_refused():
    with pytest.raises(ValueError, match='"colour" is not a feature of maps'):
        map_features.compute("colour", MEAN, SPREAD, OFFSET)
