"""A simulation that a model predicts as its data is told from one that it predicts otherwise."""

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.data.records import dataset
from akita_bayes.evaluate import strata
from akita_bayes.evaluate.intervals import simulation_match
from akita_bayes.models import build, zoo
from tests import tiny


def agreement(slope=1.0, spread=0.3, targets=2, strata=4):
    shape = (targets, strata)
    return simulation_match.Agreement(
        np.full(shape, slope), np.full(shape, spread), np.full(shape, 0.8)
    )


def match(**simulation):
    return simulation_match.Match(agreement(), agreement(**simulation), ["2-3", "4-6", "7", "8-9"])


def test_equal_agreement_passes():
    assert match().failures() == []
    match(slope=1.1, spread=0.27).check("sim")


@pytest.mark.parametrize(
    ("simulation", "words"),
    [
        ({"slope": 0.6}, r"sim: does not match .* change 0\.60 times .* `physics\.stall`"),
        ({"slope": 1.4}, r"change 1\.40 times"),
        ({"spread": 0.15}, r"Predictions vary 0\.50 times as much .* `landscape`"),
        ({"slope": 0.5, "spread": 0.6}, r"change 0\.50 times .*vary 2\.00 times"),
    ],
)
def test_a_failed_assumption_is_named(simulation, words):
    with pytest.raises(errors.DataError, match=words):
        match(**simulation).check("sim")


def test_one_stratum_is_enough_to_fail_and_is_named():
    simulated = agreement()
    simulated.slope[:, 3] = 0.5
    (sentence,) = match()._replace(simulation=simulated).failures()
    assert "0.50 times" in sentence
    assert "(8-9)" in sentence


@pytest.fixture(scope="module")
def model():
    return build.build(zoo.parse_spec(tiny.spec_json()))


def test_data_agree_with_themselves_whatever_their_noise(model, tmp_path):
    data = tiny.write_data(tmp_path / "data", train=1, valid=8, test=1)
    compared = simulation_match.compare(model, data, data)
    for ratio in compared.ratios().values():
        np.testing.assert_array_equal(ratio, np.ones_like(ratio))
    assert compared.data.slope.shape == (tiny.TARGETS, len(compared.strata))


def test_slope_and_spread_are_those_of_a_regression(model, tmp_path):
    """By hand, over the measured pixels of a stratum."""
    data = tiny.write_data(tmp_path / "data", train=1, valid=6, test=1)
    compared = simulation_match.compare(model, data, data)
    groups = strata.log_spaced(tiny.BINS, tiny.OFFSET, simulation_match.STRATA)
    batches = list(dataset.open_split(data, "valid", batch_size=6).batches())
    predicted = np.concatenate([model(batch["sequence"], training=False) for batch in batches])
    target, mask = (
        np.concatenate([batch[name].numpy() for batch in batches]) for name in ("target", "mask")
    )
    for number in range(groups.count):
        pixels = groups.index == number
        measured = mask[:, pixels, 1]
        x, y = predicted[:, pixels, 1][measured], target[:, pixels, 1][measured]
        slope = np.polyfit(x.astype(float), y.astype(float), 1)[0]
        assert compared.data.slope[1, number] == pytest.approx(slope, rel=1e-3)
        assert compared.data.spread[1, number] == pytest.approx(x.std(), rel=1e-3)
        assert compared.data.r[1, number] == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-3)


def test_maps_of_other_targets_are_refused(model, tmp_path):
    data = tiny.write_data(tmp_path / "data", train=1, valid=2, test=1)
    one_target = tiny.write_data(tmp_path / "other", train=1, valid=2, test=1, targets=1)
    with pytest.raises(errors.AkitaBayesError, match="num_targets 1"):
        simulation_match.compare(model, data, one_target)
