"""Networks, SavedModels and ensembles are models; the first two are members."""

import numpy as np
import pytest

from akita_bayes.models import export, load, predict, protocol
from akita_bayes.models.ensemble import Ensemble
from tests import tiny


@pytest.fixture(scope="module")
def exported(small_model, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "saved"
    export.export(small_model, path)
    return load.load_model(path)


def test_a_single_model_is_its_own_only_member(small_model, exported):
    for model in (small_model, exported):
        assert isinstance(model, protocol.Member)
        assert len(model.members) == 1
        assert model.members[0] is model
        assert model.recalibrations == {}
        assert model.swag_draws is None


def test_an_ensemble_is_a_model_of_members(small_model, exported):
    both = Ensemble((small_model, exported))
    assert isinstance(both, protocol.Model)
    assert not isinstance(both, protocol.Member)
    assert both.members == (small_model, exported)
    x = tiny.one_hot(2)
    np.testing.assert_allclose(
        predict.predict(both, x), predict.predict(small_model, x), rtol=1e-6, atol=1e-6
    )


def test_a_model_that_lists_itself_is_saved_once(small_model, tmp_path):
    small_model.save(tmp_path / "model.keras")
    loaded = load.load_model(tmp_path / "model.keras")
    for before, after in zip(small_model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
