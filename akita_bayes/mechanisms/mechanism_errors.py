"""Checks the JSON of a mechanism before it is validated, and words the errors of its validation."""

from collections.abc import Iterator, Mapping
from typing import Any

import pydantic

from akita_bayes import errors
from akita_bayes.mechanisms import declarations
from akita_bayes.specs import frozen

LARGEST = 1e300
"""Upper limit of the numbers of a spec; excludes NaN, Infinity and 1e999, which JSON may hold."""

_EXPECTED = {
    "tuple_type": "a list",
    "dict_type": "an object, as {}",
    "model_type": "an object, as {}",
    "model_attributes_type": "an object, as {}",
    "string_type": "text in quotes",
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
_ALTERNATIVES = ("float", "str", "dict[str,float]")
"""Steps that pydantic adds to the path of a value that may have several types."""


def check(raw: Any) -> None:
    """Raises a SpecError for a value that is not an object, or has a number that is not finite."""
    if not isinstance(raw, Mapping):
        raise errors.SpecError(
            "a mechanism is an object with kind, name, sequence_length and more; got "
            f"{frozen.shown(raw)}."
        )
    for path, value in _numbers(raw, ()):
        # Negated, because NaN compares False with everything.
        if not abs(value) < LARGEST:
            raise errors.SpecError(f"{'.'.join(path)}: {value!r:.20} is not a finite number.")


def _numbers(raw: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], float]]:
    if isinstance(raw, (int, float)):
        yield path, raw
    elif isinstance(raw, (Mapping, list, tuple)):
        items = raw.items() if isinstance(raw, Mapping) else enumerate(raw)
        for key, value in items:
            yield from _numbers(value, (*path, str(key)))


def sentence(problem: Mapping[str, Any], kinds: Mapping[str, type[pydantic.BaseModel]]) -> str:
    """Translates one of pydantic's errors into the words of the spec.

    Args:
        problem: An entry of `ValidationError.errors`.
        kinds: Kind -> class of mechanism; the kind is the first step of the error's path.
    """
    cause = problem.get("ctx", {}).get("error")
    if isinstance(cause, errors.SpecError):
        return str(cause)
    if problem["type"].startswith("union_tag"):
        return 'kind: say "thermodynamic" or "kinetic".'
    kind, *steps = map(str, problem["loc"])
    # A path such as ("states", "a", "activity", "float") ends with the type that did not match.
    if steps[-1] in _ALTERNATIVES and steps[-2] in ("activity", "constant"):
        del steps[-1]
    path = ".".join(steps)
    if problem["type"] == "extra_forbidden":
        return f"{path}: {_unknown(steps, kind, kinds)}"
    if problem["type"] == "missing":
        return f"{path}: is missing; a mechanism needs it."
    if problem["type"] in _EXPECTED:
        return f"{path}: give {_EXPECTED[problem['type']]}; got {frozen.shown(problem['input'])}."
    if problem["type"] == "too_long":
        return f"{path}: has {len(problem['input'])} items; give {problem['ctx']['max_length']}."
    reason = f"{problem['msg'][:1].lower()}{problem['msg'][1:]}"
    return f"{path}: {reason}; got {frozen.shown(problem['input'])}."


def _unknown(steps: list[str], kind: str, kinds: Mapping[str, type[pydantic.BaseModel]]) -> str:
    word = steps[-1]
    for owner, model in kinds.items():
        if len(steps) == 1 and owner != kind and word in model.model_fields:
            return f"belongs to a {owner} mechanism, and this one is {kind}; drop it."
    candidates = (name for name in _words(kinds[kind]) if name != word)
    return f"unknown key.{errors.did_you_mean(word, candidates)}"


def _words(kind: type[pydantic.BaseModel]) -> Iterator[str]:
    """Yields every key that a mechanism of a kind may have."""
    for model in (
        kind,
        declarations.Rate,
        declarations.State,
        declarations.Activity,
        declarations.Measurement,
        declarations.Normal,
        declarations.Truth,
    ):
        for name, field in model.model_fields.items():
            yield field.alias or name
