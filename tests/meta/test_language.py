"""Names say what they hold, and public docstrings open with a verb."""

from pathlib import Path

import pytest

import akita_bayes
from tests.meta import language

PACKAGE = Path(akita_bayes.__file__).parent
FOLDERS = ("benchmarks", "bin", "documentation")
"""Folders of the repository outside the package that hold programs."""


def test_no_name_is_empty_and_every_public_docstring_opens_with_a_verb():
    assert list(language.complaints(PACKAGE)) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_programs_outside_the_package_keep_the_same_rules(repository, folder):
    assert list((repository / folder).glob("*.py"))
    assert list(language.complaints(repository / folder)) == []


def test_no_name_of_the_tests_is_empty(repository):
    assert list(language.empty_names(repository / "tests")) == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("found = 1", "name: found"),
        ("for each in rows: pass", "name: each"),
        ("def scale(held): pass", "name: held"),
        ("rows = [kept for kept in pairs]", "name: kept"),
        ('def unit():\n    """The unit."""', "docstring of unit: The unit."),
        ('class Map:\n    """What a map is."""', "docstring of Map: What a map is."),
        (
            'class Map:\n    """Holds pixels."""\n    def size(self):\n        """Pixels."""',
            "docstring of size: Pixels.",
        ),
    ],
)
def test_what_is_refused(tmp_path, source, complaint):
    (tmp_path / "module.py").write_text(source, encoding="utf-8")
    (line,) = language.complaints(tmp_path)
    assert line.endswith(complaint)


@pytest.mark.parametrize(
    "source",
    [
        "window = 1",
        'def unit():\n    """Returns the unit."""',
        'def _unit():\n    """The unit."""',
    ],
)
def test_what_is_accepted(tmp_path, source):
    (tmp_path / "module.py").write_text(source, encoding="utf-8")
    assert list(language.complaints(tmp_path)) == []
