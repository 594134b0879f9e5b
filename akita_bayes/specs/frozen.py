"""Frozen values of specs: immutable, comparable, and strict about keys and types."""

from typing import Any

import pydantic


class Frozen(pydantic.BaseModel):
    """Holds immutable, comparable fields and refuses unknown keys and other types."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)


def immutable(value: Any) -> Any:
    """Converts lists to tuples, at any depth."""
    return tuple(map(immutable, value)) if isinstance(value, list) else value
