"""Describes the tasks of a SLURM job step as a cluster of TensorFlow, in the form of TF_CONFIG."""

import json
import re
from collections.abc import Mapping

from akita_bayes import errors

_PORTS = range(20_000, 40_000)
"""Ports of workers: jobs that share a node get others, by the number of the job."""

_NAMES = ("SLURM_JOB_ID", "SLURM_PROCID", "SLURM_STEP_NODELIST", "SLURM_STEP_TASKS_PER_NODE")


def is_step(environment: Mapping[str, str]) -> bool:
    """Returns True for a task that `srun` has started."""
    return all(name in environment for name in _NAMES)


def config(environment: Mapping[str, str]) -> str:
    """Returns TF_CONFIG for a task of a job step: the addresses of all tasks, and its own number.

    Args:
        environment: Variables that `srun` sets.

    Raises:
        RunError: A variable has an unknown form.
    """
    job, task, nodes, counts = (environment[name] for name in _NAMES)
    hosts, tasks = expand_hosts(nodes), expand_counts(counts)
    if len(hosts) != len(tasks):
        raise errors.RunError(
            f'devices: SLURM names {len(hosts)} nodes in "{nodes}", but {len(tasks)} numbers of '
            f'tasks in "{counts}"; set TF_CONFIG instead.'
        )
    first = _PORTS[int(job) * 64 % (len(_PORTS) - 64)]
    workers = [
        f"{host}:{first + number}"
        for host, count in zip(hosts, tasks, strict=True)
        for number in range(count)
    ]
    cluster = {"worker": workers}
    return json.dumps({"cluster": cluster, "task": {"type": "worker", "index": int(task)}})


def expand_hosts(text: str) -> list[str]:
    """Expands SLURM's list of nodes: "gpu[01-03,7],login" has five.

    Raises:
        RunError: The list has another form.
    """
    hosts: list[str] = []
    for word in re.findall(r"[^,\[\]]+(?:\[[^\]]*\])?[^,\[\]]*", text):
        match = re.fullmatch(r"([^\[\]]*)\[([0-9,-]+)\]([^\[\]]*)", word)
        if match is None:
            hosts.append(word)
            continue
        for span in match[2].split(","):
            start, _, end = span.partition("-")
            numbers = range(int(start), int(end or start) + 1)
            hosts += [f"{match[1]}{number:0{len(start)}d}{match[3]}" for number in numbers]
    if not hosts or any("[" in host or "]" in host for host in hosts):
        raise errors.RunError(f'devices: cannot read the nodes "{text}"; set TF_CONFIG instead.')
    return hosts


def expand_counts(text: str) -> list[int]:
    """Expands SLURM's numbers of tasks: "2(x3),1" is 2, 2, 2, 1.

    Raises:
        RunError: The text has another form.
    """
    counts: list[int] = []
    for word in text.split(","):
        match = re.fullmatch(r"([0-9]+)(?:\(x([0-9]+)\))?", word)
        if match is None:
            raise errors.RunError(
                f'devices: cannot read the numbers of tasks "{text}"; set TF_CONFIG instead.'
            )
        counts += [int(match[1])] * int(match[2] or 1)
    return counts
