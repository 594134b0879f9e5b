"""Writes and reads `simulation.json`, from which an edited genome can be simulated later."""

import dataclasses
from pathlib import Path
from typing import Any

from akita_bayes import errors, files
from akita_bayes.simulate.designs import Design
from akita_bayes.specs import strict_json
from akita_bayes.specs.frozen import Frozen

FILE = "simulation.json"


class _Simulation(Frozen):
    """Describes the content of the file."""

    version: str
    seed: int
    design: Design


def write(folder: str | Path, design: Design, *, seed: int, version: str) -> None:
    """Writes every parameter of a simulation."""
    content = {"version": version, "seed": seed, "design": dataclasses.asdict(design)}
    files.write_json(Path(folder) / FILE, content)


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
