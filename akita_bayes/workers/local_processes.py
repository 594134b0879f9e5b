"""Computes parts in processes of this machine, and starts a new process for one that was killed.

A process ends when this one ends, for whatever reason: it reads a socket whose other end only this
process has. It has no standard input or output, so that a pipe behind a command ends with it.
"""

import collections
import glob
import json
import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from multiprocessing import connection
from typing import Any

from akita_bayes import errors
from akita_bayes.workers import worker_process
from akita_bayes.workers.task import Task

DEATHS = 3
"""Workers that a part may lose before it counts as the cause."""

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from akita_bayes.workers import worker_process; worker_process.serve(int(sys.argv[1]))"
)
_SECONDS = 10.0  # in which an idle process must end

_log = logging.getLogger(__name__)


def run(
    task: Task, parts: Sequence[Any], workers: int, start: Callable[[], None] | None
) -> Generator[tuple[int, Any]]:
    """Yields the number and the result of each part, as parts are finished.

    Args:
        task: What to compute.
        parts: The parts.
        workers: Largest number of processes.
        start: Function that a process calls before it imports what the task needs.

    Raises:
        RunError: A part lost its worker several times.
        Exception: Whatever the task raises.
    """
    workers = min(workers, len(parts))
    introduction = [pickle.dumps(start), pickle.dumps(task)]
    waiting = collections.deque(range(len(parts)))
    deaths = collections.Counter[int]()
    slots: list[_Worker | None] = [None] * workers
    reported: set[str] = set()
    finished = 0
    is_complete = False
    try:
        while finished < len(parts):
            for slot, worker in enumerate(slots):
                if waiting and (worker is None or worker.part is None):
                    worker = worker or _Worker(slot, workers, introduction)
                    slots[slot] = worker
                    worker.assign(waiting.popleft(), parts)
            busy = {worker.channel: worker for worker in slots if worker and worker.part is not None}
            for channel in connection.wait(list(busy)):
                worker = busy[channel]  # type: ignore[index]  # the keys are what was waited for
                assert worker.part is not None
                try:
                    kind, value = worker.channel.recv()
                except (EOFError, OSError):
                    number = worker.part
                    deaths[number] += 1
                    slots[worker.slot] = None
                    _report_death(worker.end(), number, len(parts), deaths[number], workers)
                    waiting.appendleft(number)
                    continue
                if kind == worker_process.RECORD:
                    _log_once(value, reported)
                elif kind == worker_process.ERROR:
                    raise value
                else:
                    number, worker.part = worker.part, None
                    finished += 1
                    yield number, value
        is_complete = True
    finally:
        for worker in filter(None, slots):
            worker.end(at_once=not is_complete)


class _Worker:
    """Represents a process and this end of its socket.

    Args:
        slot: Number of the process among those that run at a time.
        workers: Number of processes that run at a time.
        introduction: Messages that a process needs before its first part.

    Attributes:
        slot: As above.
        channel: Socket to the process.
        part: Number of the part that it computes; None while it is idle.
    """

    def __init__(self, slot: int, workers: int, introduction: Sequence[bytes]) -> None:
        self.slot = slot
        self.part: int | None = None
        self.channel, other_end = connection.Pipe()
        with other_end:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(other_end.fileno()), json.dumps(sys.path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[other_end.fileno()],
                env={**os.environ, **environment(slot, workers)},
            )
        for message in introduction:
            self._send(message)

    def assign(self, number: int, parts: Sequence[Any]) -> None:
        """Sends a part."""
        self.part = number
        self._send(pickle.dumps(parts[number]))

    def _send(self, message: bytes) -> None:
        try:
            self.channel.send_bytes(message)
        except OSError:
            pass  # The process has ended, as the next attempt to read from it shows.

    def end(self, *, at_once: bool = True) -> subprocess.Popen[bytes]:
        """Ends the process; one that is idle may close its files first."""
        self.channel.close()
        if at_once:
            self._process.kill()
        try:
            self._process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return self._process


def environment(slot: int, workers: int) -> dict[str, str]:
    """Returns the variables of a process: its share of the processors, and one GPU of several.

    Args:
        slot: Number of the process among those that run at a time.
        workers: Number of processes that run at a time.
    """
    threads = str(max(1, _processors() // workers))
    variables = {
        "TF_NUM_INTRAOP_THREADS": threads,
        "OMP_NUM_THREADS": threads,
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    }
    variables = {name: os.environ.get(name, value) for name, value in variables.items()}
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    devices = (
        [str(number) for number in range(len(glob.glob("/dev/nvidia[0-9]*")))]
        if visible is None
        else [device for device in visible.split(",") if device]
    )
    if len(devices) > 1:
        variables["CUDA_VISIBLE_DEVICES"] = devices[slot % len(devices)]
    return variables


def _processors() -> int:
    """Returns the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _log_once(record: logging.LogRecord, reported: set[str]) -> None:
    """Handles a record of a worker, unless another worker has said the same."""
    message = f"{record.name}: {record.getMessage()}"
    if message not in reported:
        reported.add(message)
        logging.getLogger(record.name).handle(record)


def _report_death(
    process: subprocess.Popen[bytes], number: int, parts: int, deaths: int, workers: int
) -> None:
    """Logs that a process has ended during a part.

    Raises:
        RunError: The part has lost DEATHS processes.
    """
    code = process.returncode
    cause = f"ended with status {code}"
    if code < 0:
        cause = f"was killed by {signal.Signals(-code).name}"
    if deaths >= DEATHS:
        raise errors.RunError(
            f"part {number + 1} of {parts}: a worker process {cause}, for the {deaths}. time, "
            f"perhaps because memory ran out; start again with fewer --workers than {workers}. "
            "Finished parts are used again."
        )
    _log.warning(
        "worker process %d %s during part %d of %d; another one computes this part.",
        process.pid,
        cause,
        number + 1,
        parts,
    )
