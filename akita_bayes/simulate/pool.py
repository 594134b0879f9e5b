"""Runs jobs on several processes, in order, with or without TensorFlow."""

import concurrent.futures
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

Result = TypeVar("Result")


def results(
    jobs: list[tuple[Callable[..., Result], tuple[Any, ...]]], workers: int
) -> Iterator[Result]:
    """Yields the results of all jobs in order, from at most `workers` processes."""
    if workers <= 1:
        yield from (function(*arguments) for function, arguments in jobs)
        return
    # A forked process inherits compiled functions, but TensorFlow does not survive a fork.
    forks = "fork" in multiprocessing.get_all_start_methods() and "tensorflow" not in sys.modules
    context = multiprocessing.get_context("fork" if forks else "spawn")
    with concurrent.futures.ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = [pool.submit(function, *arguments) for function, arguments in jobs]
        while futures:
            yield futures.pop(0).result()
