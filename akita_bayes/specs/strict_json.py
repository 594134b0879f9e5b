"""Strict reading of JSON: the rules and messages that networks, mechanisms and designs share.

A value is first checked to be JSON: objects, lists, text, finite numbers, true, false and null.
Pydantic then reads it in its strict mode for JSON, which fills a tuple from a list and a float from
a whole number, and converts nothing else. Errors begin with the path of the value, such as
`model.trunk[2].filters`.
"""

import dataclasses
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pydantic

from akita_bayes import errors, files

LARGEST = 1e300
"""Upper limit of numbers; excludes NaN, Infinity and 1e999, which Python reads from JSON."""

Value = TypeVar("Value")
Step = str | int

_EXPECTED = {
    "bool_type": "true or false",
    "dataclass_type": "an object",
    "dict_type": "an object",
    "float_type": "a number",
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of {ge} or more",
    "int_type": "a whole number",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of {le} or less",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "an object",
    "string_type": "text in quotes",
    "too_long": "a list of {max_length}",
    "tuple_type": "a list",
}
"""Type of pydantic's error -> expectation, with numbers from the context of the error."""

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


class _Problem(NamedTuple):
    """Describes one of pydantic's errors.

    Attributes:
        steps: Keys and indices from the value that was read to the bad value.
        owner: Class of the object, or type of the list, in which the last step stands.
        error: The entry of `ValidationError.errors`.
    """

    steps: list[Step]
    owner: Any
    error: Mapping[str, Any]


def load(path: str | Path, parse: Callable[[Any], Value]) -> Value:
    """Reads a JSON file by a function that validates its value.

    Raises:
        DataError: The file is missing, is not JSON, or gives a key twice.
        SpecError: As `parse`; the message begins with the name of the file.
    """
    raw = files.read_json(path)
    try:
        return parse(raw)
    except errors.SpecError as error:
        raise errors.SpecError(f"{path}: {error}") from None


def read(kind: type[Value], raw: Any, path: str = "") -> Value:
    """Makes a value of a type from JSON.

    Args:
        kind: Class of the value, or another annotation: a `Frozen`, `Literal["a", "b"] | None`.
        raw: The JSON, with lists or tuples.
        path: Path of `raw` in the file; empty for all of it.

    Raises:
        SpecError: A key is unknown or missing, or a value has another type; names its path.
    """
    check(raw, path)
    try:
        return pydantic.TypeAdapter(kind).validate_json(json.dumps(raw), strict=True)
    except pydantic.ValidationError as error:
        message = _message(_deepest(error.errors(include_url=False), kind), path)
    raise errors.SpecError(message)


def check(raw: Any, path: str = "") -> None:
    """Raises a SpecError for a value that JSON cannot hold, such as NaN; names its path."""
    if isinstance(raw, dict):
        for key, value in raw.items():
            if not isinstance(key, str) or not _is_text(key):
                where = path or "spec"
                raise errors.SpecError(f"{where}: the key {key!r:.40} is not text; rename it.")
            check(value, files.json_path([key], path))
    elif isinstance(raw, (list, tuple)):
        for index, value in enumerate(raw):
            check(value, files.json_path([index], path))
    elif isinstance(raw, str):
        if not _is_text(raw):
            raise errors.SpecError(f"{path}: expected text, got {shown(raw)}.")
    elif isinstance(raw, (int, float)):
        # Negated, because NaN compares False with everything.
        if not abs(raw) < LARGEST:
            raise errors.SpecError(
                f"{path}: expected a finite number below {LARGEST:g}, got {shown(raw)}."
            )
    elif raw is not None:
        raise errors.SpecError(
            f"{path or 'spec'}: expected a value of JSON, got a {type(raw).__name__}."
        )


def refuse_unknown(
    keys: Iterable[str], allowed: Iterable[str], path: str = "", *, owner: str = ""
) -> None:
    """Raises a SpecError for the first key that is not allowed, with the nearest allowed one.

    Args:
        keys: Keys of an object.
        allowed: Keys that it may have.
        path: Path of the object; empty for all of the file.
        owner: Name of the block or object whose keys these are, for the message.
    """
    allowed = tuple(allowed)
    for key in keys:
        if key not in allowed:
            raise errors.SpecError(_unknown(files.json_path([key], path), key, allowed, owner))


def missing(path: str, owner: str = "") -> errors.SpecError:
    """Returns the error for a required key that is absent; `owner` is the block that needs it."""
    return errors.SpecError(f"{path}: is missing; {f'{owner} needs it' if owner else 'add it'}.")


def unexpected(path: str, expectation: str, value: Any) -> errors.SpecError:
    """Returns the error for a value of another kind than expected; an empty path is the file."""
    return errors.SpecError(f"{path or 'spec'}: expected {expectation}, got {shown(value)}.")


