"""Describes one layer of a file of weights, which is paired with a layer of a model by order."""

from typing import Any, NamedTuple

from numpy.typing import NDArray


class StoredLayer(NamedTuple):
    """Holds one layer of a file: its name, and names and arrays of its weights."""

    layer: str
    weights: list[str]
    arrays: list[NDArray[Any]]
