"""Writes docs/design_keys.md: every key of a simulated design with its default and meaning."""

import dataclasses
import inspect
from typing import Any

from akita_bayes.simulate import designs, physics
from akita_bayes.simulate.chromosomes import Landscape
from akita_bayes.simulate.measurement.settings import Measurement
from documentation import markdown

_OPENING = """\
# Keys of a simulated design

<!-- generated: python -m documentation -->

`akita_simulate.py --design FILE` takes a JSON file with the keys to change, nested as below:
`{"depth": 8000, "measurement": {"dispersion": 0.05}}`. A list replaces a list as a whole. Keys of
the preset that the file leaves out stay. [The simulator](simulator.md) explains what they do;
columns of presets show values that differ from the default.

"""

SECTIONS: dict[str, type[Any]] = {
    "design": designs.Design,
    "physics": physics.Physics,
    "landscape": Landscape,
    "measurement": Measurement,
    "entries of physics.factors": physics.Factor,
    "entries of physics.corepressors": physics.Corepressor,
    "motif": physics.Motif,
}
"""Classes whose fields are keys, by the name of their section."""

_NESTED = ("physics", "landscape", "measurement")
_MOTIF_KEYS = {
    "consensus": "Letters of the consensus.",
    "conservation": "Probability of the consensus base at each position; the other three share "
    "the rest.",
}


def page() -> str:
    """Returns the text of the page."""
    parts = [_OPENING]
    for name, section in SECTIONS.items():
        parts.append(f"## {name}\n\n{_section(name, section)}\n")
    return "\n".join(parts).rstrip() + "\n"


def _section(name: str, section: type[Any]) -> str:
    listed = markdown.entries(inspect.getdoc(section) or "", "Args")
    meanings = {**listed, **(_MOTIF_KEYS if section is physics.Motif else {})}
    rows = []
    for field in dataclasses.fields(section):
        if field.name in _NESTED and section is designs.Design:
            continue
        default = _default(field)
        rows.append(
            [f"`{field.name}`", _shown(default), _other(name, field.name), meanings[field.name]]
        )
    columns = ["key", "default", "`realistic`", "meaning"]
    if not any(row[2] for row in rows):
        rows = [[row[0], row[1], row[3]] for row in rows]
        columns.remove("`realistic`")
    return markdown.table(columns, rows)


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _other(section: str, key: str) -> str:
    """Returns the value of the preset `realistic` where it is not the default."""
    pair = [designs.Design(), designs.PRESETS["realistic"]]
    if section in _NESTED:
        parts = [getattr(design, section) for design in pair]
    elif section == "design":
        parts = list(pair)
    else:
        return ""
    default, value = (getattr(part, key) for part in parts)
    return "" if value == default else _shown(value)


def _shown(value: Any) -> str:
    """Returns a default as JSON would spell it, short."""
    if value is dataclasses.MISSING:
        return "required"
    if value is None:
        return "null"
    if isinstance(value, physics.Motif):
        return f"`{value.consensus}`"
    if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        return ", ".join(f"`{getattr(entry, 'motif', entry).consensus}`" for entry in value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(entry) for entry in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else f"{value:g}" if value < 1e6 else f"{value}"
