"""Finds residual branches that end in a learned factor per channel, `layer_scale`."""

from typing import Any

import keras

from akita_bayes.layers import normalization


def scaled(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns all layers of branches x + scale * branch(x), in order of depth.

    With a small factor such a branch hardly changes its input, so that a network may begin without
    the weights of its branches.
    """
    branches: set[int] = set()
    for layer in model.layers:
        if isinstance(layer, keras.layers.Add):
            for end in filter(_is_scaled, layer.input):
                around = (_above(tensor) for tensor in layer.input if tensor is not end)
                branches |= _above(end).difference(*around)
    return [layer for layer in model.layers if id(layer) in branches]


def _is_scaled(tensor: Any) -> bool:
    return isinstance(tensor._keras_history.operation, normalization.Scale)


def _above(tensor: Any) -> set[int]:
    """Returns the ids of the operations on which a tensor depends."""
    operations: set[int] = set()
    waiting = [tensor]
    while waiting:
        operation = waiting.pop()._keras_history.operation
        if id(operation) not in operations:
            operations.add(id(operation))
            if operation._inbound_nodes:
                waiting += keras.tree.flatten(operation.input)
    return operations
