"""Computes parts by the workers of a Dask scheduler, which may run on many machines.

Dask itself computes the part of a lost worker again. A worker of Dask serves many tasks; it keeps
the state of the last one, so that a model is loaded once for each worker and task.
"""

import contextlib
import importlib
import logging
import pickle
import threading
import uuid
from collections.abc import Generator, Sequence
from typing import Any

import akita_bayes
from akita_bayes import errors
from akita_bayes.workers.task import Task

_SECONDS = 20  # in which a scheduler must answer

_log = logging.getLogger(__name__)


def run(task: Task, parts: Sequence[Any], address: str) -> Generator[tuple[int, Any]]:
    """Yields the number and the result of each part, as parts are finished.

    Args:
        task: What to compute.
        parts: The parts.
        address: Address of the scheduler, such as "tcp://node1:8786".

    Raises:
        RunError: Dask is not installed, no scheduler answers, the workers have another version, or
            a part has lost several workers.
        Exception: Whatever the task raises.
    """
    distributed = _distributed()
    token = uuid.uuid4().hex
    payload = pickle.dumps(task)
    with contextlib.ExitStack() as stack:
        try:
            client = distributed.Client(address, timeout=_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise errors.RunError(
                f'--scheduler {address}: no Dask scheduler answers ({error}); start "dask '
                'scheduler" and give the address that it prints.'
            ) from None
        stack.enter_context(client)
        _log.info("Dask: the dashboard is at %s.", client.dashboard_link)
        futures = {
            client.submit(
                compute,
                akita_bayes.__version__,
                token,
                payload,
                part,
                key=f"akita_bayes-{token}-{number}",
                pure=False,
            ): number
            for number, part in enumerate(parts)
        }
        stack.callback(client.cancel, list(futures))
        for future in distributed.as_completed(list(futures)):
            try:
                result = future.result()
            except distributed.KilledWorker as error:
                raise errors.RunError(
                    f"part {futures[future] + 1} of {len(parts)}: lost {error.allowed_failures} "
                    "workers of Dask, perhaps because memory ran out; give them more memory and "
                    "start again. Finished parts are used again."
                ) from None
            yield futures[future], result
            future.release()


def _distributed() -> Any:
    """Imports dask.distributed.

    Raises:
        RunError: It is not installed.
    """
    try:
        return importlib.import_module("distributed")
    except ModuleNotFoundError:
        raise errors.RunError(
            "--scheduler: needs the package distributed; install it by "
            "pip install 'akita_bayes[dask]'."
        ) from None


class _State:
    """Holds the state of one task in a worker, which threads of the worker use one at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._token = ""
        self._task: Task | None = None
        self._value: Any = None
        self._stack = contextlib.ExitStack()

    def of(self, token: str, payload: bytes) -> tuple[Task, Any]:
        """Returns the task and its state, which the first call of a task makes."""
        if self._token != token or self._task is None:
            self._stack.close()
            self._token = ""
            self._task = pickle.loads(payload)
            self._value = self._stack.enter_context(self._task.setup())
            self._token = token
        return self._task, self._value


_state = _State()


def compute(version: str, token: str, payload: bytes, part: Any) -> Any:
    """Computes one part in a worker of Dask.

    Args:
        version: Version of this package in the process that asks.
        token: Identifies the task.
        payload: The pickled task.
        part: The part.

    Raises:
        RunError: The worker has another version of this package.
    """
    if version != akita_bayes.__version__:
        raise errors.RunError(
            f"--scheduler: its workers have akita_bayes {akita_bayes.__version__}, but this command "
            f"has {version}; install one version."
        )
    with _state.lock:
        task, state = _state.of(token, payload)
        return task.function(state, part)
