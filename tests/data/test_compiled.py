"""Loops are compiled with a cache where a folder can be written, and without one elsewhere."""

import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from numba.core import caching

import akita_bayes
from akita_bayes.data import compiled
from tests import unprivileged

PACKAGE = Path(akita_bayes.__file__).parent


def double(values):
    for index in range(len(values)):
        values[index] *= 2


@pytest.fixture
def no_folder(monkeypatch):
    """No folder for numba's cache, and nothing said about it yet."""
    monkeypatch.setattr(caching.CompileResultCacheImpl, "_locator_classes", [])
    compiled._log_once.cache_clear()


@pytest.mark.parametrize("inline", ["never", "always"])
def test_loops_are_compiled_without_a_cache_where_none_can_be_written(no_folder, caplog, inline):
    caplog.set_level("INFO", "akita_bayes")
    function = compiled.njit(inline=inline)(double)
    compiled.njit(inline=inline)(double)
    values = np.array([1.0, 3.0])
    function(values)
    assert values.tolist() == [2.0, 6.0]
    assert function.nopython_signatures  # compiled, not run by Python
    assert caplog.messages == [
        "compiled loops cannot be stored, so that each start takes some seconds longer; set "
        "NUMBA_CACHE_DIR to a folder that can be written."
    ]


def test_another_error_of_the_compiler_is_raised(monkeypatch):
    def refuse(*arguments, **options):
        raise RuntimeError("out of order")

    monkeypatch.setattr(compiled.numba, "njit", refuse)
    with pytest.raises(RuntimeError, match="out of order"):
        compiled.njit()(double)


def test_a_read_only_package_of_a_user_without_a_home_works(tmp_path):
    """The first start of all: a copy without caches, whose folders cannot be written."""
    copy = tmp_path / "site" / "akita_bayes"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    folders = [tmp_path / "site", *(path for path in copy.rglob("*") if path.is_dir()), copy]
    for folder in folders:
        folder.chmod(0o555)
    hidden = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")
    env = {name: value for name, value in os.environ.items() if name not in hidden}
    env |= {"HOME": str(tmp_path / "site" / "home"), "PYTHONPATH": str(tmp_path / "site")}
    env["MPLCONFIGDIR"] = str(tmp_path)
    code = (
        "import numpy as np; from akita_bayes.data.contacts import coarsegrain, coolers, packed; "
        "print(packed.__file__, packed.pack(np.arange(9.0).reshape(3, 3), 2).tolist())"
    )
    try:
        finished = unprivileged.run([sys.executable, "-c", code], cwd=tmp_path, env=env)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert "Error" not in finished.stderr
    assert finished.stdout == f"{copy / 'data' / 'contacts' / 'packed.py'} [0.0, 1.0, 4.0]\n"
    assert not list(copy.rglob("*.nbc"))


def test_numba_is_called_in_one_place():
    callers = [
        path.name
        for path in PACKAGE.rglob("*.py")
        if re.search(r"^\s*(import|from) numba\b", path.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert callers == ["compiled.py"]
