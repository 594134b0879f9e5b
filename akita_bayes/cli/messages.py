"""Writes messages to stderr, and drops those for which its disk has no room.

Logs of jobs often lie on the disk that the results fill. Without this, the message about a full
disk, or a progress bar, would end a command by a traceback.
"""

import sys
from typing import Any

from akita_bayes.files import damage


class Messages:
    """Writes to the current stderr, for `print` and for consoles."""

    def write(self, text: str) -> int:
        """Writes text, unless the disk is full; returns its length."""
        try:
            self._stream.write(text)
        except OSError as error:
            _pass_if_full(error)
        return len(text)

    def flush(self) -> None:
        """Writes what is in the buffer, unless the disk is full."""
        try:
            self._stream.flush()
        except OSError as error:
            _pass_if_full(error)

    @property
    def _stream(self) -> Any:
        # A progress bar of rich replaces sys.stderr by a proxy that writes to this object.
        return getattr(sys.stderr, "rich_proxied_file", sys.stderr)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _pass_if_full(error: OSError) -> None:
    if error.errno not in damage.DISK_FULL:
        raise error


STDERR: Any = Messages()
