"""Recalibration factors: spread over pixels by distance, and kept with their run."""

import numpy as np
import pytest

from akita_bayes import errors, triangle
from akita_bayes.models import recalibration

FITTED = recalibration.Recalibration((2, 5, 24), ((1.0, 2.0), (0.5, 3.0)), None, 2)


def test_every_pixel_has_the_factor_of_its_distance_and_target():
    near = triangle.distances(24, 2) < 5
    factors = FITTED.factors(triangle.length(24, 2))
    np.testing.assert_array_equal(factors[:, 0], np.where(near, 1.0, 2.0))
    np.testing.assert_array_equal(factors[:, 1], np.where(near, 0.5, 3.0))
    assert FITTED.aleatoric_sd(triangle.length(24, 2)) is None


def test_factors_survive_their_file_and_a_damaged_one_is_named(tmp_path):
    assert recalibration.Recalibration.load(tmp_path) is None
    FITTED.save(tmp_path)
    assert recalibration.Recalibration.load(tmp_path) == FITTED
    (tmp_path / recalibration.FILE).write_text('{"edges": [1]}')
    with pytest.raises(errors.DataError, match=r"akita_calibrate\.py again"):
        recalibration.Recalibration.load(tmp_path)
