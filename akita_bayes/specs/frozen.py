"""Frozen values read from JSON, and errors that start with the JSON path of what is wrong."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import pydantic

from akita_bayes import errors

SEEDS = 2**31
"""Seeds that a spec or an option may give: 0 up to this, since draws take int32."""


class Frozen(pydantic.BaseModel):
    """An immutable, comparable value that refuses keys it does not know."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)


Kind = TypeVar("Kind", bound=Frozen)


def validated(
    kind: type[Kind], values: Any, path: str, parts: Mapping[str, type[Frozen]] | None = None
) -> Kind:
    """Makes a frozen value of a JSON object.

    Args:
        kind: The class to make.
        values: The object, with tuples for lists.
        path: JSON path of the object.
        parts: Classes of the fields that are objects themselves, for the nearest known word.

    Raises:
        SpecError: `values` is no object, or is wrong somewhere; names the path.
    """
    if not isinstance(values, dict):
        raise errors.SpecError(f"{path}: expected an object, got {shown(values)}.")
    try:
        return kind.model_validate(values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        for at in first["loc"]:
            path += f"[{at}]" if isinstance(at, int) else f".{at}"
        if first["type"] != "extra_forbidden":
            raise _explained(first, path) from None
        holder = (parts or {}).get(str(first["loc"][0]), kind)
        hint = errors.did_you_mean(str(first["loc"][-1]), holder.model_fields)
        raise errors.SpecError(f"{path}: no such key.{hint}") from None


def typed(annotation: Any, value: Any, path: str) -> Any:
    """Checks one value against a type annotation.

    Raises:
        SpecError: It is of another type; names the path, what was expected and what came.
    """
    try:
        return pydantic.TypeAdapter(annotation).validate_python(value, strict=True)
    except pydantic.ValidationError as error:
        raise _explained(error.errors()[0], path) from None


def refuse_unknown(values: Iterable[str], known: Iterable[str], prefix: str) -> None:
    """Raises a SpecError for the first key that is not known, with the nearest known word."""
    known = tuple(known)
    for key in values:
        if key not in known:
            hint = errors.did_you_mean(key, known)
            raise errors.SpecError(f"{prefix}{key}: no such key.{hint}")


def immutable(value: Any) -> Any:
    """Lists to tuples, at any depth."""
    return tuple(map(immutable, value)) if isinstance(value, list) else value


def shown(value: Any) -> str:
    """A value as short JSON, for a message."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _explained(error: Any, path: str) -> errors.SpecError:
    if error["type"] == "missing":
        return errors.SpecError(f"{path}: is missing.")
    if error["type"] == "value_error":
        return errors.SpecError(f"{path}: {error['ctx']['error']}.")
    hint = ""
    if error["type"] == "literal_error":
        known = re.findall(r"'([^']+)'", error["ctx"]["expected"])
        hint = errors.did_you_mean(str(error["input"]), known)
    message = error["msg"].removeprefix("Input ")
    return errors.SpecError(f"{path}: {message}, got {shown(error['input'])}.{hint}")
