"""Stops a training at a step when the process receives SIGTERM, as on preemption."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

STATUS = 128 + signal.SIGTERM
"""Exit status of a process that SIGTERM has ended: 143."""


class Preempted(Exception):
    """Reports a training that stopped on request, after it wrote a checkpoint."""


def never() -> bool:
    """Returns False: nobody asks a training to stop."""
    return False


@contextlib.contextmanager
def requested() -> Iterator[Callable[[], bool]]:
    """Yields a function that returns True from the first SIGTERM on; the main thread calls this."""
    event = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: event.set())
    try:
        yield event.is_set
    finally:
        signal.signal(signal.SIGTERM, before)
