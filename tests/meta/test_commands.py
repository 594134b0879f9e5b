"""Every command is a script, a module with a `main`, and a test."""

import importlib
import os
import re
from pathlib import Path

import pytest

import akita_bayes

CLI = Path(akita_bayes.__file__).parent / "cli"
COMMANDS = sorted(
    path.stem for path in CLI.glob("*.py") if path.stem not in ("__init__", "console")
)


def test_scripts_and_modules_are_the_same(repository):
    assert sorted(path.stem for path in (repository / "bin").glob("*.py")) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_a_script_is_a_few_lines_over_its_module(repository, command: str):
    """Guarded, since worker processes import the script that started them."""
    script = repository / "bin" / f"{command}.py"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").splitlines() == [
        *("#!/usr/bin/env python", "import sys", ""),
        *(f"from akita_bayes.cli.{command} import main", ""),
        *('if __name__ == "__main__":', "    sys.exit(main())"),
    ]
    assert callable(importlib.import_module(f"akita_bayes.cli.{command}").main)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_tested_and_documented(repository, command: str):
    tests = (repository / "tests").rglob("*.py")
    assert any(
        re.search(rf"\b{command}\b", path.read_text(encoding="utf-8"))
        for path in tests
        if path.parent.name != "meta"
    )
    architecture = (repository / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert f"`{command}.py`" in architecture
