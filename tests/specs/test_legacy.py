"""Keys of Basenji's own parameter files that decide nothing are ignored, and the log says so."""

import json

import pytest

from akita_bayes import errors
from akita_bayes.models import zoo
from akita_bayes.specs import legacy
from tests import tiny
from tests.spec_json import parse, raw

TUTORIAL = {
    "train": {
        "batch_size": 4,
        "loss": "poisson",
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "momentum": 0.99,
        "train_epochs": 20,
        "patience": 8,
        "clip_norm": 2,
    },
    "model": {
        "seq_length": 131072,
        "augment_rc": True,
        "augment_shift": 3,
        "activation": "gelu",
        "norm_type": "batch",
        "bn_momentum": 0.9,
        "trunk": [
            {"name": "conv_block", "filters": 64, "kernel_size": 15, "pool_size": 8},
            {
                "name": "conv_tower",
                "filters_init": 64,
                "filters_mult": 1.125,
                "kernel_size": 5,
                "pool_size": 4,
                "repeat": 2,
            },
            {
                "name": "dilated_residual",
                "filters": 32,
                "rate_mult": 2,
                "repeat": 6,
                "dropout": 0.25,
            },
            {"name": "conv_block", "filters": 64, "dropout": 0.05},
        ],
        "head": {"name": "final", "units": 3, "activation": "softplus"},
    },
}
"""The model that Basenji's tutorials train."""


@pytest.mark.parametrize(
    ("part", "key", "value", "message"),
    [
        (
            "train",
            "train_epochs",
            20,
            "train.train_epochs: 20 is ignored; Basenji never reads it either; training stops "
            'after "train_epochs_max" epochs, so write "train_epochs_max": 20 if that is meant.',
        ),
        (
            "train",
            "use_gpu",
            False,
            "train.use_gpu: false is ignored; akita_train.py never reads it in Basenji either; "
            "its option --devices chooses between cpu and gpu.",
        ),
        (
            "model",
            "ensemble_rc",
            True,
            "model.ensemble_rc: true is ignored; Basenji never reads it either; the option --rc "
            "of the commands averages the predictions of both strands.",
        ),
        (
            "model",
            "ensemble_shifts",
            [1, 0, -1],
            "model.ensemble_shifts: [1, 0, -1] is ignored; Basenji never reads it either; the "
            "option --shifts of the commands averages the predictions of moved windows.",
        ),
        (
            "model",
            "verbose",
            False,
            "model.verbose: false is ignored; a summary of the network is never printed.",
        ),
    ],
)
def test_a_dead_key_is_set_aside_with_a_word(caplog, part, key, value, message):
    old = raw()
    old[part][key] = value
    assert parse(old) == parse(raw())
    assert caplog.messages == [message]


def test_each_dead_key_is_tested_above():
    (parameters,) = test_a_dead_key_is_set_aside_with_a_word.pytestmark
    tested = {(part, key) for part, key, _, _ in parameters.args[1]}
    assert tested == {(part, key) for part, keys in legacy.DEAD.items() for key in keys}


def test_a_key_that_nobody_knows_is_still_an_error():
    old = raw()
    old["train"]["train_epoch"] = 3
    with pytest.raises(errors.SpecError, match=r"^train\.train_epoch: no such key"):
        parse(old)


def test_the_parameters_of_basenjis_tutorial_load(tmp_path, caplog):
    path = tmp_path / "params_small.json"
    path.write_text(json.dumps(TUTORIAL))
    spec = zoo.load_network(path)
    assert spec.train.train_epochs_max == 10_000  # as without the key
    assert (spec.train.patience, spec.train.momentum) == (8, 0.99)
    assert spec.head("head").blocks[0].units == 3
    assert [message.split(":")[0] for message in caplog.messages] == ["train.train_epochs"]


def test_a_head_may_be_chosen_by_number_as_in_basenji():
    spec = zoo.parse_spec(tiny.spec_json(heads=("human", "mouse")))
    assert spec.head("1").name == spec.head(1).name == spec.head("mouse").name == "mouse"
    with pytest.raises(errors.SpecError, match=r"has no head 2; they count 0 to 1"):
        spec.head("2")
    with pytest.raises(errors.SpecError, match='has no head "mose"'):
        spec.head("mose")
