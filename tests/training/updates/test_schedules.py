"""Learning rates at chosen steps; the cyclical numbers were read off Basenji's own schedule."""

import pytest

from akita_bayes.specs import train_spec
from akita_bayes.training.updates import schedules

CYCLE = {
    "initial_learning_rate": 0.002,
    "maximal_learning_rate": 0.04,
    "final_learning_rate": 0.0003,
    "train_epochs_cycle1": 10,
}


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"learning_rate": 0.1}, {0: 0.1, 1: 0.1, 10_000: 0.1}),
        ({"learning_rate": 0.1, "warmup_steps": 4}, {0: 0, 1: 0.025, 3: 0.075, 4: 0.1, 5: 0.1}),
        (CYCLE, {0: 0.002, 50: 0.021, 100: 0.04, 150: 0.021, 200: 0.002, 201: 0.0003, 999: 0.0003}),
        (CYCLE | {"warmup_steps": 10}, {0: 0, 5: 0.001, 10: 0.002, 110: 0.04, 211: 0.0003}),
        (
            {"learning_rate": 0.8, "decay_steps": 5, "decay_rate": 0.5},
            {0: 0.8, 4: 0.8, 5: 0.4, 9: 0.4, 10: 0.2},
        ),
    ],
)
def test_rates(keys, expected):
    schedule = schedules.from_spec(train_spec.TrainSpec(**keys), steps_per_epoch=10)
    assert {step: schedule(step) for step in expected} == pytest.approx(expected)


def test_akita_v2_rises_and_falls_56_epochs_each_and_ends_flat():
    train = train_spec.TrainSpec(**CYCLE | {"train_epochs_cycle1": 56, "train_epochs_max": 124})
    schedule = schedules.from_spec(train, steps_per_epoch=3)
    rates = [schedule(3 * epoch) for epoch in range(124)]
    assert rates.index(max(rates)) == 56
    assert [round(rate, 4) for rate in rates[113:]] == [0.0003] * 11
