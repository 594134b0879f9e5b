"""Measures the processor seconds of tests, by folder, file and test.

    python -m tests.durations [PATHS AND OPTIONS OF PYTEST]

Tests run one after another in one process. Seconds are those of the processor, of this process and
of the processes that it waited for, so a busy machine changes them little. A test includes the
fixtures that are made for it first.
"""

import collections
import os
import sys
from collections.abc import Iterator

import pytest

FILES, TESTS = 25, 25
"""Lines of the tables of files and of tests; folders are listed completely."""


def processor_seconds() -> float:
    """Returns the seconds of this process and of its finished children, user and system."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class Durations:
    """Collects the processor seconds of every test of a run of pytest."""

    def __init__(self) -> None:
        self.collection = 0.0
        self.seconds: dict[str, float] = {}

    def pytest_collection_finish(self) -> None:
        """Counts the start of Python, the imports and the collection."""
        self.collection = processor_seconds()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Measures setup, call and teardown of a test."""
        start = processor_seconds()
        result = yield
        self.seconds[item.nodeid] = processor_seconds() - start
        return result

    def tables(self) -> dict[str, dict[str, float]]:
        """Returns seconds by folder, by file and by test, the longest first."""
        folders: collections.Counter[str] = collections.Counter()
        files: collections.Counter[str] = collections.Counter()
        for nodeid, seconds in self.seconds.items():
            file = nodeid.split("::")[0]
            files[file] += seconds
            folders["/".join(file.split("/")[:2])] += seconds
        return {
            "folders": dict(folders.most_common()),
            "files": dict(files.most_common(FILES)),
            "tests": dict(collections.Counter(self.seconds).most_common(TESTS)),
        }


def main(arguments: list[str]) -> int:
    """Runs pytest and prints the tables; returns the exit status of pytest."""
    durations = Durations()
    status = pytest.main(["-p", "no:xdist", *arguments], plugins=[durations])
    for title, rows in durations.tables().items():
        print(f"\nprocessor seconds of {title}")
        for name, seconds in rows.items():
            print(f"{seconds:8.1f}  {name}")
    total = sum(durations.seconds.values())
    print(f"\n{total:8.1f}  all tests, and {durations.collection:.1f} until they were collected")
    return int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
