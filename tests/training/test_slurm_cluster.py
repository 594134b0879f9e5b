"""Clusters from the variables of srun."""

import json

import pytest

from akita_bayes import errors
from akita_bayes.training import slurm_cluster

STEP = {
    "SLURM_JOB_ID": "1203",
    "SLURM_PROCID": "2",
    "SLURM_STEP_NODELIST": "gpu[09-10,12]",
    "SLURM_STEP_TASKS_PER_NODE": "2(x2),1",
}


def test_tasks_of_a_step_are_the_workers():
    assert slurm_cluster.is_step(STEP)
    assert not slurm_cluster.is_step({"SLURM_JOB_ID": "1203"})
    config = json.loads(slurm_cluster.config(STEP))
    first = 20_000 + 1203 * 64 % 19_936
    hosts = ["gpu09", "gpu09", "gpu10", "gpu10", "gpu12"]
    addresses = [f"{host}:{first + number % 2}" for number, host in enumerate(hosts)]
    assert config["cluster"] == {"worker": addresses}
    assert config["task"] == {"type": "worker", "index": 2}


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("node7", ["node7"]),
        ("a1,b2", ["a1", "b2"]),
        ("n[1-3],login", ["n1", "n2", "n3", "login"]),
        ("n[08-10].cluster", ["n08.cluster", "n09.cluster", "n10.cluster"]),
    ],
)
def test_nodes_are_expanded(text, hosts):
    assert slurm_cluster.expand_hosts(text) == hosts


def test_other_forms_are_refused():
    assert slurm_cluster.expand_counts("3,1(x2)") == [3, 1, 1]
    with pytest.raises(errors.RunError, match='numbers of tasks "2x3"; set TF_CONFIG'):
        slurm_cluster.expand_counts("2x3")
    with pytest.raises(errors.RunError, match=r"names 1 nodes .* but 3 numbers"):
        slurm_cluster.config({**STEP, "SLURM_STEP_NODELIST": "n1"})
