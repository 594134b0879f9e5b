"""Runs one compiled program on several threads at once."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import Any, TypeVar

import tensorflow as tf

Item = TypeVar("Item")
Result = TypeVar("Result")

_GRAPPLER = "disable_meta_optimizer"
_lock = threading.Lock()
_users = 0
_before = False


def parallel_map(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    program: Any,
    compiled: bool = True,
) -> list[Result]:
    """Calls a function with every item, one item per core at a time; results keep the order.

    The first item runs alone until the program has been compiled: threads that compiled a new XLA
    program together corrupted the heap twice in some 60 posteriors (TensorFlow 2.21, CPU).

    Args:
        function: Calls the program.
        items: Arguments of the calls.
        program: The `tf.function` that the threads share.
        compiled: True for a program of XLA. Graphs run without TensorFlow's graph optimizers.
    """
    item_list = list(items)
    with contextlib.nullcontext() if compiled else _without_optimizers():
        first_items = item_list[: int(program.experimental_get_tracing_count() == 0)]
        results = [function(item) for item in first_items]
        with futures.ThreadPoolExecutor(os.cpu_count()) as threads:
            return results + list(threads.map(function, item_list[len(first_items) :]))


@contextlib.contextmanager
def _without_optimizers() -> Iterator[None]:
    """Turns TensorFlow's graph optimizers off for functions that new threads call.

    They replace sums by temporary variables, whose names are the same in all threads: two threads
    that run one graph stop with "Resource ... already exists" (TensorFlow 2.21). Threads take this
    setting when they start.
    """
    global _users, _before
    with _lock:
        if not _users:
            options = tf.config.optimizer.get_experimental_options()
            _before = bool(options.get(_GRAPPLER, False))
        _users += 1
        tf.config.optimizer.set_experimental_options({_GRAPPLER: True})
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if not _users:
                tf.config.optimizer.set_experimental_options({_GRAPPLER: _before})
