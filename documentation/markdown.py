"""Turns types, defaults and docstrings into Markdown."""

import inspect
import json
import re
import textwrap
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any

_SECTIONS = ("Args", "Attributes", "Raises", "Returns", "Yields")
TITLES = {
    "ElboSpec": "train.elbo",
    "DistillationSpec": "train.distillation",
    "SwaSpec": "train.swa",
}
"""Headings of the sections of a spec whose classes have other names."""

_ENTRY = re.compile(r"^(\**\w[\w.]*):\s+(.*)$")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Returns a table of Markdown; bars and line ends inside cells are escaped."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """Returns text as inline code; "" for an empty text."""
    return f"`{text}`" if text else ""


def as_json(value: Any) -> str:
    """Returns a default as it would be written in JSON."""
    return code(json.dumps(_plain(value)))


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value


def type_name(annotation: Any) -> str:
    """Describes the JSON values that an annotation allows, such as "whole number or null"."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin is typing.Literal:
        return ", ".join(json.dumps(value) for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_name(part) for part in arguments)
    if origin is tuple:
        if arguments[-1] is Ellipsis:
            return f"list of {type_name(arguments[0])}"
        return f"list of {len(arguments)}: {type_name(arguments[0])}"
    if origin is dict:
        return f"object: name to {type_name(arguments[1])}"
    names = {int: "whole number", float: "number", str: "text", bool: "true or false"}
    names |= {type(None): "null", Any: "as in Keras"}
    if annotation in names:
        return names[annotation]
    title = TITLES.get(annotation.__name__, annotation.__name__)
    return f"[{title}](#{title.lower().replace('.', '')})"


def summary(docstring: str) -> str:
    """Returns the text of a docstring before its sections, without shape lines being joined."""
    lines = []
    for line in inspect.cleandoc(docstring).splitlines():
        if line.rstrip(":") in _SECTIONS and line.endswith(":"):
            break
        lines.append(line)
    return "\n".join(lines).strip()


def entries(docstring: str, section: str) -> dict[str, str]:
    """Returns what a section of a Google docstring says of each name."""
    lines = inspect.cleandoc(docstring).splitlines()
    if f"{section}:" not in lines:
        return {}
    block = []
    for line in lines[lines.index(f"{section}:") + 1 :]:
        if line and not line.startswith(" "):
            break
        block.append(line)
    values: dict[str, str] = {}
    name = ""
    for line in textwrap.dedent("\n".join(block)).splitlines():
        match = _ENTRY.match(line)
        if match:
            name = match[1].lstrip("*")
            values[name] = match[2]
        elif name:
            values[name] = f"{values[name]} {line.strip()}".strip()
    return values


def prose(docstring: str, section: str) -> str:
    """Returns the text of a section that names nothing, such as Returns."""
    lines = inspect.cleandoc(docstring).splitlines()
    if f"{section}:" not in lines:
        return ""
    text = []
    for line in lines[lines.index(f"{section}:") + 1 :]:
        if line and not line.startswith(" "):
            break
        text.append(line.strip())
    return " ".join(text).strip()
