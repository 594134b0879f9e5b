"""Fixtures of all tests: where real data and reference numbers lie, and a quiet TensorFlow."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "2")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _folder(variable: str, name: str) -> Path:
    folder = Path(os.environ.get(variable, SHARED / name))
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there; set {variable} to the folder that holds it")
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Public data: human records, a yeast cooler, sequences, lac reads."""
    return _folder("AKITA_BAYES_DATA", "data")


@pytest.fixture(scope="session")
def parity() -> Path:
    """Numbers that the reference implementations gave."""
    return _folder("AKITA_BAYES_PARITY", "parity")


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the project."""
    return Path(__file__).resolve().parents[1]
