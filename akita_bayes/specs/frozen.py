"""Frozen values read from JSON, and errors that start with the JSON path of the bad value."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import pydantic

from akita_bayes import errors

SEEDS = 2**31
"""Seeds of a spec or an option are 0 or more and below this, because draws take an int32."""


class Frozen(pydantic.BaseModel):
    """Holds immutable, comparable fields and refuses unknown keys."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)


Kind = TypeVar("Kind", bound=Frozen)


def validated(
    kind: type[Kind], values: Any, path: str, parts: Mapping[str, type[Frozen]] | None = None
) -> Kind:
    """Makes a frozen value from a JSON object.

    Args:
        kind: The class to make.
        values: The object, with tuples for lists.
        path: JSON path of the object.
        parts: Classes of the fields that are objects themselves, for hints in errors.

    Raises:
        SpecError: `values` is not an object, or one of its values is invalid; names the path.
    """
    if not isinstance(values, dict):
        raise errors.SpecError(f"{path}: expected an object, got {shown(values)}.")
    try:
        return kind.model_validate(values)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        for key in first["loc"]:
            path += f"[{key}]" if isinstance(key, int) else f".{key}"
        if first["type"] != "extra_forbidden":
            raise _explained(first, path) from None
        parent = (parts or {}).get(str(first["loc"][0]), kind)
        hint = errors.did_you_mean(str(first["loc"][-1]), parent.model_fields)
        raise errors.SpecError(f"{path}: no such key.{hint}") from None


def typed(annotation: Any, value: Any, path: str) -> Any:
    """Checks one value against a type annotation.

    Raises:
        SpecError: The value has another type; names the path, the type and the value.
    """
    try:
        return pydantic.TypeAdapter(annotation).validate_python(value, strict=True)
    except pydantic.ValidationError as error:
        raise _explained(error.errors()[0], path) from None


def refuse_unknown(keys: Iterable[str], allowed: Iterable[str], prefix: str) -> None:
    """Raises a SpecError for the first key that is not allowed, with the nearest allowed one."""
    allowed = tuple(allowed)
    for key in keys:
        if key not in allowed:
            hint = errors.did_you_mean(key, allowed)
            raise errors.SpecError(f"{prefix}{key}: no such key.{hint}")


def immutable(value: Any) -> Any:
    """Converts lists to tuples, at any depth."""
    return tuple(map(immutable, value)) if isinstance(value, list) else value


def shown(value: Any) -> str:
    """Formats a value as short JSON, for a message."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _explained(error: Any, path: str) -> errors.SpecError:
    if error["type"] == "missing":
        return errors.SpecError(f"{path}: is missing.")
    if error["type"] == "value_error":
        return errors.SpecError(f"{path}: {error['ctx']['error']}.")
    hint = ""
    if error["type"] == "literal_error":
        # pydantic lists the choices as text: "'sgd', 'adam' or 'adamw'".
        choices = re.findall(r"'([^']+)'", error["ctx"]["expected"])
        hint = errors.did_you_mean(str(error["input"]), choices)
    message = error["msg"].removeprefix("Input ")
    return errors.SpecError(f"{path}: {message}, got {shown(error['input'])}.{hint}")
