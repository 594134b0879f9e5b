"""The vocabulary of specs: every block under its own name, with the arguments that it knows.

A block is a pure function `x -> x` with keyword-only arguments. A block that hands its remaining
keywords to another says so with `forwards=`, and the accepted keys are the union; so a typo in a
spec is an error that names the nearest word, and `dump(load(x))` can spell out every default.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, get_type_hints

Block = Callable[..., Any]

REQUIRED = inspect.Parameter.empty


class Word(NamedTuple):
    """A block and the arguments that a spec may give it.

    Attributes:
        function: The block.
        defaults: Argument name -> default, REQUIRED without one.
        types: Argument name -> annotation; a spec's value of another type is an error.
    """

    function: Block
    defaults: dict[str, Any]
    types: dict[str, Any]


_WORDS: dict[str, Word] = {}


def block(*, forwards: Block | None = None, sets: Iterable[str] = ()) -> Callable[[Block], Block]:
    """Registers a function under its own name.

    Args:
        forwards: The registered block that receives this block's `**keywords`.
        sets: Arguments of that block which this one chooses itself; a spec cannot give them.
    """

    def register(function: Block) -> Block:
        defaults = dict(words()[forwards.__name__].defaults) if forwards else {}
        types = dict(words()[forwards.__name__].types) if forwards else {}
        for chosen in sets:
            del defaults[chosen], types[chosen]
        hints = get_type_hints(function)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                defaults[parameter.name] = parameter.default
                types[parameter.name] = hints.get(parameter.name, Any)
        add(function.__name__, Word(function, defaults, types))
        return function

    return register


def add(name: str, word: Word) -> None:
    """Registers a word that is no function of this package."""
    _WORDS[name] = word


def words() -> dict[str, Word]:
    """Every registered block by name; importing `akita_bayes.blocks` registers them all."""
    return _WORDS
