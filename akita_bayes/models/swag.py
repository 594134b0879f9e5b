r"""SWAG: a Gaussian over weights, gathered while training walks around an optimum.

A draw is  m + sqrt(v / 2) z_1 + D z_2 / sqrt(2 (K - 1)),  z_1, z_2 ~ N(0, I),  with m the mean,
v the variance and D the last K deviations of the weights over epochs (Maddox et al. 2019,
algorithm 1).
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import errors, files

FILE = "swag.npz"


class Swag(NamedTuple):
    """A Gaussian over the trainable weights, flattened in the order of the variables.

    Attributes:
        mean: [W].
        variance: Diagonal part, before its factor 1/2. [W].
        deviations: Low-rank part, one row an epoch. [K, W].
    """

    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    deviations: NDArray[np.float32]

    def draw(self, seed: int) -> NDArray[np.float32]:
        """One draw of the weights; the same seed gives the same draw. [W]."""
        generator = np.random.default_rng(seed)
        diagonal = np.sqrt(self.variance / 2) * generator.normal(size=self.mean.shape)
        rank = len(self.deviations)
        if rank < 2:
            return (self.mean + math.sqrt(2) * diagonal).astype(np.float32)
        low_rank = generator.normal(size=rank) @ self.deviations / math.sqrt(2 * (rank - 1))
        return (self.mean + diagonal + low_rank).astype(np.float32)


def save(path: str | Path, swag: Swag, draws: NDArray[np.float32]) -> None:
    """Writes a posterior and finished draws of all weights, batch statistics included. [S, W']."""
    with files.atomic(path) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, draws=draws, **swag._asdict())


def load(path: str | Path) -> tuple[Swag, NDArray[np.float32]]:
    """Reads what `save` wrote.

    Raises:
        DataError: The file is damaged or another format.
    """
    try:
        with np.load(path) as held:
            return Swag(held["mean"], held["variance"], held["deviations"]), held["draws"]
    except (KeyError, OSError, ValueError):
        raise errors.DataError(f"{path}: not a SWAG posterior; train again to make one.") from None


def flatten(variables: Sequence[Any]) -> NDArray[np.float32]:
    """All values in one vector. [W]."""
    return np.concatenate([np.ravel(variable.numpy()) for variable in variables])


def unflatten(variables: Sequence[Any], vector: NDArray) -> None:
    """Assigns a vector that `flatten` could have returned."""
    for variable, piece in pieces(variables, vector):
        variable.assign(piece.reshape(variable.shape))


def pieces(variables: Sequence[Any], vector: Any) -> Iterator[tuple[Any, Any]]:
    """Each variable and its flat part of such a vector, which may be a tensor."""
    start = 0
    for variable in variables:
        size = math.prod(variable.shape)
        yield variable, vector[start : start + size]
        start += size


def held(model: Any) -> list[Any]:
    """The variables that a finished draw sets: weights and batch statistics, no random states."""
    return [v for v in model.variables if v.dtype.startswith(("float", "bfloat"))]
