"""Recalibration factors: spread over pixels by distance, and kept with their run."""

import dataclasses

import numpy as np
import pytest

from akita_bayes import errors, files, triangle
from akita_bayes.models import recalibration

FITTED = recalibration.Recalibration((2, 5, 24), ((1.0, 2.0), (0.5, 3.0)), None, 2)


def test_every_pixel_has_the_factor_of_its_distance_and_target():
    near = triangle.distances(24, 2) < 5
    factors = FITTED.factors(triangle.length(24, 2))
    np.testing.assert_array_equal(factors[:, 0], np.where(near, 1.0, 2.0))
    np.testing.assert_array_equal(factors[:, 1], np.where(near, 0.5, 3.0))
    assert FITTED.aleatoric_sd(triangle.length(24, 2)) is None


OTHER = dataclasses.replace(FITTED, scale=((4.0, 4.0),))
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


def test_a_file_that_names_no_head_serves_the_only_one_and_none_of_several(tmp_path, caplog):
    files.write_json(tmp_path / recalibration.FILE, dataclasses.asdict(FITTED))
    assert recalibration.load([tmp_path], ["hic"]) == {"hic": FITTED}
    assert not caplog.records
    assert recalibration.load([tmp_path], ["human", "mouse"]) == {}
    assert "does not say of which head" in caplog.text
    recalibration.save([tmp_path], "hic", OTHER)
    assert recalibration.load([tmp_path], ["hic"]) == {"hic": OTHER}


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
