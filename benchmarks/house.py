"""Measures how readable the code is: names, docstrings, comments, folders and imports.

    python -m benchmarks.house                # this checkout
    python -m benchmarks.house OTHER/checkout # another one, for example an older commit
    python -m benchmarks.house --list         # every name and docstring that the tests refuse

A *room* is a folder of the package. An *arrow* goes from a room to another room that it imports.
"""

import argparse
import ast
import io
import statistics
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.meta import language


class Measurement(NamedTuple):
    """Holds the counts of one checkout.

    Attributes:
        files: Python files of the package.
        lines: Lines in them.
        most_files: The largest number of modules in one folder, and that folder.
        assignments: Names that are assigned.
        empty_names: Those of them that say nothing.
        docstrings: Public docstrings.
        verbless: Those of them that do not open with a verb.
        comments: Lines with a comment, as a share of all lines.
        rooms: Folders with modules.
        arrows: Pairs of rooms of which the first imports the second.
        function_lines: Median and 90th percentile of the lines of a function.
    """

    files: int
    lines: int
    most_files: tuple[int, str]
    assignments: int
    empty_names: int
    docstrings: int
    verbless: int
    comments: float
    rooms: int
    arrows: int
    function_lines: tuple[float, float]


def measure(root: Path) -> Measurement:
    """Measures the package below a checkout.

    Args:
        root: The folder that holds `akita_bayes/`.
    """
    package = root / "akita_bayes"
    paths = sorted(package.rglob("*.py"))
    texts = {path: path.read_text(encoding="utf-8") for path in paths}
    trees = {path: ast.parse(text) for path, text in texts.items()}
    lines = sum(text.count("\n") for text in texts.values())
    folders: dict[str, int] = {}
    for path in paths:
        if path.name != "__init__.py":
            folder = path.parent.relative_to(root).as_posix()
            folders[folder] = folders.get(folder, 0) + 1
    lengths = sorted(
        node.end_lineno - node.lineno + 1
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.end_lineno
    )
    assignments = [name for tree in trees.values() for name in language.assigned_names(tree)]
    docstrings = [text for tree in trees.values() for text in language.public_docstrings(tree)]
    return Measurement(
        len(paths),
        lines,
        max((count, folder) for folder, count in folders.items()),
        len(assignments),
        sum(name.text in language.EMPTY_NAMES for name in assignments),
        len(docstrings),
        sum(not language.opens_with_verb(docstring.text) for docstring in docstrings),
        sum(_comment_lines(text) for text in texts.values()) / lines,
        len(folders),
        len(set(_arrows(package, trees))),
        (statistics.median(lengths), lengths[int(0.9 * len(lengths))]),
    )


def _comment_lines(text: str) -> int:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return sum(token.type == tokenize.COMMENT for token in tokens)


def _arrows(package: Path, trees: dict[Path, ast.Module]) -> Iterator[tuple[str, str]]:
    """Yields pairs of folders of which the first imports the second."""
    for path, tree in trees.items():
        importer = path.parent.relative_to(package).as_posix()
        for node in ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not node.module:
                continue
            for alias in node.names:
                target = _folder(package, f"{node.module}.{alias.name}".split(".")[1:])
                if node.module.split(".")[0] == "akita_bayes" and target not in (None, importer):
                    yield importer, str(target)


def _folder(package: Path, parts: list[str]) -> str | None:
    """Returns the folder of the module that an imported name is, or lies in."""
    for size in (len(parts), len(parts) - 1):
        if size and (module := package.joinpath(*parts[:size]).with_suffix(".py")).is_file():
            return module.parent.relative_to(package).as_posix()
    return None


def main() -> None:
    """Prints the measurement of a checkout."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--list", action="store_true", help="print what the tests refuse")
    options = parser.parse_args()
    if options.list:
        for complaint in language.complaints(options.root / "akita_bayes"):
            print(complaint)
        return
    counts = measure(options.root)
    for name, value in counts._asdict().items():
        print(f"{name:16s} {value if not isinstance(value, float) else format(value, '.2%')}")


if __name__ == "__main__":
    main()
