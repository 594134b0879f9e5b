"""`simulation.json`: a design on disk, so that an edited genome can be simulated later."""

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
        DataError: The folder holds no simulation, or one of another version's parameters.
    """
    path = Path(folder) / FILE
    try:
        found = files.read_json(path)["design"]
        return Design(
            **{
                **found,
                "physics": _physics(found["physics"]),
                "landscape": Landscape(**_tuples(found["landscape"])),
            }
        )
    except (KeyError, TypeError) as error:
        raise errors.DataError(
            f"{path}: not the parameters of a simulation of this version ({error}); simulate again."
        ) from None


def _physics(found: dict[str, Any]) -> Physics:
    corepressors = tuple(
        Corepressor(**{**_tuples(each), "motif": Motif(**_tuples(each["motif"]))})
        for each in found["corepressors"]
    )
    site = Motif(**_tuples(found["site"]))
    return Physics(**{**_tuples(found), "site": site, "corepressors": corepressors})


def _tuples(found: dict[str, Any]) -> dict[str, Any]:
    """JSON has lists where frozen parameters have tuples."""
    return {key: tuple(v) if isinstance(v, list) else v for key, v in found.items()}
