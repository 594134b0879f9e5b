"""`benchmarks.trunks` gives every trunk the same schedule, and its table shows every seed."""

import json

import numpy as np
import pytest

from akita_bayes.models import zoo
from benchmarks import trunks


@pytest.mark.parametrize("trunk", [*trunks.TRUNKS, "added"])
@pytest.mark.parametrize(("length", "targets"), [(32768, 2), (135168, 1)])
def test_each_trunk_gets_one_schedule_and_what_the_data_have(tmp_path, trunk, length, targets):
    statistics = {"seq_length": length, "num_targets": targets}
    (tmp_path / "statistics.json").write_text(json.dumps(statistics))
    raw = trunks.spec_of(trunk, tmp_path, 0.012, 24)
    spec = zoo.parse_spec(raw)
    train = spec.train
    assert spec.model.geometry(spec.model.heads[0]).bins == length // 512 - 8
    assert raw["model"]["head_hic"][-1]["units"] == targets
    assert (train.maximal_learning_rate, train.train_epochs_max, train.patience) == (0.012, 24, 24)
    assert train.batch_size * length == pytest.approx(131_072, rel=0.05)
    assert (train.train_epochs_cycle1, raw["train"]["swa"]["start"]) == (9, 21)
    convolution = trunks.spec_of("convolution", tmp_path, 0.012, 24)
    assert convolution["train"] == raw["train"]
    assert convolution["model"]["head_hic"] == raw["model"]["head_hic"]
    assert convolution["model"]["trunk"][:2] == raw["model"]["trunk"][:2]


def test_added_attention_is_all_that_differs_from_the_convolutional_network(tmp_path):
    (tmp_path / "statistics.json").write_text(json.dumps({"seq_length": 32768, "num_targets": 2}))
    convolution, added = (
        trunks.spec_of(trunk, tmp_path, 0.006, 12) for trunk in ("convolution", "added")
    )
    attention = added["model"]["trunk"].pop()
    assert attention["name"] == "transformer_tower"
    assert attention["layer_scale"] == 0.01
    assert added == convolution


def test_the_table_shows_means_and_seeds():
    rows = [
        {"trunk": "relative", "rate": 0.012, "r": r, "r_truth": r + 0.05, "r_truth_far": r - 0.1}
        | {"gain_of_last_quarter": 0.002, "r_truth_difference": r - 0.7}
        for r in (0.8, 0.82)
    ]
    one_target = [{**row, "r_truth_difference": None} for row in rows]
    data_sets = {"small": {"rows": rows}, "one cell type": {"rows": one_target}}
    data_sets |= {"one seed": {"rows": rows[:1]}}
    lines = trunks.table(data_sets).splitlines()
    means = "| relative | 0.012 | 0.810 ± 0.014 | 0.860 ± 0.014 | 0.710 ± 0.014 "
    assert lines[2] == f"| small {means}| 0.100, 0.120 | 0.850, 0.870 | 0.002 |"
    assert lines[3] == f"| one cell type {means}| - | 0.850, 0.870 | 0.002 |"
    one_seed = "| relative | 0.012 | 0.800 | 0.850 | 0.700 | 0.100 | 0.850 | 0.002 |"
    assert lines[4] == f"| one seed {one_seed}"


def test_differences_of_cell_types_are_compared_where_both_are_measured():
    generator = np.random.default_rng(0)
    truth = generator.normal(size=(2, 500, 2)).astype(np.float32)
    prediction = truth + np.array([0.3, -0.2], np.float32)
    usable = generator.random(truth.shape) < 0.9
    prediction[~usable] = 50.0
    assert trunks._of_differences(prediction, truth, usable) == pytest.approx(1.0, abs=1e-5)
    swapped = prediction[..., ::-1]
    assert trunks._of_differences(swapped, truth, usable) == pytest.approx(-1.0, abs=1e-5)
    alone = [values[..., :1] for values in (prediction, truth, usable)]
    assert trunks._of_differences(*alone) is None
