"""Callbacks by which long tasks tell how far they are; the library itself never prints."""

import contextlib
from collections.abc import Iterator
from typing import Protocol


class Advance(Protocol):
    """Receives the progress of one task."""

    def __call__(self, steps: int = 1, *, note: str = "", total: int | None = None) -> None:
        """Receives that `steps` more steps are finished.

        Args:
            steps: Number of steps since the last call; may be 0.
            note: Short text about the present step, such as the name of a chromosome.
            total: Number of steps of the whole task, once it is known.
        """
        ...


class OpenBar(Protocol):
    """Opens a progress bar for one of several tasks, such as `cli.console.progress`."""

    def __call__(
        self, description: str, total: int | None = None
    ) -> contextlib.AbstractContextManager[Advance]:
        """Opens a bar of `total` steps; the context yields the callback of this task."""
        ...


def ignore(steps: int = 1, *, note: str = "", total: int | None = None) -> None:
    """Discards the progress of a task."""


@contextlib.contextmanager
def no_bar(description: str, total: int | None = None) -> Iterator[Advance]:
    """Opens no bar and yields `ignore`."""
    yield ignore
