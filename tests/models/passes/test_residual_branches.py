"""Branches with a factor per channel, and the layers on them."""

import keras
import pytest

from akita_bayes.layers import attention
from akita_bayes.models import build, zoo
from akita_bayes.models.passes import residual_branches
from tests import tiny

KINDS = {
    "transformer": {"name": "transformer", "heads": 2, "key_size": 4},
    "post-norm": {"name": "transformer_encoder", "repeat": 1, "heads": 2, "dense_width": 8},
    "pre-norm": {
        **{"name": "transformer_encoder", "repeat": 1, "heads": 2, "dense_width": 8},
        "pre_norm": True,
    },
}


def network(*blocks):
    params = tiny.spec_json()
    params["model"]["trunk"] += blocks
    return build.build(zoo.parse_spec(params))


def names(layers, kinds):
    return [layer.name for layer in layers if isinstance(layer, kinds)]


@pytest.mark.parametrize("kind", KINDS)
def test_layers_on_scaled_branches(kind):
    model = network({**KINDS[kind], "layer_scale": 0.01})
    branches = residual_branches.scaled(model)
    kinds = (attention.RelativeAttention, keras.layers.MultiHeadAttention)
    assert len(names(branches, kinds)) == 1
    assert names(branches, kinds) == names(model.layers, kinds)
    dense = names(branches, keras.layers.Dense)
    assert len(dense) == 2
    assert dense == names(model.layers, keras.layers.Dense)[:2]
    norms = names(branches, keras.layers.LayerNormalization)
    assert len(norms) == (0 if kind == "post-norm" else 2)
    assert not names(branches, (keras.layers.Conv1D, keras.layers.BatchNormalization))


def test_branches_without_a_factor_do_not_count():
    assert residual_branches.scaled(network(KINDS["transformer"])) == []
    assert residual_branches.scaled(network()) == []
