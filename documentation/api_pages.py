"""Writes docs/api.md: the public functions and classes with their docstrings."""

import importlib
import inspect
import re
from typing import Any

import akita_bayes
from documentation import markdown

_OPENING = """\
# Python

<!-- generated: python -m documentation -->

This page is generated from the docstrings. `import akita_bayes as ab` is fast: TensorFlow is
imported with the first model. B is the number of windows, L of
bases, N of bins, P of pixels of the upper triangle, T of targets, S of draws. Functions raise the
exceptions of [ab.errors](#aberrors), whose messages say what to do. In a signature, `...` stands
for a default value that is too long for a line.

"""

_WIDTH = 88  # characters of a signature on one line, as the page of the site shows them
_MODULES = ("data", "simulate", "regulation")
_FUNCTIONS = ("dna", "regions", "triangle", "errors")
_OPTIONS = (
    ("akita_bayes.models.posterior", "PosteriorOptions"),
    ("akita_bayes.evaluate.prediction_files", "PredictionSettings"),
    ("akita_bayes.variants.options", "Options"),
    ("akita_bayes.variants.saturation.region_scan", "ScanSettings"),
    ("akita_bayes.variants.scored_files.score_directory", "FileSettings"),
)


def page() -> str:
    """Returns the text of the page."""
    parts = [_OPENING]
    parts += [_entry(f"ab.{name}", getattr(akita_bayes, name)) for name in akita_bayes._PUBLIC]
    parts.append("## Options as objects\n\nTheir fields are also keywords of the functions.\n\n")
    for module_name, name in _OPTIONS:
        value = getattr(importlib.import_module(module_name), name)
        parts.append(_entry(f"{module_name}.{name}", value, level=3))
    for module_name in (*_MODULES, *_FUNCTIONS):
        module = importlib.import_module(f"akita_bayes.{module_name}")
        parts.append(f"## ab.{module_name}\n\n{markdown.summary(inspect.getdoc(module) or '')}\n\n")
        for name, value in _public(module):
            parts.append(_entry(f"ab.{module_name}.{name}", value, level=3))
    return "".join(parts).rstrip() + "\n"


def _public(module: Any) -> list[tuple[str, Any]]:
    """Returns the functions and classes that a module offers."""
    if hasattr(module, "_PUBLIC"):
        return [(name, getattr(module, name)) for name in module._PUBLIC]
    offered = [
        (name, value)
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    ]
    return sorted(offered, key=lambda item: inspect.getsourcelines(item[1])[1])


def _entry(name: str, value: Any, *, level: int = 2) -> str:
    if not (inspect.isfunction(value) or inspect.isclass(value)):
        return f"{'#' * level} {name}\n\n{_names(value)}\n\n"
    docstring = inspect.getdoc(value) or ""
    parts = [f"{'#' * level} {name}\n\n```python\n{_signature(name, value)}\n```\n\n"]
    parts.append(f"{_escaped(markdown.summary(docstring))}\n\n")
    for section in ("Args", "Attributes"):
        rows = markdown.entries(docstring, section).items()
        if rows:
            cells = [(markdown.code(key), _escaped(text)) for key, text in rows]
            parts.append(markdown.table(("name", "meaning"), cells) + "\n")
    if returned := markdown.prose(docstring, "Returns"):
        parts.append(f"Returns: {_escaped(returned)}\n\n")
    if raised := markdown.entries(docstring, "Raises"):
        cells = [(markdown.code(key), _escaped(text)) for key, text in raised.items()]
        parts.append(markdown.table(("raises", "when"), cells) + "\n")
    return "".join(parts)


def _names(value: Any) -> str:
    return "Names: " + ", ".join(map(markdown.code, value)) + "."


def _escaped(text: str) -> str:
    """Returns text in which shapes such as [B, P, T] stay text, and are not read as links."""
    return re.sub(r"\[(?=[^\]]*\](?!\())", r"\\[", text)


def _signature(name: str, value: Any) -> str:
    """Returns the call of a function, one argument on each line when it is long."""
    try:
        signature = inspect.signature(value)
    except ValueError:
        return name
    parameters = [_parameter(parameter) for parameter in signature.parameters.values()]
    keyword = [p.kind is p.KEYWORD_ONLY for p in signature.parameters.values()]
    if True in keyword:
        parameters.insert(keyword.index(True), "*")
    short = f"{name}({', '.join(parameters)})"
    if len(short) <= _WIDTH:
        return short
    return f"{name}(\n" + "".join(f"    {parameter},\n" for parameter in parameters) + ")"


def _parameter(parameter: inspect.Parameter) -> str:
    stars = {parameter.VAR_KEYWORD: "**", parameter.VAR_POSITIONAL: "*"}.get(parameter.kind, "")
    if parameter.default is parameter.empty:
        return f"{stars}{parameter.name}"
    default = parameter.default
    if hasattr(default, "__dataclass_fields__"):
        return f"{parameter.name}={type(default).__name__}()"
    if inspect.isfunction(default):
        return f"{parameter.name}={default.__name__}"
    text = _quoted(repr(default))
    return f"{parameter.name}={text if len(text) <= _WIDTH // 2 else '...'}"


def _quoted(text: str) -> str:
    """Returns the text of a default with double quotes, as the code has it."""
    return text if '"' in text else text.replace("'", '"')
