"""Writes and reads `simulation.json`, from which an edited genome can be simulated later."""

import dataclasses
from pathlib import Path
from typing import Any

from akita_bayes import errors, files
from akita_bayes.simulate.chromosomes import Landscape
from akita_bayes.simulate.designs import Design
from akita_bayes.simulate.physics import Corepressor, Motif, Physics

FILE = "simulation.json"


def write(folder: str | Path, design: Design, *, seed: int, version: str) -> None:
    """Writes every parameter of a simulation."""
    content = {"version": version, "seed": seed, "design": dataclasses.asdict(design)}
    files.write_json(Path(folder) / FILE, content)


def read(folder: str | Path) -> Design:
    """Reads the design of a simulation.

    Raises:
        DataError: The folder holds no simulation, or its parameters are of another version.
    """
    path = Path(folder) / FILE
    try:
        fields = files.read_json(path)["design"]
        return Design(
            **{
                **fields,
                "physics": _physics(fields["physics"]),
                "landscape": Landscape(**_tuples(fields["landscape"])),
            }
        )
    except (KeyError, TypeError) as error:
        raise errors.DataError(
            f"{path}: does not hold a simulation of this version ({error}); simulate again."
        ) from None


def _physics(fields: dict[str, Any]) -> Physics:
    corepressors = tuple(
        Corepressor(**{**_tuples(corepressor), "motif": Motif(**_tuples(corepressor["motif"]))})
        for corepressor in fields["corepressors"]
    )
    site = Motif(**_tuples(fields["site"]))
    return Physics(**{**_tuples(fields), "site": site, "corepressors": corepressors})


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """Converts the lists of JSON to the tuples of frozen parameters."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in fields.items()}
