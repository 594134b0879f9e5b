"""Describes what workers compute: a function of a part, and the state that it needs."""

import contextlib
from collections.abc import Callable
from typing import Any, NamedTuple

Setup = Callable[[], contextlib.AbstractContextManager[Any]]


class Task(NamedTuple):
    """Holds what a worker needs before its first part; both can be pickled.

    Attributes:
        function: Function of a module, called with the state and a part.
        setup: Returns the context whose value is the state of a worker.
    """

    function: Callable[[Any, Any], Any]
    setup: Setup
