"""When training stops, and which epoch it calls best."""

import pytest

from akita_bayes.errors import RunError
from akita_bayes.specs import train_spec
from akita_bayes.training import stopping
from akita_bayes.training.updates import precision


def epochs_run(losses, **keys):
    train = train_spec.TrainSpec(**keys)
    stopper = stopping.Stopper()
    for epoch, loss in enumerate(losses, 1):
        stopper.update(stopping.score({"valid_loss": loss}, "loss"), epoch)
        if stopper.done(epoch, train):
            return epoch, stopper.best_epoch
    raise AssertionError("did not stop")


FALLING_THEN_FLAT = [5, 4, 3] + [4] * 20


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"patience": 2}, (6, 3)),
        ({"patience": 0}, (4, 3)),
        ({"patience": 0, "train_epochs_min": 9}, (9, 3)),
        ({"patience": 2, "train_epochs_max": 5}, (5, 3)),
        ({"patience": 50, "train_epochs_min": 7, "train_epochs_max": 7}, (7, 3)),
    ],
)
def test_stops_after_more_than_patience_epochs(keys, expected):
    assert epochs_run(FALLING_THEN_FLAT, **keys) == expected


def test_an_equal_epoch_is_no_improvement():
    assert epochs_run([1, 1, 1], patience=1) == (3, 1)


def test_criteria():
    row = {"valid_loss": 0.5, "valid_r": 0.8, "valid_r2": 0.4}
    scores = {name: stopping.score(row, name) for name in ("loss", "r", "r + r2/4")}
    assert scores == pytest.approx({"loss": -0.5, "r": 0.8, "r + r2/4": 0.9})


def test_loss_scale_halves_on_overflow_and_doubles_after_2000_finite_steps():
    scale = precision.LossScale.of("mixed_float16")
    assert scale.scale == 2.0**15
    assert scale.update(False) is False
    assert scale.scale == 2.0**14
    applied = [scale.update(True) for _ in range(2000)]
    assert all(applied)
    assert scale.scale == 2.0**15


def test_loss_scale_gives_up():
    scale = precision.LossScale.of("mixed_float16")
    scale.scale = 2.0**-14
    with pytest.raises(RunError, match="float16 gradients overflow at any loss scale"):
        scale.update(False)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_only_float16_is_scaled(policy):
    scale = precision.LossScale.of(policy)
    assert [scale.update(True), scale.update(False)] == [True, False]
    assert scale.scale == 1
