"""Commands run as somebody for whom file modes hold, also where the tests are run by root."""

import ctypes
import os
import subprocess
import sys

_DROP_FROM_BOUNDING_SET = 24  # prctl's PR_CAPBSET_DROP
_OVERRIDES = (1, 2)  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH, which let root pass file modes


def run(command, *, cwd=None, env=None):
    """Runs a command without root's right to pass file modes; returns the finished process.

    A process of its own drops the right: code between fork and exec, as `preexec_fn`, waits without
    end for locks of libraries with threads, such as hictkpy.
    """
    launcher = [sys.executable, __file__] if os.geteuid() == 0 else []
    return subprocess.run(
        [*launcher, *command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


def _drop_overrides():
    for capability in _OVERRIDES:
        ctypes.CDLL(None).prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0)


def drop():
    """Takes root's right to pass file modes from this process, for good."""
    libc, words = ctypes.CDLL(None, use_errno=True), ctypes.c_uint32 * 6
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3 of the interface, this process
    sets = words()  # effective, permitted and inheritable, for capabilities 0-31 and 32-63
    if libc.capget(header, sets) == 0:
        for capability in _OVERRIDES:
            sets[0] &= ~(1 << capability)
            sets[1] &= ~(1 << capability)
        libc.capset(header, sets)


if __name__ == "__main__":
    _drop_overrides()
    os.execvp(sys.argv[1], sys.argv[1:])
