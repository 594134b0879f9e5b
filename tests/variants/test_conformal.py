import json

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.variants import conformal


def world(count, seed):
    """Scores over four decades that are off by a factor, most where the spread is large."""
    random = np.random.default_rng(seed)
    mean = 10.0 ** random.uniform(-3, 1, (count, 2))
    sd = mean * random.uniform(0, 0.5, mean.shape)
    truth = mean * np.exp(random.normal(0.2, 0.3 + sd / mean))
    return truth, mean, sd


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_intervals_hold_the_truth_as_often_as_they_say(level):
    widening = conformal.fit(*world(400, 0), level=level)
    truth, mean, sd = world(4000, 1)
    low, high = widening.interval(mean, sd)
    assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(level, abs=0.05)
    assert (low >= 0).all()
    assert (low <= mean).all()
    assert (mean <= high).all()


def test_more_spread_gives_a_wider_interval():
    widening = conformal.fit(*world(400, 0))
    low, high = widening.interval(np.array([1.0, 1.0]), np.array([0.0, 0.5]))
    assert low[1] < low[0]
    assert high[1] > high[0]


def test_survives_writing_and_reading(tmp_path):
    widening = conformal.fit(*world(100, 0))
    conformal.save(tmp_path / "i.json", {"SCD": widening})
    assert conformal.load(tmp_path / "i.json") == {"SCD": widening}


def test_refuses_what_teaches_nothing(tmp_path):
    truth, mean, sd = world(9, 0)
    with pytest.raises(errors.VariantError, match="20 known variants"):
        conformal.fit(truth, mean, sd)
    with pytest.raises(errors.VariantError, match="0 or more"):
        conformal.fit(np.full(30, -1.0), np.ones(30), np.ones(30))
    (tmp_path / "x.json").write_text(json.dumps({"SCD": {"floor": 1}}))
    with pytest.raises(errors.DataError, match="no intervals"):
        conformal.load(tmp_path / "x.json")
