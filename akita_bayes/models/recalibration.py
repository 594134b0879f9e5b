"""Stores factors that make a model's intervals cover as stated, fitted on held-out windows.

`evaluate.recalibration` fits the factors, a run directory stores them by head, and `posterior`
applies the factors of its head. Factors hold for the weights that they were fitted to only, so the
file also holds a key of these weights and of their SWAG draws. The factors of an ensemble are in
the directory of its first run, under a key that depends on all members.
"""

import dataclasses
import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from akita_bayes import files, triangle
from akita_bayes.files import damage, directory_lock
from akita_bayes.models import fingerprint, swag
from akita_bayes.models.intervals import map_error
from akita_bayes.models.intervals.map_error import (
    MapError,
    Table,
    draws_half_width,
    noise_shape,
    read_table,
    student_quantile,
)
from akita_bayes.numerics import map_features

FILE = "recalibration.json"

WEIGHTS = "model_best.keras"

_LARGEST_OFFSET = 10_000

_log = logging.getLogger(__name__)


class Spread(NamedTuple):
    """Holds both parts of a recalibrated standard deviation. [..., P, T] each, float32.

    Attributes:
        epistemic: Standard deviation of the error of the map.
        aleatoric: Standard deviation of the noise of a measurement.
        half_width: Function of a level: half of the central interval of the map. [..., P, T].
    """

    epistemic: NDArray[np.float32]
    aleatoric: NDArray[np.float32]
    half_width: Callable[[float], NDArray[np.float32]]


