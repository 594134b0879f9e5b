"""Fixtures of all tests: where real data and reference numbers lie, and a quiet TensorFlow.

Every fixture and every test begins at a seed of its own name, whatever ran before it, so that the
weights of a network are the same on every machine; AKITA_BAYES_SEED gives all of them others.
"""

import gc
import os
import zlib
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "2")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
# The threads of OpenBLAS wait in a loop. On small matrices, and beside another worker on the same
# cores, they spend up to 20 times the time of the product itself.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Models that the user downloaded are not part of a test.
os.environ["AKITA_BAYES_MODELS"] = os.devnull

pytest_plugins = ("tests.random_models",)
"""Networks as fixtures; TensorFlow is imported when one is asked for."""

SHARED = Path(__file__).resolve().parents[2] / "shared"


def _seed(name: str) -> None:
    import keras

    keras.utils.set_random_seed(
        zlib.crc32(f"{name} {os.environ.get('AKITA_BAYES_SEED', '')}".encode())
    )


def pytest_collection_finish() -> None:
    """Leaves imported modules out of later garbage collections, which took up to a tenth.

    A graph of TensorFlow has some 20,000 objects, most of which live on: the usual threshold of 700
    looks at them again and again.
    """
    gc.freeze()
    gc.set_threshold(10_000)


def pytest_fixture_setup(fixturedef: pytest.FixtureDef, request: pytest.FixtureRequest) -> None:
    """Before a fixture is made."""
    _seed(f"{request.path.name} {fixturedef.argname}")


def pytest_runtest_call(item: pytest.Item) -> None:
    """Before a test is called, after its fixtures were made."""
    _seed(item.nodeid)


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


@pytest.fixture(scope="session")
def cases() -> Path:
    """Small inputs that went wrong for users of this and of other tools."""
    return _folder("AKITA_BAYES_CASES", "cases")
