"""The vocabulary of specs: every block under its own name, with its arguments.

A block is a pure function `x -> x` with keyword-only arguments. A block that passes its remaining
keywords to another declares this with `forwards=`, and accepts the arguments of both. A typo in a
spec is therefore an error that names the nearest word, and a spec can be written with every
default.
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, get_type_hints

Block = Callable[..., Any]

REQUIRED = inspect.Parameter.empty


class Word(NamedTuple):
    """Describes a block and the arguments that a spec may give it.

    Attributes:
        function: The block.
        defaults: Argument name -> default; REQUIRED when there is none.
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
        sets: Arguments of that block which this one sets itself; a spec cannot give them.
    """

    def register(function: Block) -> Block:
        defaults = dict(words()[forwards.__name__].defaults) if forwards else {}
        types = dict(words()[forwards.__name__].types) if forwards else {}
        for argument in sets:
            del defaults[argument], types[argument]
        hints = get_type_hints(function)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                defaults[parameter.name] = parameter.default
                types[parameter.name] = hints.get(parameter.name, Any)
        add(function.__name__, Word(function, defaults, types))
        return function

    return register


def add(name: str, word: Word) -> None:
    """Registers a word whose function comes from elsewhere, such as a Keras layer."""
    _WORDS[name] = word


def words() -> dict[str, Word]:
    """Returns every registered block by name; importing `akita_bayes.blocks` registers them all."""
    return _WORDS
