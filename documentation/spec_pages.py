"""Writes docs/spec_keys.md: every key of a spec with its type, default and meaning."""

import inspect
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any

import pydantic

from akita_bayes.blocks import keras_layers, registry
from akita_bayes.mechanisms import declarations, mechanism_spec
from akita_bayes.specs import model_spec, train_spec
from documentation import markdown

_OPENING = """\
# Keys of the JSON files

<!-- generated: python -m documentation -->

This page is generated from the code that reads the files. A spec describes a network and its
training (`akita_*.json`), or a mechanism of a promoter
(`lac_*.json`). An unknown key or a value of another type is an error, which names the path and
the nearest key. `print(ab.load_spec("akita_tiny"))` shows a spec with
all defaults. How to read older spellings: [Basenji's files](basenji.md). Specs that come with the
package: [models](../models/README.md).

**null** means that a key is not set. A default of "required" means that the key has none.

"""

_MODEL = """\
A network is a list of blocks. The trunk reads the sequence, and each head turns the output of the
trunk into maps or tracks. In the file `head_hic` is the head `hic`.
`diagonal_offset` follows from a block `upper_tri`, and need not be set.

"""

_BLOCKS = """\
A block is `{"name": "conv_block", "filters": 32}`: its name, and any of the keys below. Shapes
are explained in [architecture](architecture.md).
Keys of the table `model` above that a block has too are its defaults.

"""

_KERAS = """\
Layers of Keras with their own arguments; Keras documents them.

"""

_MECHANISMS = """\
`"kind": "thermodynamic"` declares states in equilibrium, and `"kind": "kinetic"` species and the
rates between them. [The tutorial](lac.md) explains both.

"""


_MECHANISM_SECTIONS = (
    mechanism_spec.Thermodynamic,
    mechanism_spec.Kinetic,
    declarations.Term,
    declarations.Rate,
    declarations.State,
    declarations.Activity,
    declarations.Normal,
    declarations.Measurement,
    declarations.Truth,
)

SECTIONS: tuple[type[pydantic.BaseModel], ...] = (
    train_spec.TrainSpec,
    train_spec.ElboSpec,
    train_spec.DistillationSpec,
    train_spec.SwaSpec,
    model_spec.Settings,
    *_MECHANISM_SECTIONS,
)
"""Classes whose fields are keys of a spec, apart from blocks."""


def page() -> str:
    """Returns the text of the page."""
    parts = [_OPENING, "## Network and training\n\n"]
    parts.append(f"### train\n\n{_fields(train_spec.TrainSpec)}\n")
    for section in (train_spec.ElboSpec, train_spec.DistillationSpec, train_spec.SwaSpec):
        parts.append(f"### {markdown.TITLES[section.__name__]}\n\n{_section(section)}\n")
    parts.append(f"### model\n\n{_MODEL}{_model()}\n")
    parts.append(f"## Blocks\n\n{_BLOCKS}")
    words = registry.words()
    own = {name: word for name, word in words.items() if name not in keras_layers.ALLOWED}
    for name, word in sorted(own.items()):
        text = markdown.summary(inspect.getdoc(word.function) or "")
        parts.append(f"### {name}\n\n{text}\n\n{_arguments(word)}")
    parts.append(f"### Layers of Keras\n\n{_KERAS}{_keras(words)}\n")
    parts.append(f"## Mechanisms\n\n{_MECHANISMS}")
    for section in _MECHANISM_SECTIONS:
        parts.append(f"### {section.__name__}\n\n{_section(section)}\n")
    return "".join(parts).rstrip() + "\n"


def _section(section: type[pydantic.BaseModel]) -> str:
    return f"{markdown.summary(inspect.getdoc(section) or '')}\n\n{_fields(section)}"


def undescribed(section: type[pydantic.BaseModel]) -> list[str]:
    """Returns the keys of a section that no docstring describes."""
    meanings = _meanings(section)
    return [name for name in section.model_fields if not meanings.get(name)]


def _meanings(section: type[pydantic.BaseModel]) -> dict[str, str]:
    """Returns the meaning of every key, from the docstrings of a class and of its bases."""
    meanings: dict[str, str] = {}
    for base in reversed(section.__mro__):
        # `__doc__` of a class without a docstring of its own is None, where getdoc would inherit.
        meanings |= markdown.entries(base.__dict__.get("__doc__") or "", "Attributes")
    return meanings


def _fields(section: type[pydantic.BaseModel]) -> str:
    meanings = _meanings(section)
    rows = []
    for name, field in section.model_fields.items():
        default = field.get_default(call_default_factory=True)
        rows.append(
            (
                markdown.code(field.alias or name),
                markdown.type_name(field.annotation) + _limits(field),
                "required" if field.is_required() else markdown.as_json(default),
                re.sub(r"\bNone\b", "null", meanings.get(name, "")),
            )
        )
    return markdown.table(("key", "value", "default", "meaning"), rows)


def _limits(field: Any) -> str:
    """Returns the limits of a number, such as ", 0 to below 1"; "" without limits."""
    sources = [field, *typing.get_args(field.annotation)]
    rules = [rule for source in sources for rule in getattr(source, "metadata", None) or ()]
    rules += [rule for source in sources for rule in getattr(source, "__metadata__", ())]
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    limits = [
        f"{word} {getattr(rule, key):,}"
        for key, word in words.items()
        for rule in rules
        if getattr(rule, key, None) is not None
    ]
    return f", {' and '.join(limits)}" if limits else ""


def _model() -> str:
    blocks = "list of blocks"
    trunk = ("`trunk`", blocks, "required", "Blocks that all heads share.")
    head = ("`head_NAME`", blocks, "one is required", "Blocks from the trunk to an output.")
    lines = _fields(model_spec.Settings)
    return lines + "\n".join(markdown.table(trunk, [head]).splitlines()[::2]) + "\n"


def _arguments(word: registry.Word) -> str:
    if not word.defaults:
        return "No keys.\n\n"
    rows = (
        (markdown.code(name), markdown.type_name(word.types[name]), _default(default))
        for name, default in word.defaults.items()
    )
    return markdown.table(("key", "value", "default"), rows) + "\n"


def _default(default: Any) -> str:
    return "required" if default is registry.REQUIRED else markdown.as_json(default)


def _keras(words: Mapping[str, registry.Word]) -> str:
    rows: Iterable[tuple[str, str]] = (
        (
            markdown.code(name),
            ", ".join(
                f"`{key}` ({_default(default)})" for key, default in words[name].defaults.items()
            )
            or "none",
        )
        for name in sorted(keras_layers.ALLOWED)
    )
    return markdown.table(("name", "keys (defaults)"), rows)
