"""Doors that a process does not survive, for the tests of the harness itself."""

import os
import re
import signal

from tests.fuzz.doors import Door

ENDLESS = re.compile("(a+)+$")
WORDS = "0123456789"


def _busy(path):
    """Keeps the regular expressions of Python busy for years when the file was cut short."""
    if len(path.read_bytes()) < len(WORDS):
        ENDLESS.match("a" * 60 + "b")


def _crash(path):
    if len(path.read_bytes()) < len(WORDS):
        os.kill(os.getpid(), signal.SIGSEGV)


def _raise(path):
    if len(path.read_bytes()) < len(WORDS):
        raise KeyError("x")


DOORS = {
    "busy": Door("words.txt", _busy),
    "crash": Door("words.txt", _crash),
    "raise": Door("words.txt", _raise),
}
