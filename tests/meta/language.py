"""Which names and docstrings the house refuses, and where they stand."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

EMPTY_NAMES = frozenset(
    [
        "found",
        "kept",
        "place",
        "places",
        "told",
        "held",
        "one",
        "each",
        "made",
        "chosen",
        "here",
        "there",
        "given",
        "known",
        "begun",
        "reached",
        "sought",
        "tried",
        "said",
        "seen",
        "taken",
        "wanted",
        "drawn",
        "gone",
        "meant",
        "named",
        "other",
        "others",
        "thing",
        "things",
        "what",
        "which",
        "who",
        "why",
        "how",
        "such",
    ]
)
"""Names that do not say what they hold. Use the field's noun: `geometry`, `window`, `score`."""

VERBS: frozenset[str] = frozenset()
"""Verbs with which public docstrings open."""


class Word(NamedTuple):
    """Holds a name or docstring, and the line where it stands."""

    text: str
    line: int
    owner: str = ""


def assigned_names(tree: ast.Module) -> Iterator[Word]:
    """Yields every variable, parameter, loop and comprehension name of a module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield Word(node.id.strip("_"), node.lineno)
        elif isinstance(node, ast.arg):
            yield Word(node.arg.strip("_"), node.lineno)


def public_docstrings(tree: ast.Module) -> Iterator[Word]:
    """Yields the docstrings of public classes, functions, methods and properties."""
    yield from _docstrings(tree)


def _docstrings(scope: ast.Module | ast.ClassDef) -> Iterator[Word]:
    for node in scope.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            if text := ast.get_docstring(node):
                yield Word(text, node.lineno, node.name)
            if isinstance(node, ast.ClassDef):
                yield from _docstrings(node)


def opens_with_verb(docstring: str) -> bool:
    """Returns True when the first word is one of `VERBS`."""
    return docstring.split(maxsplit=1)[0].rstrip(",.:;") in VERBS


def complaints(package: Path) -> Iterator[str]:
    """Yields one line for every empty name and every docstring without a verb."""
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = path.relative_to(package.parent).as_posix()
        for name in assigned_names(tree):
            if name.text in EMPTY_NAMES:
                yield f"{module}:{name.line}: name: {name.text}"
        for docstring in public_docstrings(tree):
            if not opens_with_verb(docstring.text):
                opening = docstring.text.splitlines()[0]
                yield f"{module}:{docstring.line}: docstring of {docstring.owner}: {opening}"
