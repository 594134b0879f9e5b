"""Maps a function over parts of a task, in this process, in local processes or through Dask.

The result does not depend on where the parts are computed: parts do not share state, and results
come in the order of the parts. A part whose worker was killed is computed again by another one. So
a function that writes a file must write it atomically, and may be called twice for one part.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from akita_bayes.workers import dask_scheduler, local_processes
from akita_bayes.workers.task import Setup, Task

Part = TypeVar("Part")
Result = TypeVar("Result")


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


def map_parts(
    function: Callable[[Any, Part], Result],
    parts: Sequence[Part],
    cluster: Cluster = HERE,
    *,
    setup: Setup = contextlib.nullcontext,
) -> Iterator[Result]:
    """Yields function(state, part) of every part, in their order.

    Args:
        function: Function of a module, called with the state of its worker and a part.
        parts: Parts, which can be pickled.
        cluster: Workers that compute the parts.
        setup: Function of a module, or a `functools.partial` of one, that returns a context. Each
            worker enters it once; its value is the state, such as a model that was loaded.

    Raises:
        AkitaBayesError: As `function` and `setup`.
        RunError: No scheduler answers, or a part has killed several workers.
    """
    task = Task(function, setup)
    if not parts:
        return
    if cluster.is_here:
        with setup() as state:
            for part in parts:
                yield function(state, part)
        return
    if cluster.scheduler is None:
        completed = local_processes.run(task, parts, cluster.workers, cluster.start)
    else:
        completed = dask_scheduler.run(task, parts, cluster.scheduler)
    with contextlib.closing(completed):
        yield from _in_order(completed)


def _in_order(completed: Iterator[tuple[int, Result]]) -> Iterator[Result]:
    """Yields the results of numbered parts in the order of their numbers, as early as possible."""
    waiting: dict[int, Result] = {}
    following = 0
    for number, result in completed:
        waiting[number] = result
        while following in waiting:
            yield waiting.pop(following)
            following += 1
