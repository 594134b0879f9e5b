"""Collects versions, seeds, digests and options that a directory of results holds."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from akita_bayes import errors
from akita_bayes.files import output_directory, reading
from akita_bayes.report.contents import Fact


def plain(value: Any) -> Any:
    """Returns an attribute of HDF5 as a Python text or number."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.item() if hasattr(value, "item") else value


def flat(values: Mapping[str, Any], prefix: str = "") -> list[Fact]:
    """Returns one fact for each value of nested objects, named by its path; lists from 1."""
    facts = []
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            value = {str(number): item for number, item in enumerate(value, 1)}
        if isinstance(value, Mapping):
            facts += flat(value, f"{path}: ")
        else:
            facts.append(Fact(path, text(value)))
    return facts


def text(value: Any) -> str:
    """Returns a value of JSON as text; lists are joined by commas, lists in lists by semicolons."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        separator = "; " if any(isinstance(item, list) for item in value) else ", "
        return separator.join(map(text, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value)


def read_object(path: Path, advice: str) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        DataError: The file is missing, is not JSON, or is not an object.
    """
    value = reading.read_json(path)
    if not isinstance(value, dict):
        raise errors.DataError(f"{path}: is not an object of JSON; {advice}.")
    return value


def member(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Returns the object under a name; an empty one when there is none."""
    inner = value.get(name)
    return inner if isinstance(inner, Mapping) else {}


def of_scores(folder: Path, attributes: Mapping[str, Any]) -> list[Fact]:
    """Returns the provenance of a directory of scores.

    Args:
        folder: The directory.
        attributes: Attributes of `scd.h5`.
    """
    facts = flat(attributes)
    record = folder / output_directory.INPUTS
    if record.is_file():
        inputs = member(read_object(record, "score the variants again"), "of")
        more = {name: value for name, value in inputs.items() if name not in attributes}
        facts += flat(more)
    return facts
