"""Describes what a result depends on, for every file in `results/`."""

import datetime
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

_PACKAGES = (
    "akita_bayes",
    "numpy",
    "scipy",
    "tensorflow",
    "keras",
    "tensorflow-probability",
    "cooler",
    "cooltools",
    "numba",
)
_INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_tile")
_SETTINGS = ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE")


def describe() -> dict[str, Any]:
    """Returns machine, kernels, commit, versions, time, and how busy the machine is."""
    return {
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
            "system": platform.platform(),
            "load": load(),
        },
        "kernels": kernels(),
        "commit": _git("rev-parse", "HEAD"),
        "modified": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def load() -> list[float]:
    """Returns the mean number of running processes over 1, 5 and 15 minutes."""
    return [round(processes, 2) for processes in os.getloadavg()]


def kernels() -> dict[str, Any]:
    """Returns which kernels compute convolutions, and the vector instructions of the processor.

    `onednn` is "on" where TensorFlow uses oneDNN, and "off" where it uses Eigen. `settings` are
    variables of the environment that change the kernels.
    """
    # TensorFlow has no public function for this; the answer includes its default for the processor.
    from tensorflow.python.util import _pywrap_util_port

    flags = set(_cpuinfo("flags").split())
    return {
        "onednn": "on" if _pywrap_util_port.IsMklEnabled() else "off",
        "instructions": [name for name in _INSTRUCTIONS if name in flags],
        "settings": {name: os.environ[name] for name in _SETTINGS if name in os.environ},
    }


def _cpu() -> str:
    return _cpuinfo("model name") or platform.processor()


def _cpuinfo(key: str) -> str:
    """Returns a value of the first processor, as Linux describes it; empty without one."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def _git(*arguments: str) -> str:
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "absent"
