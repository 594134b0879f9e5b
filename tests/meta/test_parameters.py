"""A function with more than eight parameters takes a dataclass, except a block of a spec."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import akita_bayes

PACKAGE = Path(akita_bayes.__file__).parent
MOST = 8


def counts(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yields every function and its parameters, without self and cls, *args and **keywords.

    A registered block is left out: each of its parameters is one key of a spec.
    """
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not is_block(node):
            every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            yield node.name, len([name for name in every if name.arg not in ("self", "cls")])


def is_block(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(
        ast.unparse(decorator).startswith("registry.block(")
        for decorator in function.decorator_list
    )


def too_many() -> dict[str, int]:
    return {
        f"{'.'.join(path.relative_to(PACKAGE).with_suffix('').parts)}.{name}": number
        for path in sorted(PACKAGE.rglob("*.py"))
        for name, number in counts(ast.parse(path.read_text(encoding="utf-8")))
        if number > MOST
    }


def test_no_function_has_more_than_eight_parameters():
    assert too_many() == {}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("def f(a, b, /, c, *, d): pass", 4),
        ("def f(self, a, *rest, **keywords): pass", 1),
        ("class A:\n    @classmethod\n    def f(cls, a): pass", 1),
        ("async def f(a): pass", 1),
    ],
)
def test_what_counts_as_a_parameter(source, expected):
    assert list(counts(ast.parse(source))) == [("f", expected)]


def test_a_block_does_not_count():
    assert not list(counts(ast.parse("@registry.block(geometry=keep)\ndef f(x, *, a): pass")))
