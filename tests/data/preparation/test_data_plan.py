"""What a plan says of a data directory before contacts are read."""

import dataclasses

import pytest

from akita_bayes import errors
from akita_bayes.data.preparation import data_plan, training_windows
from tests import coolers as world


def test_a_plan_counts_what_is_made(data_folder):
    folder, summary = data_folder
    plan = data_plan.plan(world.options(folder))
    written = sum(summary.written.values())
    assert len(plan.usable) - len(plan.filtered) == written
    splits = ", ".join(f"{split} {count}" for split, count in summary.written.items())
    masked = sum(target["masked"] for target in summary.targets.values()) / 2
    assert plan.masked == pytest.approx(masked, abs=1e-6)
    assert plan.describe() == (
        f"{written} windows of 3,200 bases from 2 chromosomes ({splits}), 2 targets, "
        f"{masked:.1%} of pixels masked"
    )


def test_windows_that_are_left_out_are_counted(tmp_path):
    folder = world.world(tmp_path)
    (folder / "black.bed").write_text("chr1\t0\t2000\n")
    (folder / "windows.bed").write_text("chr1\t0\t3200\nchr1\t8000\t11200\nchr7\t0\t3200\n")
    options = world.options(
        folder, layout=None, windows=folder / "windows.bed", blacklist=folder / "black.bed"
    )
    plan = data_plan.plan(options)
    assert [window.region.start for window in plan.filtered] == [0]
    assert plan.describe().endswith(
        "; left out: 1 chromosome missing from genome, 1 more than half of the bins filtered"
    )
    assert plan.describe().startswith("1 window of 3,200 bases from 1 chromosome (train 1), 2 t")


def test_only_the_windows_are_written(tmp_path):
    folder = world.world(tmp_path)
    options = world.options(folder)
    data_plan.write_windows(options, folder / "windows")
    windows = training_windows.read_windows(
        folder / "windows" / "sequences.bed", options.assembly()
    )
    assert windows == data_plan.plan(options).windows
    with pytest.raises(errors.RunError, match="not empty; choose another -o"):
        data_plan.write_windows(options, folder / "windows")
    with_windows = dataclasses.replace(options, layout=None, windows=tuple(windows))
    with pytest.raises(errors.DataError, match="--split_test places new windows"):
        data_plan.write_windows(with_windows, folder / "other")


@pytest.mark.parametrize(
    ("number", "text"),
    [(128_000, "128 kb"), (2_000_000, "2 Mb"), (1_048_576, "1,048,576 bases"), (500, "500 bases")],
)
def test_lengths(number, text):
    assert data_plan.bases(number) == text
