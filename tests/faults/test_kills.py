"""Commands that are killed, on a full disk or without rights end in the results of no fault.

`make faults` tries every long command more often.
"""

import pytest

from tests.faults.commands import write_inputs
from tests.faults.kills import Harness


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faults")
    write_inputs(folder)
    return Harness(folder, seed=7)


@pytest.mark.parametrize("name", ["scd", "train", "mpra_fit"])
def test_a_killed_command_ends_in_the_results_of_no_stop(harness, name):
    assert harness.killed(name) == []


def test_a_full_disk_leaves_nothing_half_written(harness):
    assert harness.full("predict") == []


def test_a_read_only_directory_is_one_sentence(harness):
    assert harness.read_only("scd") == []


def test_the_checkpoint_before_replaces_a_damaged_one(harness):
    assert harness.corrupted("train") == []
