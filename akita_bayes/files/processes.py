"""Identifies processes, so that locks and temporary files of a dead process are recognised.

A number alone does not identify a process: it is used again after the process ends, and containers
and hosts that share a directory use the same numbers. Here a process is its host with the namespace
of its numbers, its number, and its start time.
"""

import functools
import os
import socket
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import NamedTuple

_CODE = 24  # hexadecimal digits of a code: 8 for each field of a process
_DAY = 86_400.0
_DEAD = ("Z", "X")  # states of a process that has ended and whose parent has not read its status


class Process(NamedTuple):
    """Identifies a process.

    Attributes:
        host: Name of the host, and on Linux the namespace of its process numbers.
        pid: Number of the process.
        started: Start time, in the words of the system.
    """

    host: str
    pid: int
    started: str

    def code(self) -> str:
        """Returns 24 hexadecimal digits that identify the process in the name of a file."""
        return f"{_checksum(self.host)}{self.pid:08x}{_checksum(self.started)}"

    def is_local(self) -> bool:
        """Returns True for a process whose number has a meaning in this process."""
        return self.host == _host()

    def is_alive(self) -> bool:
        """Returns True while a process of this host runs."""
        started = start_time(self.pid)
        return _is_hidden(self.pid) if started is None else started == self.started


def own() -> Process:
    """Returns the identity of this process."""
    return _of(os.getpid())


@functools.cache
def _of(pid: int) -> Process:
    return Process(_host(), pid, start_time(pid) or "")


def command() -> str:
    """Returns the command line of this process, its program without folders."""
    program, *words = sys.argv or [""]
    return " ".join([os.path.basename(program), *words])


@functools.cache
def _host() -> str:
    try:
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def start_time(pid: int) -> str | None:
    """Returns the start time of a process of this host; None when it has ended."""
    if not os.path.isdir("/proc/self"):
        answer = subprocess.run(
            ["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return answer.stdout.strip() or None
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return None
    # The second field is the program in parentheses, which may contain spaces; after it follow the
    # state (field 3) and, as field 22, the start in clock ticks since the system started.
    state, *fields = text.rpartition(")")[2].split()
    return None if state in _DEAD else f"{fields[18]} after {boot}"


def _is_hidden(pid: int) -> bool:
    """Returns True for a process of another user, whose start a host may hide, that still runs."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def is_orphan(path: Path, code: str) -> bool:
    """Returns True for a temporary file whose writer has certainly ended.

    Args:
        path: The file or folder.
        code: Hexadecimal digits in its name, which begin with `Process.code`; those of another
            host, or of an older version, count as ended after a day without a change.
    """
    host, pid, started = code[:8], code[8:16], code[16:_CODE]
    if len(code) >= _CODE and host == _checksum(_host()):
        running = start_time(int(pid, 16))
        if running is None:
            return not _is_hidden(int(pid, 16))
        return _checksum(running) != started
    try:
        return time.time() - path.stat().st_mtime > _DAY
    except FileNotFoundError:
        return False


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
