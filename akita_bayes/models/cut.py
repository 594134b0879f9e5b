"""Cutting a graph in two, so that what no draw changes is computed once."""

from typing import Any, NamedTuple

import keras

from akita_bayes.layers import latent, variational

POSTERIORS = (latent.NormalLatent, variational.DenseVariational)
"""Layers that hold a distribution over latents or weights."""


class Cut(NamedTuple):
    """Two models that share the layers of one; `decoder(encoder(x))` is that one.

    Attributes:
        encoder: From the model's input to the list of tensors that cross the cut.
        decoder: From these to the model's output; holds every posterior layer.
    """

    encoder: keras.Model
    decoder: keras.Model


def posteriors(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model that hold a distribution, in order of depth."""
    return [layer for layer in model.layers if isinstance(layer, POSTERIORS)]


def before_posteriors(model: keras.Model) -> Cut | None:
    """Cuts a graph right before its first posterior layers; None when it has none."""
    random: set[int] = set()
    crossing: dict[int, Any] = {}
    for operation in model.operations:
        inputs = [] if not operation._inbound_nodes else keras.tree.flatten(operation.input)
        if isinstance(operation, POSTERIORS) or any(id(tensor) in random for tensor in inputs):
            random.update(id(tensor) for tensor in keras.tree.flatten(operation.output))
            crossing |= {id(tensor): tensor for tensor in inputs if id(tensor) not in random}
    if not random:
        return None
    tensors = [tensor for key, tensor in crossing.items() if key not in random]
    return Cut(keras.Model(model.input, tensors), keras.Model(tensors, model.output))
