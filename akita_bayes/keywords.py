"""Changes frozen options by the keyword arguments of a function."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from akita_bayes import errors

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


def replaced(options: T, changes: Mapping[str, Any]) -> T:
    """Returns options with some fields replaced; `options` itself stays as it is.

    A function with the signature `f(x, options: Options = Options(), **changes: Any)` begins with
    `options = keywords.replaced(options, changes)`.

    Args:
        options: A dataclass.
        changes: Field -> new value, such as the keyword arguments of a function.

    Raises:
        TypeError: A name in `changes` is not a field; the message names it and the nearest field.
    """
    names = [field.name for field in dataclasses.fields(options) if field.init]
    for name in changes:
        if name not in names:
            raise TypeError(
                f'"{name}" is not a keyword of {type(options).__name__}.'
                f"{errors.did_you_mean(name, names)} Its keywords are {', '.join(names)}."
            )
    return dataclasses.replace(options, **changes)
