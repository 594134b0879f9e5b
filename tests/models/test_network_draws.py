"""Which draws a model has, and which member of an ensemble gives each."""

import numpy as np
import pytest

from akita_bayes import errors
from akita_bayes.models import export, load, network_draws
from akita_bayes.models.ensemble import Ensemble
from tests import tiny


def test_members_give_draws_in_turn_and_their_share_of_all():
    turns = [network_draws.turn(draw, 2) for draw in range(5)]
    assert turns == [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2)]
    for member in (0, 1):
        numbers = [turn.draw for turn in turns if turn.member == member]
        assert numbers == list(range(network_draws.share(5, 2, member)))


def with_swag(model, count):
    model.swag_draws = np.zeros((count, 3), np.float32)
    return model


def test_useful_draws_are_those_that_differ(small_model, latent_model, randomise):
    three, five = (with_swag(randomise(tiny.spec_json()), count) for count in (3, 5))
    for model, expected in (
        (small_model, 1),
        (latent_model, 64),
        (three, 3),
        (Ensemble((small_model, small_model)), 2),
        (Ensemble((three, five)), 10),
        (Ensemble((three, latent_model)), 64),
    ):
        assert network_draws.useful_draws(model, 64, "hic") == expected
        assert network_draws.useful_draws(model, 1, "hic") == 1


def test_a_saved_model_has_no_draws(small_model, tmp_path):
    export.export(small_model, tmp_path / "saved")
    exported = load.load_model(tmp_path / "saved")
    with pytest.raises(errors.RunError, match="predicts its mean only"):
        network_draws.useful_draws(exported, 4, "hic")
    with pytest.raises(errors.RunError, match="predicts its mean only"):
        network_draws.NetworkDraws(exported, "hic")


def test_a_latent_without_draws_is_named(small_model, latent_model, caplog):
    network_draws.remark_without_draws(small_model, ["hic"])
    assert caplog.text == ""
    network_draws.remark_without_draws(Ensemble((small_model, latent_model)), ["hic"])
    assert "The model has a latent" in caplog.text
    assert "Give --draws 16." in caplog.text
