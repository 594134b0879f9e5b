"""Computes parts in processes of this machine, and starts a new process for one that was killed.

A process ends when this one ends, for whatever reason: it reads a socket whose other end only this
process has. It has no standard input or output, so that a pipe behind a command ends with it.
"""

import collections
import contextlib
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
from types import TracebackType
from typing import Any, Self

from akita_bayes import errors
from akita_bayes.workers import worker_process

DEATHS = 3
"""Workers that a part may lose before it counts as the cause."""

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from akita_bayes.workers import worker_process; worker_process.serve(int(sys.argv[1]))"
)
_SECONDS = 10.0  # in which an idle process must end

_log = logging.getLogger(__name__)


class LocalProcesses:
    """Computes parts in processes, which start with their first part and end with the body.

    Args:
        setup: Returns the context whose value is the state of a process.
        workers: Largest number of processes.
        start: Function that a process calls before it imports what the setup needs.
    """

    def __init__(self, setup: Callable[[], Any], workers: int, start: Callable[[], None] | None):
        self._introduction = [pickle.dumps(start), pickle.dumps(setup)]
        self._slots: list[_Worker | None] = [None] * workers
        self._reported: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in filter(None, self._slots):
            worker.end(at_once=kind is not None)

    def run(
        self, function: Callable[[Any, Any], Any], parts: Sequence[Any]
    ) -> Generator[tuple[int, Any]]:
        """Yields the number and the result of each part, as parts are finished.

        Args:
            function: Called with the state and a part.
            parts: The parts.

        Raises:
            RunError: A part lost its process several times.
            Exception: Whatever the function or the setup raises.
        """
        waiting = collections.deque(range(len(parts)))
        deaths = collections.Counter[int]()
        finished = 0
        try:
            while finished < len(parts):
                self._assign(function, parts, waiting)
                for worker in self._ready():
                    number = worker.number
                    try:
                        kind, value = worker.channel.recv()
                    except (EOFError, OSError):
                        deaths[number] += 1
                        waiting.appendleft(number)
                        self._slots[worker.slot] = None
                        process = worker.end()
                        _report_death(process, number, len(parts), deaths[number], len(self._slots))
                        continue
                    if kind == worker_process.RECORD:
                        self._log_once(value)
                    elif kind == worker_process.ERROR:
                        raise value
                    else:
                        worker.part = None
                        finished += 1
                        yield number, value
        finally:
            for slot, left in enumerate(self._slots):
                if left is not None and left.is_busy:
                    left.end()
                    self._slots[slot] = None

    def _assign(
        self,
        function: Callable[[Any, Any], Any],
        parts: Sequence[Any],
        waiting: collections.deque[int],
    ) -> None:
        """Gives a waiting part to every idle process, and starts processes in empty slots."""
        for slot, idle in enumerate(self._slots):
            if waiting and (idle is None or not idle.is_busy):
                worker = idle or _Worker(slot, len(self._slots), self._introduction)
                self._slots[slot] = worker
                number = waiting.popleft()
                worker.assign(number, pickle.dumps((function, parts[number])))

    def _ready(self) -> list["_Worker"]:
        """Waits for messages; returns the processes that sent one or have ended."""
        busy = [worker for worker in self._slots if worker is not None and worker.is_busy]
        ready = connection.wait([worker.channel for worker in busy])
        return [worker for worker in busy if worker.channel in ready]

    def _log_once(self, record: logging.LogRecord) -> None:
        """Handles a record of a process, unless another process has said the same."""
        message = f"{record.name}: {record.getMessage()}"
        if message not in self._reported:
            self._reported.add(message)
            logging.getLogger(record.name).handle(record)


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

    @property
    def is_busy(self) -> bool:
        """Returns True while the process computes a part."""
        return self.part is not None

    @property
    def number(self) -> int:
        """Returns the number of the part that the process computes."""
        assert self.part is not None
        return self.part

    def assign(self, number: int, message: bytes) -> None:
        """Sends a part with its number among the parts."""
        self.part = number
        self._send(message)

    def _send(self, message: bytes) -> None:
        # A process that has ended is noticed by the next attempt to read from it.
        with contextlib.suppress(OSError):
            self.channel.send_bytes(message)

    def end(self, *, at_once: bool = True) -> subprocess.Popen[bytes]:
        """Ends the process; one that is idle may close its files first."""
        if at_once:
            self._process.kill()
        else:
            self._send(worker_process.END)
        try:
            self._process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.channel.close()
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
