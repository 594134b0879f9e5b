"""Factors that make a model's stated intervals true, fitted on data that it never learned.

`evaluate.recalibration` fits them; a run directory keeps them; `posterior` applies them.
"""

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files, triangle

FILE = "recalibration.json"

Table = tuple[tuple[float, ...], ...]


@dataclasses.dataclass(frozen=True)
class Recalibration:
    """Numbers per target and stratum of genomic distance.

    Attributes:
        edges: Distances in bins at which strata begin, and the end of the last. [D + 1].
        scale: Factors on the predictive standard deviation, both parts alike. [T][D].
        noise: Observation noise of a model that has not learned its own, before the factor; None
            for one that has. [T][D].
        diagonal_offset: First diagonal of the triangle.
    """

    edges: tuple[int, ...]
    scale: Table
    noise: Table | None
    diagonal_offset: int

    def factors(self, pixels: int) -> NDArray[np.float32]:
        """The factor of every pixel and target. [P, T]."""
        return self._spread(self.scale, pixels)

    def aleatoric_sd(self, pixels: int) -> NDArray[np.float32] | None:
        """The observation noise of every pixel and target, where the model has none. [P, T]."""
        return None if self.noise is None else self._spread(self.noise, pixels)

    def _spread(self, table: Table, pixels: int) -> NDArray[np.float32]:
        bins = triangle.bins(pixels, self.diagonal_offset)
        distance = triangle.distances(bins, self.diagonal_offset)
        stratum = np.searchsorted(self.edges, distance, side="right") - 1
        return np.asarray(table, np.float32)[:, np.clip(stratum, 0, len(self.edges) - 2)].T

    def save(self, run: str | Path) -> None:
        """Writes the numbers into a run directory; its posterior applies them from then on."""
        files.write_json(Path(run) / FILE, dataclasses.asdict(self))

    @classmethod
    def load(cls, run: str | Path) -> "Recalibration | None":
        """Reads the numbers of a run directory; None when it has none."""
        path = Path(run) / FILE
        if not path.is_file():
            return None
        value = files.read_json(path)
        try:
            noise = value["noise"]
            return cls(
                tuple(int(edge) for edge in value["edges"]),
                _table(value["scale"]),
                None if noise is None else _table(noise),
                int(value["diagonal_offset"]),
            )
        except (KeyError, TypeError, ValueError):
            raise errors.DataError(
                f"{path}: not a recalibration; remove it and run akita_calibrate.py again."
            ) from None


def _table(rows: list[list[float]]) -> Table:
    return tuple(tuple(float(value) for value in row) for row in rows)
