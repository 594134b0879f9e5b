"""Maps a function over parts of a task, in this process, in local processes or through Dask.

The result does not depend on where the parts are computed: parts do not share state, and results
come in the order of the parts. A part whose worker was killed is computed again by another one. So
a function that writes a file must write it atomically, and may be called twice for one part.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from akita_bayes.workers import dask_scheduler, local_processes

Part = TypeVar("Part")
Result = TypeVar("Result")
Setup = Callable[[], contextlib.AbstractContextManager[Any]]
"""Function of a module, or a `functools.partial` of one. A worker enters the context that it
returns before its first part, and leaves it after its last; the value of the context is its state,
such as a model that was loaded."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Names the workers that compute the parts of a task.

    Attributes:
        workers: Number of processes on this machine; 1 for this process alone.
        scheduler: Address of a Dask scheduler, such as "tcp://node1:8786", whose workers compute
            the parts instead; None for this machine.
        start: Function of a module that a local process calls first, before it imports TensorFlow.
    """

    workers: int = 1
    scheduler: str | None = None
    start: Callable[[], None] | None = None

    @property
    def is_here(self) -> bool:
        """Returns True when this process computes all parts itself."""
        return self.workers <= 1 and self.scheduler is None


HERE = Cluster()


class _Pool(Protocol):
    """Computes numbered parts and yields their results as they are finished."""

    def run(
        self, function: Callable[[Any, Any], Any], parts: Sequence[Any]
    ) -> Iterator[tuple[int, Any]]: ...


class Workers:
    """Represents workers that have their state, such as a model, or get it with their first part.

    Args:
        pool: Computes numbered parts.
    """

    def __init__(self, pool: _Pool) -> None:
        self._pool = pool

    def map(
        self, function: Callable[[Any, Part], Result], parts: Sequence[Part]
    ) -> Iterator[Result]:
        """Yields function(state, part) of every part, in their order.

        Args:
            function: Function of a module, called with the state of its worker and a part.
            parts: Parts, which can be pickled.

        Raises:
            AkitaBayesError: As `function` and the setup of the workers.
            RunError: A part has killed several workers.
        """
        waiting: dict[int, Result] = {}
        following = 0
        for number, result in self._pool.run(function, parts):
            waiting[number] = result
            while following in waiting:
                yield waiting.pop(following)
                following += 1


class _ThisProcess:
    """Computes parts in this process."""

    def __init__(self, state: Any) -> None:
        self._state = state

    def run(
        self, function: Callable[[Any, Any], Any], parts: Sequence[Any]
    ) -> Iterator[tuple[int, Any]]:
        """Yields the number and the result of each part."""
        for number, part in enumerate(parts):
            yield number, function(self._state, part)


@contextlib.contextmanager
def opened(cluster: Cluster = HERE, setup: Setup = contextlib.nullcontext) -> Iterator[Workers]:
    """Yields the workers of a cluster, which end with the body.

    Args:
        cluster: Names the workers.
        setup: Gives a worker its state.

    Raises:
        RunError: No scheduler answers, or Dask is not installed.
    """
    pool: contextlib.AbstractContextManager[Any]
    if cluster.scheduler is not None:
        pool = dask_scheduler.DaskScheduler(setup, cluster.scheduler)
    elif cluster.is_here:
        with setup() as state:
            yield Workers(_ThisProcess(state))
        return
    else:
        pool = local_processes.LocalProcesses(setup, cluster.workers, cluster.start)
    with pool as entered:
        yield Workers(entered)


def map_parts(
    function: Callable[[Any, Part], Result],
    parts: Sequence[Part],
    cluster: Cluster = HERE,
    *,
    setup: Setup = contextlib.nullcontext,
) -> Iterator[Result]:
    """Yields function(state, part) of every part in their order, by workers of their own.

    The arguments and errors are those of `opened` and `Workers.map`.
    """
    if parts:
        with opened(cluster, setup) as workers:
            yield from workers.map(function, parts)
