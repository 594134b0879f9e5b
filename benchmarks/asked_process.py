"""Runs a program that answers requests, for measurements that take turns."""

import contextlib
import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


class AskedProcess:
    """Runs a program that answers each line of its input by a line of JSON.

    The process ends with the `with` block.

    Args:
        name: Name of the process, for messages.
        command: Program and arguments.
        folder: Working folder; None for the present one.
        environment: Variables of the process; None for those of this process.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._name = name
        # Closed by `__exit__`, as the process is.
        self._messages = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
        )

    def __enter__(self) -> "AskedProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._messages.close()

    def ask(self, request: str) -> dict[str, Any]:
        """Sends a request, and returns the answer.

        Raises:
            SystemExit: The process has failed; the message ends with what it wrote to stderr.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
        # Basenji prints tables of layers; answers are the lines of JSON.
        for line in self._process.stdout:
            if line.startswith("{"):
                return dict(json.loads(line))
        status = self._process.wait()
        self._messages.seek(0)
        message = self._messages.read()[-3000:]
        raise SystemExit(f"{self._name}: the process ended with status {status}: {message}")
