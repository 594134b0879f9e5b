"""Every command is a script, a module with a `main`, and a test."""

import importlib
import os
import re
from pathlib import Path

import pytest

import akita_bayes

CLI = Path(akita_bayes.__file__).parent / "cli"
SHARED = (
    *("__init__", "all_commands", "basenji_options", "calibrated_scores", "command_line"),
    *("command_record", "console", "figure_options", "haplotype_options", "messages"),
    "model_options",
    "training_options",
    "worker_options",
)
COMMANDS = sorted(path.stem for path in CLI.glob("*.py") if path.stem not in SHARED)


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
def test_a_module_runs_its_command_too(command: str):
    """`python -m akita_bayes.cli.NAME` must not end without a word."""
    lines = (CLI / f"{command}.py").read_text(encoding="utf-8").splitlines()
    assert lines[-2:] == ['if __name__ == "__main__":', "    raise SystemExit(main())"]


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


@pytest.mark.parametrize("command", COMMANDS)
def test_help_states_at_most_one_default_for_each_option(command: str):
    parser = importlib.import_module(f"akita_bayes.cli.{command}")._parser()
    for action in parser._actions:
        text = parser._get_formatter()._expand_help(action)
        assert "(default: )" not in text
        assert text.count("(default") <= 1, text


@pytest.mark.parametrize(
    ("command", "number"),
    [
        *(("akita_calibrate", f"{name} 0") for name in ("--distances", "--draws")),
        ("akita_calibrate", "--seed -1"),
        ("akita_train", "--epochs -3"),
        *(("akita_simulate", f"{name} 0") for name in ("--depth", "--stride", "--seq_length")),
        ("akita_simulate", "--genome_mb nan"),
    ],
)
def test_a_number_that_cannot_be_is_refused_before_any_work(command: str, number: str, capsys):
    arguments = {"akita_calibrate": f"akita_yeast {CLI}", "akita_train": f"{__file__} data"}
    name, value = number.split()
    with pytest.raises(SystemExit) as stopped:
        importlib.import_module(f"akita_bayes.cli.{command}").main(
            [*arguments.get(command, "").split(), "-o", "out", name, value]
        )
    assert stopped.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: argument ")
    assert f"{name}: {value!r} is not" in line
