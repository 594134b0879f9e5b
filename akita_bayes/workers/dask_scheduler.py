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
from collections.abc import Callable, Generator, Sequence
from types import TracebackType
from typing import Any, Self

import akita_bayes
from akita_bayes import errors

_SECONDS = 20  # in which a scheduler must answer

_log = logging.getLogger(__name__)


class DaskScheduler:
    """Computes parts by the workers of a scheduler.

    Args:
        setup: Returns the context whose value is the state of a worker.
        address: Address of the scheduler, such as "tcp://node1:8786".

    Raises:
        RunError: Dask is not installed, or no scheduler answers.
    """

    def __init__(self, setup: Callable[[], Any], address: str) -> None:
        self._distributed = _distributed()
        self._token = uuid.uuid4().hex
        self._setup = pickle.dumps(setup)
        self._maps = 0
        try:
            self._client = self._distributed.Client(address, timeout=_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise errors.RunError(
                f'--scheduler {address}: no Dask scheduler answers ({error}); start "dask '
                'scheduler" and give the address that it prints.'
            ) from None
        _log.info("Dask: the dashboard is at %s.", self._client.dashboard_link)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    def run(
        self, function: Callable[[Any, Any], Any], parts: Sequence[Any]
    ) -> Generator[tuple[int, Any]]:
        """Yields the number and the result of each part, as parts are finished.

        Args:
            function: Called with the state and a part.
            parts: The parts.

        Raises:
            RunError: The workers have another version, or a part has lost several workers.
            Exception: Whatever the function or the setup raises.
        """
        self._maps += 1
        call = compute, akita_bayes.__version__, self._token, self._setup
        futures = {
            self._client.submit(
                *call,
                pickle.dumps((function, part)),
                key=f"akita_bayes-{self._token}-{self._maps}-{number}",
                pure=False,
            ): number
            for number, part in enumerate(parts)
        }
        try:
            waiting = self._distributed.as_completed(list(futures), loop=self._client.loop)
            for future in waiting:
                number = futures.pop(future)
                try:
                    result = future.result()
                except self._distributed.scheduler.KilledWorker:
                    raise errors.RunError(
                        f"part {number + 1} of {len(parts)}: lost several workers of Dask, perhaps "
                        "because memory ran out; give them more memory and start again. Finished "
                        "parts are used again."
                    ) from None
                future.release()
                yield number, result
        finally:
            self._client.cancel(list(futures))


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
        self._value: Any = None
        self._stack = contextlib.ExitStack()

    def of(self, token: str, setup: bytes) -> Any:
        """Returns the state of a task, which its first part makes."""
        if self._token != token:
            self._token = ""
            self._stack.close()
            self._value = self._stack.enter_context(pickle.loads(setup)())
            self._token = token
        return self._value


_state = _State()


def compute(version: str, token: str, setup: bytes, call: bytes) -> Any:
    """Computes one part in a worker of Dask.

    Args:
        version: Version of this package in the process that asks.
        token: Identifies the task.
        setup: The pickled setup of the task.
        call: The pickled function and part.

    Raises:
        RunError: The worker has another version of this package.
    """
    if version != akita_bayes.__version__:
        raise errors.RunError(
            f"--scheduler: its workers have version {akita_bayes.__version__} of akita_bayes, but "
            f"this command has {version}; install one version."
        )
    with _state.lock:
        state = _state.of(token, setup)
        function, part = pickle.loads(call)
        return function(state, part)
