"""Recalibration factors: spread over pixels by distance, and kept with their run."""

import dataclasses

import numpy as np
import pytest

from akita_bayes import errors, triangle
from akita_bayes.models import recalibration

FITTED = recalibration.Recalibration(
    edges=(2, 5, 24),
    epistemic=((1.0, 2.0), (0.5, 3.0)),
    aleatoric=((1.5, 2.5), (0.7, 0.9)),
    noise=None,
    diagonal_offset=2,
)


def test_every_pixel_has_the_factor_of_its_distance_and_target():
    near = triangle.distances(24, 2) < 5
    factors = FITTED.factors(triangle.length(24, 2))
    np.testing.assert_array_equal(factors.epistemic[:, 0], np.where(near, 1.0, 2.0))
    np.testing.assert_array_equal(factors.epistemic[:, 1], np.where(near, 0.5, 3.0))
    np.testing.assert_array_equal(factors.aleatoric[:, 0], np.float32(np.where(near, 1.5, 2.5)))
    assert FITTED.aleatoric_sd(triangle.length(24, 2)) is None


def test_both_parts_are_scaled_and_noise_is_lent_only_to_a_model_without():
    pixels = triangle.length(24, 2)
    factors = FITTED.factors(pixels)
    spread, learned = np.full((4, pixels, 2), 2.0), np.full((1, 2), 3.0)
    lending = dataclasses.replace(FITTED, noise=((0.5, 0.5), (0.5, 0.5)))
    for fitted, given, noise in (
        (FITTED, learned, 3.0),
        (lending, learned, 3.0),
        (lending, None, 0.5),
        (FITTED, None, 0.0),
    ):
        epistemic, aleatoric = fitted.apply(spread, given)
        np.testing.assert_allclose(epistemic, 2 * np.stack([factors.epistemic] * 4))
        np.testing.assert_allclose(aleatoric, noise * np.stack([factors.aleatoric] * 4))


OTHER = dataclasses.replace(FITTED, epistemic=((4.0, 4.0),))
TOGETHER = dataclasses.replace(FITTED, noise=((0.1, 0.2), (0.3, 0.4)))


def runs(folder, *weights):
    """Run directories that hold so many different models."""
    made = [folder / name for name in weights]
    for run in made:
        run.mkdir()
        (run / recalibration.WEIGHTS).write_text(run.name)
    return made


def test_factors_survive_their_file_and_a_damaged_one_is_named(tmp_path):
    assert recalibration.load([tmp_path], ["hic"]) == {}
    recalibration.save([tmp_path], "hic", FITTED)
    assert recalibration.load([tmp_path], ["hic"]) == {"hic": FITTED}
    (tmp_path / recalibration.FILE).write_text('{"edges": [1]}')
    with pytest.raises(errors.DataError, match=r"akita_calibrate\.py again"):
        recalibration.load([tmp_path], ["hic"])


def test_each_head_keeps_its_own_factors(tmp_path):
    recalibration.save([tmp_path], "human", FITTED)
    recalibration.save([tmp_path], "mouse", OTHER)
    heads = ["human", "mouse", "rat"]
    assert recalibration.load([tmp_path], heads) == {"human": FITTED, "mouse": OTHER}
    recalibration.save([tmp_path], "mouse", TOGETHER)
    assert recalibration.load([tmp_path], heads) == {"human": FITTED, "mouse": TOGETHER}


def test_an_ensemble_s_factors_are_of_exactly_these_members_in_any_order(tmp_path):
    a, b, c = runs(tmp_path, "a", "b", "c")
    recalibration.save([a], "hic", FITTED)
    assert recalibration.save([a, b], "hic", TOGETHER) == a / recalibration.FILE
    assert recalibration.load([a], ["hic"]) == {"hic": FITTED}
    assert recalibration.load([a, b], ["hic"]) == {"hic": TOGETHER}
    assert recalibration.load([b, a], ["hic"]) == {"hic": TOGETHER}
    assert recalibration.load([a, b, c], ["hic"]) == {}
    assert recalibration.load([a, c], ["hic"]) == {}
    (b / recalibration.WEIGHTS).write_text("trained again")
    assert recalibration.load([a, b], ["hic"]) == {}
