"""The number of untyped places may fall and not rise; `make type` counts them."""

import tomllib

import pytest

from tests.meta import strict_typing

FIRST = 429
"""Errors when they were first counted; the number in CONTRIBUTING.md may only fall."""

STRICT = {"blocks", "data", "layers", "mechanisms", "specs"}
"""Wings without an error of `mypy --strict`; a wing never leaves this list."""


@pytest.mark.parametrize(
    ("errors", "limit", "advice"),
    [(5, 5, ""), (6, 5, "gives 6 errors, and"), (4, 5, "gives 4 errors; write this number")],
)
def test_more_errors_are_refused_and_fewer_are_written_down(errors, limit, advice):
    message = strict_typing.verdict(errors, limit)
    assert advice in message
    assert bool(message) is (errors != limit)
    assert message.startswith("error") is (errors > limit)


def test_the_summary_of_mypy_is_read():
    assert strict_typing.counted("a.py:1: error: x\nFound 12 errors in 3 files (checked 9)") == 12
    assert strict_typing.counted("Found 1 error in 1 file (checked 9 source files)") == 1
    assert strict_typing.counted("Success: no issues found in 9 source files") == 0
    with pytest.raises(AssertionError, match=r"mypy stopped: a\.py: not found"):
        strict_typing.counted("a.py: not found")


def test_contributing_states_a_number_and_make_compares_it(repository):
    page = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert strict_typing.allowed(page) <= FIRST
    makefile = (repository / "Makefile").read_text(encoding="utf-8")
    assert "python -m tests.meta.strict_typing" in makefile


def test_strict_wings_stay_strict(repository):
    settings = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))
    strict = {
        module.split(".")[1]
        for override in settings["tool"]["mypy"]["overrides"]
        if override.get("disallow_any_generics")
        for module in override["module"]
    }
    assert strict >= STRICT
