"""Importing the package and asking a command for help stay fast: no TensorFlow for either."""

import os
import subprocess
import sys

HEAVY = (
    *("tensorflow", "keras", "tensorflow_probability", "matplotlib", "cooler", "cooltools"),
    *("pandas", "pydantic", "numba", "h5py"),
)

PROGRAM = """
import contextlib, importlib, io, pkgutil, sys

HEAVY = {heavy}

def check(what):
    loaded = [name for name in HEAVY if name in sys.modules]
    assert not loaded, f"{{what}} imports {{loaded}}"

import akita_bayes
assert set(akita_bayes.__all__) <= set(dir(akita_bayes))
check("akita_bayes")
for module in pkgutil.iter_modules(akita_bayes.__path__):
    if module.ispkg:
        continue
    importlib.import_module(f"akita_bayes.{{module.name}}")
    check(module.name)
from akita_bayes import cli
for module in pkgutil.iter_modules(cli.__path__):
    command = importlib.import_module(f"akita_bayes.cli.{{module.name}}")
    if hasattr(command, "main"):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            try:
                command.main(["--help"])
            except SystemExit as stop:
                assert stop.code == 0, module.name
        assert "usage:" in said.getvalue(), module.name
        assert "example:" in said.getvalue(), module.name
    check(f"{{module.name}} --help")
"""


def test_package_and_help_import_nothing_heavy():
    program = PROGRAM.format(heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "MPLBACKEND": "agg"},
    )
    assert done.returncode == 0, done.stderr
