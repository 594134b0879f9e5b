"""Factors that make a model's stated intervals true, fitted on data that it never learned.

`evaluate.recalibration` fits them; a run directory keeps them, by head; `posterior` applies those
of the head that it draws. They are of the weights that they were fitted to, and of no others: with
them stands a key of these weights and of their SWAG draws. Those of an ensemble lie in the
directory of its first run, under a key that only the same members have.
"""

import dataclasses
import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files, triangle
from akita_bayes.models import fingerprint, swag

FILE = "recalibration.json"

WEIGHTS = "model_best.keras"

Table = tuple[tuple[float, ...], ...]

_log = logging.getLogger(__name__)


class Factors(NamedTuple):
    """What both parts of a standard deviation are multiplied by. [P, T] each."""

    epistemic: NDArray[np.float32]
    aleatoric: NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Recalibration:
    """Numbers per target and stratum of genomic distance.

    Attributes:
        edges: Distances in bins at which strata begin, and the end of the last. [D + 1].
        epistemic: Factors on the standard deviation over draws. [T][D].
        aleatoric: Factors on the observation noise. [T][D].
        noise: Observation noise of a model that has not learned its own, before the factor; None
            for one that has. [T][D].
        diagonal_offset: First diagonal of the triangle.
    """

    edges: tuple[int, ...]
    epistemic: Table
    aleatoric: Table
    noise: Table | None
    diagonal_offset: int

    def factors(self, pixels: int) -> Factors:
        """The factors of every pixel and target."""
        return Factors(self._spread(self.epistemic, pixels), self._spread(self.aleatoric, pixels))

    def apply(
        self, epistemic: NDArray, aleatoric: NDArray | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Both parts of a standard deviation times their factors. [..., P, T] each.

        Args:
            epistemic: As the model states it. [..., P, T].
            aleatoric: Likewise, or what broadcasts to it; None of a model without a noise of its
                own, which is lent this one's, or none.
        """
        pixels = epistemic.shape[-2]
        factors = self.factors(pixels)
        noise = self.aleatoric_sd(pixels) if aleatoric is None else aleatoric
        scaled = np.zeros(()) if noise is None else noise * factors.aleatoric
        return (
            np.asarray(epistemic * factors.epistemic, np.float32),
            np.asarray(np.broadcast_to(scaled, epistemic.shape), np.float32),
        )

    def aleatoric_sd(self, pixels: int) -> NDArray[np.float32] | None:
        """The observation noise of every pixel and target, where the model has none. [P, T]."""
        return None if self.noise is None else self._spread(self.noise, pixels)

    def _spread(self, table: Table, pixels: int) -> NDArray[np.float32]:
        bins = triangle.bins(pixels, self.diagonal_offset)
        distance = triangle.distances(bins, self.diagonal_offset)
        stratum = np.searchsorted(self.edges, distance, side="right") - 1
        return np.asarray(table, np.float32)[:, np.clip(stratum, 0, len(self.edges) - 2)].T


def save(runs: Sequence[str | Path], head: str, fitted: Recalibration) -> Path:
    """Keeps the factors of one head; those of other heads, and of other ensembles, stay.

    Args:
        runs: The run directory that they were fitted to; of an ensemble all, whose factors are
            kept in the first.
        head: Name of the head.
        fitted: The factors. The posterior of these runs and this head applies them from then on.

    Returns:
        The file.
    """
    path = Path(runs[0]) / FILE
    held = _read(path)
    key = _key(runs)
    if len(runs) == 1:
        held["heads"][head], held["weights"][head] = fitted, key
    else:
        held["ensembles"].setdefault(key, {})[head] = fitted
    files.write_json(path, _plain(held))
    return path


def load(runs: Sequence[str | Path], heads: Sequence[str]) -> dict[str, Recalibration]:
    """Reads the factors that were fitted to exactly these runs' weights; none of a head without.

    Factors of a single run that was trained on since, or that do not say which weights they were
    fitted to, are left out, and the log says so.

    Args:
        runs: A run directory, or those of an ensemble's members in any order.
        heads: Names of the model's heads.

    Raises:
        DataError: A file is not one of recalibrations.
    """
    held = [_read(Path(run) / FILE) for run in runs]
    if len(runs) == 1:
        return _of_run(Path(runs[0]), held[0], heads)
    found: dict[str, Recalibration] = {}
    if any(each["ensembles"] for each in held):
        key = _key(runs)
        for each in reversed(held):
            found |= each["ensembles"].get(key, {})
    return {head: found[head] for head in heads if head in found}


def _of_run(run: Path, held: dict[str, Any], heads: Sequence[str]) -> dict[str, Recalibration]:
    """Those of a run's factors that were fitted to the weights that it holds now."""
    fitted = [head for head in heads if head in held["heads"]]
    key = _key([run]) if fitted else ""
    stale = [head for head in fitted if held["weights"].get(head) != key]
    if stale:
        _log.warning(
            "%s: the factors of %s were not fitted to the weights that %s now, or do not say "
            "to which, and are not applied; run akita_calibrate.py again.",
            run / FILE,
            ", ".join(stale),
            f"{WEIGHTS} and {swag.FILE} hold" if _has_draws(run) else f"{WEIGHTS} holds",
        )
    return {head: held["heads"][head] for head in fitted if head not in stale}


def _key(runs: Sequence[str | Path]) -> str:
    """What tells a model, or an ensemble of them: weights and their SWAG draws, in any order."""
    members = sorted(_member_key(Path(run)) for run in runs)
    return hashlib.sha256(" ".join(members).encode()).hexdigest()


def _member_key(run: Path) -> str:
    """Dates inside the files do not count."""
    best = fingerprint.fingerprint(run / WEIGHTS)
    if not _has_draws(run):
        return best
    _, draws = swag.load(run / swag.FILE)
    return f"{best}+{hashlib.sha256(draws.tobytes()).hexdigest()}"


def _has_draws(run: Path) -> bool:
    return (run / swag.FILE).is_file()


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """`heads`: name -> factors, `weights`: name -> key, `ensembles`: key -> name -> factors.

    A file may be absent.
    """
    if not path.is_file():
        return {"heads": {}, "weights": {}, "ensembles": {}}
    value = files.read_json(path)
    try:
        return {
            "heads": {head: _parsed(each) for head, each in value["heads"].items()},
            "weights": dict(value.get("weights", {})),
            "ensembles": {
                key: {head: _parsed(each) for head, each in heads.items()}
                for key, heads in value["ensembles"].items()
            },
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise errors.DataError(
            f"{path}: not a recalibration; remove it and run akita_calibrate.py again."
        ) from None


def _plain(value: Any) -> Any:
    """Nested factors as JSON writes them."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return dataclasses.asdict(value) if isinstance(value, Recalibration) else value


def _parsed(value: dict[str, Any]) -> Recalibration:
    noise = value["noise"]
    return Recalibration(
        tuple(int(edge) for edge in value["edges"]),
        _table(value["epistemic"]),
        _table(value["aleatoric"]),
        None if noise is None else _table(noise),
        int(value["diagonal_offset"]),
    )


def _table(rows: list[list[float]]) -> Table:
    return tuple(tuple(float(value) for value in row) for row in rows)
