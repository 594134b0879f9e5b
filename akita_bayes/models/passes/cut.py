"""Cuts a graph before its posterior layers; the first part is the same for every draw."""

from typing import Any, NamedTuple

import keras

from akita_bayes.layers import latent, noise, variational

POSTERIORS = (latent.NormalLatent, variational.DenseVariational, noise.NormalOutput)
"""Layers with a distribution over latents, weights or outputs."""


class Cut(NamedTuple):
    """Holds two parts of a model, with shared layers; `decoder(encoder(x))` equals the model.

    Attributes:
        encoder: From the model's input to the list of tensors at the cut.
        decoder: From these tensors to the model's output; holds every posterior layer.
        tensors: These tensors in the graph of the model; the decoder has a copy of its part.
    """

    encoder: keras.Model
    decoder: keras.Model
    tensors: list[Any]


def posteriors(model: keras.Model) -> list[keras.layers.Layer]:
    """Returns the posterior layers of a model, in order of depth."""
    return [layer for layer in model.layers if isinstance(layer, POSTERIORS)]


def before_posteriors(model: keras.Model) -> Cut | None:
    """Cuts a graph right before its first posterior layers; returns None without such layers."""
    # `random` holds the ids of the tensors that a draw changes; `crossing` holds the tensors that
    # no draw changes and that an operation behind the cut reads.
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
    return Cut(keras.Model(model.input, tensors), keras.Model(tensors, model.output), tensors)
