"""Runs a command as a process of its own, and measures all of it: time and peak memory."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

from benchmarks import run

_SCRIPT = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
wall = time.perf_counter() - start
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps({"wall": wall, "cpu": usage.ru_utime + usage.ru_stime,
                  "peak_memory_gb": usage.ru_maxrss / 2**20, "status": status}))
"""


def spent(
    command: Sequence[str],
    *,
    statuses: Sequence[int] = (0,),
    variables: Mapping[str, str] | None = None,
) -> dict[str, float]:
    """Returns seconds of clock (`wall`) and processor (`cpu`), and `peak_memory_gb` of a command.

    Args:
        command: The command.
        statuses: Exit statuses that are expected.
        variables: Variables of the environment to set; PYTHONPATH is this project by default.

    Raises:
        SystemExit: The command ended with another status; the message ends with its stderr.
    """
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, *command],
        env={
            **os.environ,
            "PYTHONPATH": str(run.ROOT),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            **(variables or {}),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    if answer["status"] not in statuses:
        raise SystemExit(f"{' '.join(command)}: {done.stderr[-3000:]}")
    return answer
