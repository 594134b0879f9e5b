"""Scenarios of `benchmarks.simulation_transfer` change what they say, and its table shows it."""

import numpy as np
import pytest

from akita_bayes.simulate import designs
from benchmarks import simulation_transfer as transfer

DESIGN = designs.PRESETS["small"]


@pytest.mark.parametrize("name", transfer.SCENARIOS)
def test_a_scenario_changes_one_part_of_the_design(name):
    changed = transfer.SCENARIOS[name](DESIGN)
    differences = [
        field
        for field in ("physics", "landscape", "measurement", "depth")
        if getattr(changed, field) != getattr(DESIGN, field)
    ]
    assert len(differences) == (0 if name == "the design of the data" else 1)


def test_another_motif_differs_by_as_many_bases():
    site = transfer.other_motif(3)(DESIGN).physics.site
    pairs = zip(site.consensus, DESIGN.physics.site.consensus, strict=True)
    assert sum(a != b for a, b in pairs) == 3
    assert site.conservation == DESIGN.physics.site.conservation


def test_the_interval_score_is_width_and_twenty_times_the_distance_outside():
    low, high, truth = np.array([[0.0, 0.0], [1.0, 2.0], [0.5, 3.0]])
    assert transfer.interval_score(low, high, truth) == pytest.approx((1 + 2 + 20 * 1) / 2)
    assert transfer.interval_score(low, high, truth, np.array([True, False])) == pytest.approx(1)


def test_the_table_shows_coverage_and_refusal():
    row = {
        "inside": 0.9,
        "by_group": {"site": 0.8},
        "score": 5.0,
        "constant": 7.0,
        "ratios": {"slope": [[0.5, 1.0], [0.7, 1.1]], "spread": [[1.0, 1.2], [1.0, 1.0]]},
    }
    near = {"slope": [[0.9, 1.0]], "spread": [[1.1, 1.0]]}
    lines = transfer.table({"motif": row, "same": {**row, "ratios": near}}).splitlines()
    assert lines[2] == "| motif | 0.90 | 0.80 | 5.0 | 7.0 | 0.59 | 1.10 | yes |"
    assert lines[3].endswith("| no |")
