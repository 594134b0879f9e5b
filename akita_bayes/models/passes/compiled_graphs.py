"""Stores compiled graphs with the model that they belong to, so that each is compiled once.

A graph refers to the layers of its model. A dictionary outside the model would therefore keep every
model alive, even with weak keys. An attribute of the model is freed with it.
"""

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

Graph = TypeVar("Graph")

_ATTRIBUTE = "_compiled_graphs"


class _Entry(NamedTuple):
    constants: Hashable
    graph: Any


class _Entries:
    """Holds the graphs of one model; Keras saves and tracks no object of this class."""

    def __init__(self) -> None:
        self.by_key: dict[Hashable, _Entry] = {}


def compiled(
    model: object,
    key: Hashable,
    compile_graph: Callable[[], Graph],
    *,
    constants: Hashable = None,
) -> Graph:
    """Returns a graph of a model; compiles it on the first request.

    Args:
        model: A network or a SavedModel.
        key: Name of the graph among those of the model, such as ("draws", head).
        compile_graph: Function that compiles the graph.
        constants: Identifies the values that the graph holds as constants, such as
            `fingerprint.weight_digest(model)`. A graph with other constants is replaced. Graphs
            that read the variables of the model follow new weights without this.
    """
    # Keras tracks what `setattr` stores, and would save it with the model.
    entries = vars(model).setdefault(_ATTRIBUTE, _Entries()).by_key
    if key not in entries or entries[key].constants != constants:
        entries.pop(key, None)  # frees the old graph before the new one is compiled
        entries[key] = _Entry(constants, compile_graph())
    return entries[key].graph
