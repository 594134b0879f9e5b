"""Shards as text, and as tasks of SLURM arrays."""

import pytest

from akita_bayes import errors
from akita_bayes.variants.scored_files import scoring_shard


def array(**variables):
    return {f"SLURM_ARRAY_TASK_{name}": value for name, value in variables.items()}


@pytest.mark.parametrize(
    ("variables", "shard"),
    [
        (array(ID="1", COUNT="8", MIN="1", STEP="1"), (0, 8)),
        (array(ID="8", COUNT="8"), (7, 8)),
        (array(ID="0", COUNT="4", MIN="0", STEP="1"), (0, 4)),
        (array(ID="14", COUNT="8", MIN="0", STEP="2"), (7, 8)),
    ],
)
def test_auto_reads_the_task_of_an_array(variables, shard):
    assert scoring_shard.parse_shard("auto", variables) == shard


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "SLURM_ARRAY_TASK_ID is not set; start the command as a task of a SLURM array"),
        (array(ID="1"), 'cannot be read from .*SLURM_ARRAY_TASK_COUNT=""'),
        (array(ID="4", COUNT="3", MIN="1", STEP="2"), "task 4 is not one of 3 tasks from 1 on"),
        (array(ID="9", COUNT="3", MIN="1", STEP="1"), "task 9 is not one of 3 tasks"),
    ],
)
def test_auto_needs_an_array_of_evenly_spaced_tasks(variables, message):
    with pytest.raises(errors.VariantError, match=message):
        scoring_shard.parse_shard("auto", variables)


def test_parts_go_round_the_shards():
    shards = [scoring_shard.Shard(number, 3).parts(7) for number in range(3)]
    assert sorted(part for shard in shards for part in shard) == list(range(7))
    assert scoring_shard.WHOLE.name == ""
    assert scoring_shard.Shard(1, 3).name == "2-of-3"
