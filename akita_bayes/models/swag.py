r"""SWAG: a Gaussian over weights, fitted to the steps of training around an optimum.

A draw is  m + sqrt(v / 2) z_1 + D z_2 / sqrt(2 (K - 1)),  z_1, z_2 ~ N(0, I),  with m the mean,
v the variance and D the last K deviations of the weights over epochs (Maddox et al. 2019,
algorithm 1).
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from akita_bayes import files
from akita_bayes.files import damage, npz_reader

if TYPE_CHECKING:
    import keras

FILE = "swag.npz"


class Swag(NamedTuple):
    """Describes a Gaussian over the trainable weights, flattened in the order of the variables.

    Attributes:
        mean: Mean of the weights. [W].
        variance: Diagonal part, before its factor 1/2. [W].
        deviations: Low-rank part, one row per epoch. [K, W].
    """

    mean: NDArray[np.float32]
    variance: NDArray[np.float32]
    deviations: NDArray[np.float32]

    def draw(self, seed: int) -> NDArray[np.float32]:
        """Returns one draw of the weights; the same seed gives the same draw. [W]."""
        generator = np.random.default_rng(seed)
        diagonal = np.sqrt(self.variance / 2) * generator.normal(size=self.mean.shape)
        rank = len(self.deviations)
        if rank < 2:
            # Without a low-rank part, the diagonal carries all: sqrt(2) sqrt(v / 2) z = sqrt(v) z.
            return (self.mean + math.sqrt(2) * diagonal).astype(np.float32)
        low_rank = generator.normal(size=rank) @ self.deviations / math.sqrt(2 * (rank - 1))
        return (self.mean + diagonal + low_rank).astype(np.float32)


def save(path: str | Path, swag: Swag, draws: NDArray[np.float32]) -> None:
    """Writes a Gaussian, and draws [S, W'] of all weights, batch statistics included."""
    with files.atomic(path) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, draws=draws, **swag._asdict())


def load(path: str | Path) -> tuple[Swag, NDArray[np.float32]]:
    """Reads the Gaussian and the draws that `save` wrote.

    Raises:
        DataError: The file is damaged or has another format.
    """
    kind, advice = "a SWAG posterior", "copy it again, or train again"
    arrays = npz_reader.read(path, kind, advice)
    with damage.explained(path, kind, advice):
        swag = Swag(*(arrays[name].astype(np.float32) for name in Swag._fields))
        draws = arrays["draws"].astype(np.float32)
        weights = len(swag.mean)
        if not swag.mean.shape == swag.variance.shape == swag.deviations.shape[1:] == (weights,):
            raise ValueError("mean, variance and deviations have different numbers of weights")
        if draws.ndim != 2:
            raise ValueError(f"draws of shape {draws.shape}")
        return swag, draws


def flatten(variables: Sequence[Any]) -> NDArray[np.float32]:
    """Returns all values in one vector. [W]."""
    return np.concatenate([np.ravel(variable.numpy()) for variable in variables])


def unflatten(variables: Sequence[Any], vector: NDArray[Any]) -> None:
    """Assigns the parts of a vector, ordered as in `flatten`, to the variables."""
    for variable, piece in pieces(variables, vector):
        variable.assign(piece.reshape(variable.shape))


def pieces(variables: Sequence[Any], vector: Any) -> Iterator[tuple[Any, Any]]:
    """Yields each variable and its part of a vector or tensor, ordered as in `flatten`."""
    start = 0
    for variable in variables:
        size = math.prod(variable.shape)
        yield variable, vector[start : start + size]
        start += size


def drawn_variables(model: "keras.Model") -> list[Any]:
    """Returns the variables that a draw sets: weights and batch statistics, not random states."""
    # The states of seed generators are integers.
    return [v for v in model.variables if v.dtype.startswith(("float", "bfloat"))]
