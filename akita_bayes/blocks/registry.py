"""The vocabulary of specs: every block under its own name, with its arguments.

A block is a pure function `x -> x` with keyword-only arguments. A block that passes its remaining
keywords to another declares this with `forwards=`, and accepts the arguments of both. A typo in a
spec is therefore an error that names the nearest word, and a spec can be written with every
default. A block declares its geometry, so that bin width and crop of a model follow from its spec:

    @registry.block(geometry=lambda before, arguments: before.after_window(3, 3, padded=True))
    def pool_by_three(x):
        return keras.layers.MaxPooling1D(3, padding="same")(x)
"""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeVar, get_type_hints

from akita_bayes.specs.geometry import Rule, Traits

Block = Callable[..., Any]
Function = TypeVar("Function", bound=Block)

REQUIRED = inspect.Parameter.empty


class Word(NamedTuple):
    """Describes a block and the arguments that a spec may give it.

    Attributes:
        function: The block.
        defaults: Argument name -> default; REQUIRED when there is none.
        types: Argument name -> annotation; a spec's value of another type is an error.
        traits: Geometry of the block, whether it holds a posterior, and whether it is an output.
    """

    function: Block
    defaults: dict[str, Any]
    types: dict[str, Any]
    traits: Traits


_WORDS: dict[str, Word] = {}


def block(
    *,
    geometry: Rule,
    posterior: bool | str = False,
    spread: bool = False,
    output: bool = False,
    forwards: Block | None = None,
    sets: Iterable[str] = (),
) -> Callable[[Function], Function]:
    """Registers a function under its own name.

    Args:
        geometry: Rule by which the block changes bins, crop, triangle and channels, such as
            `geometry_rules.keep`.
        posterior: True for a block that holds a distribution over latents or weights, or the name
            of the argument that decides.
        spread: True for an output that states its standard deviation.
        output: True for a block that ends in its activation; the global activation is not its
            default.
        forwards: The registered block that receives this block's `**keywords`.
        sets: Arguments of that block which this one sets itself; a spec cannot give them.
    """

    def register(function: Function) -> Function:
        defaults = dict(words()[forwards.__name__].defaults) if forwards else {}
        types = dict(words()[forwards.__name__].types) if forwards else {}
        for argument in sets:
            del defaults[argument], types[argument]
        hints = get_type_hints(function)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
                defaults[parameter.name] = parameter.default
                types[parameter.name] = hints.get(parameter.name, Any)
        traits = Traits(geometry, posterior, output, spread)
        add(function.__name__, Word(function, defaults, types, traits))
        return function

    return register


def add(name: str, word: Word) -> None:
    """Registers a word whose function comes from elsewhere, such as a Keras layer."""
    _WORDS[name] = word


def words() -> dict[str, Word]:
    """Returns every registered block by name; importing `akita_bayes.blocks` registers them all."""
    return _WORDS
