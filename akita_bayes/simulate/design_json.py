"""Writes and reads `simulation.json`, from which an edited genome can be simulated later."""

import dataclasses
from pathlib import Path
from typing import Any

from akita_bayes import errors, files
from akita_bayes.simulate.designs import Design
from akita_bayes.specs import strict_json
from akita_bayes.specs.frozen import Frozen

FILE = "simulation.json"


_LATER = {
    "": ("measurement",),
    "physics": ("most_occupancy", "factors"),
    "landscape": ("weakened", "factor_site", "decoy_motifs", "decoy_motif"),
}
"""Keys that the first version of the format lacks, by section of the design."""


class _Changed(Frozen):
    """Describes a design alone; unknown keys are refused inside of it."""

    design: Design


class Solved(Frozen):
    """Describes what reached the wanted correlation of replicates."""

    depth: float
    replicate_bias: float


class _Simulation(Frozen):
    """Describes the content of the file."""

    version: str
    seed: int
    design: Design
    solved: Solved | None = None


def write(
    folder: str | Path, design: Design, *, seed: int, version: str, solved: Design | None = None
) -> None:
    """Writes every parameter of a simulation.

    Args:
        folder: Folder of the simulation.
        design: Design as it was asked for.
        seed: Seed of all random draws.
        version: Version of the package.
        solved: The design with the bias or the depth that reached its `replicate_r`.
    """
    content: dict[str, Any] = {"version": version, "seed": seed, "design": as_json(design)}
    if solved is not None and solved != design:
        content["solved"] = {
            "depth": solved.depth,
            "replicate_bias": solved.measurement.replicate_bias,
        }
    files.write_json(Path(folder) / FILE, content)


def as_json(design: Design) -> dict[str, Any]:
    """Returns the design as JSON; keys younger than the format's first are left out at default.

    So the file of a design that does not use them stays the same, and older versions read it.
    """
    content = dataclasses.asdict(design)
    default = dataclasses.asdict(Design())
    for section, keys in _LATER.items():
        part, usual = (x[section] if section else x for x in (content, default))
        for key in keys:
            if part[key] == usual[key]:
                del part[key]
    return content


def with_changes(preset: Design, path: str | Path) -> Design:
    """Returns a preset whose keys a JSON file replaces, such as `{"measurement": {...}}`.

    Raises:
        DataError: The file is missing or not JSON, or a key is unknown or out of range.
    """

    def parse(raw: Any) -> Design:
        merged = _merged(dataclasses.asdict(preset), raw)
        return strict_json.read(_Changed, {"design": merged}).design

    try:
        return strict_json.load(Path(path), parse)
    except errors.SpecError as error:
        raise errors.DataError(str(error)) from None


def _merged(content: dict[str, Any], changes: Any) -> Any:
    """Returns nested content with some keys replaced; what is no object replaces as a whole."""
    if not isinstance(changes, dict):
        return changes
    result = dict(content)
    for key, value in changes.items():
        earlier = content.get(key)
        result[key] = _merged(earlier, value) if isinstance(earlier, dict) else value
    return result


def read(folder: str | Path) -> Design:
    """Reads the design of a simulation.

    Raises:
        DataError: The folder holds no simulation, or its parameters are of another version.
    """
    try:
        return strict_json.load(Path(folder) / FILE, _parse).design
    except errors.SpecError as error:
        raise errors.DataError(f"{error} Simulate again, with this version.") from None


def _parse(raw: Any) -> _Simulation:
    return strict_json.read(_Simulation, raw)