class Factors(NamedTuple):
    """Holds the factors on both parts of a standard deviation. [P, T] each."""

    epistemic: NDArray[np.float32]
    aleatoric: NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Recalibration:
    """Holds factors per target and stratum of genomic distance.

    Attributes:
        edges: First distance of each stratum in bins, and the end of the last. [D + 1].
        epistemic: Factors on the standard deviation over draws. [T][D].
        aleatoric: Factors on the observation noise. [T][D].
        noise: Observation noise before the factor, for a model without learned noise; None for a
            model that learned its own. [T][D].
        diagonal_offset: First diagonal of the triangle.
        map_error: Error of the map, which replaces the factors; None when the noise of the data was
            unknown.
    """

    edges: tuple[int, ...]
    epistemic: Table
    aleatoric: Table
    noise: Table | None
    diagonal_offset: int
    map_error: MapError | None = None

    def factors(self, pixels: int) -> Factors:
        """Returns the factors of every pixel and target."""
        return Factors(self._spread(self.epistemic, pixels), self._spread(self.aleatoric, pixels))

    def apply(
        self,
        epistemic: NDArray[Any],
        aleatoric: NDArray[Any] | None,
        *,
        mean: NDArray[Any],
        draws: int,
    ) -> Spread:
        """Returns both parts of a recalibrated standard deviation.

        Args:
            epistemic: Standard deviation over draws. [..., P, T].
            aleatoric: Aleatoric part of the model, of a shape that broadcasts to [..., P, T]; None
                for a model without learned noise, which takes `noise`, or zero when that is None.
                Not used with `map_error`.
            mean: Mean over draws; used with `map_error` only. [..., P, T].
            draws: Number of draws S.
        """
        pixels = epistemic.shape[-2]
        if self.map_error is not None:
            return self._by_moments(self.map_error, epistemic, mean, draws)
        factors = self.factors(pixels)
        noise = self.aleatoric_sd(pixels) if aleatoric is None else aleatoric
        scaled = np.zeros(()) if noise is None else noise * factors.aleatoric
        sd = np.asarray(epistemic * factors.epistemic, np.float32)
        return Spread(
            sd,
            np.asarray(np.broadcast_to(scaled, epistemic.shape), np.float32),
            lambda level: draws_half_width(sd, draws, level),
        )

    def _by_moments(
        self, error: MapError, epistemic: NDArray[Any], mean: NDArray[Any], draws: int
    ) -> Spread:
        pixels = epistemic.shape[-2]
        factor, constant, noise, slope = (
            self._spread(table, pixels)
            for table in (error.epistemic, error.constant, error.noise, error.slope)
        )
        shape = self._shape(error, mean, epistemic)
        shown = (factor * epistemic) ** 2 * (1 + 1 / draws)
        whole = shown + constant**2
        sd = np.asarray(shape * np.sqrt(whole), np.float32)
        noise_sd = np.asarray(noise * np.sqrt(noise_shape(slope, mean)), np.float32)

        def half_width(level: float) -> NDArray[np.float32]:
            if level == 0:
                return np.zeros_like(sd)
            # Satterthwaite: a variance of which only a share fluctuates like that of S draws.
            share = np.divide(shown, whole, out=np.zeros_like(whole), where=whole > 0)
            student, fitted = (
                student_quantile(level, max(count - 1, 1) / np.maximum(share, 1e-6) ** 2)
                for count in (draws, error.draws)
            )
            # The fit has scaled the sd by the tails of residuals: only as far as they are errors.
            error_share = sd**2 / np.maximum(sd**2 + noise_sd**2, 1e-30)
            normal = scipy.stats.norm.ppf((1 + level) / 2)
            return np.asarray(sd * student * (normal / fitted) ** error_share, np.float32)

        return Spread(sd, noise_sd, half_width)

    def _shape(
        self, error: MapError, mean: NDArray[Any], epistemic: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Returns the product of the factors by features. [..., P, T]."""
        product = np.ones(mean.shape)
        for feature, values, factors in error.shapes:
            measured = map_features.compute(feature, mean, epistemic, self.diagonal_offset)
            for target in range(mean.shape[-1]):
                product[..., target] *= np.interp(
                    measured[..., target], values[target], factors[target]
                )
        return product

    def aleatoric_sd(self, pixels: int) -> NDArray[np.float32] | None:
        """Returns the observation noise of a model without learned noise, or None. [P, T]."""
        return None if self.noise is None else self._spread(self.noise, pixels)

    def _spread(self, table: Table, pixels: int) -> NDArray[np.float32]:
        bins = triangle.bins(pixels, self.diagonal_offset)
        distance = triangle.distances(bins, self.diagonal_offset)
        strata = len(self.edges) - 1
        if len(table[0]) != strata:
            columns = np.clip(distance - self.diagonal_offset, 0, len(table[0]) - 1)
            return np.asarray(table, np.float32)[:, columns].T
        # edges (2, 5, 9): distances 2 to 4 are stratum 0; those beyond 9 take the last stratum.
        stratum = np.searchsorted(self.edges, distance, side="right") - 1
        return np.asarray(table, np.float32)[:, np.clip(stratum, 0, strata - 1)].T


def save(runs: Sequence[str | Path], head: str, fitted: Recalibration) -> Path:
    """Saves the factors of one head; factors of other heads and other ensembles stay.

    Processes of one host that save at the same time wait for each other.

    Args:
        runs: The run directory of the model, or all run directories of an ensemble; the file is
            written to the first.
        head: Name of the head.
        fitted: Factors that the posterior of these runs and this head applies from then on.

    Returns:
        Path of the file.
    """
    path = Path(runs[0]) / FILE
    key = _key(runs)
    with directory_lock.alone(path.parent):
        content = _read(path)
        if len(runs) == 1:
            content["heads"][head], content["weights"][head] = fitted, key
        else:
            content["ensembles"].setdefault(key, {})[head] = fitted
        files.write_json(path, _plain(content))
    return path


def load(runs: Sequence[str | Path], heads: Sequence[str]) -> dict[str, Recalibration]:
    """Reads the factors that were fitted to the present weights of these runs, by head.

    Skips factors of a single run that was trained further since, and factors without a key of
    their weights; the log names both.

    Args:
        runs: A run directory, or those of an ensemble's members in any order.
        heads: Names of the model's heads.

    Raises:
        DataError: A file does not hold recalibrations.
    """
    contents = [_read(Path(run) / FILE) for run in runs]
    if len(runs) == 1:
        return _of_run(Path(runs[0]), contents[0], heads)
    fitted: dict[str, Recalibration] = {}
    if any(content["ensembles"] for content in contents):
        key = _key(runs)
        for content in reversed(contents):  # the first run's factors override the others'
            fitted |= content["ensembles"].get(key, {})
    return {head: fitted[head] for head in heads if head in fitted}


def _of_run(run: Path, content: dict[str, Any], heads: Sequence[str]) -> dict[str, Recalibration]:
    """Returns the factors of a run that were fitted to its present weights."""
    fitted = [head for head in heads if head in content["heads"]]
    key = _key([run]) if fitted else ""
    stale = [head for head in fitted if content["weights"].get(head) != key]
    if stale:
        _log.warning(
            "%s: the factors of %s were not fitted to the weights that %s now, or do not name "
            "their weights. They are not applied; run akita_calibrate.py again.",
            run / FILE,
            ", ".join(stale),
            f"{WEIGHTS} and {swag.FILE} hold" if _has_draws(run) else f"{WEIGHTS} holds",
        )
    return {head: content["heads"][head] for head in fitted if head not in stale}


def _key(runs: Sequence[str | Path]) -> str:
    """Digests the weights and SWAG draws of a model or an ensemble, in any order of members."""
    members = sorted(_member_key(Path(run)) for run in runs)
    return hashlib.sha256(" ".join(members).encode()).hexdigest()


def _member_key(run: Path) -> str:
    """Digests the weights and SWAG draws of a run; dates inside the files do not count."""
    best = fingerprint.fingerprint(run / WEIGHTS)
    if not _has_draws(run):
        return best
    _, draws = swag.load(run / swag.FILE)
    return f"{best}+{hashlib.sha256(draws.tobytes()).hexdigest()}"


def _has_draws(run: Path) -> bool:
    return (run / swag.FILE).is_file()


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """Reads `heads`: name -> factors, `weights`: name -> key, `ensembles`: key -> name -> factors.

    All three are empty when the file is absent.
    """
    if not path.is_file():
        return {"heads": {}, "weights": {}, "ensembles": {}}
    value = files.read_json(path)
    with damage.explained(path, "a recalibration", "remove it and run akita_calibrate.py again"):
        return {
            "heads": _parsed_heads(value["heads"]),
            "weights": dict(value.get("weights", {})),
            "ensembles": {key: _parsed_heads(heads) for key, heads in value["ensembles"].items()},
        }


def _plain(value: Any) -> Any:
    """Converts nested factors to plain values for JSON."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return dataclasses.asdict(value) if isinstance(value, Recalibration) else value


def _parsed_heads(heads: dict[str, dict[str, Any]]) -> dict[str, Recalibration]:
    return {head: _parsed(value) for head, value in heads.items()}


def _parsed(value: dict[str, Any]) -> Recalibration:
    edges = tuple(int(edge) for edge in value["edges"])
    offset = int(value["diagonal_offset"])
    if len(edges) < 2 or list(edges) != sorted(edges) or not 0 <= offset <= _LARGEST_OFFSET:
        raise ValueError(f"edges {edges}, diagonal_offset {offset}")
    strata, noise, error = len(edges) - 1, value["noise"], value.get("map_error")
    if error is not None:
        error = map_error.parsed(error, strata)
    return Recalibration(
        edges,
        read_table(value["epistemic"], strata),
        read_table(value["aleatoric"], strata),
        None if noise is None else read_table(noise, strata),
        offset,
        error,
    )
