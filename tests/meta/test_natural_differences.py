"""The table of `benchmarks.natural_differences` shows what was measured."""

import numpy as np
import pandas as pd

from benchmarks import natural_differences


def test_intervals_are_judged_by_the_truth():
    rows = pd.DataFrame(
        {
            "score": [1.0, 2.0, 3.0],
            "truth": [1.0, 5.0, 3.0],
            "ci_low": [0.0, 1.0, 2.0],
            "ci_high": [2.0, 3.0, 4.0],
            "kind": ["a", "a", "b"],
        }
    )
    windows = natural_differences.of_windows(rows)
    assert windows == {"inside": 2 / 3, "lowest third": 0.0, "width": 2.0}
    single = natural_differences.single(rows, rows["ci_low"].to_numpy(), rows["ci_high"].to_numpy())
    assert (single["inside"], single["lowest kind"]) == (2 / 3, 0.5)
    np.testing.assert_allclose(single["score"], 2 + 20 * 2 / 3)


def test_the_table_has_two_rows_for_each_strain():
    single = {"inside": 0.9, "lowest kind": 0.8, "width": 4.0, "score": 5.0}
    windows = {"inside": 0.95, "lowest third": 0.9, "width": 8.0}
    row = {"squares": 0.89, "differences": windows, "without noise": windows}
    row |= {"variants": single, "variants without noise": single}
    rows = {"reference": {"known effects": single, "constant": single}, "1.0%": row}
    lines = natural_differences.table(rows).splitlines()
    assert len(lines) == 6
    assert lines[2] == (
        "| strain, 1.0% of bases | 89.0% | 95.0% | 90.0% | 8.0 | 90.0% | 80.0% | 4.0 | 5.0 |"
    )
    assert {line.count("|") for line in lines} == {10}
