"""Drives a headless Chromium by the DevTools protocol over a pipe, as a person would use a page."""

import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    *("--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
SECONDS = 60
"""Longest wait for an answer; a loaded machine starts Chromium in ten."""
READY = "document.querySelector('#maps')?.dataset.ready"
READ_OUT = (
    "Object.fromEntries([...document.querySelectorAll('.readout dl div')]"
    ".map((item) => [...item.children].map((child) => child.textContent)))"
)
"""Expressions of a report: whether its maps are drawn, and what it says of the hovered pixel."""


def executable() -> str:
    """Path of Chromium; the test is skipped where it is not installed."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium is installed; Debian's package chromium has it")
    return path


class Tab:
    """A page in Chromium: its errors, its requests, and what a pointer and a keyboard can do."""

    def __init__(self, requests: int, answers: int) -> None:
        self._requests, self._answers = requests, answers
        self._buffer, self._number, self._session = b"", 0, None
        self.errors: list[str] = []
        self.urls: list[str] = []
        self._loaded = 0
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Runtime", "Log", "Page", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method, **params):
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._requests, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _next(self):
        end = time.monotonic() + SECONDS
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0, end - time.monotonic()))
            assert ready, "Chromium does not answer"
            self._buffer += os.read(self._answers, 1 << 20)
        text, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(text)
        self._note(message.get("method"), message.get("params", {}))
        return message

    def _note(self, method, params):
        if method == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(params["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning"):
            self.errors.append(json.dumps(params["args"]))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(params["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.urls.append(params["request"]["url"])
        elif method == "Page.loadEventFired":
            self._loaded += 1
        elif method == "Page.javascriptDialogOpening":
            self.errors.append(f"dialog: {params['message']}")

    def open(self, path: Path) -> None:
        loaded = self._loaded
        self.send("Page.navigate", url=path.resolve().as_uri())
        while self._loaded == loaded:
            self._next()

    def value(self, expression: str):
        """Value of an expression in the page; a promise is waited for."""
        result = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, expression: str):
        """Waits until an expression is true; returns it."""
        end = time.monotonic() + SECONDS
        while not (value := self.value(expression)):
            assert time.monotonic() < end, expression
            time.sleep(0.05)
        return value

    def click(self, selector: str) -> None:
        self.value(f"document.querySelector({json.dumps(selector)}).scrollIntoView()")
        x, y = self.value(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)})"
            ".getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def hover(self, selector: str, across: float, down: float) -> None:
        """Moves the pointer to a share of an element's width and height."""
        self.value(f"document.querySelector({json.dumps(selector)}).scrollIntoView()")
        x, y = self.value(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)})"
            f".getBoundingClientRect(); return [b.x + {across} * b.width, "
            f"b.y + {down} * b.height]; }})()"
        )
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def press(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key)

    def type(self, text: str) -> None:
        self.send("Input.insertText", text=text)


def _pipe() -> list[int]:
    """A pipe whose ends are not the descriptors 3 and 4, which Chromium reads and writes."""
    ends = os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return high


@contextlib.contextmanager
def opened(browser: Tab):
    """Opens `browser.path` afresh; afterwards there was no error and no request elsewhere."""
    browser.errors.clear()
    browser.urls.clear()
    browser.open(browser.path)
    browser.wait(READY)
    yield
    assert browser.errors == []
    assert browser.urls
    assert all(url.startswith(("file:", "data:", "blob:")) for url in browser.urls)


@contextlib.contextmanager
def tab(folder: Path, *, width: int = 1366, height: int = 900):
    """A page of a new Chromium, whose profile and downloads lie in a folder."""
    path = executable()
    (reads, requests), (answers, writes) = _pipe(), _pipe()
    flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width},{height}"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # Chromium refuses its sandbox to root
    program = f'exec "$@" 3<&{reads} 4>&{writes}'
    process = subprocess.Popen(
        ["bash", "-c", program, "chromium", path, "--remote-debugging-pipe", *flags],
        pass_fds=(reads, writes),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(reads)
    os.close(writes)
    try:
        page = Tab(requests, answers)
        page.send(
            "Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder / "downloads")
        )
        yield page
    finally:
        process.terminate()
        process.wait(SECONDS)
        os.close(requests)
        os.close(answers)


def downloaded(folder: Path) -> Path:
    """The only finished download; waits for it."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        files = [p for p in (folder / "downloads").glob("*") if p.suffix != ".crdownload"]
        if files and files[0].stat().st_size:
            return files[0]
        time.sleep(0.05)
    raise AssertionError("nothing was downloaded")