def shown(value: Any) -> str:
    """Formats a value as short JSON, for a message."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_text(text: str) -> bool:
    """Returns False for half of a surrogate pair, which JSON can escape but UTF-8 cannot hold."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def _unknown(path: str, key: str, allowed: Iterable[str], owner: str = "") -> str:
    hint = errors.did_you_mean(key, allowed)
    return f"{path}: no such key{f' in {owner}' if owner else ''}.{hint}"


def _deepest(problems: Sequence[Any], kind: Any) -> list[_Problem]:
    """Returns the errors to report: the first, or those of the alternative that fits best.

    A value that may be a number or an object has one error for each. If the value is an object,
    the error inside it lies deeper than the error that it is not a number.
    """
    located = [_Problem(*_locate(problem["loc"], kind), problem) for problem in problems]
    start = located[0].steps
    alternatives = [problem for problem in located if problem.steps[: len(start)] == start]
    steps = max((problem.steps for problem in alternatives), key=len)
    return [problem for problem in alternatives if problem.steps == steps]


def _message(problems: Sequence[_Problem], path: str) -> str:
    steps, owner, error = problems[0]
    where = files.json_path(steps, path)
    if error["type"] in _UNKNOWN:
        return _unknown(where, str(steps[-1]), _keys(owner))
    if error["type"] == "missing" and isinstance(steps[-1], int):
        size, where = len(typing.get_args(owner)), files.json_path(steps[:-1], path)
        return f"{where}: expected a list of {size}, got {shown(error['input'])}."
    if error["type"] == "missing":
        return str(missing(where))
    if error["type"] == "value_error":
        cause = error["ctx"]["error"]
        # A SpecError names its own path.
        start = f"{where}: " if where and not isinstance(cause, errors.SpecError) else ""
        return f"{start}{str(cause).removesuffix('.')}."
    expectation = " or ".join(dict.fromkeys(_expectation(problem.error) for problem in problems))
    hint = ""
    if error["type"] == "literal_error":
        hint = errors.did_you_mean(
            str(error["input"]), re.findall(r"'([^']+)'", error["ctx"]["expected"])
        )
    return f"{unexpected(where, expectation, error['input'])}{hint}"


def _expectation(error: Mapping[str, Any]) -> str:
    words = _EXPECTED.get(error["type"])
    if words is None:
        return f"a valid value ({error['msg']})"
    context = error.get("ctx", {})
    bounds = {key: value for key, value in context.items() if isinstance(value, float)}
    whole = {key: int(value) for key, value in bounds.items() if value.is_integer()}
    return words.format(**context | whole).replace("'", '"')


def _locate(path: Sequence[Step], kind: Any) -> tuple[list[Step], Any]:
    """Returns pydantic's path without its labels of alternatives, and the owner of the last step.

    A path such as ("activity", "float") ends with the alternative that did not match.
    """
    steps: list[Step] = []
    owner = kind
    for step in path:
        alternatives = list(_alternatives(kind))
        if len(alternatives) > 1:
            kind = next((inner for inner in alternatives if _label(inner) == step), Any)
            continue
        owner = alternatives[0]
        kind = _member(owner, step)
        steps.append(step)
    return steps, owner


def _alternatives(kind: Any) -> Iterator[Any]:
    """Yields the types that an annotation names, without None; a Literal is one type."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        yield from _alternatives(typing.get_args(kind)[0])
    elif origin in (types.UnionType, typing.Union):
        for inner in typing.get_args(kind):
            if inner is not type(None):
                yield from _alternatives(inner)
    else:
        yield kind


def _label(kind: Any) -> str:
    """Returns pydantic's label of an alternative, such as `dict[str,float]`."""
    return kind.__name__ if isinstance(kind, type) else str(kind).replace(" ", "")


def _member(owner: Any, step: Step) -> Any:
    """Returns the annotation of one key of an object, or of one item of a list."""
    if isinstance(owner, type) and issubclass(owner, pydantic.BaseModel):
        for name, field in owner.model_fields.items():
            if step in (name, field.alias):
                return field.annotation
    elif dataclasses.is_dataclass(owner):
        return typing.get_type_hints(owner).get(str(step), Any)
    arguments = typing.get_args(owner)
    if isinstance(step, int) and typing.get_origin(owner) is tuple and Ellipsis not in arguments:
        return arguments[step] if step < len(arguments) else Any
    if not arguments:
        return Any
    return arguments[-1] if typing.get_origin(owner) is dict else arguments[0]


def _keys(owner: Any) -> list[str]:
    """Returns the keys that an object of a class may have."""
    if isinstance(owner, type) and issubclass(owner, pydantic.BaseModel):
        return [field.alias or name for name, field in owner.model_fields.items()]
    return [field.name for field in dataclasses.fields(owner)]
