"""The vocabulary of specs: every block under its own name, with the arguments that it knows.

A block is a pure function `x -> x` with keyword-only arguments. A block that hands its remaining
keywords to another says so with `forwards=`, and the accepted keys are the union; so a typo in a
spec is an error that names the nearest word, and `dump(load(x))` can spell out every default.
"""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

Block = Callable[..., Any]

REQUIRED = inspect.Parameter.empty


class Word(NamedTuple):
    """A block and the arguments a spec may give it: name -> default, REQUIRED without one."""

    function: Block
    defaults: dict[str, Any]


_WORDS: dict[str, Word] = {}


def block(*, forwards: Block | None = None) -> Callable[[Block], Block]:
    """Registers a function under its own name.

    Args:
        forwards: The registered block that receives this block's `**keywords`.
    """

    def register(function: Block) -> Block:
        defaults = dict(words()[forwards.__name__].defaults) if forwards else {}
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                defaults[parameter.name] = parameter.default
        _WORDS[function.__name__] = Word(function, defaults)
        return function

    return register


def words() -> dict[str, Word]:
    """Every registered block by name; importing `akita_bayes.blocks` registers them all."""
    return _WORDS
